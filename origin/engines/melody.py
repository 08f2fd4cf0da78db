"""Melodies that spell their text: who hears one can tell whose words it is, and whether all of them are there.

Every character of the text lasts 0.2 s: four notes, each a hexadecimal digit of BLAKE2b of the text, over and over. A note is
a whole number of waves, so notes join without a click and begin with a sound. The voice and the dialect colour it with overtones,
the seed roughens it; the digits stay readable.
"""

from __future__ import annotations

import math
import operator
import sys
from array import array
from functools import cache
from hashlib import blake2b
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from shared.text import fold

if TYPE_CHECKING:
    import random

SAMPLE_RATE: Final = 24_000
EQUIVALENCES: Final = ("initial_case",)
NOTE_S: Final = 0.05
NOTES: Final = 4
"""Notes a character."""
_LOWEST: Final = 600
_STEP: Final = 100
"""Hz. Multiples of 1 / NOTE_S, so that a note is whole waves; the highest, 2,100, fits into telephone audio."""
_VOLUME: Final = 9_000
_OVERTONE: Final = 2_500
_SILENT: Final = 400
"""Below this a sample is part of a pause, or of a fade."""
_GRAINS: Final = 32
_GAP_S: Final = 0.02
"""A pause, for the reader. The lowest note is above the threshold every millisecond."""


def spell(text: str) -> str:
    """The digits that `text` is sung as. What EQUIVALENCES fold changes nothing."""
    digits = blake2b(fold(text, EQUIVALENCES).encode(), digest_size=20).hexdigest()
    return "".join(islice(cycle(digits), NOTES * len(text)))


def sing(text: str, colours: tuple[int, ...] = ()) -> list[bytes]:
    """PCM, a character each. `colours` are the overtones' numbers: 2 is the octave."""
    digits = spell(text)
    return [b"".join(_note(int(digit, 16), colours) for digit in digits[at : at + NOTES]) for at in range(0, len(digits), NOTES)]


@cache
def _note(digit: int, colours: tuple[int, ...]) -> bytes:
    step = 2 * math.pi * (_LOWEST + _STEP * digit) / SAMPLE_RATE
    wave = (
        _VOLUME * math.sin(step * at) + sum(_OVERTONE / len(colours) * math.sin(colour * step * at) for colour in colours)
        for at in range(round(SAMPLE_RATE * NOTE_S))
    )
    return _pcm(array("h", map(round, wave)))


def roughen(pcm: bytes, dice: random.Random) -> bytes:
    """Another sound that reads the same: a little noise on some samples."""
    samples = _samples(pcm)
    for _ in range(_GRAINS):
        samples[dice.randrange(len(samples))] += dice.randrange(1, _SILENT)
    return _pcm(samples)


def read(pcm: bytes, sample_rate: int = SAMPLE_RATE) -> list[str]:
    """What each take in `pcm` spells; takes are parted by pauses. Fades, trimmed edges and lossy codecs do not disturb it."""
    samples = _samples(pcm)
    return [spelled for start, stop in _sounds(samples, sample_rate) if (spelled := _read_take(samples[start:stop], sample_rate))]


def _samples(pcm: bytes) -> array[int]:
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _pcm(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()


def _sounds(samples: array[int], sample_rate: int) -> list[tuple[int, int]]:
    """Where it sounds, from the first loud sample to the last one before a pause."""
    spans: list[tuple[int, int]] = []
    gap = int(_GAP_S * sample_rate)
    for at, sample in enumerate(samples):
        if abs(sample) >= _SILENT:
            if spans and at - spans[-1][1] <= gap:
                spans[-1] = (spans[-1][0], at + 1)
            else:
                spans.append((at, at + 1))
    return spans


def _read_take(samples: array[int], sample_rate: int) -> str:
    length = NOTE_S * sample_rate
    size = int(length * 0.6)
    starts = (round(length * (number + 0.2)) for number in range(round(len(samples) / length)))
    return "".join(_digit(samples[start : start + size], sample_rate) for start in starts)


def _digit(samples: array[int], sample_rate: int) -> str:
    def loudness(waves: tuple[array[float], array[float]]) -> float:
        return math.hypot(*(sum(map(operator.mul, samples, wave)) for wave in waves))

    probes = _probes(len(samples), sample_rate)
    return f"{max(range(16), key=lambda digit: loudness(probes[digit])):x}"


@cache
def _probes(size: int, sample_rate: int) -> list[tuple[array[float], array[float]]]:
    """For each digit, its note as a cosine and as a sine."""
    steps = [2 * math.pi * (_LOWEST + _STEP * digit) / sample_rate for digit in range(16)]
    return [
        (array("d", (math.cos(step * at) for at in range(size))), array("d", (math.sin(step * at) for at in range(size))))
        for step in steps
    ]
