"""The corpora that lie beside a checkout: what real clients had spoken, one text a line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "corpora"


def texts(name: str) -> list[str]:
    """The texts of a corpus, in their natural order; where it is absent, the test is skipped."""
    path = FOLDER / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"needs the corpus {name}.jsonl.gz in ../shared/corpora")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]
