"""From the start of an edge's process to its first hit, out of the object store: `python -m bench.coldstart`.

The object store is a folder that an edge before has filled. Bytecode is compiled: that edge has run, and `make` compiles what it
installs. The edge has no Valkey, and is asked as soon as it listens.
"""

from __future__ import annotations

import os
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

from bench import imports, servers
from bench.client import Client
from bench.load import run, settle
from bench.report import Report, progress
from edge.command.ports import HOST

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

PROMISED_S: Final = 0.6
"""To the first hit, on two cores."""
NEVER: Final = ("torch", "ChatTTS", "numpy")
"""What an edge has no use for."""
PYTHON: Final = (sys.executable, "-P")
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "python -m edge": (*PYTHON, "-m", "edge"),
    "refrain edge": (str(servers.BIN / "refrain"), "edge"),
}
TEXT: Final = {"input": "The doors are closing, mind the gap.", "response_format": "mp3"}

Positive = Annotated[int, Parameter(validator=Number(gte=1))]


class Start(NamedTuple):
    """Seconds from the start of the process."""

    listening: float
    """To the first connection."""
    hit: float
    """To the last byte of the first hit."""


def main(*, runs: Positive = 7, cores: Positive = 2, modules: Positive = 12) -> int:
    """Measure an edge from the start of its process to its first hit, out of the object store.

    Parameters
    ----------
    runs
        Starts of each command.
    cores
        On how many, where the system lets us choose.
    modules
        How many imports to list.

    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # what we start inherits it
    report = Report("coldstart")
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refrain-bench-")))
            bars = stack.enter_context(progress())
            told, address = _fill(folder)
            log = folder / "edge.log"
            starts: dict[str, list[Start]] = {name: [] for name in COMMANDS}
            for _ in bars.track(range(runs), description="starts"):
                for name, command in COMMANDS.items():
                    starts[name].append(_start(command, told, address, log))
            _start((*PYTHON, "-X", "importtime", "-m", "edge"), told, address, log)
            imported = imports.parse(log.read_text().splitlines())
    except (servers.NotStarted, OSError, TimeoutError) as error:
        print(f"coldstart: {error}", file=sys.stderr)
        return 1
    needless = imports.among(imported, NEVER)
    _tell(report, starts, imported, modules)
    for package in needless:
        print(f"coldstart: an edge imports {package} on its way to the first hit", file=sys.stderr)
    report.end(**_result(starts, imported, modules), needless=needless)
    return 1 if needless else 0


def _fill(folder: Path) -> tuple[dict[str, str], str]:
    """Have an edge speak into the object store. What it was told, and where its audio is."""
    with servers.refrain(folder, "--engine", "tone") as up:
        return up["regions"]["local"]["told"], run(_speak(Client(up["edges"][0])))


async def _speak(client: Client) -> str:
    """The address, once the object store has the audio: Valkey is given only what that has taken."""
    (address,) = await settle(client, [client.post("/v1/audio/speech", TEXT, cache_control="no-cache")], "valkey", "object")
    client.close()
    return address


def _start(command: Sequence[str], told: Mapping[str, str], address: str, log: Path) -> Start:
    """Start an edge, take its first hit, end it. What it imported until then is in `log`. Raises OSError if that was no hit."""
    port = next(servers.PORTS)
    environment = servers.edge_environment(told, port, valkey_url="")
    began = time.perf_counter()
    with servers.process(command, log, environment=environment) as edge:
        connection = _connect(port, edge, log)
        listening = time.perf_counter()
        with connection:
            connection.sendall(f"GET {address} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        hit = time.perf_counter()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b"refrain; hit; detail=object" not in head or b"content-length: %d" % len(body) not in head.lower():
            raise OSError(f"no whole hit from the object store: {head.decode(errors='replace')}")
        # Nobody else waits for it; killed, it imports no more before its log is read.
        edge.kill()
    return Start(listening - began, hit - began)


def _connect(port: int, edge: subprocess.Popen[bytes], log: Path) -> socket.socket:
    """A connection as soon as there can be one. Raises NotStarted."""
    deadline = time.monotonic() + servers.START_S
    while edge.poll() is None and time.monotonic() < deadline:
        try:
            return socket.create_connection((HOST, port), timeout=servers.START_S)
        except ConnectionRefusedError:
            time.sleep(0.001)  # a busy loop would take one of the cores
    raise servers.NotStarted(f"the edge does not listen:\n{log.read_text(errors='replace')[-2000:]}")


def _result(starts: Mapping[str, Sequence[Start]], imported: Sequence[imports.Imported], modules: int) -> dict[str, Any]:
    medians = {name: statistics.median(start.hit for start in some) for name, some in starts.items()}
    return {
        "runs": len(next(iter(starts.values()))),
        "starts_ms": {name: _milliseconds(some) for name, some in starts.items()},
        "promised_s": PROMISED_S,
        "kept": max(medians.values()) < PROMISED_S,
        "modules": len(imported),
        "slowest_ms": {module.name: module.cumulative_ms for module in _slowest(imported, modules)},
    }


def _milliseconds(starts: Sequence[Start]) -> dict[str, dict[str, float]]:
    """For each step the median and the longest."""
    steps = zip(Start._fields, zip(*starts, strict=True), strict=True)
    return {name: {"median": round(statistics.median(s) * 1000, 1), "max": round(max(s) * 1000, 1)} for name, s in steps}


def _slowest(imported: Sequence[imports.Imported], modules: int) -> list[imports.Imported]:
    return sorted(imported, key=lambda module: module.cumulative_ms, reverse=True)[:modules]


def _tell(report: Report, starts: Mapping[str, Sequence[Start]], imported: Sequence[imports.Imported], modules: int) -> None:
    measured = {name: _milliseconds(some) for name, some in starts.items()}
    columns = ("", *(f"{step} {what}" for step in ("listening", "first hit") for what in ("median", "max")))
    rows = ((name, *(f"{v:,.0f}" for step in steps.values() for v in step.values())) for name, steps in measured.items())
    report.table("Milliseconds from the start of the process", columns, rows)
    report.table(
        f"The slowest of {len(imported)} imports until the first hit, in milliseconds (measuring them makes them slower)",
        ("", "with what it imports", "by itself"),
        ((m.name, f"{m.cumulative_ms:,.1f}", f"{m.self_ms:,.1f}") for m in _slowest(imported, modules)),
    )


if __name__ == "__main__":
    cyclopts.run(main)
