"""The benches' client and loops against servers that do as they please, on real sockets."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bench.client import BROKEN, Client
from bench.load import closed_loop, open_loop, run, settle

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nCache-Status: refrain; hit; detail=memory\r\n\r\nabc"


@asynccontextmanager
async def server(*answers):
    """Each request gets the next answer, each connection may send many; yields the client, and the connections so far."""
    left, connections = list(answers), []

    async def serve(reader, writer):
        connections.append(writer)
        try:
            while left:
                await reader.readuntil(b"\r\n\r\n")
                answer = left.pop(0)
                writer.write(answer if isinstance(answer, bytes) else await answer)
        except asyncio.IncompleteReadError:
            pass  # the client has closed it
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        client = Client(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
        yield client, connections
        client.close()
        for writer in connections:
            writer.close()
            await writer.wait_closed()


def test_answers_are_read_to_their_end_and_connections_used_again():
    async def main():
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        async with server(chunked, WHOLE, b"HTTP/1.1 304 Not Modified\r\n\r\n", WHOLE) as (client, connections):
            replies = [await client.ask(client.get("/")) for _ in range(4)]
            assert [(reply.status, reply.body) for reply in replies] == [(200, b"abcde"), (200, b"abc"), (304, b""), (200, b"abc")]
            assert replies[1].outcome == "memory"
            assert all(reply.asked_at <= reply.first_at <= reply.ended_at for reply in replies)
            assert len(connections) == 1

    run(main())


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"nonsense\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_broken(cut):
    async def main():
        async with server(cut) as (client, _):
            assert (await client.ask(client.get("/"))).status == BROKEN
            with pytest.raises(OSError, match="/v1/regions"):
                await client.json("/v1/regions")

    run(main())


def test_an_open_loop_charges_a_pause_to_all_who_came_in_it():
    """The answer to the first holds up nobody, and whoever waits is charged from when it was due."""

    async def main():
        go = asyncio.Event()

        async def late():
            await go.wait()
            return WHOLE

        async with server(late(), late(), late()) as (client, connections):
            asyncio.get_running_loop().call_later(0.3, go.set)
            samples, _ = await open_loop(client, [client.get("/")] * 3, [0.0, 0.1, 0.2])
            assert len(connections) == 3
            for sample, due in zip(samples, (0.3, 0.2, 0.1), strict=True):
                assert due - 0.01 < sample.total_s < due + 0.09
                assert sample.outcome == "memory"

    run(main())


def test_a_closed_loop_keeps_its_order_and_its_callers():
    async def main():
        seen = []
        async with server(*[WHOLE] * 10) as (client, connections):
            samples = await closed_loop(client, [client.get(f"/{n}") for n in range(10)], 2, seen.append)
            assert len(samples) == len(seen) == 10
            assert len(connections) == 2

    run(main())


def test_settling_asks_again_and_ends():
    async def main():
        async with server(WHOLE.replace(b"memory", b"object"), WHOLE, *[WHOLE] * 1000) as (client, _):
            assert await settle(client, [client.get("/")], "memory") == [""]
            with pytest.raises(TimeoutError, match=r"valkey .*'memory': 2"):
                await settle(client, [client.get("/")] * 2, "valkey", within_s=0.05)

    run(main())
