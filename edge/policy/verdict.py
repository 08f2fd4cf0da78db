"""Whether a take can be what was asked for. Pure; reads a take as it comes, so that a hopeless one is known before it has ended.

The bounds are there for takes that nobody would accept (silence, a stub, a runaway, noise), not for taste: in 2,480 takes of
espeak-ng in two languages, none came nearer than a factor of 2.4 to the shortest and 4 to the longest that is allowed.
"""

from __future__ import annotations

import struct
import unicodedata
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple


class Verdict(StrEnum):
    """What a take is found to be. All but OK must not be kept."""

    OK = "ok"
    EMPTY = "empty"
    """Not one sample."""
    SILENT = "silent"
    """Nothing to be heard, in all of it or for too long at its start."""
    TOO_SHORT = "too_short"
    """Less to be heard than anybody needs to say the text."""
    TOO_LONG = "too_long"
    """A runaway: longer than anybody takes to say the text."""
    CLIPPED = "clipped"
    """Much of it at full scale: noise, or overflow."""
    CUT_OFF = "cut_off"
    """It ends in the middle of a sound."""


class _Pace(NamedTuple):
    """Seconds that a character may take, at least and at most."""

    least: float
    most: float


# espeak-ng takes 0.05 to 0.09 s for a Latin letter and 0.2 to 0.3 for a Han character. At least: twice as fast as quick speakers.
# At most: spelled out ("WWW"), read out ("1,234,567" has seven digits and 21 syllables) or described (an emoji's name).
_SYLLABLE: Final = _Pace(0.06, 1.0)
_LETTER: Final = _Pace(0.02, 0.6)
_DIGIT: Final = _Pace(0.04, 1.2)
_ZERO: Final = _Pace(0.0, 1.2)
"""Round numbers are said without them: "a million"."""
_SIGN: Final = _Pace(0.0, 2.0)
_MARK: Final = _Pace(0.0, 1.0)
_GRACE_S: Final = 3.0
"""What any take may last besides, for breath, hesitation and an engine's own edges."""

_WINDOW_S: Final = 0.02
_AUDIBLE: Final = 256
"""The least peak-to-peak of a window in which something is heard: -48 dB. A constant offset is silence, however large."""
_MAX_SILENCE_S: Final = 3.0
"""How long a take may begin with nothing to be heard; espeak-ng: 0.14 at most."""
_LOWEST: Final = -32768
_HIGHEST: Final = 32767
_MAX_CLIPPED: Final = 0.05
"""The share of samples at full scale that is no loud voice any more; a sine driven to twice full scale has 0.67."""
_END_S: Final = 0.005
_LOUD_END: Final = 0.25
"""How loud the last 5 ms must be, beside the loudest window, to be the middle of a sound; espeak-ng: 0."""
_ROUNDING: Final = 2


class TakeCheck:
    """Judges one take of `text`, in mono s16le at `sample_rate`, spoken at `speed` times the voice's own pace."""

    def __init__(self, text: str, sample_rate: int, speed: float = 1.0) -> None:
        least, most = _bounds(text)
        self._rate = sample_rate
        self._least = least / speed
        self._most = (most + _GRACE_S) / speed
        self._max_silence = _MAX_SILENCE_S / min(1.0, speed)
        self._window = max(1, round(sample_rate * _WINDOW_S))
        self._windows = struct.Struct(f"<{self._window}h")
        self._pending = bytearray()
        self._samples = 0
        self._lead = 0
        """Samples before the first window in which something is heard."""
        self._heard = 0
        """Windows in which something is heard."""
        self._loudest = 0
        self._clipped = 0
        self._end = b""

    @property
    def audible(self) -> bool:
        """Whether something is heard by now: before that, nothing needs to go out."""
        return self._heard > 0

    def feed(self, pcm: bytes) -> Verdict | None:
        """More of the take. A verdict that nothing to come can change, or None."""
        self._pending += pcm
        whole = len(self._pending) // self._windows.size * self._windows.size
        for window in self._windows.iter_unpack(self._pending[:whole]):
            self._listen(window)
        self._end = bytes(self._pending[:whole][-self._end_size :] or self._end)
        del self._pending[:whole]
        return Verdict.SILENT if self._starts_silent else Verdict.TOO_LONG if self._overruns else None

    def finish(self) -> Verdict:
        """The verdict on the whole take."""
        rest = bytes(self._pending[: len(self._pending) & ~1])
        if rest:
            self._listen(struct.unpack(f"<{len(rest) // 2}h", rest))
        end = struct.unpack(f"<{min(self._samples, self._end_size // 2)}h", (self._end + rest)[-self._end_size :])
        checks = (
            (Verdict.EMPTY, not self._samples),
            (Verdict.SILENT, not self.audible or self._starts_silent),
            (Verdict.TOO_SHORT, self._heard * self._window / self._rate < self._least),
            (Verdict.TOO_LONG, self._overruns),
            (Verdict.CLIPPED, self._clipped > _MAX_CLIPPED * self._samples),
            (Verdict.CUT_OFF, max(end, default=0) - min(end, default=0) > _LOUD_END * self._loudest and _ends_in_a_step(end)),
        )
        return next((verdict for verdict, holds in checks if holds), Verdict.OK)

    @property
    def _starts_silent(self) -> bool:
        return self._lead / self._rate > self._max_silence

    @property
    def _overruns(self) -> bool:
        return self._samples / self._rate > self._most

    @property
    def _end_size(self) -> int:
        return 2 * max(1, round(self._rate * _END_S))

    def _listen(self, window: tuple[int, ...]) -> None:
        low, high = min(window), max(window)
        self._samples += len(window)
        self._loudest = max(self._loudest, high - low)
        self._heard += high - low >= _AUDIBLE
        if not self.audible:
            self._lead += len(window)
        if low == _LOWEST or high == _HIGHEST:
            self._clipped += window.count(_LOWEST) + window.count(_HIGHEST)


def _ends_in_a_step(samples: tuple[int, ...]) -> bool:
    """Whether the fall to silence is steeper than anything in `samples`: sound that ends with a whole wave falls no steeper."""
    return abs(samples[-1]) > max((abs(after - before) for before, after in pairwise(samples)), default=0) + _ROUNDING


def _bounds(text: str) -> tuple[float, float]:
    """Seconds that a take of `text` lasts at least and at most, at a voice's own pace."""
    paces = [_pace(character) for character in text]
    return sum(pace.least for pace in paces), sum(pace.most for pace in paces)


def _pace(character: str) -> _Pace:
    category = unicodedata.category(character)
    if category[0] == "L":
        return _SYLLABLE if unicodedata.east_asian_width(character) in "WF" else _LETTER
    if category[0] == "N":
        return _ZERO if character == "0" else _DIGIT
    return _SIGN if category[0] == "S" or character in "@#%&*/\\" else _MARK
