"""Fixtures that every folder of tests shares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from processes import running_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from processes import Up


@pytest.fixture
def up(tmp_path: Path) -> Callable[..., AbstractContextManager[Up]]:
    """`with up("--edges", "2", edges=2, env={...}) as it:` starts `refrain up` on free ports in a folder of its own."""
    return partial(running_up, tmp_path / "up")
