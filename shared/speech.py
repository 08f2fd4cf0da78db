"""The speech request: OpenAI's body and Refrain's additions, validated by the types that also write /openapi.json."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, Literal, get_args

import msgspec

from shared.errors import BadRequest

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
StreamFormat = Literal["audio", "sse"]
Segmentation = Literal["sentence", "clause", "off"]
Delivery = Literal["audio", "url", "redirect"]
SampleRate = Literal[8000, 16000, 22050, 24000, 32000, 44100, 48000]

MAX_FIELDS: Final = 64
"""More than a speech request has. Those that Refrain does not know are named in a header of the answer, which must not grow."""
MAX_TAGS: Final = 16
_CHOICES: Final = {
    "response_format": get_args(Format),
    "stream_format": get_args(StreamFormat),
    "segmentation": get_args(Segmentation),
    "sample_rate": get_args(SampleRate),
    "delivery": get_args(Delivery),
}
_TAG: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_AT: Final = re.compile(r" - at `\$\.?([^`\[]*)")


class SpeechRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks: the body of `POST /v1/audio/speech`."""

    input: Annotated[str, msgspec.Meta(description="The text to speak.")]
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=128, description="A model's id, alias or revision.")] = "tts-1"
    voice: Annotated[str, msgspec.Meta(max_length=128, description="A voice's name; left out: by model and script.")] = ""
    response_format: Annotated[Format, msgspec.Meta(description="How the audio is encoded.")] = "mp3"
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=4.0, description="1.0 is the voice's own pace.")] = 1.0
    instructions: Annotated[str, msgspec.Meta(max_length=4096, description="How to say it, where the model obeys.")] = ""
    stream_format: Annotated[StreamFormat, msgspec.Meta(description="Bytes of audio, or events that carry them.")] = "audio"
    dialect: Annotated[str, msgspec.Meta(max_length=64, description="A dialect that the model speaks: `yue`.")] = ""
    dialect_fallback: Annotated[
        bool, msgspec.Meta(description="Serve a dialect that nobody speaks without it, instead of refusing.")
    ] = False
    language: Annotated[str, msgspec.Meta(max_length=35, description="BCP 47 tag; left out: by the text's script.")] = ""
    seed: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] | None,
        msgspec.Meta(description="Chooses among a model's takes, where it has several."),
    ] = None
    segmentation: Annotated[Segmentation, msgspec.Meta(description="What is synthesised and cached on its own.")] = "sentence"
    sample_rate: Annotated[SampleRate | None, msgspec.Meta(description="Hz; left out: by format.")] = None
    bitrate: Annotated[
        Annotated[int, msgspec.Meta(ge=8000, le=320000)] | None,
        msgspec.Meta(description="Bits a second, for mp3, opus and aac; left out: by format."),
    ] = None
    cache_tags: Annotated[
        tuple[str, ...], msgspec.Meta(description="Names to purge this by: 1 to 64 of A-Z a-z 0-9 . _ : -, at most 16.")
    ] = ()
    no_store: Annotated[bool, msgspec.Meta(description="Synthesise anew, keep nothing.")] = False
    delivery: Annotated[Delivery, msgspec.Meta(description="The audio, its address as JSON, or a redirect to it.")] = "audio"


FIELDS: Final = frozenset(SpeechRequest.__struct_fields__)


def parse(body: bytes) -> tuple[SpeechRequest, tuple[str, ...]]:
    """The request in a JSON body, and the names of the fields in it that Refrain does not know.

    Raises BadRequest: `bad_json`, `bad_text` (a lone surrogate), `bad_tag`, `bad_value` or `bad_request` with `param`.
    """
    try:
        fields = msgspec.json.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        if _has_lone_surrogate(body):
            raise BadRequest("The body holds a lone surrogate.", code="bad_text", param="input") from error
        raise BadRequest(f"The body is not JSON: {error}.", code="bad_json") from error
    if not isinstance(fields, dict):
        raise BadRequest("The body is not a JSON object.", code="bad_json")
    if len(fields) > MAX_FIELDS:
        raise BadRequest(f"The body has more than {MAX_FIELDS} fields.")
    return request_from(fields)


def parse_query(pairs: list[tuple[str, str]]) -> tuple[SpeechRequest, tuple[str, ...]]:
    """The same from a query string's pairs, where every value is text; `cache_tags` are separated by commas."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise BadRequest(f"`{name}` is given twice.", code="bad_value", param=_printable(name))
        fields[name] = value
    if "cache_tags" in fields:
        fields["cache_tags"] = [tag for tag in fields["cache_tags"].split(",") if tag]
    return request_from(fields, strict=False)


def request_from(fields: dict[str, Any], *, strict: bool = True) -> tuple[SpeechRequest, tuple[str, ...]]:
    """Validate decoded fields; see `parse`."""
    unknown = tuple(sorted(_printable(name) for name in fields.keys() - FIELDS))
    # OpenAI's clients send null for what is left out.
    known = {name: value for name, value in fields.items() if name in FIELDS and value is not None}
    try:
        request = msgspec.convert(known, SpeechRequest, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(error) from error
    if len(request.cache_tags) > MAX_TAGS:
        raise BadRequest(f"More than {MAX_TAGS} tags.", code="bad_tag", param="cache_tags")
    if not all(_TAG.fullmatch(tag) for tag in request.cache_tags):
        raise BadRequest("A tag has other characters than A-Z a-z 0-9 . _ : - or is too long.", code="bad_tag", param="cache_tags")
    return request, unknown


def _has_lone_surrogate(body: bytes) -> bool:
    """Whether lone surrogates are all that is wrong: the standard library's parser lets them through, msgspec's does not."""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def _invalid(error: msgspec.ValidationError) -> BadRequest:
    """What msgspec says, with the field that they are about as `param`."""
    message = str(error)
    at = _AT.search(message)
    missing = re.search(r"missing required field `(\w+)`", message)
    param = missing.group(1) if missing else at.group(1) if at else None
    if param == "cache_tags":
        return BadRequest("`cache_tags` is not a list of tags.", code="bad_tag", param=param)
    said = message.partition(" - at ")[0]
    if param in _CHOICES:
        said += f": ask for one of {', '.join(map(str, _CHOICES[param]))}"
    return BadRequest(f"{said}.", code="bad_value" if param else "bad_request", param=param or None)


def _printable(name: str) -> str:
    """A caller's field name, safe to say in a header or a log line."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:64]
