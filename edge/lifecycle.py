"""Where a node stands between its start and its end: what its routes, its server and app.py tell each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lifecycle:
    """Where this node stands between its start and its end."""

    missing: str = "is starting"
    """What keeps it from being ready; empty: nothing."""
    draining: bool = False
    in_flight: int = 0
    """Requests being answered."""
