"""Fixtures of the contract tests."""

import os

import pytest


@pytest.fixture
def address(request):
    """One that no other test writes to."""
    return f"take/ab/{abs(hash(request.node.nodeid)):040x}-{os.getpid()}"
