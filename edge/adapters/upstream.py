"""Calls to origins: the origin protocol over HTTP/1.1, one call per connection at a time.

Closing the connection is the cancellation: over HTTP/2, httpx sends no RST_STREAM, and the origin would never learn that the
caller has left.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from edge.ports import Sound
from shared.errors import OriginError, OriginTimeout, RefrainError, from_code
from shared.frames import CONTENT_TYPE, FrameReader, TakeReader, recipe_to_wire
from shared.wire_pb2 import SynthesizeRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from edge.settings import Origins
    from shared.keys import Key, TakeRecipe

MAX_PROBLEM: Final = 64 << 10
"""Bytes of an origin's error document that are read."""


def client(settings: Origins) -> httpx.AsyncClient:
    """The connections to all origins. How many calls run is bounded by the flights, so the pool is not."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(settings.first_frame_ms / 1000, connect=settings.connect_ms / 1000, pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30),
        trust_env=False,
    )


class HttpOrigin:
    """An origin behind a URL; an `edge.ports.Origin`."""

    def __init__(self, http: httpx.AsyncClient, url: str, settings: Origins) -> None:
        self.name = url
        self._http = http
        self._first_frame_s = settings.first_frame_ms / 1000
        self._stall_s = settings.stall_ms / 1000

    async def synthesize(self, recipe: TakeRecipe, key: Key | None, token: str) -> AsyncGenerator[Sound | bytes, None]:
        """See the port."""
        message = SynthesizeRequest(deadline_ms=int(self._first_frame_s * 1000))
        message.segments.add(index=0, key=key or "", recipe=recipe_to_wire(recipe), token=token)
        frames, take = FrameReader(self.name), TakeReader(self.name, recipe.revision)
        async with self._answer(message.SerializeToString()) as response:
            async for data in self._timely(response.aiter_raw(), take):
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

    async def _timely(self, chunks: AsyncIterator[bytes], take: TakeReader) -> AsyncIterator[bytes]:
        """The chunks, each of which must come in time: patience for the first frame, less between two."""
        while True:
            limit = self._stall_s if take.started else self._first_frame_s
            try:
                async with asyncio.timeout(limit):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                raise OriginTimeout(f"No frame came for {limit:g} s.", source=self.name) from error
            if chunk is None:
                return
            yield chunk

    @asynccontextmanager
    async def _answer(self, body: bytes) -> AsyncIterator[httpx.Response]:
        """The origin's stream, its failures translated."""
        request = self._http.build_request(
            "POST", f"{self.name}/v1/synthesize", content=body, headers={"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}
        )
        try:
            response = await self._http.send(request, stream=True)
            try:
                if response.status_code != httpx.codes.OK:
                    raise await self._refusal(response)
                yield response
            finally:
                await response.aclose()
        except httpx.TimeoutException as error:
            raise OriginTimeout(f"The origin did not answer in time ({type(error).__name__}).", source=self.name) from error
        except httpx.RemoteProtocolError as error:
            raise OriginError("The origin's answer broke off.", code="origin_cut", source=self.name) from error
        except httpx.TransportError as error:
            code = "no_origin" if isinstance(error, httpx.ConnectError) else "origin_failed"
            message = f"The origin cannot be reached ({type(error).__name__})."
            raise from_code(code, message, source=self.name, retry_after=1) from error

    async def _refusal(self, response: httpx.Response) -> RefrainError:
        """The error that the origin's problem document names."""
        body = b""
        async for data in response.aiter_raw():
            body += data
            if len(body) > MAX_PROBLEM:
                break
        try:
            code = msgspec.json.decode(body, type=Problem).code
        except msgspec.DecodeError:
            code = OriginError.default_code
        retry_after = response.headers.get("retry-after", "")
        return from_code(
            code,
            f"The origin answered {response.status_code}.",
            source=self.name,
            retry_after=float(retry_after) if retry_after.isdigit() else None,
        )


class Problem(msgspec.Struct):
    """The part of an origin's problem document that decides what is done."""

    code: str = OriginError.default_code
