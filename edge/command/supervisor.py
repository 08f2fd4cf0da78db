"""Keeps processes running: starts them, notices when they are ready, starts them again when they die, ends them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.command import CommandError
from shared.process import WRONG_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
HEALTHY_S: Final = 10.0
"""Who lived that long did not die of how it was started."""
TRIES: Final = 3
"""Deaths before it was ever ready after which a child is hopeless."""
PROBE_S: Final = 0.05
CANNOT_START: Final = 126
"""The shell's exit code for it."""


def pause_before_restart(last_pause: float, lived: float) -> float:
    """Seconds to wait after a death: doubling from 0.1 s to 5 s, from the start again after a healthy life."""
    if last_pause == 0 or lived >= HEALTHY_S:
        return FIRST_PAUSE_S
    return min(2 * last_pause, LONGEST_PAUSE_S)


def how_it_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


@dataclass(frozen=True, slots=True)
class Spec:
    """A process to be kept running. The same arguments every time, so that it comes back on its port."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    probe: Callable[[], Awaitable[bool]]
    """Whether it is ready; raises nothing."""
    drain_s: float
    """How long it may take to end when asked; then it is killed."""


class Child:
    """One process, and the task that starts it again."""

    def __init__(self, spec: Spec, *, restart: bool, changed: Callable[[], None], say: Callable[[str], None]) -> None:
        self.spec = spec
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it was ready for the first time; CommandError where it never will be."""
        self._restart = restart
        self._changed = changed
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._task = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int:
        """Of the process that runs, or of the last that ran; 0 before the first."""
        return self._process.pid if self._process else 0

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        deaths, pause = 0, 0.0
        while True:
            began = loop.time()
            code = await self._live()
            deaths += 1
            ended = f"{self.spec.name} {how_it_ended(code)}"
            hopeless = deaths == TRIES or code == WRONG_SETTINGS or not self._restart
            if not self.ready.done() and hopeless:
                self.ready.set_exception(CommandError(f"{ended} before it was ready", code if code > 0 else 1))
                return
            if not self._restart:
                self._say(ended)
                return
            pause = pause_before_restart(pause, loop.time() - began)
            self._say(f"{ended}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _live(self) -> int:
        """One life, from its start to its exit code."""
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sys.stderr,  # our own standard output carries one line
                env=self.spec.environ,
            )
        except OSError as error:  # no process or memory to be had: as good a death as any
            self._say(f"{self.spec.name} cannot be started: {error.strerror}")
            return CANNOT_START
        self._changed()
        probing = asyncio.create_task(self._await_ready())
        try:
            return await process.wait()
        finally:
            probing.cancel()

    async def _await_ready(self) -> None:
        if self.ready.done():  # in an earlier life
            return
        while not await self.spec.probe():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(PROBE_S)
        if not self.ready.done():  # cancelled, where nobody waits for it any more
            self.ready.set_result(None)

    async def let_go(self) -> None:
        """When it ends, it does not come back. A process is not touched by it, unless it is just being started: it is killed."""
        self._task.cancel()
        await asyncio.wait({self._task})
        self.ready.cancel()

    async def end(self) -> None:
        """SIGTERM, then SIGKILL after the time it has; returns when it is gone. It has been let go before."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        _send(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(self.spec.drain_s):
                await process.wait()
        except TimeoutError:
            self._say(f"{self.spec.name} did not end within {self.spec.drain_s} s: killed")
            _send(process.pid, signal.SIGKILL)
            await process.wait()


def _send(pid: int, number: signal.Signals) -> None:
    """Not by Process.send_signal: that may reap a child that has just ended, and asyncio then never learns its exit code."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Supervisor:
    """The children, in the order in which they were started."""

    def __init__(self, *, restart: bool, changed: Callable[[], None], say: Callable[[str], None]) -> None:
        self._restart = restart
        self._changed = changed
        self._say = say
        self._stages: list[list[Child]] = []

    def start(self, specs: Sequence[Spec]) -> None:
        """Start these together; they are ended together, before those that were started earlier."""
        children = [Child(spec, restart=self._restart, changed=self._changed, say=self._say) for spec in specs]
        self._stages.append(children)

    async def ready(self) -> None:
        """Wait until every child was ready once. Raises CommandError where one keeps dying before."""
        await asyncio.gather(*(child.ready for stage in self._stages for child in stage))

    def pids(self) -> dict[str, int]:
        return {child.spec.name: child.pid for stage in self._stages for child in stage}

    def waiting(self) -> list[str]:
        """The names of those that were not ready yet."""
        return [child.spec.name for stage in self._stages for child in stage if not child.ready.done()]

    async def stop(self) -> None:
        """End them all, the last stage first: who depends on others goes before them."""
        # All at once: a terminal's Ctrl-C reaches every child, and one of an earlier stage may end before its turn.
        await asyncio.gather(*(child.let_go() for stage in self._stages for child in stage))
        for stage in reversed(self._stages):
            await asyncio.gather(*(child.end() for child in stage))
