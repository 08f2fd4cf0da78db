"""W3C Trace Context: the trace that a request belongs to."""

from __future__ import annotations

import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_id(traceparent: str) -> str | None:
    """The trace to go on with (W3C Trace Context); None where a new one is to be started."""
    match = _TRACEPARENT.fullmatch(traceparent)
    # Version 00 has nothing after the flags; later ones may.
    return match.group(1) if match and not (traceparent.startswith("00") and match.group(2)) else None
