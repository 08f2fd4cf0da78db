"""Slots: how many takes run at once. Who comes first is served first, and who leaves the queue leaves it at once."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Slots:
    """A first-in, first-out semaphore whose limit may change while it is held."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Slots {self._taken}/{self._limit}, {self.waiting} waiting>"

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def free(self) -> bool:
        return self._taken < self._limit

    def resize(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the slot was handed over in the very moment of the cancellation
                self._release()
            elif turn in self._queue:
                self._queue.remove(turn)
            raise
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self.free and self._queue:
            turn = self._queue.popleft()
            if not turn.done():  # else it was cancelled, and does not know yet
                self._taken += 1
                turn.set_result(None)
