"""W3C Trace Context: the trace that a request belongs to, from the caller through the edge to the origin."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

current: Final[ContextVar[str]] = ContextVar("trace", default="")
"""The trace that the running task works for. Tasks that it starts work for it, too: a flight, for whoever boarded it first."""

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_id(traceparent: str) -> str | None:
    """The trace to go on with (W3C Trace Context); None where a new one is to be started."""
    match = _TRACEPARENT.fullmatch(traceparent)
    # Version 00 has nothing after the flags; later ones may.
    return match.group(1) if match and not (traceparent.startswith("00") and match.group(2)) else None


def traceparent(trace: str, span: str) -> str:
    """What tells the next one of the trace; `span` is the call to it: 16 hex digits."""
    return f"00-{trace}-{span}-01"
