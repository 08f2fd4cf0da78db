"""Errors as documents: `application/problem+json` (RFC 9457), with OpenAI's `error` object beside it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from shared.errors import RefrainError

MEDIA_TYPE: Final = "application/problem+json"
_SERVER_ERROR: Final = 500
_NOT_NOW: Final = frozenset({429, 503})
"""Statuses that always say when to try again."""


class OpenAIError(msgspec.Struct, frozen=True, kw_only=True):
    """What OpenAI's clients read."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None
    code: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """Stable; `/openapi.json` lists them all."""
    retryable: bool
    """Whether the same request may succeed later."""
    remedy: str
    param: str | None
    """The field at fault."""
    trace_id: str
    error: OpenAIError


def problem(error: RefrainError, trace_id: str) -> Problem:
    return Problem(
        type=f"urn:refrain:problem:{error.code}",
        title=title(error.code),
        status=error.status,
        detail=error.message,
        code=error.code,
        retryable=error.retryable,
        remedy=error.remedy,
        param=error.param,
        trace_id=trace_id,
        error=openai_error(error),
    )


def openai_error(error: RefrainError) -> OpenAIError:
    return OpenAIError(
        message=error.message,
        type="server_error" if error.status >= _SERVER_ERROR else "invalid_request_error",
        param=error.param,
        code=error.code,
    )


def retry_after(error: RefrainError) -> int | None:
    """Whole seconds for `Retry-After`; None: it is left out."""
    if error.retry_after is None and error.status not in _NOT_NOW:
        return None
    return max(1, ceil(error.retry_after or 0))


def title(code: str) -> str:
    """The code as words: the same for every occurrence, as RFC 9457 asks."""
    return code.replace("_", " ").capitalize()
