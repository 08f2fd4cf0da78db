"""The supervisor, with small real processes of this file's own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import eventually, is_running

from edge.command import CommandError
from edge.command.supervisor import Spec, Supervisor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OBEDIENT = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + OBEDIENT
NOTING = (
    "import pathlib, signal, sys\n"
    "def end(*_):\n"
    "    with open(sys.argv[2], 'a') as file: file.write(sys.argv[3] + ' ')\n"
    "    sys.exit()\n"
    "signal.signal(signal.SIGTERM, end)\n" + OBEDIENT
)


def spec(folder: Path, program: str, *arguments: str, name: str = "child", drain_s: float = 5.0) -> Spec:
    """A child that is ready when it has touched its file."""
    flag = folder / name

    async def probe() -> bool:
        return flag.exists()

    return Spec(name, (sys.executable, "-I", "-S", "-c", program, str(flag), *arguments), os.environ, probe, drain_s)


def supervised(story: Callable[[Supervisor, list[str]], Awaitable[None]], *, restart: bool = True) -> list[str]:
    """What the supervisor said during the story; it is stopped at the end in any case."""
    said: list[str] = []

    async def run() -> None:
        supervisor = Supervisor(restart=restart, changed=lambda: None, say=said.append)
        try:
            async with asyncio.timeout(30):
                await story(supervisor, said)
        finally:
            await supervisor.stop()
        assert not any(map(is_running, supervisor.pids().values()))

    asyncio.run(run())
    return said


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)


def test_who_dies_is_started_again(tmp_path):
    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, OBEDIENT), spec(tmp_path, OBEDIENT, name="other")])
        await supervisor.ready()
        before = supervisor.pids()
        os.kill(before["child"], signal.SIGKILL)
        await until(lambda: supervisor.pids()["child"] != before["child"])
        assert is_running(supervisor.pids()["child"])
        assert supervisor.pids()["other"] == before["other"]

    assert "child was ended by SIGKILL; starting it again in 0.1 s" in supervised(story)


def test_who_dies_is_left_dead_when_asked_for(tmp_path):
    async def story(supervisor, said):
        supervisor.start([spec(tmp_path, OBEDIENT)])
        await supervisor.ready()
        before = supervisor.pids()
        os.kill(before["child"], signal.SIGKILL)
        await until(lambda: said)
        assert supervisor.pids() == before

    assert supervised(story, restart=False) == ["child was ended by SIGKILL"]


def test_who_never_gets_ready_is_given_up_after_three_deaths(tmp_path):
    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, "raise SystemExit(7)")])
        with pytest.raises(CommandError, match="child ended with code 7 before it was ready") as caught:
            await supervisor.ready()
        assert caught.value.code == 7

    assert len(supervised(story)) == 2


def test_whose_settings_are_wrong_is_given_up_at_once(tmp_path):
    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, "raise SystemExit(2)")])
        with pytest.raises(CommandError, match="child ended with code 2 before it was ready"):
            await supervisor.ready()

    assert supervised(story) == []


def test_who_does_not_end_is_killed(tmp_path):
    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, STUBBORN, drain_s=0.2)])
        await supervisor.ready()

    assert supervised(story) == ["child did not end within 0.2 s: killed"]


def test_stages_end_in_reverse(tmp_path):
    log = tmp_path / "log"

    async def story(supervisor, _):
        for name in ("valkey", "origin", "edge"):
            supervisor.start([spec(tmp_path, NOTING, str(log), name, name=name)])
            await supervisor.ready()

    supervised(story)
    assert log.read_text() == "edge origin valkey "


def test_who_dies_while_all_are_stopped_does_not_come_back(tmp_path):
    origin = "import os, pathlib, signal, sys; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); signal.pause()"
    edge = (
        "import os, pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    os.kill(int(pathlib.Path(sys.argv[2]).read_text()), signal.SIGKILL)\n"
        "    time.sleep(0.5)\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n" + OBEDIENT
    )

    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, origin, name="origin")])
        await supervisor.ready()
        supervisor.start([spec(tmp_path, edge, str(tmp_path / "origin"), name="edge")])
        await supervisor.ready()

    assert supervised(story) == []


def test_stopping_in_the_middle_of_a_start_leaves_nothing(tmp_path):
    async def story(supervisor, _):
        supervisor.start([spec(tmp_path, OBEDIENT, name=f"child-{i}") for i in range(5)])

    supervised(story)


def test_a_leashed_process_dies_with_its_parent():
    parent = (
        "import os, subprocess, sys, signal\n"
        "child = subprocess.Popen([sys.executable, '-m', 'edge.command.leash', str(os.getpid()), '/bin/sleep', '60'])\n"
        "print(child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        eventually(lambda: Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"/bin/sleep"))
        process.kill()
        eventually(lambda: not is_running(child), within=3)
