"""Real processes for tests: started, watched, ended by process id."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
REFRAIN = Path(sys.executable).with_name("refrain")


def eventually(condition: Callable[[], T], *, within: float = 10.0) -> T:
    """What `condition` returns, as soon as that is true. Fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within} s: {condition}"
        time.sleep(0.02)
    return value


def is_running(pid: int) -> bool:
    """Whether the process is there and has not ended: whom nobody has waited for yet is not running."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def group(leader: int) -> set[int]:
    """The processes that run in `leader`'s process group."""
    members = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, pgrp, *_ = _stat(int(entry.name))
            except OSError:  # it ended while we looked
                continue
            if int(pgrp) == leader and state != "Z":
                members.add(int(entry.name))
    return members


def _stat(pid: int) -> list[str]:
    """State, parent, process group, ... as proc(5) has them behind the program's name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def listens(url: str) -> bool:
    at = urlsplit(url)
    try:
        socket.create_connection((at.hostname, at.port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that are free, away from those that outgoing connections take."""
    while True:
        first = random.randrange(10_000, 16_000)
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for each in sockets:
                each.close()


@dataclass
class Up:
    """A `refrain up` in a process group of its own."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path
    data: Path
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        return self.ready["edges"][0]

    def region(self, name: str = "local") -> dict[str, Any]:
        return self.ready["regions"][name]

    def pids(self) -> list[int]:
        """Of all children, as first announced."""
        regions = self.ready["regions"].values()
        return [node["pid"] for at in regions for node in (at["valkey"], *at["origins"], *at["edges"])]

    def now(self) -> dict[str, Any]:
        """What it says of itself at the moment: pids change when a child comes back."""
        return json.loads((self.data / "up.json").read_text())

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 10.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


@contextmanager
def running_up(
    folder: Path, *arguments: str, edges: int = 1, env: Mapping[str, str] | None = None, within: float = 60.0
) -> Iterator[Up]:
    """Start it with `edges` ports to have; yields when it says that it is ready; leaves no process behind."""
    folder.mkdir(parents=True, exist_ok=True)
    stdout, stderr, data = folder / "stdout", folder / "stderr", folder / "data"
    command = [str(REFRAIN), "up", "--port", str(free_ports(edges)), "--data", str(data), *arguments]
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(env or {})}, cwd=folder, process_group=0)
    try:
        eventually(lambda: stdout.read_bytes().endswith(b"\n") or process.poll() is not None, within=within)
        assert process.poll() is None, stderr.read_text()
        yield Up(process, stdout, stderr, data, json.loads(stdout.read_bytes()))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = group(process.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert not left, f"left behind: {left}"
