"""Errors as answers."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

from shared.problems import MEDIA_TYPE, problem

if TYPE_CHECKING:
    from shared.errors import RefrainError

_BACK_OFF: Final = frozenset({429, 503})
"""Statuses that always say when to try again."""


def answer(error: RefrainError, trace_id: str, *fields: tuple[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, header and body. `fields` go into the header too: `Allow`, `Content-Range`."""
    body = msgspec.json.encode(problem(error, trace_id))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *fields,
    ]
    if error.retry_after is not None or error.status in _BACK_OFF:
        headers.append((b"retry-after", b"%d" % max(1, ceil(error.retry_after or 0))))
    return error.status, headers, body
