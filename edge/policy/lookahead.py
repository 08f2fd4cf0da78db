"""How far synthesis may run ahead of whoever listens."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

GUESS_S: Final = 0.05
"""Seconds of audio for each of `shared.segments.weight`, before this text has shown its own pace: 0.1 s for a Latin character, 0.25
for a Chinese one. espeak-ng takes 0.05 to 0.09 s and 0.2 to 0.3."""


@dataclass(frozen=True, slots=True)
class Lookahead:
    """The bound, ahead of the fastest listener: so many seconds of audio, or so many segments."""

    seconds: float
    segments: int


class Pace:
    """Keeps count of what was started, made and heard of one rendition, and says when the next segment may start."""

    def __init__(self, lookahead: Lookahead) -> None:
        self._bound = lookahead
        self._marks: deque[tuple[int, float]] = deque()
        """Where each take that was made and not heard in full ends: in bytes of the rendition, in seconds of audio."""
        self._position = 0
        self._started = self._heard_segments = 0
        self._started_weight = 0
        self._made_weight = 0
        self._made_s = self._heard_s = 0.0

    def started(self, weight: int) -> None:
        """A segment was started."""
        self._started += 1
        self._started_weight += weight

    def made(self, weight: int, seconds: float, position: int) -> None:
        """The oldest segment that was started has been joined: `position` bytes are encoded now."""
        self._made_weight += weight
        self._made_s += seconds
        self._marks.append((position, self._made_s))
        self._pass_marks()

    def heard(self, position: int) -> bool:
        """The fastest listener has been sent `position` bytes; whether that is news."""
        if position <= self._position:
            return False
        self._position = position
        self._pass_marks()
        return True

    def may_start(self) -> bool:
        """Whether one more segment may start. The one that is to be heard next always may."""
        unheard = self._started - self._heard_segments
        return unheard <= 0 or (unheard < self._bound.segments and self._ahead_s() < self._bound.seconds)

    def _ahead_s(self) -> float:
        pace = self._made_s / self._made_weight if self._made_weight else GUESS_S
        pending = self._started_weight - self._made_weight
        return self._made_s - self._heard_s + pending * pace

    def _pass_marks(self) -> None:
        while self._marks and self._marks[0][0] <= self._position:
            self._heard_s = self._marks.popleft()[1]
            self._heard_segments += 1
