"""Whether answers are what they must be: all 200, and under one address always the same sound."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bench.client import Reply

OK: Final = 200


class Faults:
    """What must not be, of all answers that it looks at. True where there was something."""

    def __init__(self, media_format: str) -> None:
        self._format = media_format
        self._sounds: dict[str, bytes] = {}
        self.refused: Counter[str] = Counter()
        """Answers other than 200, by what they said."""
        self.different: set[str] = set()
        """Addresses under which other bytes came than at first."""

    def __bool__(self) -> bool:
        return bool(self.refused or self.different)

    @property
    def addresses(self) -> list[str]:
        return list(self._sounds)

    def look_at(self, reply: Reply) -> None:
        if reply.status != OK:
            self.refused[f"{reply.status or 'broken off'}: {reply.body[:200].decode(errors='replace')}"] += 1
            return
        address = reply.headers.get("content-location", "")
        digest = hashlib.blake2b(sound(reply.body, self._format)).digest()
        if self._sounds.setdefault(address, digest) != digest:
            self.different.add(address)


def sound(body: bytes, media_format: str) -> bytes:
    """What a stream and its stored copy have in common: in WAV and FLAC all but the header, whose lengths are filled in later."""
    match media_format:
        case "wav":
            return body[body.find(b"data") + 8 :]
        case "flac":
            return body[_flac_header(body) :]
        case _:
            return body


def _flac_header(body: bytes) -> int:
    """Its length: "fLaC", then blocks, each with a bit that says whether it is the last, and 24 bits of length (RFC 9639 §8.1)."""
    at, last = 4, False
    while not last and at + 4 <= len(body):
        last = bool(body[at] & 0x80)
        at += 4 + int.from_bytes(body[at + 1 : at + 4], "big")
    return at
