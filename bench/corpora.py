"""Texts to be spoken: corpora by name, or any file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "shared" / "corpora"
"""Beside the repository, for it is no part of it."""
DEFAULTS: Final = {"crosswoz": 500, "sgd": 300}
"""Corpora, and how many lines of each, where nothing else is asked for: Chinese and English dialogue systems' answers."""
LINES: Final = 500


class NoTexts(Exception):
    """There is nothing to speak; its message says what to do."""


def find(name_or_path: str) -> Path:
    """The file of a corpus: a path, or a name in FOLDER. Raises NoTexts."""
    for path in (Path(name_or_path), FOLDER / f"{name_or_path}.jsonl.gz"):
        if path.is_file():
            return path
    if not FOLDER.is_dir():
        raise NoTexts(f"{name_or_path}: no such file, and there is no folder ../shared/corpora: name a file with --corpus")
    names = ", ".join(sorted(path.name.removesuffix(".jsonl.gz") for path in FOLDER.glob("*.jsonl.gz")))
    raise NoTexts(f"{name_or_path}: neither a file nor one of the corpora {names}")


def read(path: Path, lines: int) -> list[str]:
    """The first texts of a file in their own order, as the requests came.

    JSON lines with `text` (.jsonl, .jsonl.gz) or plain text, a text a line. Raises NoTexts.
    """
    texts = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for line in file:
                text = str(json.loads(line)["text"]) if ".jsonl" in path.suffixes else line.strip()
                if text:
                    texts.append(text)
                if len(texts) == lines:
                    break
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise NoTexts(f"{path}: cannot be read: {error!r}") from error
    if not texts:
        raise NoTexts(f"{path}: there is no text in it")
    return texts


def choose(names: tuple[str, ...], lines: int | None) -> dict[str, list[str]]:
    """Name: texts. Without names the defaults, or README.md where the corpora are absent. Raises NoTexts."""
    if not names and not FOLDER.is_dir():
        names = (str(Path(__file__).parents[1] / "README.md"),)
    chosen = dict.fromkeys(names, lines or LINES) if names else {name: lines or count for name, count in DEFAULTS.items()}
    return {Path(name).name: read(find(name), count) for name, count in chosen.items()}
