"""`refrain say` and `refrain plan`, through a real edge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from typing import TYPE_CHECKING, NamedTuple

import pytest
from processes import REFRAIN, Up, free_ports, running_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def edge(tmp_path_factory) -> Iterator[Up]:
    with running_up(tmp_path_factory.mktemp("say") / "up", "--engine", "tone") as it:
        yield it


def refrain(*arguments: str | Path, path: str | None = None) -> Done:
    env = os.environ | ({"PATH": path} if path is not None else {})
    done = subprocess.run([REFRAIN, *arguments], env=env, capture_output=True, text=True, timeout=30, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_wav_knows_its_length_on_a_miss_and_on_a_hit(edge, tmp_path):
    files = tmp_path / "miss.wav", tmp_path / "hit.wav"
    said = [refrain("say", "Turn left in 200 metres.", "-o", file, "--url", edge.url) for file in files]
    assert [done.code for done in said] == [0, 0], said
    assert "fwd=" in said[0].stderr
    assert "hit" in said[1].stderr
    assert "/v1/audio/" in said[0].stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    with wave.open(str(files[0])) as audio:
        assert audio.getnframes() * 2 + 44 == pytest.approx(files[0].stat().st_size, abs=256)
        assert audio.getnframes() / audio.getframerate() > 1
    assert sorted(tmp_path.iterdir()) == sorted(files)


@pytest.mark.parametrize(("suffix", "magic"), [("mp3", (b"ID3", b"\xff")), ("opus", (b"OggS",)), ("flac", (b"fLaC",))])
def test_the_suffix_is_the_format(edge, tmp_path, suffix, magic):
    file = tmp_path / f"out.{suffix}"
    assert refrain("say", "Hello.", "-o", file, "--url", edge.url).code == 0
    assert file.read_bytes().startswith(magic)


def test_what_is_refused_is_told_and_leaves_no_file(edge, tmp_path):
    done = refrain("say", "Hello.", "-o", tmp_path / "out.wav", "--url", edge.url, "--voice", "nobody")
    assert done.code == 1
    assert "unknown_voice" in done.stderr
    assert "GET /v1/voices" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_survives_a_refusal(edge, tmp_path):
    file = tmp_path / "out.wav"
    file.write_bytes(b"precious")
    assert refrain("say", "Hello.", "-o", file, "--url", edge.url, "--model", "nothing").code == 1
    assert file.read_bytes() == b"precious"


def test_without_an_edge_it_says_how_to_start_one(tmp_path):
    done = refrain("say", "Hello.", "-o", tmp_path / "out.wav", "--url", f"http://127.0.0.1:{free_ports(1)}")
    assert done.code == 1
    assert "refrain up" in done.stderr


def test_without_a_file_it_plays(edge, tmp_path):
    player, heard = tmp_path / "aplay", tmp_path / "heard"
    player.write_text(f"#!{sys.executable} -I\nimport sys\nopen({str(heard)!r}, 'wb').write(sys.stdin.buffer.read())\n")
    player.chmod(0o755)
    assert refrain("say", "Hello.", "--url", edge.url, path=str(tmp_path)).code == 0
    assert len(heard.read_bytes()) > 24_000
    assert refrain("say", "Hello.", "-o", tmp_path / "out.pcm", "--url", edge.url).code == 0
    assert heard.read_bytes() == (tmp_path / "out.pcm").read_bytes()


def test_without_a_player_it_asks_for_a_file(edge, tmp_path):
    done = refrain("say", "Hello.", "--url", edge.url, path=str(tmp_path))
    assert done.code == 1
    assert "-o out.wav" in done.stderr


def test_a_plan_shows_what_is_cached(edge, tmp_path):
    text = "This sentence is said. This one is not."
    assert refrain("say", "This sentence is said.", "-o", tmp_path / "out.wav", "--url", edge.url).code == 0
    done = refrain("plan", text, "--url", edge.url, "--json")
    assert done.code == 0, done
    planned = json.loads(done.stdout)
    assert [segment["cached"] for segment in planned["segments"]] == [True, False]
    shown = refrain("plan", text, "--url", edge.url).stdout
    assert all(segment["key"] in shown for segment in planned["segments"])
    assert "to make" in shown
    assert "cached" in shown
    assert planned["url"] in shown


def test_a_command_that_does_not_exist_is_told_all_that_do():
    done = subprocess.run([REFRAIN, "sya"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    said = done.stderr.replace("│", " ").split()
    assert {"up,", "edge,", "origin,", "say,", "plan,", "doctor."} <= set(said)


def test_it_says_its_version():
    done = subprocess.run([REFRAIN, "--version"], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip().count(".") == 2
