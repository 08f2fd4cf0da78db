"""From start to end: what a node says of itself, how it stops, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from origins import ask, client, frames, is_ready, run, running, segment
from processes import eventually, free_ports, is_running

from origin.engines.melody import read, spell

PARENT = "import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-m', 'origin']).pid, flush=True); time.sleep(60)"


def test_it_listens_at_once_and_is_ready_when_it_has_spoken():
    with running("espeak", ready=False) as origin:
        eventually(lambda: _status(f"{origin.url}/healthz") == 200)
        assert _status(f"{origin.url}/readyz") in (200, 503)
        eventually(lambda: is_ready(origin.url))


def _status(url: str) -> int:
    try:
        return httpx.get(url).status_code
    except httpx.TransportError:
        return 0


def test_a_light_engine_is_ready_soon():
    began = time.monotonic()
    with running("tone"):
        assert time.monotonic() - began < 5, "0.7 s on an idle machine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_finished_and_new_calls_go_elsewhere(number):
    with running("tone", REFRAIN_TONE_RTF="0.4") as origin:

        async def call() -> tuple[list[str], int, str]:
            async with client(origin) as http:
                model = origin.model()
                begun = asyncio.create_task(ask(http, segment(model, "To the very end.")))
                await asyncio.to_thread(eventually, lambda: origin.count("takes_running") == 1)
                origin.process.send_signal(number)
                await asyncio.to_thread(eventually, lambda: not is_ready(origin.url))
                refused = await http.post("/v1/synthesize", content=b"")
                return read((await begun)[0].pcm), refused.status_code, refused.json()["code"]

        assert run(call()) == ([spell("To the very end.")], 503, "draining")
        assert origin.process.wait(5) == 0


def test_what_does_not_end_in_time_breaks_off_visibly():
    with running("tone", REFRAIN_TONE_RTF="5", REFRAIN_ORIGIN__DRAIN_S="0.3") as origin:

        async def call() -> None:
            async with client(origin) as http:
                stream = frames(http, segment(origin.model(), "Never to the end."))
                await anext(stream)
                origin.process.send_signal(signal.SIGTERM)
                with pytest.raises(httpx.RemoteProtocolError):
                    async for _ in stream:
                        pass

        run(call())
        assert origin.process.wait(5) == 0


@pytest.mark.parametrize("engine", ["tone", "espeak"])
def test_no_process_outlives_a_parent_that_is_killed(engine):
    port = free_ports(1)
    # The parent writes its own process id where the origin looks for it.
    code = f"import os; os.environ['REFRAIN_ORIGIN__PARENT'] = str(os.getpid()); {PARENT}"
    env = {**os.environ, "REFRAIN_ORIGIN__ENGINE": engine, "REFRAIN_ORIGIN__PORT": str(port)}
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: is_ready(f"http://127.0.0.1:{port}"))
        children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
        assert len(children) == (engine == "espeak")
        parent.kill()
    eventually(lambda: not any(map(is_running, (pid, *children))))


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"REFRAIN_ORIGIN__ENGINE": "nonesuch"}, "there are: espeak, tone"),
        ({"REFRAIN_ORIGIN__ENGINE": "tone", "REFRAIN_TONE_FAIL": "2"}, "REFRAIN_TONE_"),
        ({"REFRAIN_ORIGIN__PORT": "many"}, "origin.port"),
    ],
)
def test_what_it_cannot_start_with_is_said(env, says):
    ended = subprocess.run(
        [sys.executable, "-m", "origin"], env={**os.environ, **env}, capture_output=True, timeout=20, check=False
    )
    assert ended.returncode == 2
    assert says in ended.stderr.decode()
    assert not ended.stdout


def test_a_port_that_is_taken_is_said():
    with running("tone") as origin:
        env = {**os.environ, "REFRAIN_ORIGIN__ENGINE": "tone", "REFRAIN_ORIGIN__PORT": origin.url.rpartition(":")[2]}
        ended = subprocess.run([sys.executable, "-m", "origin"], env=env, capture_output=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "in use" in ended.stderr.decode()


def test_the_callers_trace_is_in_the_log_and_no_text(capfd):
    with running("tone", REFRAIN_TONE_FAIL="1") as origin:

        async def call() -> None:
            async with client(origin) as http:
                http.headers["traceparent"] = f"00-{'5' * 32}-{'6' * 16}-01"
                await ask(http, segment(origin.model(), "A secret sentence."))

        run(call())
    written = capfd.readouterr()
    failed = next(line for line in map(json.loads, written.err.splitlines()) if line["event"] == "take_failed")
    assert failed["trace_id"] == "5" * 32
    assert "secret" not in written.err + written.out
    assert not written.out
