"""Calls to origins: the origin protocol over HTTP/1.1, one call per connection at a time.

Closing the connection is the cancellation: over HTTP/2, httpx sends no RST_STREAM, and the origin would never learn that the
caller has left.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from edge.ports import Sound
from shared import trace
from shared.errors import OriginError, OriginTimeout, Refused, from_code
from shared.frames import CONTENT_TYPE, FrameReader, TakeReader, recipe_to_wire
from shared.wire_pb2 import SynthesizeRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import httpx

    from edge.settings import Origins
    from shared.errors import RefrainError
    from shared.keys import Key, TakeRecipe

KEPT: Final = 64
"""Idle connections that are kept, for half a minute."""
MAX_PROBLEM: Final = 64 << 10
"""Bytes of an origin's error document that are read."""


class Problem(msgspec.Struct):
    """The part of an origin's problem document that decides what is done."""

    code: str = OriginError.default_code


class Connections:
    """The connections to all origins. How many calls run is bounded by the flights, so the pool is not."""

    def __init__(self, settings: Origins) -> None:
        self.settings = settings
        self._client: asyncio.Future[httpx.AsyncClient] | None = None

    async def open(self) -> None:
        """Import httpx, in a thread: it takes longer than the first hits should wait."""
        await self.client()

    async def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = asyncio.ensure_future(asyncio.to_thread(_client, self.settings))
        # Who waits for the import may hang up; the import goes on for the others.
        return await asyncio.shield(self._client)

    async def close(self) -> None:
        if self._client is not None:
            await (await self._client).aclose()


def _client(settings: Origins) -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - see Connections.open

    return httpx.AsyncClient(
        # All else is timed by HttpOrigin: one deadline for the first frame, then frame by frame.
        timeout=httpx.Timeout(None, connect=settings.connect_ms / 1000),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT, keepalive_expiry=30),
        trust_env=False,
    )


class HttpOrigin:
    """An origin behind a URL; an `edge.ports.Origin`."""

    def __init__(self, url: str, connections: Connections) -> None:
        self.name = url.rstrip("/")
        self._connections = connections
        self._first_frame_s = connections.settings.first_frame_ms / 1000
        self._stall_s = connections.settings.stall_ms / 1000

    async def synthesize(self, recipe: TakeRecipe, key: Key, token: str) -> AsyncGenerator[Sound | bytes, None]:
        """See the port."""
        message = SynthesizeRequest(deadline_ms=int(self._first_frame_s * 1000))
        message.segments.add(index=0, key=key, recipe=recipe_to_wire(recipe), token=token)
        frames, take = FrameReader(self.name), TakeReader(self.name, recipe.revision)
        first_by = asyncio.get_running_loop().time() + self._first_frame_s
        async with (
            self._answer(message.SerializeToString(), first_by) as response,
            aclosing(self._timely(response.aiter_raw(), take, first_by)) as chunks,
        ):
            async for data in chunks:
                for frame in frames.feed(data):
                    if frame.segment != 0:
                        raise OriginError("The origin answered another segment.", source=self.name)
                    started = take.started
                    pcm = take.feed(frame)
                    if take.started and not started:
                        yield Sound(take.sample_rate, take.dialect)
                    if pcm:
                        yield pcm
        if not take.ended:
            raise OriginError("The origin's answer ended before the take did.", code="origin_cut", source=self.name)
        if take.verdict != "ok":
            raise OriginError(f"The origin doubts its take: {take.verdict}.", code="bad_take", source=self.name)

    async def _timely(self, chunks: AsyncIterator[bytes], take: TakeReader, first_by: float) -> AsyncGenerator[bytes, None]:
        """The chunks, each of which must come in time: patience for the first frame, less between two."""
        loop = asyncio.get_running_loop()
        while True:
            limit = self._stall_s if take.started else self._first_frame_s
            try:
                async with asyncio.timeout_at(loop.time() + limit if take.started else first_by):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                raise self._late(limit) from error
            if chunk is None:
                return
            yield chunk

    @asynccontextmanager
    async def _answer(self, body: bytes, first_by: float) -> AsyncIterator[httpx.Response]:
        """The origin's stream, its failures translated."""
        import httpx  # noqa: PLC0415 - see Connections.open

        client = await self._connections.client()
        headers = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}
        if current := trace.current.get():
            headers["traceparent"] = trace.traceparent(current, secrets.token_hex(8))
        request = client.build_request("POST", f"{self.name}/v1/synthesize", content=body, headers=headers)
        try:
            try:
                async with asyncio.timeout_at(first_by):
                    response = await _send(client, request)
            except TimeoutError as error:
                raise self._late(self._first_frame_s) from error
            try:
                if response.status_code != httpx.codes.OK:
                    raise await self._refusal(response, first_by)
                yield response
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Refused("The origin cannot be reached.", code="no_origin", source=self.name, retry_after=1) from error
        except httpx.TransportError as error:
            raise OriginError("The origin's answer broke off.", code="origin_cut", source=self.name) from error

    async def _refusal(self, response: httpx.Response, first_by: float) -> RefrainError:
        """The error that the origin's problem document names; one that does not come in time names none."""
        body = b""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(first_by):
                async for data in response.aiter_raw():
                    body += data
                    if len(body) > MAX_PROBLEM:
                        break
        try:
            code = msgspec.json.decode(body, type=Problem).code
        except msgspec.DecodeError:
            code = OriginError.default_code
        wait = response.headers.get("retry-after", "")
        message = f"The origin answered {response.status_code}."
        return from_code(code, message, source=self.name, retry_after=float(wait) if wait.isdigit() else None)

    def _late(self, limit: float) -> OriginTimeout:
        return OriginTimeout(f"No frame came for {limit:g} s.", source=self.name)


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The answer, once its head is there. Whoever is cancelled earlier leaves when the request goes out, `connect_ms` at most.

    httpcore keeps a connection for ever, open, that was made for a request which was cancelled before it went out
    (encode/httpcore#1093, of 1.0.9).
    """
    underway = asyncio.Event()

    async def follow(event: str, _: object) -> None:
        if event == "http11.send_request_headers.started":
            underway.set()

    request.extensions["trace"] = follow
    sending = asyncio.create_task(client.send(request, stream=True))
    sending.add_done_callback(lambda _: underway.set())
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await underway.wait()
        sending.cancel()
        await asyncio.wait({sending})
        if not sending.cancelled() and sending.exception() is None:
            await sending.result().aclose()
        raise
