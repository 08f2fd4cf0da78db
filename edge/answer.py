"""What the flow answers with: audio that is stored, or audio that is being made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.policy.envelope import Meta


class Cache(StrEnum):
    """How the cache took part: the label `cache` of metrics, and what Cache-Status is written from."""

    HIT = "hit"
    MISS = "miss"
    COLLAPSED = "collapsed"
    BYPASS = "bypass"
    NONE = "none"


class Tier(StrEnum):
    """Where a value was found."""

    MEMORY = "memory"
    VALKEY = "valkey"
    OBJECT = "object"


class Body(Protocol):
    """The bytes of a stored value, verified before they are given out."""

    size: int

    def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Raises Internal where a block turns out wrong in the middle: the answer must then break visibly."""


@dataclass(frozen=True, slots=True)
class Found:
    """A stored value: the materialised answer."""

    meta: Meta
    body: Body
    tier: Tier


@dataclass(slots=True)
class Timings:
    """Milliseconds by step (`lookup`, `first_byte`), for Server-Timing."""

    steps: dict[str, float] = field(default_factory=dict)


class Chunks(Protocol):
    """Bytes as they are made. Whoever reads them closes them, also when they have ended."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Live:
    """A rendition in the making: the unmaterialised answer."""

    key: str
    media_type: str
    chunks: Chunks
    """The first chunk has been made already: a failure before it was raised instead of answered."""
    cache: Cache
    """MISS, COLLAPSED (joined a flight) or BYPASS (`no_store`)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    found: Found | None = None
    live: Live | None = None
    timings: Timings = field(default_factory=Timings)

    @property
    def cache(self) -> Cache:
        return self.live.cache if self.live else Cache.HIT
