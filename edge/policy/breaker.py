"""A breaker for a store that is only a shortcut: after a failure it is skipped for a while, then one call tries it."""

from __future__ import annotations


class Breaker:
    """Closed until a call fails. Then open: nothing is let through for `rest_s`, after that one call, the probe.

    While the probe runs the others are still skipped, so that a hanging store costs one caller its timeout every `rest_s`, not
    all of them. A probe that was cancelled says nothing; the next one is let through `rest_s` after it.
    """

    def __init__(self, rest_s: float = 1.0) -> None:
        self._rest_s = rest_s
        self._open = False
        self._until = 0.0

    def allows(self, now: float) -> bool:
        """Whether a call may be made at `now` (seconds, monotonic). Its outcome must be told."""
        if not self._open:
            return True
        if now < self._until:
            return False
        self._until = now + self._rest_s
        return True

    def failed(self, now: float) -> None:
        self._open = True
        self._until = now + self._rest_s

    def succeeded(self) -> None:
        self._open = False

    def __repr__(self) -> str:
        return f"<Breaker open until {self._until:.3f}>" if self._open else "<Breaker closed>"
