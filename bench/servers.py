"""Starts what is measured, on free ports of loopback, and ends it by process id. Should we be killed, it ends with us."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.error import URLError

from edge.command.ports import HOST, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

START_S: Final = 60.0
END_S: Final = 15.0
"""Longer than `refrain up` takes to end all that it has started."""
PORTS: Final = free_ports(random.Random(), ())
BIN: Final = Path(sys.executable).parent


class NotStarted(Exception):
    """A process that ended, or was not ready in time; the end of its log is in the message."""


@contextmanager
def refrain(folder: Path, *arguments: str) -> Iterator[dict[str, Any]]:
    """`refrain up` with its data in `folder`. What it says of itself: as it prints, and per region what an edge is `told`."""
    data, stdout = folder / "data", folder / "up.out"
    command = [str(BIN / "refrain"), "up", "--port", str(next(PORTS)), "--data", str(data), *arguments]
    with stdout.open("wb") as out, process(_leashed(command), folder / "up.log", stdout=out) as up:
        wait_until(lambda: stdout.read_bytes().endswith(b"\n"), up, folder / "up.log")
        yield json.loads((data / "up.json").read_bytes())


@contextmanager
def edge(folder: Path, told: Mapping[str, str], **stores: str) -> Iterator[str]:
    """An edge beside those of `refrain up`, with stores of its own: its URL."""
    port = next(PORTS)
    environment = edge_environment(told, port, **stores)
    log = folder / f"edge-{port}.log"
    with process([sys.executable, "-P", "-m", "edge"], log, environment=environment) as started:
        url = f"http://{HOST}:{port}"
        wait_until(lambda: answers(f"{url}/readyz"), started, log)
        yield url


def edge_environment(told: Mapping[str, str], port: int, **stores: str) -> dict[str, str]:
    """What an edge of ours is told: as those of `refrain up`, but for its port, its stores and that it ends at once."""
    ours = {"REFRAIN_EDGE__PORT": str(port), "REFRAIN_EDGE__PARENT": str(os.getpid()), "REFRAIN_EDGE__DRAIN_S": "0"}
    return {**told, **{f"REFRAIN_STORES__{name.upper()}": value for name, value in stores.items()}, **ours}


@contextmanager
def bare(folder: Path, size: int) -> Iterator[str]:
    """The HTTP server of an edge, without the edge: what the client and the server cost. Its URL."""
    port = next(PORTS)
    log = folder / f"bare-{port}.log"
    with process([sys.executable, "-m", "bench.bare", str(port), str(size), str(os.getpid())], log) as started:
        url = f"http://{HOST}:{port}"
        wait_until(lambda: answers(url), started, log)
        yield url


@contextmanager
def s3(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A real S3 server: the URL of a bucket, made by the first write, and the object store's options."""
    folder.mkdir()
    master, master_rpc, volume, volume_rpc, filer, filer_rpc, port, port_rpc = (next(PORTS) for _ in range(8))
    identity = {
        "name": "bench",
        "credentials": [{"accessKey": "access", "secretKey": "secret"}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        *(str(BIN / "weed"), "-logtostderr=true", "server", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}"),
        *(f"-master.port={master}", f"-master.port.grpc={master_rpc}", f"-volume.port={volume}"),
        *(f"-volume.port.grpc={volume_rpc}", f"-filer.port={filer}", f"-filer.port.grpc={filer_rpc}"),
        *("-s3", f"-s3.port={port}", f"-s3.port.grpc={port_rpc}", f"-s3.config={folder / 'identities.json'}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=8", "-master.electionTimeout=1s", "-master.raftHashicorp"),
    ]
    options = {
        "endpoint": f"http://{HOST}:{port}",
        "allow_http": "true",
        "region": "us-east-1",
        "access_key_id": "access",
        "secret_access_key": "secret",
    }
    try:
        with process(_leashed(command), folder / "log", end=signal.SIGKILL) as server:  # asked to end, it takes half a minute
            wait_until(lambda: answers(options["endpoint"]), server, folder / "log")
            yield "s3://refrain/bench", options
    finally:
        # Its sockets: most of them cannot be told to be elsewhere, and a killed one removes none.
        for number in (master, master_rpc, volume, volume_rpc, filer, filer_rpc, port, port_rpc):
            for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):  # noqa: S108 - the place is its choice
                left.unlink()


@contextmanager
def process(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    stdout: IO[bytes] | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """It runs inside the `with`; what it says on standard error, and where nothing else is told on standard output, is in `log`."""
    with log.open("wb") as said:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout or said, stderr=said, env={**os.environ, **(environment or {})}
        )
    try:
        yield started
    finally:
        started.send_signal(end)
        try:
            started.wait(END_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_until(condition: Callable[[], bool], started: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if started.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(errors="replace")[-2000:]
            raise NotStarted(f"{started.args!r} {'ended' if started.poll() is not None else 'is not ready'}:\n{last}")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Whether an HTTP server says yes; also one that says that we may not (S3 does)."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - http on loopback
            return bool(response.status)
    except URLError as error:
        return getattr(error, "code", 0) == 403  # noqa: PLR2004 - forbidden
    except OSError:
        return False


def _leashed(command: Sequence[str]) -> list[str]:
    """The same, for a program that does not watch its parent: it dies with us."""
    return [sys.executable, "-m", "edge.command.leash", str(os.getpid()), *command]
