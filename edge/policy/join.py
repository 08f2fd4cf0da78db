"""How the takes of a request become one sound: edges trimmed and faded, the pause that the punctuation asks for between them. Pure.

A joint, from sound to sound:

    sound | up to 25 ms of what follows it, faded out | zeros | up to 25 ms of what comes before the next, faded in | sound
          |<--------------------------- the pause, to the sample --------------------------->|

The outer edges, before the first sound and after the last, stay as they are, and so does a request of one segment, whole. No
sample needs more than what was fed so far, so that the same takes give the same bytes however they arrive in chunks.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Final

from shared.segments import Ending

if TYPE_CHECKING:
    from collections.abc import Iterable

PAUSES_MS: Final = {
    Ending.CUT: 60,
    Ending.CLAUSE: 160,
    Ending.FULL_STOP: 400,
    Ending.QUESTION: 450,
    Ending.EXCLAMATION: 450,
    Ending.ELLIPSIS: 600,
    Ending.LINE: 650,
}
"""The pause after a segment, by the class of its ending. Read-aloud speech pauses for 0.1 to 0.3 s in a sentence and 0.4 to 0.7 s
after one."""

REST_MS: Final = 25
"""What stays of the quiet on each side of a joint: soft consonants live there. Two of them fit into the shortest pause."""
FADE_MS: Final = 10
"""Long enough that a raised cosine makes no step steeper in anything that sounds above 36 Hz: its own slope, pi / (2 n) per
sample, stays below 1 / sqrt(2) of the wave's, 2 pi f / rate."""
# A sample is quiet if its high byte is 0 or -1: below 256 of 32,768, -42 dB (sox trims at 1 % by default, -40 dB). Then the
# search for an edge is a strip of bytes, in C.
_QUIET: Final = b"\x00\xff"


def pauses(endings: Iterable[Ending]) -> tuple[int, ...]:
    """Milliseconds of silence between segments that end in `endings`: one fewer than there are segments."""
    return tuple(PAUSES_MS[ending] for ending in endings)[:-1]


class Joiner:
    """Joins takes of mono s16le at `sample_rate`, one more than there are `pauses` (ms)."""

    def __init__(self, sample_rate: int, pauses: tuple[int, ...]) -> None:
        self._rate = sample_rate
        self._pauses = iter(pauses)
        self._untouched = not pauses
        self._rest = sample_rate * REST_MS // 1000
        self._fade = _raised_cosine(sample_rate * FADE_MS // 1000)
        self._held = bytearray()
        """What was fed of the current take and not given out."""
        self._started = True
        """Whether the current take's sound has begun; of the first one, all is given out."""
        self._rising = 0
        """How many of the next samples are still to be faded in."""
        self._gap = 0
        """Samples of silence that are due before the current take's sound."""

    def feed(self, pcm: bytes) -> bytes:
        """More of the current take; what may be played by now."""
        if self._untouched:
            return pcm
        self._held += pcm
        opening = b"" if self._started else self._start()
        if not self._started:
            return b""
        # Whatever comes, the fade-out reaches no further back than its own length before the last sound so far.
        return opening + self._give(_sound_end(self._held) - len(self._fade))

    def next_take(self) -> bytes:
        """The current take has ended, another follows: the rest of it."""
        pause = next(self._pauses) * self._rate // 1000
        samples = len(self._held) // 2
        if not self._started:
            # A take without a sound: of the two pauses around it, the longer one.
            self._gap = max(self._gap, pause)
            closing = b""
        else:
            end = _sound_end(self._held)
            kept = min(samples, end + self._rest)
            closing = _scaled(self._give(kept), self._fade[::-1], at_end=True)
            self._gap = pause - (kept - end)
        self._held.clear()
        self._started = False
        return closing

    def finish(self) -> bytes:
        """The last take has ended: all that is left."""
        return self._give(len(self._held) // 2)

    def _start(self) -> bytes:
        """The silence before the current take's sound, once that is there."""
        quiet = _sound_start(self._held)
        rest = min(quiet, self._rest)
        del self._held[: 2 * (quiet - rest)]
        if 2 * rest + 2 > len(self._held):  # no whole sample after the quiet ones: no sound yet
            return b""
        self._started = True
        self._rising = len(self._fade)
        return bytes(2 * max(0, self._gap - rest))

    def _give(self, samples: int) -> bytes:
        """The first `samples` of what is held, faded in as far as that is due."""
        if samples <= 0:
            return b""
        given = bytes(self._held[: 2 * samples])
        del self._held[: 2 * samples]
        if self._rising:
            gains = self._fade[len(self._fade) - self._rising :]
            self._rising = max(0, self._rising - samples)
            given = _scaled(given, gains)
        return given


def _sound_start(pcm: bytes | bytearray) -> int:
    """How many quiet samples come before the first that is not, or in all."""
    high = bytes(pcm[1::2])
    return len(high) - len(high.lstrip(_QUIET))


def _sound_end(pcm: bytes | bytearray) -> int:
    """How many samples there are up to the last that is not quiet."""
    return len(bytes(pcm[1::2]).rstrip(_QUIET))


def _raised_cosine(samples: int) -> tuple[int, ...]:
    """Gains from nothing to all, in 1/32,768."""
    return tuple(round(16384 * (1 - math.cos(math.pi * (n + 0.5) / samples))) for n in range(samples))


def _scaled(pcm: bytes, gains: tuple[int, ...], *, at_end: bool = False) -> bytes:
    """`pcm` with its first (or last) samples multiplied by `gains`, as far as there are both."""
    count = min(len(pcm) // 2, len(gains))
    at = len(pcm) - 2 * count if at_end else 0
    gains = gains[len(gains) - count :] if at_end else gains[:count]
    edge = struct.unpack_from(f"<{count}h", pcm, at)
    faded = struct.pack(f"<{count}h", *((sample * gain + 16384) >> 15 for sample, gain in zip(edge, gains, strict=True)))
    return pcm[:at] + faded + pcm[at + 2 * count :]
