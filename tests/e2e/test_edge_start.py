"""What an edge says of settings that it cannot be run with."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from processes import eventually


@contextmanager
def edge(told, log):
    command = [sys.executable, "-P", "-m", "edge"]
    with log.open("ab") as stderr, subprocess.Popen(command, env={**os.environ, **told}, stderr=stderr) as process:
        try:
            yield process, f"http://127.0.0.1:{told['REFRAIN_EDGE__PORT']}"
        finally:
            process.kill()


def readiness(url):
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).json()
    except httpx.TransportError:
        return {}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"REFRAIN_STORES__OBJECT_URL": "file:///dev/null/objects"}, "stores.object_url: object: "),
        ({"REFRAIN_STORES__OBJECT_URL": "tape://drive"}, "stores.object_url: object: "),
        ({"REFRAIN_ORIGINS__URLS": '["origin:8090"]'}, "origins.urls: origin:8090 is no HTTP address"),
        ({"REFRAIN_EDGE__CATALOGUE": "/nowhere"}, "edge.catalogue: /nowhere cannot be read"),
        ({"REFRAIN_EDGE__HOST": "0.0.0.0"}, "edge.host: 0.0.0.0 is open to others"),  # noqa: S104 - it is what is refused
    ],
)
def test_it_ends_where_another_start_would_not_help(tmp_path, healthy, changes, complaint):
    log = tmp_path / "log"
    with edge(healthy | changes, log) as (process, _):
        assert process.wait(20) == 2
    (said,) = map(json.loads, log.read_text().splitlines())
    assert said["event"] == "stopped"
    assert said["reason"].startswith(complaint)


def test_a_valkey_url_that_is_none_keeps_it_from_being_ready(tmp_path, healthy):
    with edge(healthy | {"REFRAIN_STORES__VALKEY_URL": "http://127.0.0.1"}, tmp_path / "log") as (_, url):
        eventually(lambda: "stores.valkey_url" in readiness(url).get("detail", ""))


def test_another_address_secret_keeps_it_from_being_ready(tmp_path, healthy):
    with edge(healthy, tmp_path / "log") as (_, url):
        eventually(lambda: readiness(url).get("status") == "ready")
    other = tmp_path / "other.hex"
    other.write_text("ab" * 32)
    with edge(healthy | {"REFRAIN_SECRETS__ADDRESS_FILE": str(other)}, tmp_path / "log") as (_, url):
        eventually(lambda: "another address secret" in readiness(url).get("detail", ""))
