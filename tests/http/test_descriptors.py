"""More clients than there are descriptors: some wait, and who is served is served as ever."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from processes import eventually, free_ports, listens
from served import connect, raw, spoken

LIMIT = 128
BEGUN = raw("GET", "/healthz")[:-2]
"""A request that is not all there yet."""


@pytest.fixture
def edge():
    """An edge that may have LIMIT descriptors: its process and its URL."""
    port = free_ports(1)
    program = [sys.executable, str(Path(__file__).with_name("drained.py")), str(port), "1", "0"]
    process = subprocess.Popen(["/bin/sh", "-c", f'ulimit -n {LIMIT} && exec "$@"', "sh", *program])
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: listens(url))
        yield process, url
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there descriptors cannot be counted")
def test_clients_wait_before_descriptors_run_out(edge):
    process, url = edge
    with ExitStack() as open_ones:
        first = [open_ones.enter_context(connect(url)) for _ in range(LIMIT // 4)]
        for each in first:
            each.sendall(BEGUN)
        for _ in range(LIMIT):
            open_ones.enter_context(connect(url)).sendall(BEGUN)
        for each in first:
            each.sendall(b"\r\n")
            assert each.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) < LIMIT * 3 // 4
    assert httpx.post(f"{url}/v1/audio/speech", json=spoken("hello"), timeout=10).status_code == 200
