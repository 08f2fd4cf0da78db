"""The way of a request, read downward: plan, look up, fly, answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.answer import Answer, Cache, Found, Live, Timings
from edge.renditions import Listener, RenditionFlight, recipe_meta
from shared.errors import DeadlineExceeded, NotFound, RefrainError

if TYPE_CHECKING:
    from edge.flights import Flights
    from edge.policy.envelope import Meta
    from edge.policy.plan import Plan, Planner
    from edge.ports import Gate
    from edge.settings import Limits
    from edge.studio import Studio
    from shared.keys import Key
    from shared.speech import SpeechRequest


class Flow:
    """Turns speech requests and keys into answers."""

    def __init__(self, *, planner: Planner, studio: Studio, flights: Flights[RenditionFlight], gate: Gate, limits: Limits) -> None:
        self._planner = planner
        self._studio = studio
        self._flights = flights
        self._gate = gate
        self._first_byte_s = limits.first_byte_s
        self._warming: set[asyncio.Task[None]] = set()

    async def admit(self) -> None:
        """Count the request. Raises Refused."""
        await self._gate.admit()

    def plan(self, request: SpeechRequest, unknown: tuple[str, ...] = ()) -> Plan:
        """Canonicalise and plan. Raises BadRequest or Unsupported."""
        return self._planner.plan(request, unknown)

    def peek(self, key: str, fingerprint: str | None = None) -> Found | None:
        """The rendition, if it is in memory."""
        return self._studio.library.peek(key, fingerprint)

    async def speak(self, plan: Plan, *, no_store: bool = False, no_cache: bool = False, only_if_cached: bool = False) -> Answer:
        """The rendition of `plan`, stored or live. The flags are the request's Cache-Control. Raises RefrainError."""
        timings = Timings()
        if plan.no_store or no_store:
            return await self._fly(plan, timings, private=True)
        if not no_cache and (found := self.peek(plan.key, plan.fingerprint)) is not None:
            return Answer(found=found, timings=timings)
        if no_cache or only_if_cached:
            found = await self._studio.library.rendition(plan.key, plan.fingerprint, skip_memory=no_cache)
            if found is not None:
                return Answer(found=found, timings=timings)
        if only_if_cached:
            raise NotFound("This audio is not stored.", code="not_cached")
        return await self._fly(plan, timings)

    async def recall(self, key: Key, *, no_cache: bool = False, only_if_cached: bool = False) -> Answer:
        """The rendition behind an address; one that has expired is made again from its recipe. Raises NotFound `unknown_key`."""
        found = await self._studio.library.rendition(key, None, skip_memory=no_cache)
        if found is not None:
            return Answer(found=found)
        _, plan = await self._known(key)
        if only_if_cached:
            raise NotFound("This audio is not stored.", code="not_cached")
        return await self._fly(plan, Timings())

    async def describe(self, key: Key, *, no_cache: bool = False) -> Found | Meta:
        """For HEAD and conditions: the rendition, or else its recipe's Meta (with the ETag of its first rendition).

        Raises NotFound `unknown_key`.
        """
        found = await self._studio.library.rendition(key, None, skip_memory=no_cache)
        if found is not None:
            return found
        meta, _ = await self._known(key)
        return meta

    async def keep_recipe(self, plan: Plan) -> None:
        """Store the recipe, so that the address works before there is audio (`delivery: url`), and start making the audio.

        Raises Internal `store_failed`.
        """
        await self._studio.library.keep_recipe(recipe_meta(plan, self._studio.clock()))
        if self.peek(plan.key, plan.fingerprint) is None:
            task = asyncio.create_task(self._warm(plan))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)

    async def cached(self, plan: Plan) -> tuple[bool, tuple[bool, ...]]:
        """Whether the rendition, and which of its takes, are stored."""
        library = self._studio.library
        rendition = await library.rendition(plan.key, plan.fingerprint)
        takes = [await library.has_take(take.key, take.fingerprint) for take in plan.takes]
        return rendition is not None, tuple(takes)

    async def close(self) -> None:
        """Stop what nobody will hear any more."""
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        await self._flights.close()
        await self._studio.takes.flights.close()

    async def _known(self, key: Key) -> tuple[Meta, Plan]:
        """What is behind an address: its recipe, or that of its flight, which may still be on its way to the store."""
        # Looked for first: a flight that lands while the store is asked has stored its recipe, but perhaps behind our read.
        flight = self._flights.of(key)
        meta = await self._studio.library.recipe(key)
        if meta is not None and meta.rendition is not None:
            return meta, self._planner.from_recipe(meta.rendition, meta.namespace)
        if flight is None:
            raise NotFound("Nothing is known under this key.", code="unknown_key")
        return recipe_meta(flight.plan, self._studio.clock()), flight.plan

    async def _fly(self, plan: Plan, timings: Timings, *, private: bool = False) -> Answer:
        """Board the rendition's flight: what its look-up finds in the stores is answered whole, what it makes live."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        ident = (plan.key, plan.fingerprint)
        flight, joined = self._flights.board(ident, lambda: RenditionFlight(self._studio, plan, private=private), private=private)
        listener = Listener(flight, self._flights)
        try:
            async with asyncio.timeout(self._first_byte_s):
                # Shielded: the future is every listener's, and one that leaves must not cancel it for the others.
                found = await asyncio.shield(flight.looked_up)
                timings.steps["lookup"] = (loop.time() - started) * 1000
                if found is None:
                    await listener.ready()
        except TimeoutError:
            await listener.aclose()
            raise DeadlineExceeded("No audio came in time.") from None
        except BaseException:
            await listener.aclose()
            raise
        if found is not None:
            await listener.aclose()
            return Answer(found=found, timings=timings)
        timings.steps["first_byte"] = (loop.time() - started) * 1000
        cache = Cache.BYPASS if private else Cache.COLLAPSED if joined else Cache.MISS
        return Answer(live=Live(plan.key, plan.media_type, listener, cache), timings=timings)

    async def _warm(self, plan: Plan) -> None:
        """Make what an address was given out for; whoever asks for it joins, or finds it."""
        try:
            answer = await self._fly(plan, Timings())
            if answer.live is not None:
                try:
                    async for _ in answer.live.chunks:
                        pass
                finally:
                    await answer.live.chunks.aclose()
        except RefrainError:
            return  # counted where it failed; the address answers with the failure, or with another attempt
