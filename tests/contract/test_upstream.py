"""Calls to origins over real sockets: whatever the other side does, a call ends in time, and says how."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest
from xxhash import xxh3_64

from edge.adapters.upstream import Connections, HttpOrigin
from edge.ports import Sound
from edge.settings import Origins
from shared import trace
from shared.errors import RefrainError
from shared.frames import pack
from shared.keys import TakeRecipe
from shared.wire_pb2 import End, Frame, Start

RECIPE = TakeRecipe(text="Mind the gap.", language="en", revision="fake-1", voice="digest-1")
KEY = "0" * 40
PCM = bytes(range(200)) * 2
START = pack(Frame(start=Start(sample_rate=8000, revision="fake-1")))
END = pack(Frame(end=End(samples=len(PCM) // 2, xxh3=xxh3_64(PCM).intdigest(), verdict="ok")))
TAKE = START + pack(Frame(pcm=PCM)) + END
OK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
SETTINGS = Origins(first_frame_ms=300, stall_ms=200)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


class Scripted:
    """A server that says `pieces` to whoever calls, and then nothing more; an empty piece ends the connection."""

    def __init__(self, pieces):
        self._pieces = pieces
        self.head = ""
        self.calls = set()

    async def __call__(self, reader, writer):
        self.calls.add(asyncio.current_task())
        try:
            self.head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(self.head.partition("content-length: ")[2].partition("\r\n")[0]))
            for piece in self._pieces:
                if not piece:
                    return
                writer.write(piece)
            await reader.read()  # until the other side leaves
        except asyncio.IncompleteReadError:
            return  # it has left before it had asked
        finally:
            writer.close()


@asynccontextmanager
async def origin(*pieces):
    """An origin that answers with `pieces`. Every call to it has ended at the end."""
    script = Scripted(pieces)
    server = await asyncio.start_server(script, "127.0.0.1", 0)
    connections = Connections(SETTINGS)
    await connections.open()
    try:
        yield HttpOrigin(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections), script
    finally:
        await connections.close()
        server.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*script.calls)


async def hear(upstream):
    """All that came, or the failure."""
    try:
        async with aclosing(upstream.synthesize(RECIPE, KEY, "token")) as stream:
            return [item async for item in stream]
    except RefrainError as error:
        return error


def call(*pieces):
    """What a call to an origin that answers with `pieces` comes to, and the seconds it took."""

    async def scene():
        async with origin(*pieces) as (upstream, _):
            loop = asyncio.get_running_loop()
            began = loop.time()
            came = await hear(upstream)
            return came, loop.time() - began

    return asyncio.run(scene())


@pytest.mark.parametrize("size", [1, 7, len(TAKE)])
def test_a_take_comes_however_it_is_chunked(size):
    pieces = [chunk(TAKE[at : at + size]) for at in range(0, len(TAKE), size)]
    (sound, *pcm), _ = call(OK, *pieces, b"0\r\n\r\n", b"")
    assert isinstance(sound, Sound)
    assert (sound.sample_rate, b"".join(pcm)) == (8000, PCM)


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([OK, chunk(TAKE[: -len(END)]), b"0\r\n\r\n", b""], "origin_cut"),  # complete for HTTP, and yet without its end
        ([OK, chunk(START), b""], "origin_cut"),
        ([b""], "origin_cut"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnone", b""], "origin_cut"),
        ([OK, chunk(pack(Frame(segment=1, start=Start(sample_rate=8000, revision="fake-1"))))], "origin_failed"),
        ([OK, chunk(pack(Frame(start=Start(sample_rate=8000, revision="fake-2"))))], "revision_mismatch"),
        ([b'HTTP/1.1 422 .\r\ncontent-length: 22\r\n\r\n{"code":"unspeakable"}'], "unspeakable"),
        ([b'HTTP/1.1 503 .\r\ncontent-length: 21\r\n\r\n{"code":"overloaded"}'], "overloaded"),
        ([b"HTTP/1.1 502 .\r\ncontent-length: 6\r\n\r\n<html>"], "origin_failed"),
    ],
)
def test_every_way_to_fail_has_its_code(pieces, code):
    error, _ = call(*pieces)
    assert (error.code, error.source.startswith("http://127.0.0.1:")) == (code, True)


@pytest.mark.parametrize(
    ("pieces", "code", "limit_s"),
    [
        ([], "origin_timeout", 0.3),
        ([OK], "origin_timeout", 0.3),
        ([OK, chunk(START)], "origin_timeout", 0.2),
        ([b"HTTP/1.1 503 .\r\ncontent-length: 99\r\n\r\n{"], "origin_failed", 0.3),  # a refusal that never ends is one, too
    ],
)
def test_who_stalls_is_waited_for_no_longer_than_settings_say(pieces, code, limit_s):
    error, took_s = call(*pieces)
    assert error.code == code
    assert limit_s * 0.9 <= took_s < limit_s + 0.25, "one limit, not one for each part of the answer"


def test_nobody_there_is_no_origin():
    async def scene():
        async with origin() as (upstream, _):
            pass
        connections = Connections(SETTINGS)
        try:
            return await hear(HttpOrigin(upstream.name, connections))
        finally:
            await connections.close()

    assert asyncio.run(scene()).code == "no_origin"


def test_closing_the_call_is_its_cancellation():
    async def scene():
        async with origin(OK, chunk(START)) as (upstream, script):
            async with aclosing(upstream.synthesize(RECIPE, KEY, "token")) as stream:
                await anext(stream)
            async with asyncio.timeout(5):
                await asyncio.gather(*script.calls)  # they end when we leave

    asyncio.run(scene())


def test_whoever_leaves_at_whatever_moment_leaves_no_connection_behind():
    async def scene():
        async with origin() as (upstream, script):
            for turns in range(60):
                leaving = asyncio.create_task(hear(upstream))
                for _ in range(turns):
                    await asyncio.sleep(0)
                leaving.cancel()
                await asyncio.wait({leaving})
            assert len(script.calls) > 1
            async with asyncio.timeout(5):
                await asyncio.gather(*script.calls)

    asyncio.run(scene())


def test_the_trace_goes_on_to_the_origin():
    async def scene():
        trace.current.set("5" * 32)
        async with origin(OK, chunk(TAKE), b"0\r\n\r\n", b"") as (upstream, script):
            await hear(upstream)
            return script.head.partition("traceparent: ")[2].partition("\r\n")[0]

    assert trace.trace_id(asyncio.run(scene())) == "5" * 32
