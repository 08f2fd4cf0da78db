"""`refrain doctor`: every wrong thing is named, with what to do."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from processes import REFRAIN, eventually

if TYPE_CHECKING:
    from pathlib import Path


def examine(folder: Path, env: dict[str, str]) -> tuple[int, str]:
    command = [REFRAIN, "doctor", "--data", str(folder)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def wrong(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("✗")]


def test_what_is_well_is_said_too(tmp_path, healthy):
    code, said = examine(tmp_path, healthy)
    assert wrong(said) == ["✗ origins.urls: none is configured"]
    assert code == 1
    assert "no `refrain up` runs here" in said.splitlines()[0]
    assert "✓ edge.aliases: tts-1 = tone" in said
    assert "objects: written, read, deleted" in said
    assert not [file for file in (tmp_path / "objects").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"REFRAIN_SECRETS__ADDRESS_FILE": "/nowhere"},
            "✗ secrets.address_file: /nowhere cannot be read: No such file or directory",
        ),
        ({"REFRAIN_EDGE__ALIASES": '{"tts-1": "parrot"}'}, "✗ edge.aliases: tts-1 = parrot: the catalogue has no such model"),
        ({"REFRAIN_EDGE__CATALOGUE": "/nowhere"}, "✗ edge.catalogue: /nowhere cannot be read: No such file or directory"),
        ({"REFRAIN_STORES__VALKEY_URL": "redis://127.0.0.1:1/0"}, "✗ Valkey redis://127.0.0.1:1/0: "),
        ({"REFRAIN_STORES__VALKEY_URL": "redis://me:p@ss@127.0.0.1:1/0"}, "✗ Valkey redis://***@127.0.0.1:1/0: "),
        ({"REFRAIN_STORES__OBJECT_URL": "file:///dev/null/objects"}, "✗ object store file:///dev/null/objects: "),
        ({"REFRAIN_ORIGINS__URLS": '["http://127.0.0.1:1"]'}, "✗ origin http://127.0.0.1:1 does not answer"),
        ({"REFRAIN_EDGE__PORT": "many"}, "refrain: settings: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path, healthy, changes, complaint):
    code, said = examine(tmp_path, healthy | changes)
    assert code == 1
    assert any(complaint in line for line in said.splitlines()), said


def test_a_secret_that_others_can_read_is_none(tmp_path, healthy):
    (tmp_path / "secret").chmod(0o644)
    assert "can be read by others" in examine(tmp_path, healthy)[1]


def test_a_secret_must_be_long_enough(tmp_path, healthy):
    (tmp_path / "secret").write_text("5e" * 15)
    assert "holds 15 bytes" in examine(tmp_path, healthy)[1]


def test_a_running_up_is_well_until_its_origin_dies(up):
    with up("--engine", "tone", "--no-restart") as it:
        code, said = examine(it.data, {})
        assert (code, wrong(said)) == (0, []), said
        os.kill(it.region()["origins"][0]["pid"], signal.SIGKILL)
        eventually(lambda: "ended by" in it.stderr.read_text())
        code, said = examine(it.data, {})
        assert code == 1
        assert len(wrong(said)) == 1
        assert "does not answer" in said
