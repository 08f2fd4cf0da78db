"""An edge's HTTP over the flow's own stage, on a real server."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "flow"))  # the stage and its origins

from served import Served, serving


@pytest.fixture
def served():
    """Starts what a test asks for, with its arguments; ended at the test's end."""
    with serving() as start:
        yield start


@pytest.fixture(scope="module")
def edge() -> Served:
    """One for all tests of a module that leave it as it was."""
    with serving() as start:
        yield start()
