"""Errors as answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from shared.problems import MEDIA_TYPE, problem, retry_after

if TYPE_CHECKING:
    from shared.errors import RefrainError


def answer(error: RefrainError, trace_id: str, *fields: tuple[bytes, bytes]) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, header and body. `fields` go into the header too: `Allow`, `Content-Range`."""
    body = msgspec.json.encode(problem(error, trace_id))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *fields,
    ]
    if (wait_s := retry_after(error)) is not None:
        headers.append((b"retry-after", b"%d" % wait_s))
    return error.status, headers, body
