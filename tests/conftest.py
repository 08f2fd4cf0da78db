"""Fixtures that every folder of tests shares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import servers
from hypothesis import HealthCheck, settings
from processes import running_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from processes import Up


# How fast examples come and pass says how busy the machine is, and nothing of what is tested.
settings.register_profile("refrain", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("refrain")


@pytest.fixture
def up(tmp_path: Path) -> Callable[..., AbstractContextManager[Up]]:
    """`with up("--edges", "2", edges=2, env={...}) as it:` starts `refrain up` on free ports in a folder of its own."""
    return partial(running_up, tmp_path / "up")


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory):
    """A Valkey that the tests of a run share."""
    with servers.valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory):
    """An S3 server that the tests of a run share."""
    with servers.s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def own_valkey(tmp_path: Path):
    """A Valkey to freeze and to kill."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    with servers.valkey(folder) as server:
        yield server


@pytest.fixture
def own_s3(tmp_path: Path):
    """An S3 server to freeze and to kill."""
    folder = tmp_path / "s3"
    folder.mkdir()
    with servers.s3(folder) as server:
        yield server
