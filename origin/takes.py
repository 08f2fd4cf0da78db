"""Takes: each is synthesised once, however many ask for it at the same time, and never for nobody.

Who asks for a take that is running joins it, from its first frame on. Who asks again after it has ended (a connection broke)
gets it replayed. A take that nobody listens to any more is dropped if it has not sounded yet; else it is read to its end and
kept, because a GPU that has begun is best used by finishing.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from origin import log, pcm
from origin.engines import Cut
from origin.metrics import Outcome
from shared.errors import BadRequest, BadTake, DeadlineExceeded, OriginError, OriginTimeout, RefrainError, Refused, Unsupported
from shared.keys import TakeRecipe, digest
from shared.text import LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from origin.engines import Engine
    from origin.metrics import Metrics
    from origin.replay import Address, Replay
    from origin.slots import Slots
    from shared.catalogue import Model, Voice

_CONTROLS: Final = frozenset(map(chr, range(32))) - set("\t\n\r")


@dataclass(frozen=True, slots=True)
class Job:
    """A segment that somebody wants."""

    key: str
    recipe: TakeRecipe
    token: str
    deadline: float
    """When the first frame must be there, on the event loop's clock. A take that sounds is heard to its end."""

    @property
    def address(self) -> Address:
        # The fingerprint, too: should two recipes have one key, they must not get each other's sound.
        return (self.key, digest(self.recipe.encode("")))

    @property
    def seed(self) -> int:
        return int(self.key[:15], 16) if self.recipe.seed is None else self.recipe.seed


@dataclass(eq=False, slots=True)
class Take:
    """A take in the making: what has sounded so far, and who listens."""

    pcm: list[bytes] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    listeners: int = 0
    in_engine: bool = False
    done: bool = False
    failure: RefrainError | Cut | None = None
    task: asyncio.Task[None] | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, frame: bytes) -> None:
        self.pcm.append(frame)
        self._wake()

    def end(self, failure: RefrainError | Cut | None) -> None:
        self.failure, self.done = failure, True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def hear(self, deadline: float) -> AsyncGenerator[bytes, None]:
        """All of it from the first frame on. Each listener reads at a pace of its own, from what is kept."""
        await self._begun(deadline)
        heard = 0
        while True:
            for frame in self.pcm[heard:]:
                heard += 1
                yield frame
            if self.done and heard == len(self.pcm):
                break
            if heard == len(self.pcm):
                await self._changed.wait()
        if self.failure is not None:
            raise self.failure.again() if isinstance(self.failure, RefrainError) else Cut()

    async def _begun(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while not (self.pcm or self.done):
                    await self._changed.wait()
        except TimeoutError:
            if self.in_engine:
                raise DeadlineExceeded("The deadline passed before the engine's first sound.") from None
            raise Refused("The deadline passed in the queue.", retry_after=1.0) from None


class Takes:
    """All takes of this origin."""

    def __init__(
        self, engine: Engine, slots: Slots, replay: Replay, metrics: Metrics, *, queue: int, take_timeout_s: float
    ) -> None:
        self._engine = engine
        self._slots = slots
        self._replay = replay
        self._metrics = metrics
        self._queue = queue
        self._take_timeout_s = take_timeout_s
        self._running: dict[Address, Take] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._run_s = 1.0
        """Seconds that a run takes, of late: for Retry-After."""
        metrics.queued.set_function(lambda: slots.waiting)

    def __repr__(self) -> str:
        return f"<Takes {len(self._running)} running, {self._slots!r}>"

    async def listen(self, job: Job) -> AsyncGenerator[bytes, None]:
        """The take of `job`, in frames of at most 200 ms. Raises RefrainError, or Cut."""
        try:
            voice = self._voice(job.recipe)
        except RefrainError as error:
            self._metrics.refused.labels(error.code).inc()
            raise
        kept = self._replay.get(job.address, job.token, asyncio.get_running_loop().time())
        if kept is not None:
            self._metrics.replays.inc()
            for frame in kept:
                yield frame
            return
        take = self._join(job, voice)
        take.listeners += 1
        try:
            async with aclosing(take.hear(job.deadline)) as frames:
                async for frame in frames:
                    yield frame
        finally:
            take.listeners -= 1
            self._left(job, take)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _voice(self, recipe: TakeRecipe) -> Voice:
        """The voice that the recipe names, once it is clear that what it asks for is what will sound."""
        model = self._engine.model
        if recipe.revision != model.revision:
            raise OriginError(f"This origin speaks with revision {model.revision!r}.", code="revision_mismatch")
        voice = model.voice_by_digest(recipe.voice)
        if voice is None:
            raise Unsupported("This revision has no voice of that digest.", code="unknown_voice")
        if recipe.dialect not in ("", voice.dialect, *model.dialects):
            raise Unsupported(f"This voice speaks no dialect {recipe.dialect!r}.", code="unknown_dialect")
        if not _in_range(recipe.speed, model):
            raise BadRequest(f"{model.id} does not speak at that speed by itself.", code="bad_value", param="speed")
        if not recipe.text.strip():
            raise BadRequest("There is no text.", code="empty_text", param="text")
        if len(recipe.text) > LIMIT:
            raise BadRequest(f"A segment has more than {LIMIT} characters.", code="text_too_long", param="text")
        if _CONTROLS & set(recipe.text):
            raise BadRequest("The text holds control characters.", code="bad_text", param="text")
        return voice

    def _join(self, job: Job, voice: Voice) -> Take:
        take = self._running.get(job.address)
        if take is not None:
            self._metrics.joins.inc()
        else:
            if len(self._running) >= self._slots.limit + self._queue:
                self._metrics.refused.labels("overloaded").inc()
                raise Refused("The queue is full.", retry_after=self._wait_s())
            take = self._running[job.address] = Take()
            take.task = asyncio.create_task(self._run(job, voice, take))
            self._tasks.add(take.task)
            take.task.add_done_callback(self._tasks.discard)
        take.tokens.add(job.token)
        return take

    def _left(self, job: Job, take: Take) -> None:
        """A listener has left `take`. Nothing is begun for nobody."""
        if take.listeners or take.done or take.pcm or take.task is None:
            return
        if not take.in_engine:
            self._metrics.refused.labels("dropped").inc()
        # At once, not when the task has noticed: who comes now must not join what is ending.
        if self._running.get(job.address) is take:
            del self._running[job.address]
        take.task.cancel()

    async def _run(self, job: Job, voice: Voice, take: Take) -> None:
        loop = asyncio.get_running_loop()
        async with self._slots.hold():
            take.in_engine = True
            began, outcome, failure = loop.time(), Outcome.CANCELLED, None
            self._metrics.running.inc()
            try:
                outcome, failure = await self._produce(job, voice, take)
            finally:
                ran_s = loop.time() - began
                self._measure(outcome, ran_s, take)
        if self._running.get(job.address) is take:
            del self._running[job.address]
        if failure is None:
            self._replay.put(job.address, frozenset(take.tokens - {""}), take.pcm, loop.time())
        take.end(failure)

    async def _produce(self, job: Job, voice: Voice, take: Take) -> tuple[Outcome, RefrainError | Cut | None]:
        """Run the engine; what it says goes into `take`. Its failures are answers, not accidents of ours."""
        try:
            await self._speak(job, voice, take)
        except RefrainError as error:
            log.warning("take_failed", code=error.code, key=job.key, characters=len(job.recipe.text), reason=error.message)
            return Outcome.of(error), error
        except Cut as cut:
            return Outcome.CUT, cut
        except Exception as error:  # noqa: BLE001 - a bug in an engine, or in what it calls, must end its take and no other
            log.error("engine_failed", key=job.key, characters=len(job.recipe.text), exc_info=error)
            return Outcome.ERROR, OriginError("The engine failed.")
        return Outcome.OK, None

    async def _speak(self, job: Job, voice: Voice, take: Take) -> None:
        try:
            async with (
                asyncio.timeout(self._take_timeout_s),
                aclosing(self._engine.synthesize(job.recipe, voice, job.seed)) as chunks,
            ):
                async for chunk in chunks:
                    if len(chunk) % pcm.SAMPLE_BYTES:
                        raise BadTake("The engine cut a sample in two.")
                    for frame in pcm.frames(chunk, self._engine.model.sample_rate):
                        take.add(frame)
        except TimeoutError:
            raise OriginTimeout(f"The take ran for more than {self._take_timeout_s:g} s.") from None
        if not take.pcm:
            raise BadTake("The engine made no sound.")

    def _measure(self, outcome: Outcome, ran_s: float, take: Take) -> None:
        self._metrics.running.dec()
        self._metrics.segments.labels(self._engine.model.id, outcome).inc()
        self._metrics.gpu_seconds.inc(ran_s)
        self._metrics.audio_seconds.inc(pcm.seconds(sum(map(len, take.pcm)), self._engine.model.sample_rate))
        self._run_s += 0.1 * (ran_s - self._run_s)

    def _wait_s(self) -> float:
        """Whole seconds until the queue of now is done."""
        return float(max(1, math.ceil(self._slots.waiting * self._run_s / max(1, self._slots.limit))))


def _in_range(speed: float, model: Model) -> bool:
    slowest, fastest = model.speed or (1.0, 1.0)
    return slowest <= speed <= fastest
