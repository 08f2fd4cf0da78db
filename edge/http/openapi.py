"""`/openapi.json`: OpenAPI 3.1, written from the types that validate and answer, and from the table of error codes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from edge.http.audio import KEY_ROUTE, PLAN_ROUTE, SPEECH_ROUTE, Address, Planned
from edge.http.events import Delta, Done, Failed
from edge.http.node import Health, Regions, Voices
from edge.policy.formats import FORMATS
from shared.catalogue import ModelList
from shared.errors import CODES
from shared.problems import Problem
from shared.speech import SpeechRequest

_JSON: Final = (SpeechRequest, Problem, Address, Planned, Delta, Done, Failed, Health, Regions, Voices, ModelList)

_ANY: Final = ("bad_host", "bad_origin", "method_not_allowed", "not_found", "internal")
_REQUEST: Final = (
    *("bad_json", "bad_request", "bad_value", "bad_text", "empty_text", "text_too_long", "bad_tag"),
    *("body_too_large", "slow_body", "bad_media_type", "unknown_model", "unknown_voice", "unknown_dialect"),
)
_MAKING: Final = (
    *("not_cached", "unspeakable", "bad_version", "revision_mismatch", "overloaded", "no_origin"),
    *("origin_failed", "origin_cut", "origin_timeout", "bad_take", "deadline_exceeded", "store_failed"),
)
_CONDITIONS: Final = ("precondition_failed", "range_not_satisfiable")

_HEADERS: Final = {
    "Content-Location": "The address of the audio: `/v1/audio/{key}`.",
    "Cache-Status": "What the cache did (RFC 9211): `refrain; hit; detail=memory`, `refrain; fwd=miss; stored`, ...",
    "Server-Timing": "Milliseconds by step.",
    "ETag": "Of stored audio: a hash of its bytes.",
    "Last-Modified": "Of stored audio: when it was made.",
    "Age": "Of stored audio: seconds since it was made.",
    "Cache-Control": "Stored audio never changes; audio in the making is not for caches.",
    "Accept-Ranges": "Of stored audio: `bytes`.",
    "Refrain-Trace-Id": "Under which logs speak of this request: `traceparent`'s, or a new one.",
}
_SPOKEN: Final = {
    "Refrain-Ignored": "Fields of the request that changed nothing, separated by commas.",
    "Refrain-Dialect": "The dialect that is spoken, or `none`.",
}
_RETRY: Final = {"Retry-After": "Seconds to wait before another attempt."}
_ALLOW: Final = {"Allow": "The methods that the route has."}
_RANGE: Final = {"Content-Range": "`bytes first-last/length`, or `bytes */length`."}


class _Operation(NamedTuple):
    method: str
    path: str
    summary: str
    answers: dict[str, dict[str, Any]]
    codes: tuple[str, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    body: bool = False


def document() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(_JSON, ref_template="#/components/schemas/{name}")
    schemas["Problem"]["properties"]["code"] = {"enum": list(CODES)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in _operations(schemas["SpeechRequest"]):
        paths.setdefault(operation.path, {})[operation.method] = _written(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Refrain",
            "version": "1",
            "description": "An edge cache and router for text-to-speech. Speaks the OpenAI speech API.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operations(speech: dict[str, Any]) -> list[_Operation]:
    audio = {kind.media_type: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS.values()}
    events = {"text/event-stream": {"schema": {"anyOf": [_ref("Delta"), _ref("Done"), _ref("Failed")]}}}
    whole = _answer("The audio: stored, or as it is made.", audio, _HEADERS)
    partial = _answer("The part that Range asks for, of stored audio.", audio, _HEADERS | _RANGE)
    same = _answer("The audio is the one that the condition names.", {}, _HEADERS)
    address = _answer("The address, for `delivery: redirect`.", {}, _HEADERS | _SPOKEN | {"Location": "The address."})
    spoken = _answer(
        "The audio; events that carry it, for `stream_format: sse`; its address, for `delivery: url`.",
        {**audio, **events, **_typed("Address")},
        _HEADERS | _SPOKEN,
    )
    fields = tuple(
        {"name": name, "in": "query", "required": name in speech["required"], "schema": schema}
        for name, schema in speech["properties"].items()
    )
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{40}$"}}
    said = {"200": spoken, "303": address}
    ranged = {"200": whole, "206": partial, "304": same}
    making = (*_REQUEST, *_MAKING)
    return [
        _Operation("post", SPEECH_ROUTE, "Speak a text.", said, making, body=True),
        _Operation("get", SPEECH_ROUTE, "The same by GET.", said | ranged | {"200": spoken}, making + _CONDITIONS, fields),
        _Operation("post", PLAN_ROUTE, "What a text would become.", _ok("Planned"), _REQUEST, body=True),
        _Operation(
            "get", KEY_ROUTE, "The audio at an address.", ranged, ("bad_key", "unknown_key", *_MAKING, *_CONDITIONS), (key,)
        ),
        _Operation(
            "head",
            KEY_ROUTE,
            "What is known of it; nothing is synthesised.",
            {"200": _answer("What GET would say.", {}, _HEADERS), "304": same},
            ("bad_key", "unknown_key", "precondition_failed"),
            (key,),
        ),
        _Operation("get", "/v1/models", "The models, in OpenAI's form.", _ok("ModelList")),
        _Operation("get", "/v1/voices", "The voices and their dialects.", _ok("Voices")),
        _Operation("get", "/v1/regions", "The regions.", _ok("Regions")),
        _Operation("get", "/healthz", "Whether the process answers.", _ok("Health")),
        _Operation("get", "/readyz", "Whether requests should be sent here.", _ok("Health"), ("not_ready", "draining")),
        _Operation("get", "/metrics", "Metrics, for Prometheus.", {"200": _answer("Metrics.", {"text/plain": {}}, {})}),
        _Operation("get", "/openapi.json", "This document.", {"200": _answer("OpenAPI.", {"application/json": {}}, {})}),
    ]


def _written(operation: _Operation) -> dict[str, Any]:
    responses = dict(operation.answers)
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*operation.codes, *_ANY)):
        by_status.setdefault(CODES[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        headers = _RETRY if status == 503 else _ALLOW if status == 405 else _RANGE if status == 416 else {}  # noqa: PLR2004 - statuses
        told = "\n".join(f"- `{code}`: {CODES[code].remedy}" for code in codes)
        responses[str(status)] = _answer(told, {"application/problem+json": {"schema": _ref("Problem")}}, headers)
    written: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if operation.parameters:
        written["parameters"] = list(operation.parameters)
    if operation.body:
        written["requestBody"] = {"required": True, "content": _typed("SpeechRequest")}
    return written


def _ok(name: str) -> dict[str, dict[str, Any]]:
    return {"200": _answer(name, _typed(name), {})}


def _answer(description: str, content: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    said = {name: {"description": what, "schema": {"type": "string"}} for name, what in headers.items()}
    return {"description": description} | ({"content": content} if content else {}) | ({"headers": said} if said else {})


def _typed(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(name)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
