"""Take flights: a segment's PCM, from the stores or from an origin, checked before it is kept."""

from __future__ import annotations

from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING, Final

from edge.flights import Flight, Flights, Log
from edge.policy.envelope import Meta
from edge.policy.failures import Failures
from edge.policy.verdict import TakeCheck, Verdict
from edge.ports import Sound
from shared.errors import BadTake, OriginError, RefrainError, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from edge.library import Library
    from edge.policy.plan import PlannedTake
    from edge.ports import Gate, Leases, Observer, Origin, Router
    from shared.keys import Key

ATTEMPTS: Final = 2
"""Origins that a take is asked of: a second one if nothing of it was heard yet."""


class TakeFlight(Flight):
    """The one running production of a take."""

    def __init__(self, takes: Takes, planned: PlannedTake, namespace: str, *, private: bool) -> None:
        super().__init__((planned.key, planned.fingerprint))
        self.log = Log()
        self.sound: Sound | None = None
        """What the origin's first frame said; of a new attempt it is yet to come."""
        self._takes = takes
        self._planned = planned
        self._namespace = namespace
        self._private = private

    def worth_finishing(self) -> bool:
        # A GPU that has begun is best used by finishing, if what it makes is kept.
        return self.log.ended or (self.sound is not None and not self._private)

    def failed(self, error: RefrainError) -> None:
        self.log.end(error)

    async def produce(self) -> None:
        library = self._takes.library
        began = self._takes.clock()
        if not self._private:
            found = await library.take(self._planned.key, self._planned.fingerprint)
            if found is not None:
                meta, pcm = found
                self.sound = Sound(meta.sample_rate, meta.dialect)
                self.log.append(pcm)
                self.log.end()
                return
            self._takes.failures.check(self.ident, began)
        gate, characters = self._takes.gate, len(self._planned.recipe.text)
        await gate.charge(characters)
        try:
            async with self._takes.leases.hold(self._planned.key) as token:
                await self._synthesise(began, token)
        except BaseException as error:  # a cancellation and a fault of ours are given back, too
            await gate.refund(characters)
            if isinstance(error, RefrainError) and not error.retryable and not self._private:
                self._takes.failures.note(self.ident, error, self._takes.clock())
            raise

    async def _synthesise(self, began: float, token: str) -> None:
        """Walk the candidates until one gives a good take. Tried again is what nobody has heard, and somebody waits for."""
        recipe = self._planned.recipe
        failure: RefrainError = Refused("No origin speaks this revision.", code="no_origin", retry_after=1)
        for origin in islice(self._takes.router.candidates(self._planned.key, recipe.revision), ATTEMPTS):
            try:
                await self._attempt(origin, token)
            except RefrainError as error:
                self._takes.observer.origin_call(origin.name, error.code)
                if not error.retryable or self.log.heard or not self.listeners:
                    raise
                failure = error
                self.log.clear()
            else:
                self._takes.observer.origin_call(origin.name, "ok")
                if not self._private:
                    await self._keep(began)
                return
        raise failure

    async def _attempt(self, origin: Origin, token: str) -> None:
        """One origin's take. Its first bytes are held back until something can be heard in them."""
        recipe = self._planned.recipe
        # Under a key of its own, an origin neither joins the take to another caller's nor replays it: fresh audio is fresh.
        key = self._takes.fresh_key() if self._private else self._planned.key
        self.sound = None
        held: list[bytes] = []
        async with aclosing(origin.synthesize(recipe, key, token)) as stream:
            sound = await anext(stream)
            if not isinstance(sound, Sound):
                raise OriginError("The origin sent PCM before its start.", source=origin.name)
            check = TakeCheck(recipe.text, sound.sample_rate, recipe.speed)
            self.sound = sound
            async for pcm in stream:
                if not isinstance(pcm, bytes):
                    raise OriginError("The origin started twice.", source=origin.name)
                self._must_be_good(check.feed(pcm), origin)
                held.append(pcm)
                if check.audible:
                    self.log.append(b"".join(held))
                    held.clear()
        self._must_be_good(check.finish(), origin)
        self.log.end()

    def _must_be_good(self, verdict: Verdict | None, origin: Origin) -> None:
        if verdict not in (None, Verdict.OK):
            self._takes.observer.bad_take(origin.name, verdict)
            raise BadTake(f"The take failed its check: {verdict}.", source=origin.name)

    async def _keep(self, began: float) -> None:
        pcm = b"".join(self.log.chunks)
        sound = self.sound
        if sound is None:
            return
        meta = Meta(
            kind="take",
            key=self._planned.key,
            fingerprint=self._planned.fingerprint,
            namespace=self._namespace,
            take=self._planned.recipe,
            sample_rate=sound.sample_rate,
            samples=len(pcm) // 2,
            dialect=sound.dialect,
            began=began,
            size=len(pcm),
        )
        await self._takes.library.keep_take(meta, pcm)


class Takes:
    """The take flights of this process."""

    def __init__(
        self,
        *,
        library: Library,
        router: Router,
        leases: Leases,
        gate: Gate,
        observer: Observer,
        clock: Callable[[], float],
        fresh_key: Callable[[], Key],
        limit: int,
    ) -> None:
        self.library = library
        self.router = router
        self.leases = leases
        self.gate = gate
        self.failures = Failures()
        self.observer = observer
        self.clock = clock
        self.fresh_key = fresh_key
        self.flights: Flights[TakeFlight] = Flights(limit)

    def listen(self, planned: PlannedTake, namespace: str, *, private: bool = False) -> TakeListener:
        """Board the take's flight. Raises Refused."""
        ident = (planned.key, planned.fingerprint)
        flight, _ = self.flights.board(ident, lambda: TakeFlight(self, planned, namespace, private=private), private=private)
        return TakeListener(flight, self.flights)


class TakeListener:
    """One listener of a take; `leave` it, always."""

    def __init__(self, flight: TakeFlight, flights: Flights[TakeFlight]) -> None:
        self._flight = flight
        self._flights = flights
        self._left = False

    @property
    def sample_rate(self) -> int:
        """Hz; known from the first chunk on."""
        return self._flight.sound.sample_rate if self._flight.sound else 0

    def pcm(self) -> AsyncIterator[bytes]:
        return self._flight.log.follow()

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._flights.leave(self._flight)
