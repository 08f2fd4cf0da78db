"""A client who takes nothing more, although the connection stands."""

import asyncio

import pytest
from virtual import run

from edge.http.exchange import STALL_S, ClientGone, Exchange


def exchange(*takes_s):
    """An exchange whose client takes this long for each message of its answer."""
    left = iter(takes_s)

    async def send(_):
        await asyncio.sleep(next(left))

    return Exchange({"method": "GET", "path": "/", "headers": []}, None, send, clock=asyncio.get_running_loop().time)


def test_who_takes_nothing_for_a_minute_is_left():
    async def scene():
        answer = exchange(0, 1, 24 * 3600)
        await answer.start(200, [])
        await answer.body(b"taken", more=True)
        with pytest.raises(ClientGone):
            await answer.body(b"left", more=True)
        assert asyncio.get_running_loop().time() == 1 + STALL_S

    run(scene())


def test_who_is_slow_hears_all():
    async def scene():
        answer = exchange(0, STALL_S - 1, STALL_S - 1, STALL_S - 1)
        await answer.start(200, [])
        for _ in range(2):
            await answer.body(b"taken", more=True)
        await answer.body(b"", more=False)
        assert answer.complete

    run(scene())
