"""The assembly of one rendition: its takes are started within the look-ahead, joined in order, encoded as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from edge.policy.join import Joiner
from shared.errors import OriginError
from shared.segments import weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.flights import Signal
    from edge.policy.lookahead import Pace
    from edge.policy.plan import Plan, PlannedTake
    from edge.ports import Encoder
    from edge.studio import Studio
    from edge.takes import TakeListener

FEED_S: Final = 1.0
"""Seconds of PCM encoded at a time: a take that is already stored comes in one piece, and must not delay the first byte."""

R = TypeVar("R")


class Assembly:
    """Makes the bytes of one rendition, and hands each piece to `append`."""

    def __init__(
        self, studio: Studio, plan: Plan, *, pace: Pace, progress: Signal, append: Callable[[bytes], int], private: bool
    ) -> None:
        self._studio = studio
        self._plan = plan
        self._pace = pace
        self._progress = progress
        self._append = append
        self._private = private
        self._to_start: Iterator[PlannedTake] = iter(plan.takes)
        self._line: deque[TakeListener] = deque()
        """The takes that were started and not yet joined, in order."""
        self._joiner: Joiner | None = None
        self._encoder: Encoder | None = None
        self._sample_rate = 0
        self._joined = 0
        """Samples joined so far, at the takes' rate."""

    @property
    def samples(self) -> int:
        """Samples encoded, at the rendition's rate."""
        return self._encoder.samples if self._encoder is not None else 0

    async def run(self) -> None:
        """Raises RefrainError where a take cannot be had."""
        try:
            for planned in self._plan.takes:
                await self._start_some()
                listener = self._line.popleft()
                try:
                    await self._join(listener, planned)
                finally:
                    listener.leave()
            if self._joiner is not None:
                await self._encode(self._joiner.finish())
            if self._encoder is not None:
                self._append(await self._in_thread(self._encoder.finish))
        finally:
            for listener in self._line:
                listener.leave()
            if self._encoder is not None:
                self._encoder.close()

    async def _start_some(self) -> None:
        """Start what the look-ahead allows; wait for the listeners only where nothing is started that could be joined."""
        while True:
            while self._pace.may_start() and (planned := next(self._to_start, None)) is not None:
                self._line.append(self._studio.takes.listen(planned, self._plan.namespace, private=self._private))
                self._pace.started(weight(planned.recipe.text))
            if self._line:
                return
            await self._progress.wait()

    async def _join(self, listener: TakeListener, planned: PlannedTake) -> None:
        before = self._joined
        if self._joiner is not None:
            await self._encode(self._joiner.next_take())
        async for pcm in listener.pcm():
            await self._open(listener.sample_rate)
            step = int(FEED_S * self._sample_rate) * 2
            for at in range(0, len(pcm), step):
                await self._encode(self._feed(pcm[at : at + step]))
        seconds = (self._joined - before) / max(self._sample_rate, 1)
        self._pace.made(weight(planned.recipe.text), seconds, self._append(b""))

    def _feed(self, pcm: bytes) -> bytes:
        return self._joiner.feed(pcm) if self._joiner is not None else b""

    async def _open(self, sample_rate: int) -> None:
        """The first take's rate makes the joiner and the encoder; every other must have the same."""
        if self._encoder is None:
            self._sample_rate = sample_rate
            self._joiner = Joiner(sample_rate, self._plan.recipe.pauses)
            self._encoder = await self._in_thread(lambda: self._studio.encoders.make(self._plan.recipe, sample_rate))
            self._studio.observer.encoder_started(self._plan.recipe.format)
        elif sample_rate != self._sample_rate:
            raise OriginError(f"Takes of one revision came at {self._sample_rate} and {sample_rate} Hz.")

    async def _encode(self, pcm: bytes) -> None:
        if pcm and self._encoder is not None:
            self._joined += len(pcm) // 2
            encode = self._encoder.encode
            self._append(await self._in_thread(lambda: encode(pcm)))

    async def _in_thread(self, call: Callable[[], R]) -> R:
        """A cancelled flight waits for the codec to return: to free it under a running call would crash the process."""
        future = asyncio.get_running_loop().run_in_executor(self._studio.executor, call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():  # nor does a second cancellation, as at the process's end, hurry it
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({future})
            raise
