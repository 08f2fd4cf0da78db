"""Slots: first come, first served; who leaves takes no slot along."""

from __future__ import annotations

import asyncio
import random

import pytest
from origins import run

from origin.slots import Slots


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_first_come_first_served():
    async def body() -> list[int]:
        slots, served, go = Slots(1), [], asyncio.Event()

        async def work(number: int) -> None:
            async with slots.hold():
                served.append(number)
                await go.wait()

        tasks = [asyncio.create_task(work(number)) for number in range(5)]
        await turns()
        assert (served, slots.waiting) == ([0], 4)
        go.set()
        await asyncio.gather(*tasks)
        assert repr(slots) == "<Slots 0/1, 0 waiting>"
        return served

    assert run(body()) == [0, 1, 2, 3, 4]


def test_more_slots_let_in_those_who_wait_and_fewer_take_from_nobody():
    async def body() -> None:
        slots, go = Slots(1), asyncio.Event()

        async def work() -> None:
            async with slots.hold():
                await go.wait()

        tasks = [asyncio.create_task(work()) for _ in range(4)]
        await turns()
        slots.resize(3)
        await turns()
        assert slots.waiting == 1
        slots.resize(1)
        assert slots.waiting == 1
        go.set()
        await asyncio.gather(*tasks)
        assert repr(slots) == "<Slots 0/1, 0 waiting>"

    run(body())


@pytest.mark.parametrize("seed", range(20))
def test_cancellations_at_any_moment_lose_no_slot(seed):
    async def body() -> None:
        dice, slots, inside = random.Random(seed), Slots(2), 0

        async def work() -> None:
            nonlocal inside
            async with slots.hold():
                inside += 1
                assert inside <= 2
                try:
                    await turns(dice.randrange(4))
                finally:
                    inside -= 1

        tasks = [asyncio.create_task(work()) for _ in range(40)]
        while not all(task.done() for task in tasks):
            dice.choice(tasks).cancel()
            await turns(dice.randrange(3))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert repr(slots) == "<Slots 0/2, 0 waiting>"

    run(body())
