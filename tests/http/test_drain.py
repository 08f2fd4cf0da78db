"""SIGTERM: not ready first, then no more connections, and what has begun ends."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from fakes import voice
from processes import eventually, free_ports, listens
from served import connect, problem, raw, spoken

TEXT = "said while it stops"


@contextmanager
def edge_process(*, drain_s, rtf):
    port = free_ports(1)
    arguments = [str(port), str(drain_s), str(rtf)]
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("drained.py")), *arguments])
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: listens(url))
        yield process, url
    finally:
        process.kill()
        process.wait()


def client(url):
    return httpx.Client(base_url=url, trust_env=False, timeout=10)


def test_what_has_begun_ends_and_the_process_too():
    with edge_process(drain_s=8, rtf=0.6) as (process, url), client(url) as one, client(url) as other:
        with one.stream("POST", "/v1/audio/speech", json=spoken(TEXT)) as said:
            process.send_signal(signal.SIGTERM)
            gone = eventually(lambda: (found := other.get("/readyz")).status_code == 503 and found)
            assert (problem(gone)["code"], gone.headers["connection"]) == ("draining", "close")
            eventually(lambda: not listens(url), within=3)
            assert said.read() == voice(TEXT)
        assert process.wait(4) == 0


def test_what_does_not_end_in_time_is_cut_visibly():
    with edge_process(drain_s=1, rtf=4) as (process, url), client(url) as one:
        with one.stream("POST", "/v1/audio/speech", json=spoken(TEXT)) as said:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx.RemoteProtocolError):
                said.read()
        assert process.wait(3) == 0


def test_no_request_fails_under_load():
    """A client may find the door closed; none that was let in is sent away without its answer."""

    def ask(url):
        answers = []
        with client(url) as each:
            while True:
                try:
                    answers.append(each.post("/v1/audio/speech", json=spoken(TEXT)).content)
                except httpx.ConnectError:
                    return answers
                except httpx.ReadError:
                    if not listens(url):  # it was in the listener's queue when that closed
                        return answers
                    raise

    with edge_process(drain_s=4, rtf=0) as (process, url), ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, url) for _ in range(4)]
        with client(url) as one:
            eventually(lambda: one.post("/v1/audio/speech", json=spoken(TEXT)).headers.get("age"))
        process.send_signal(signal.SIGTERM)
        answers = [answer for each in asking for answer in each.result(10)]
        assert len(answers) > 100
        assert set(answers) == {voice(TEXT)}
        assert process.wait(5) == 0


def test_who_was_let_in_last_may_still_ask():
    """The server would close the listener and idle connections at once: a client's first request would meet a closed one."""
    with edge_process(drain_s=16, rtf=0) as (process, url), closing(connect(url)) as at:
        process.send_signal(signal.SIGTERM)
        eventually(lambda: not listens(url))
        at.sendall(raw("GET", "/healthz"))
        assert at.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert at.recv(1 << 16) == b""
        assert process.wait(5) == 0


def test_a_port_that_is_taken_is_refused():
    with edge_process(drain_s=1, rtf=0) as (_, url):
        second = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("drained.py")), url.rpartition(":")[2], "1", "0"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert second.returncode != 0
        assert b"Address already in use" in second.stderr
