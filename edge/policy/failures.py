"""The memory of deterministic failures: all who ask within a second share one, instead of asking an origin each."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from shared.errors import RefrainError

LIFE_S: Final = 1.0
"""At most a second (Varnish's and Pingora's rule): a fault that is mended must not be remembered."""
MOST: Final = 10_000


class Failures:
    """What failed, and until when that holds. Time is an argument."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], tuple[float, RefrainError]] = OrderedDict()

    def note(self, ident: tuple[str, str], error: RefrainError, now: float) -> None:
        self._failures[ident] = (now + LIFE_S, error)
        self._failures.move_to_end(ident)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def check(self, ident: tuple[str, str], now: float) -> None:
        """Raises the failure that is still remembered."""
        until, error = self._failures.get(ident, (0.0, None))
        if error is None:
            return
        if now < until:
            raise error.again()
        del self._failures[ident]
