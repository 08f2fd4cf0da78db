"""What a process has imported, read from what `python -X importtime` writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE: Final = re.compile(r"import time: +(\d+) \| +(\d+) \| ( *)(\S+)")


class Imported(NamedTuple):
    """A module, and how long it took: by itself, and with what it imported."""

    name: str
    self_ms: float
    cumulative_ms: float


def parse(lines: Iterable[str]) -> list[Imported]:
    """The modules in the order in which they were done. Other lines (logs, the heading) are passed over."""
    matches = filter(None, map(_LINE.match, lines))
    return [Imported(name, int(own) / 1000, int(cumulative) / 1000) for own, cumulative, _, name in (m.groups() for m in matches)]


def among(imported: Iterable[Imported], packages: Iterable[str]) -> list[str]:
    """Those of `packages` of which something was imported."""
    return sorted({module.name.partition(".")[0] for module in imported} & set(packages))
