"""`refrain up`, as scripts use it: the line that it prints, and what becomes of its processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest
from processes import REFRAIN, eventually, free_ports, group, is_running, listens

if TYPE_CHECKING:
    from pathlib import Path

TONE = ("--engine", "tone")
QUICK = {"REFRAIN_TONE_RTF": "0"}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - http on loopback
            return response.status == 200
    except OSError:
        return False


def test_prints_one_line_of_json_when_all_is_ready(up):
    with up(*TONE) as it:
        port = int(it.url.rsplit(":", 1)[1])
        assert it.ready == {
            "ready": True,
            "edges": [f"http://127.0.0.1:{port}"],
            "regions": {
                "local": {
                    "edges": [{"url": it.url, "pid": it.region()["edges"][0]["pid"]}],
                    "origins": [{"url": it.region()["origins"][0]["url"], "pid": it.region()["origins"][0]["pid"]}],
                    "valkey": {"url": it.region()["valkey"]["url"], "pid": it.region()["valkey"]["pid"]},
                    "data": str(it.data / "regions" / "local"),
                }
            },
        }
        assert len(set(it.pids())) == 3
        assert all(map(is_running, it.pids()))
        assert answers(f"{it.url}/readyz")
        assert answers(it.region()["origins"][0]["url"] + "/readyz")
        assert it.region()["valkey"]["url"].startswith("redis://127.0.0.1:")
        assert listens(it.region()["valkey"]["url"])
        assert it.now()["regions"]["local"].items() >= it.region().items()
        before = it.stdout.read_bytes()
        assert it.stop() == 0
        assert it.stdout.read_bytes() == before
        assert before.count(b"\n") == 1


def test_ports_go_region_by_region(up):
    with up(*TONE, "--regions", "a,b", "--edges", "2", "--origins", "2", edges=4) as it:
        first = int(it.url.rsplit(":", 1)[1])
        assert it.ready["edges"] == [f"http://127.0.0.1:{first + i}" for i in range(4)]
        assert [edge["url"] for edge in it.region("a")["edges"]] == it.ready["edges"][:2]
        assert [edge["url"] for edge in it.region("b")["edges"]] == it.ready["edges"][2:]
        assert [len(it.region(name)["origins"]) for name in "ab"] == [2, 2]
        assert it.region("a")["valkey"] != it.region("b")["valkey"]
        assert it.region("a")["data"] != it.region("b")["data"]
        assert all(answers(f"{url}/readyz") for url in it.ready["edges"])


def test_children_share_its_group_and_end_with_it(up):
    with up(*TONE) as it:
        assert {it.process.pid, *it.pids()} <= group(it.process.pid)
        assert it.stop(signal.SIGTERM) == 0
        assert not group(it.process.pid)
        assert not (it.data / "up.json").exists()


def test_ctrl_c_reaches_them_all(up):
    with up(*TONE) as it:
        os.killpg(it.process.pid, signal.SIGINT)
        assert it.process.wait(10) == 0
        assert not group(it.process.pid)


def test_killed_outright_it_leaves_nothing(up):
    with up(*TONE) as it:
        it.process.kill()
        it.process.wait()
        eventually(lambda: not group(it.process.pid), within=5)


@pytest.mark.parametrize("kind", ["edges", "origins", "valkey"])
def test_who_dies_comes_back_on_its_port_and_the_edges_stay(up, kind):
    def node(ready):
        found = ready["regions"]["local"][kind]
        return found[0] if kind != "valkey" else found

    with up(*TONE, "--edges", "2", edges=2) as it:
        before = node(it.ready)
        os.kill(before["pid"], signal.SIGKILL)
        after = eventually(lambda: (now := node(it.now()))["pid"] != before["pid"] and now, within=10)
        assert after["url"] == before["url"]
        eventually(lambda: listens(after["url"]) and is_running(after["pid"]), within=10)
        if kind != "valkey":
            eventually(lambda: answers(f"{after['url']}/readyz"), within=10)
        others = [edge for edge in it.region()["edges"] if edge != before]
        assert all(is_running(edge["pid"]) for edge in others)
        assert all(answers(f"{edge['url']}/healthz") for edge in others)


def test_who_dies_is_left_dead_without_restart(up):
    with up(*TONE, "--no-restart") as it:
        origin = it.region()["origins"][0]
        os.kill(origin["pid"], signal.SIGKILL)
        eventually(lambda: "origin-0 was ended by SIGKILL" in it.stderr.read_text())
        assert "starting it again" not in it.stderr.read_text()
        assert not listens(origin["url"])
        assert it.process.poll() is None
        assert answers(f"{it.url}/healthz")


def test_secrets_are_made_once_and_for_their_owner_alone(up):
    def secrets(data: Path) -> dict[str, str]:
        files = sorted((data / "secrets").iterdir())
        assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
        return {file.name: file.read_text() for file in files}

    with up(*TONE) as it:
        first = secrets(it.data)
    assert len(set(first.values())) == 3
    assert all(len(bytes.fromhex(secret)) == 32 for secret in first.values())
    with up(*TONE) as it:
        assert secrets(it.data) == first


def test_what_the_origins_speak_is_kept_for_the_edges(up):
    with up(*TONE) as it:
        kept = json.loads((it.data / "catalogue-tone.json").read_text())
        assert kept["data"][0]["refrain"]["engine"] == "tone"


def called_wrongly(folder: Path, *arguments: str) -> str:
    done = subprocess.run([REFRAIN, "up", *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is taken" in called_wrongly(tmp_path, "--port", str(port))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--regions", "a,a"),
        ("--regions", "../etc"),
        ("--regions", ""),
        ("--edges", "0"),
        ("--port", "65535", "--edges", "2"),
        ("--what",),
    ],
)
def test_wrong_arguments_start_nothing(tmp_path, arguments):
    assert called_wrongly(tmp_path, *arguments)
    assert not list(tmp_path.iterdir())


def test_an_engine_that_nobody_knows_ends_it(tmp_path):
    command = [REFRAIN, "up", "--engine", "parrot", "--port", str(free_ports(1)), "--data", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, None)
    assert done.stdout == ""
    assert "parrot" in done.stderr
    assert "before it was ready" in done.stderr
