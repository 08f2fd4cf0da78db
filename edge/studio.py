"""What every rendition flight works with, put together once in app.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from edge.library import Library
    from edge.policy.lookahead import Lookahead
    from edge.ports import Encoders, Observer, Spool
    from edge.takes import Takes


@dataclass(frozen=True, slots=True)
class Studio:
    """Passed whole to each flight."""

    library: Library
    takes: Takes
    encoders: Encoders
    spools: Callable[[], Spool]
    lookahead: Lookahead
    observer: Observer
    clock: Callable[[], float]
    executor: Executor
