"""Fixtures of the origin's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from origins import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from origins import Running


@pytest.fixture
def tone() -> Iterator[Running]:
    """An origin of one's own that sings."""
    with running("tone") as origin:
        yield origin


@pytest.fixture(scope="module")
def espeak() -> Iterator[Running]:
    """An origin that speaks; those who break it put it right again."""
    with running("espeak") as origin:
        yield origin
