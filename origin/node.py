"""A node's life: it listens at once, is ready once its engine has spoken, and finishes what it has begun before it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from origin import log
from shared.errors import Refused

if TYPE_CHECKING:
    from origin.engines import Engine
    from origin.metrics import Metrics
    from origin.slots import Slots
    from origin.takes import Takes


class Node:
    """What the routes stand on."""

    def __init__(
        self, engine: Engine, takes: Takes, slots: Slots, metrics: Metrics, *, slots_wanted: int, take_timeout_s: float
    ) -> None:
        self.engine = engine
        self.takes = takes
        self.metrics = metrics
        self.take_timeout_s = take_timeout_s
        self.calls: set[asyncio.Task[None]] = set()
        self._slots = slots
        self._slots_wanted = slots_wanted
        self._ready = False
        self._draining = False

    def check_ready(self) -> None:
        """Raises Refused."""
        if self._draining:
            raise Refused("This origin is stopping.", code="draining")
        if not self._ready:
            raise Refused("This origin is starting.", code="not_ready")

    async def start(self) -> None:
        """Raises EngineError."""
        await self.engine.start()
        self.fit_slots()
        self._ready = True
        log.info("ready", engine=self.engine.model.engine, revision=self.engine.model.revision, slots=self._slots.limit)

    def fit_slots(self) -> None:
        """As many slots as are configured; else as the engine wants now."""
        self._slots.resize(self._slots_wanted or self.engine.slots)

    async def drain(self, drain_s: float) -> None:
        """Refuse new calls, finish those that run, for `drain_s` at most; what then still runs breaks off visibly."""
        self._draining = True
        log.info("draining", calls=len(self.calls))
        if self.calls:
            await asyncio.wait(self.calls, timeout=drain_s)
        for call in self.calls:
            call.cancel()
        await self.takes.close()
        await self.engine.close()
