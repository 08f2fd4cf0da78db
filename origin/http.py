"""The routes of an origin, and how its errors look."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from origin import calls, log
from shared import problems, trace
from shared.catalogue import ListedModel, ModelList
from shared.errors import BadRequest, Internal, NotFound, RefrainError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from origin.node import Node

MAX_BODY: Final = 1 << 20
MAX_DRAINED: Final = 8 << 20
"""A body that is too large is read on to here before it is refused: who still sends does not read the answer."""


def routes(node: Node) -> list[Route]:
    async def synthesize(request: Request) -> ASGIApp:
        _begin_trace(request)
        node.check_ready()
        encoding = calls.ENCODINGS.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
        if encoding is None:
            raise BadRequest(f"A call is one of: {', '.join(calls.ENCODINGS)}.", code="bad_media_type")
        call = calls.parse(await read_body(request), encoding)
        frames = calls.answer(call, node.takes, node.engine.model, node.take_timeout_s)
        return Stream((encoding.write(frame) async for frame in frames), frames, encoding.answer_type, node.calls)

    async def models(_: Request) -> Response:
        node.check_ready()
        model = node.engine.model
        return json_response(ModelList(data=(ListedModel(id=model.id, root=model.id, refrain=model),)))

    async def healthz(_: Request) -> Response:
        return json_response({"status": "ok"})

    async def readyz(_: Request) -> Response:
        node.check_ready()
        return json_response({"status": "ready"})

    async def metrics(_: Request) -> Response:
        return Response(node.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/v1/synthesize", synthesize, methods=["POST"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
    ]


async def read_body(request: Request) -> bytes:
    """Raises BadRequest: `body_too_large`; `bad_request` where it broke off."""
    body, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_BODY:
                body += chunk
            elif size > MAX_DRAINED:
                break
    except ClientDisconnect as error:
        raise BadRequest("The body broke off.") from error
    if size > MAX_BODY:
        raise BadRequest(f"The body has more than {MAX_BODY} bytes.", code="body_too_large")
    return bytes(body)


class Stream:
    """An answer that is sent as it comes. It ends early when the caller leaves, and visibly broken when making it fails."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        source: AsyncGenerator[object, None],
        media_type: str,
        calls: set[asyncio.Task[None]],
    ) -> None:
        self._chunks = chunks
        self._source = source
        self._media_type = media_type
        self._calls = calls

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        self._calls.add(sending)
        sending.add_done_callback(self._calls.discard)
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            # send() never raises: that the caller has left is heard from receive() alone.
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not sending.cancelled():
                # Raising here, with the last chunk unsent, makes the server close the connection without the chunk of size 0.
                sending.result()
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        headers = [(b"content-type", self._media_type.encode()), (b"cache-control", b"no-store")]
        async with aclosing(self._source), aclosing(self._chunks):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def json_response(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


async def problem(request: Request, raised: Exception) -> Response:
    """RFC 9457, from whatever was raised before the answer began."""
    error = _error(raised)
    document = problems.problem(error, _begin_trace(request))
    headers = dict(raised.headers or {}) if isinstance(raised, HTTPException) else {}
    if (wait_s := problems.retry_after(error)) is not None:
        headers["Retry-After"] = str(wait_s)
    if error.code == "internal":
        log.error("internal", path=request.url.path, exc_info=raised)
    return Response(msgspec.json.encode(document), error.status, headers, media_type=problems.MEDIA_TYPE)


def _begin_trace(request: Request) -> str:
    """The caller's trace, or a new one: what this task works for from here on."""
    current = trace.current.get() or trace.trace_id(request.headers.get("traceparent", "")) or secrets.token_hex(16)
    trace.current.set(current)
    return current


def _error(raised: Exception) -> RefrainError:
    match raised:
        case RefrainError():
            return raised
        case HTTPException(status_code=404):
            return NotFound("There is no such route.")
        case HTTPException(status_code=405):
            return BadRequest("This route has other methods.", code="method_not_allowed")
    return Internal("A fault of this origin; its log says more.")
