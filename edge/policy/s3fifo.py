"""What stays in memory: S3-FIFO (Yang et al., SOSP 2023), weighted in bytes.

Three queues. What is new enters the small one, a tenth of the whole. What was asked for again while it was there moves on to the
main one; the rest, most of all one-hit wonders, leaves, and only its key stays for a while, in the ghost queue. What comes back
while the ghost remembers it enters the main queue at once. A hit only counts, up to 3: nothing moves on the hot path.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

V = TypeVar("V")

SMALL: Final = 0.1
"""The small queue's part of the whole (the paper's)."""
MAX_COUNT: Final = 3
"""Two bits a counter (the paper's)."""
ENTRY: Final = 400
"""Bytes that an entry costs besides its value: the entry, its key, its place in a queue, and later in the ghost queue."""


class _Entry(Generic[V]):
    __slots__ = ("count", "value", "weight")

    def __init__(self, value: V, weight: int) -> None:
        self.value = value
        self.weight = weight
        self.count = 0


class S3Fifo(Generic[V]):
    """A map that holds at most `capacity` bytes, by the weights that `put` is told.

    A value heavier than the small queue is not taken in: passing through, it would flush the queue that tells one-hit wonders
    from the others.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.weight = 0
        self._small_capacity = int(capacity * SMALL)
        self._small_weight = 0
        self._small: OrderedDict[str, _Entry[V]] = OrderedDict()
        self._main: OrderedDict[str, _Entry[V]] = OrderedDict()
        self._ghost: OrderedDict[str, int] = OrderedDict()
        self._ghost_weight = 0

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def get(self, key: str) -> V | None:
        entry = self._small.get(key) or self._main.get(key)
        if entry is None:
            return None
        if entry.count < MAX_COUNT:
            entry.count += 1
        return entry.value

    def put(self, key: str, value: V, weight: int) -> bool:
        """Hold `value`, in place of what was there. False: it is too heavy, and nothing is held under `key`."""
        self.pop(key)
        entry = _Entry(value, weight + ENTRY)
        if entry.weight > self._small_capacity:
            return False
        self._make_room(entry.weight)
        if self._forget_ghost(key):
            self._main[key] = entry
        else:
            self._small[key] = entry
            self._small_weight += entry.weight
        self.weight += entry.weight
        return True

    def pop(self, key: str) -> V | None:
        """Let go of it, without a ghost."""
        entry = self._small.pop(key, None)
        if entry is not None:
            self._small_weight -= entry.weight
        else:
            entry = self._main.pop(key, None)
        if entry is None:
            return None
        self.weight -= entry.weight
        return entry.value

    def _make_room(self, weight: int) -> None:
        while self.weight + weight > self.capacity:
            if self._small_weight > self._small_capacity or not self._main:
                self._evict_small()
            else:
                self._evict_main()

    def _evict_small(self) -> None:
        """Take the oldest out of the small queue: into the main one if it was asked for twice since, else out."""
        key, entry = self._small.popitem(last=False)
        self._small_weight -= entry.weight
        if entry.count > 1:
            entry.count = 0
            self._main[key] = entry
            return
        self.weight -= entry.weight
        self._remember_ghost(key, entry.weight)

    def _evict_main(self) -> None:
        """Take the oldest out of the main queue, or give it another round for one of its counts."""
        key, entry = self._main.popitem(last=False)
        if entry.count > 0:
            entry.count -= 1
            self._main[key] = entry
            return
        self.weight -= entry.weight

    def _remember_ghost(self, key: str, weight: int) -> None:
        """The ghost remembers as many bytes as the main queue can hold; each of its keys stands for at least ENTRY of them."""
        self._ghost[key] = weight
        self._ghost_weight += weight
        while self._ghost_weight > self.capacity - self._small_capacity:
            _, oldest = self._ghost.popitem(last=False)
            self._ghost_weight -= oldest

    def _forget_ghost(self, key: str) -> bool:
        weight = self._ghost.pop(key, None)
        if weight is None:
            return False
        self._ghost_weight -= weight
        return True

    def __repr__(self) -> str:
        return f"<S3Fifo {len(self)} values, {self.weight} of {self.capacity} bytes, {len(self._ghost)} ghosts>"
