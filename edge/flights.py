"""Flights: the one running production of a thing inside this process, which others join.

A flight is a task of its own and belongs to no caller: whoever hangs up, the others still hear all of it. It counts its
listeners; when the last one leaves, it decides by itself what is still worth finishing. It is in the table from the moment it is
asked for until what it made can be found in the stores. The interleaving that makes a look in the cache necessary inside the
flight, too: A looks and finds nothing; B's flight stores its take and leaves the table; A boards, and finds the table empty.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from edge import log
from shared import trace
from shared.errors import Internal, RefrainError, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Ident = tuple[str, str]
"""Key and fingerprint: even two recipes with one key have two flights."""


class Signal:
    """Tells any number of waiters that something has changed. Who waits looks again, so no news is lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        await self._event.wait()


class Log:
    """Chunks in the order they came. Any number of readers follow it from the start, each at its own pace."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.heard = False
        """Whether a reader has taken a chunk: from then on nothing can be taken back."""
        self.ended = False
        self.error: RefrainError | None = None
        self._changed = Signal()

    def append(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self._changed.notify()

    def clear(self) -> None:
        """Forget what nobody has heard, for another attempt."""
        self.chunks.clear()

    def end(self, error: RefrainError | None = None) -> None:
        if self.ended:
            return  # all of it can be heard; it was only not kept
        self.ended, self.error = True, error
        self._changed.notify()

    async def follow(self) -> AsyncIterator[bytes]:
        """Every chunk from the first. Raises the failure that the log ended with."""
        at = 0
        while True:
            if at < len(self.chunks):
                self.heard = True
                at += 1
                yield self.chunks[at - 1]
            elif not self.ended:
                await self._changed.wait()
            elif self.error is not None:
                raise self.error.again()
            else:
                return


class Flight(ABC):
    """A production with listeners."""

    def __init__(self, ident: Ident) -> None:
        self.ident = ident
        self.listeners = 0
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def produce(self) -> None:
        """Make it, and keep it. Whatever is raised ends the flight for all its listeners."""

    @abstractmethod
    def failed(self, error: RefrainError) -> None:
        """Tell the listeners."""

    @abstractmethod
    def worth_finishing(self) -> bool:
        """Whether to go on although nobody listens any more."""

    def release(self) -> None:  # noqa: B027 - most flights hold nothing
        """Free what it holds: it is over, and nobody listens."""

    @property
    def over(self) -> bool:
        return self._task is not None and self._task.done()

    def take_off(self, landed: Callable[[], None]) -> None:
        """Start; `landed` is called once it is over, however it ends."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(lambda _: landed())

    async def _run(self) -> None:
        try:
            await self.produce()
        except RefrainError as error:
            self.failed(error)
        except asyncio.CancelledError:
            self.failed(Refused("The flight was stopped.", code="draining"))
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must end the flight for its listeners, too, instead of leaving them waiting
            log.error("flight_crashed", trace_id=trace.current.get(), key=self.ident[0], exc_info=error)
            self.failed(Internal(f"{type(error).__name__} in a flight."))

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def landed(self) -> None:
        """Return when it is over."""
        if self._task is not None:
            await asyncio.wait({self._task})


F = TypeVar("F", bound=Flight)


class Flights(Generic[F]):
    """The table of what is being made."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._table: dict[Ident, F] = {}
        self._all: set[F] = set()
        """Those in the table, and those that nobody can join: private, or given up but not yet over."""

    def __len__(self) -> int:
        return len(self._all)

    def of(self, key: str) -> F | None:
        """A flight that can be joined under `key`, whatever its fingerprint."""
        return next((flight for ident, flight in self._table.items() if ident[0] == key), None)

    def board(self, ident: Ident, make: Callable[[], F], *, private: bool = False) -> tuple[F, bool]:
        """Join the flight of `ident`, or start one; whether it was joined. A private flight is nobody else's.

        Nothing is awaited here: between the look at the table and the new entry no other caller can come. Raises Refused.
        """
        if not private and (flight := self._table.get(ident)) is not None:
            flight.listeners += 1
            return flight, True
        if len(self._all) >= self._limit:
            raise Refused(f"{self._limit} productions are running.", retry_after=1)
        flight = make()
        flight.listeners += 1
        self._all.add(flight)
        if not private:
            self._table[ident] = flight
        flight.take_off(lambda: self._landed(flight))
        return flight, False

    def leave(self, flight: F) -> None:
        """One listener less. The last one's leaving ends what is not worth finishing, and nobody may join that any more."""
        flight.listeners -= 1
        if flight.listeners == 0 and not flight.worth_finishing():
            self._forget(flight)
            flight.cancel()
        if flight.listeners == 0 and flight.over:
            flight.release()

    def _landed(self, flight: F) -> None:
        self._forget(flight)
        self._all.discard(flight)
        if flight.listeners == 0:
            flight.release()

    def _forget(self, flight: F) -> None:
        if self._table.get(flight.ident) is flight:
            del self._table[flight.ident]

    async def close(self) -> None:
        """Stop all of them, and wait until they have stopped."""
        flights = list(self._all)
        for flight in flights:
            flight.cancel()
        for flight in flights:
            await flight.landed()
