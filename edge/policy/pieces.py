"""Bytes that are too many to be held at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Pieces:
    """`size` bytes, read piece by piece, from the first each time: `head`, then what `rest` gives.

    Like `bytes`, it has a length and can be made `bytes`. Reading raises ValueError where `rest` gives too few or too many: its
    source was closed, or has changed.
    """

    size: int
    head: bytes
    rest: Callable[[], Iterable[bytes]]

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        left = self.size - len(self.head)
        yield self.head
        for piece in self.rest():
            left -= len(piece)
            yield piece
        if left:
            raise ValueError(f"{left} of {self.size} bytes are missing")

    def __bytes__(self) -> bytes:
        return b"".join(self)
