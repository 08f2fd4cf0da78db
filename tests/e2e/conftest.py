"""What an edge is told, for tests that start one by itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "5e" * 32
MODEL = {"id": "tone", "revision": "tone-1", "engine": "tone", "sample_rate": 24000, "voices": []}


@pytest.fixture
def healthy(tmp_path: Path) -> dict[str, str]:
    """The environment of an edge that lacks nothing but an origin."""
    secret, catalogue = tmp_path / "secret", tmp_path / "catalogue.json"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    catalogue.write_text(json.dumps({"object": "list", "data": [{"id": "tone", "refrain": MODEL}]}))
    return {
        "REFRAIN_SECRETS__ADDRESS_FILE": str(secret),
        "REFRAIN_SECRETS__MAC_FILES": json.dumps({"k1": str(secret)}),
        "REFRAIN_EDGE__CATALOGUE": str(catalogue),
        "REFRAIN_EDGE__ALIASES": '{"tts-1": "tone"}',
        "REFRAIN_EDGE__PORT": str(free_ports(1)),
        "REFRAIN_STORES__OBJECT_URL": (tmp_path / "objects").as_uri(),
    }
