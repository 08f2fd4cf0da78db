"""Rendition flights: takes are joined and encoded once, and the bytes fanned out to every listener.

A thousand equal callers cost one encoder. Each listener reads the spool from its start at its own pace and never holds the
flight back; only the fastest one does, by the look-ahead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from edge.assembly import Assembly
from edge.flights import Flight, Flights, Signal
from edge.policy.envelope import Meta
from edge.policy.lookahead import Pace
from edge.policy.pieces import Pieces
from shared.errors import RefrainError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.answer import Found
    from edge.policy.plan import Plan
    from edge.studio import Studio

HEAD: Final = 64
"""Bytes that hold the length fields of a WAV or FLAC header."""
READ: Final = 1 << 16
"""Bytes that a listener takes from the spool at a time."""


class RenditionFlight(Flight):
    """The one running production of a rendition."""

    def __init__(self, studio: Studio, plan: Plan, *, private: bool) -> None:
        super().__init__((plan.key, plan.fingerprint))
        self.looked_up: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
        """What the stores had: all listeners are answered with that. The flight goes on only if they had nothing."""
        self.spool = studio.spools()
        self.ended = False
        self.error: RefrainError | None = None
        self.grown = Signal()
        self._studio = studio
        self.plan = plan
        self._private = private
        self._pace = Pace(studio.lookahead)
        self._progress = Signal()

    def worth_finishing(self) -> bool:
        # The takes that have begun finish by themselves; what is encoded of them so far serves nobody.
        return self.ended

    def failed(self, error: RefrainError) -> None:
        if self.ended:
            return  # all of it can be heard; it was only not kept
        self.ended, self.error = True, error
        if not self.looked_up.done():
            self.looked_up.set_result(None)
        self.grown.notify()

    def release(self) -> None:
        self.spool.close()

    def heard(self, position: int) -> None:
        """A listener has been sent the first `position` bytes."""
        if self._pace.heard(position):
            self._progress.notify()

    async def produce(self) -> None:
        began = self._studio.clock()
        found = None if self._private else await self._studio.library.rendition(self.plan.key, self.plan.fingerprint)
        self.looked_up.set_result(found)
        if found is not None:
            return
        await self._make(began)

    async def _make(self, began: float) -> None:
        """Synthesise, join, encode; then, when the listeners have it all, store it."""
        recipe_kept = None if self._private else asyncio.ensure_future(self._keep_recipe(began))
        assembly = Assembly(
            self._studio, self.plan, pace=self._pace, progress=self._progress, append=self._append, private=self._private
        )
        try:
            await assembly.run()
            self._end()
        finally:
            if recipe_kept is not None:
                await asyncio.wait({recipe_kept})
        if not self._private:
            await self._keep(began, assembly)

    async def _keep_recipe(self, began: float) -> None:
        """At once, so that the address that is being answered works on every node, and outlives a production that fails."""
        try:
            await self._studio.library.keep_recipe(recipe_meta(self.plan, began))
        except RefrainError:
            # Counted by the library. The audio still goes out; only the address may not outlive it.
            return

    async def _keep(self, began: float, assembly: Assembly) -> None:
        meta = Meta(
            kind="rendition",
            key=self.plan.key,
            fingerprint=self.plan.fingerprint,
            namespace=self.plan.namespace,
            rendition=self.plan.recipe,
            media_type=self.plan.media_type,
            sample_rate=self.plan.recipe.sample_rate,
            samples=assembly.samples,
            tags=self.plan.tags,
            began=began,
            size=self.spool.size,
        )
        await self._studio.library.keep_rendition(meta, self._finished(assembly.samples))

    def _finished(self, samples: int) -> Pieces:
        """The stored bytes: those that were streamed, with the header's length fields filled in.

        The spool itself stays as it was: who still reads it gets the same bytes as everybody.
        """
        head = self._studio.encoders.finished(self.plan.recipe, self.spool.read(0, HEAD), self.spool.size, samples)
        return Pieces(self.spool.size, head, lambda: self._spooled(len(head)))

    def _spooled(self, at: int) -> Iterator[bytes]:
        while chunk := self.spool.read(at, READ):
            at += len(chunk)
            yield chunk

    def _append(self, data: bytes) -> int:
        if data:
            self.spool.append(data)
            self.grown.notify()
        return self.spool.size

    def _end(self) -> None:
        self.ended = True
        self.grown.notify()


class Listener:
    """One listener of a rendition flight: its bytes from the first on. Close it, always."""

    def __init__(self, flight: RenditionFlight, flights: Flights[RenditionFlight]) -> None:
        self._flight = flight
        self._flights = flights
        self._position = 0
        self._closed = False

    async def ready(self) -> None:
        """Return once there is a first byte. Raises the failure that came before it."""
        flight = self._flight
        while flight.spool.size == 0 and not flight.ended:
            await flight.grown.wait()
        if flight.spool.size == 0 and flight.error is not None:
            raise flight.error.again()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes. Whoever asks for them has been sent those before."""
        flight = self._flight
        flight.heard(self._position)
        while True:
            if flight.spool.size > self._position:
                chunk = flight.spool.read(self._position, READ)
                self._position += len(chunk)
                return chunk
            if not flight.ended:
                await flight.grown.wait()
            elif flight.error is not None:
                raise flight.error.again()
            else:
                raise StopAsyncIteration

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._flights.leave(self._flight)


def recipe_meta(plan: Plan, began: float) -> Meta:
    """What is kept of a rendition for a year: enough to sing it again."""
    return Meta(
        kind="recipe",
        key=plan.key,
        fingerprint=plan.fingerprint,
        namespace=plan.namespace,
        rendition=plan.recipe,
        media_type=plan.media_type,
        tags=plan.tags,
        began=began,
    )
