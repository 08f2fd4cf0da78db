"""Samples: mono, signed 16 bits, little endian."""

from __future__ import annotations

import sys
from array import array
from math import isfinite
from typing import TYPE_CHECKING, Final

from shared.errors import BadTake

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAMPLE_BYTES: Final = 2
FRAME_S: Final = 0.2
"""Seconds of audio in a frame, at most: short enough that the first one comes at once."""


def from_floats(samples: Iterable[float]) -> bytes:
    """Samples in -1..1 as PCM; what is beyond is clipped. Raises BadTake on NaN and infinities, which no clipping makes a sound."""
    out = array("h")
    for sample in samples:
        if not isfinite(sample):
            raise BadTake("The engine made samples that are no numbers.")
        out.append(round(max(-1.0, min(1.0, sample)) * 32767))
    if sys.byteorder == "big":
        out.byteswap()
    return out.tobytes()


def frames(pcm: bytes, sample_rate: int) -> Iterator[bytes]:
    """Cut PCM into frames of at most FRAME_S."""
    size = int(sample_rate * FRAME_S) * SAMPLE_BYTES
    for at in range(0, len(pcm), size):
        yield pcm[at : at + size]


def seconds(size: int, sample_rate: int) -> float:
    """How long `size` bytes sound."""
    return size / SAMPLE_BYTES / sample_rate
