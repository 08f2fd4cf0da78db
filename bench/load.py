"""Load: an open loop, whose callers come when they come, and a closed one, whose callers wait for each other."""

from __future__ import annotations

import asyncio
import gc
import itertools
import selectors
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from random import Random
    from typing import Any, TypeVar

    from bench.client import Client, Reply

    T = TypeVar("T")


SETTLE_S: Final = 30.0
"""Within which all that was said is where it is to be found: a fresh S3 server takes a while to its first write."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How a request was answered; seconds from the moment that it was due."""

    outcome: str
    size: int
    first_s: float
    total_s: float

    @classmethod
    def of(cls, reply: Reply, due: float) -> Sample:
        return cls(reply.outcome, len(reply.body), reply.first_at - due, reply.ended_at - due)


def arrivals(rate: float, count: int, dice: Random) -> list[float]:
    """When `count` callers come who know nothing of each other: seconds from the start, `rate` a second on average (Poisson)."""
    return list(itertools.accumulate(dice.expovariate(rate) for _ in range(count)))


async def open_loop(client: Client, requests: Iterable[bytes], at: Sequence[float]) -> tuple[list[Sample], float]:
    """Send each request at its time, whatever became of those before it. Returns the samples, and the answers per second.

    Latency counts from the time that was scheduled, not from when the client came round to it: a server that stands still for a
    second is charged for all who came in that second (no coordinated omission).
    """
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one(request: bytes, due: float) -> Sample:
        return Sample.of(await client.ask(request), due)

    with _no_collection():
        async with asyncio.TaskGroup() as group:
            tasks = []
            for request, after in zip(requests, at, strict=True):
                if (left := start + after - loop.time()) > 0:
                    await asyncio.sleep(left)
                tasks.append(group.create_task(one(request, start + after)))
    return [task.result() for task in tasks], len(tasks) / (loop.time() - start)


async def closed_loop(client: Client, requests: Sequence[bytes], callers: int, told: Callable[[Reply], None]) -> list[Sample]:
    """Send the requests in their order, `callers` at once; `told` hears of each answer. Returns the samples, in that order."""
    waiting = enumerate(requests)
    samples: dict[int, Sample] = {}

    async def caller() -> None:
        for index, request in waiting:
            reply = await client.ask(request)
            told(reply)
            samples[index] = Sample.of(reply, reply.asked_at)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return [samples[index] for index in range(len(requests))]


async def settle(client: Client, requests: Sequence[bytes], *outcomes: str, within_s: float = SETTLE_S) -> list[str]:
    """Send the requests again and again, until all are answered with one of `outcomes`. Returns the addresses of the answers.

    Raises TimeoutError, with what they were answered with instead.
    """
    deadline = time.monotonic() + within_s
    while True:
        replies = [await client.ask(request) for request in requests]
        astray = Counter(reply.outcome for reply in replies if reply.outcome not in outcomes)
        if not astray:
            return [reply.headers.get("content-location", "") for reply in replies]
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {within_s:g} s {' or '.join(outcomes)} was asked for and came as {dict(astray)}")
        await asyncio.sleep(0.02)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it on select(), which sleeps for microseconds: asyncio rounds epoll's time-outs up to whole milliseconds."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(main)


@contextmanager
def _no_collection() -> Iterator[None]:
    """The client's own pauses are not the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
