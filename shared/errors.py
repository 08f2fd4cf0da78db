"""Every way to fail, as one tree. What is raised here is what HTTP, the wire, logs and metrics say.

    RefrainError
    ├── BadRequest            the caller must change the request; every node answers the same
    │   ├── NotFound          the address names nothing that is known
    │   └── Unsupported       well formed, but no pool speaks it
    ├── Refused               too much right now: try again after `retry_after`
    ├── OriginError           an origin failed
    │   ├── OriginTimeout     it did not answer in time
    │   └── BadTake           it answered, with audio that must not be kept
    ├── DeadlineExceeded      the caller's time ran out
    └── Internal              a fault of ours

Each error carries a stable `code` from `CODES`, says whether the same request may succeed later (`retryable`), which field is
at fault (`param`) and where it arose (`source`: an origin's URL, a store's name).
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple


class Code(NamedTuple):
    """What a stable error code means to whoever reads it. `status` is the HTTP status it is answered with."""

    status: int
    retryable: bool
    remedy: str


CODES: Final[dict[str, Code]] = {
    # the request
    "bad_json": Code(400, False, "Send one JSON object, encoded as UTF-8."),
    "bad_request": Code(400, False, "Compare the request with /openapi.json."),
    "bad_host": Code(400, False, "Send exactly one Host header that names this server."),
    "bad_origin": Code(403, False, "Without API keys the edge answers pages from its own address only."),
    "bad_value": Code(400, False, "Change the field that `param` names."),
    "bad_text": Code(400, False, "Remove control characters and lone surrogates from `input`."),
    "empty_text": Code(400, False, "Send text that has something to say: a letter or a digit."),
    "text_too_long": Code(413, False, "Send a shorter text, or split it."),
    "bad_tag": Code(400, False, "A tag is 1 to 64 of A-Z a-z 0-9 . _ : -, at most 16 of them."),
    "bad_key": Code(400, False, "A key is 40 lower-case hexadecimal digits."),
    "body_too_large": Code(413, False, "Send a smaller body."),
    "slow_body": Code(408, True, "Send the whole body within 30 seconds."),
    "bad_version": Code(505, False, "Audio that is being made is sent in chunks: ask by HTTP/1.1 (nginx: proxy_http_version 1.1)."),
    "bad_media_type": Code(415, False, "Send `Content-Type: application/json`, without a Content-Encoding."),
    "method_not_allowed": Code(405, False, "Use a method that `Allow` names."),
    "not_found": Code(404, False, "Look at /openapi.json for the routes there are."),
    "unknown_key": Code(404, False, "POST the speech request once; the answer's Content-Location is its address."),
    "not_cached": Code(504, False, "`only-if-cached` asks for what is stored; leave it out to have it synthesised."),
    "precondition_failed": Code(412, False, "Leave the condition out, or name the ETag that the address has now."),
    "range_not_satisfiable": Code(416, False, "Ask for a range inside the audio."),
    # what no pool speaks
    "unknown_model": Code(404, False, "GET /v1/models lists the models."),
    "unknown_voice": Code(422, False, "GET /v1/voices lists the voices."),
    "unknown_dialect": Code(422, False, "GET /v1/voices lists the dialects, or send `dialect_fallback: true`."),
    "unspeakable": Code(422, False, "This voice cannot say this text; choose a voice of the text's language."),
    "revision_mismatch": Code(409, True, "The origin has another revision of the model than the one asked for."),
    # right now
    "overloaded": Code(503, True, "Try again after Retry-After seconds."),
    "not_ready": Code(503, True, "The node is starting or stopping; try another."),
    "draining": Code(503, True, "The node is stopping; try another."),
    "no_origin": Code(503, True, "No origin of the pool can be reached; try again after Retry-After seconds."),
    # origins
    "origin_failed": Code(502, True, "The origin failed; the logs of edge and origin say more under this trace id."),
    "origin_cut": Code(502, True, "The origin's answer broke off before its end."),
    "origin_timeout": Code(504, True, "The origin did not answer in time."),
    "bad_take": Code(502, True, "The origin's audio failed the checks; nothing was kept."),
    "deadline_exceeded": Code(504, True, "The request's time ran out."),
    # us
    "store_failed": Code(503, True, "A write failed: `refrain doctor` looks at the object store; is there room on the disk?"),
    "internal": Code(500, True, "A fault of Refrain: please report it with the trace id."),
}


class RefrainError(Exception):
    """The root. `message` is for people and holds nothing secret and none of the text to be spoken."""

    default_code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        source: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param
        self.source = source
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        return CODES[self.code].status

    @property
    def retryable(self) -> bool:
        return CODES[self.code].retryable

    @property
    def remedy(self) -> str:
        return CODES[self.code].remedy

    def again(self) -> RefrainError:
        """A fresh copy to raise: many listeners share a failure, and each raise would lengthen one traceback."""
        fields = {"code": self.code, "param": self.param, "source": self.source}
        return type(self)(self.message, **fields, retry_after=self.retry_after)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.code}: {self.message}>"


class BadRequest(RefrainError):
    """The caller must change the request."""

    default_code = "bad_request"


class NotFound(BadRequest):
    """The address names nothing that is known."""

    default_code = "not_found"


class Unsupported(BadRequest):
    """Well formed, but no pool speaks it."""

    default_code = "unknown_model"


class Refused(RefrainError):
    """Too much right now."""

    default_code = "overloaded"


class OriginError(RefrainError):
    """An origin failed."""

    default_code = "origin_failed"


class OriginTimeout(OriginError):
    """An origin did not answer in time."""

    default_code = "origin_timeout"


class BadTake(OriginError):
    """An origin's audio failed the checks."""

    default_code = "bad_take"


class DeadlineExceeded(RefrainError):
    """The caller's time ran out."""

    default_code = "deadline_exceeded"


class Internal(RefrainError):
    """A fault of ours."""


_CLASSES: Final[dict[str, type[RefrainError]]] = {
    "not_found": NotFound,
    "unknown_key": NotFound,
    "unknown_model": Unsupported,
    "unknown_voice": Unsupported,
    "unknown_dialect": Unsupported,
    "unspeakable": Unsupported,
    "overloaded": Refused,
    "not_ready": Refused,
    "draining": Refused,
    "no_origin": Refused,
    "revision_mismatch": OriginError,
    "origin_failed": OriginError,
    "origin_cut": OriginError,
    "origin_timeout": OriginTimeout,
    "bad_take": BadTake,
    "deadline_exceeded": DeadlineExceeded,
    "store_failed": Internal,
    "internal": Internal,
}


def from_code(code: str, message: str, *, source: str | None = None, retry_after: float | None = None) -> RefrainError:
    """The error that an origin reported over the wire; a code that this version does not know is `origin_failed`."""
    if code not in CODES:
        code = OriginError.default_code
    return _CLASSES.get(code, BadRequest)(message, code=code, source=source, retry_after=retry_after)
