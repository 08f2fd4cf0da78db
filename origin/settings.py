"""What an origin can be told. Each field is documented in docs/settings.md, where the tests look for its heading."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[origin]`: this node."""

    host: str = "127.0.0.1"
    port: int = 8090
    engine: str = "espeak"
    slots: int = 0
    """Takes at once; 0: what the engine suggests."""
    queue: int = 256
    """Takes that wait for a slot; beyond, 503."""
    take_timeout_s: float = 120.0
    """The longest that one take may run, whatever the caller's deadline."""
    replay_bytes: int = 32 << 20
    replay_s: float = 60.0
    """How much finished work is kept for a caller that asks again, and how long."""
    drain_s: float = 8.0
    parent: int = 0
    """Process id to die with; 0: none."""


class Settings(msgspec.Struct, frozen=True):
    """All of it."""

    origin: Origin = Origin()
