"""Finished takes, kept a while for a caller whose connection broke and who asks again. Pure: the time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Address = tuple[str, str]
"""A take's key and its recipe's fingerprint."""


@dataclass(frozen=True, slots=True)
class _Kept:
    pcm: tuple[bytes, ...]
    size: int
    tokens: frozenset[str]
    until: float


class Replay:
    """Bounded in bytes and in seconds; the oldest goes first.

    The lease's token is part of what must match: a new holder of the lease wants a new take, since the old one's may be what
    it doubts.
    """

    def __init__(self, max_bytes: int, keep_s: float) -> None:
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._kept: OrderedDict[Address, _Kept] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, address: Address, token: str, now: float) -> tuple[bytes, ...] | None:
        self._expire(now)
        kept = self._kept.get(address)
        return kept.pcm if kept and token and token in kept.tokens else None

    def put(self, address: Address, tokens: frozenset[str], pcm: Sequence[bytes], now: float) -> None:
        """Keep a take for `tokens`; a later take of the same address replaces it."""
        self._drop(address)
        size = sum(map(len, pcm))
        if tokens and size <= self._max_bytes:
            self._kept[address] = _Kept(tuple(pcm), size, tokens, now + self._keep_s)
            self.size += size
        self._expire(now)
        while self.size > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _expire(self, now: float) -> None:
        # Every entry is kept equally long, so the order of arrival is the order of expiry.
        while self._kept and self._kept[oldest := next(iter(self._kept))].until <= now:
            self._drop(oldest)

    def _drop(self, address: Address) -> None:
        kept = self._kept.pop(address, None)
        self.size -= kept.size if kept else 0
