"""Recipes, their encoding, and the keys and fingerprints that come from it.

A recipe is a closed set of fields. Its encoding writes each of them with its length, in a fixed order, so that no text can
shift a boundary; the kind, the key version and the namespace come first. The key is BLAKE2b-160 of the encoding, keyed with the
deployment's address secret: who sees an address cannot test guesses of the text. The fingerprint is unkeyed BLAKE2b-256 of the
same bytes; it is compared on every hit, so that even two recipes with one key never exchange their sounds.
"""

from __future__ import annotations

import re
import struct
from hashlib import blake2b
from typing import Final, NewType

import msgspec

Key = NewType("Key", str)

KEY_VERSION: Final = 1
JOIN_VERSION: Final = 1
"""Raised when the same takes would be joined to other samples."""
ENCODER_VERSION: Final = 1
"""Raised when the same samples would be encoded to other bytes."""
SECRET_BYTES: Final = range(16, 65)
"""How long a secret may be: under 16 bytes it can be guessed; BLAKE2b takes keys of at most 64."""
_KEY: Final = re.compile(r"[0-9a-f]{40}")

Field = str | int | float | None


class TakeRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that determines the sound of one segment."""

    text: str
    """Canonical: what is hashed and what is synthesised."""
    language: str
    revision: str
    voice: str
    """The voice's digest."""
    dialect: str = ""
    instructions: str = ""
    seed: int | None = None
    """None: the engine derives it from the take's key."""
    speed: float = 1.0

    def encode(self, namespace: str) -> bytes:
        fields = (self.text, self.language, self.revision, self.voice, self.dialect, self.instructions, self.seed, self.speed)
        return encode("take", namespace, fields)


class RenditionRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that determines the bytes of an answer. Holds its takes' recipes in full, so that it can be sung again."""

    takes: tuple[TakeRecipe, ...]
    pauses: tuple[int, ...]
    """Milliseconds of silence between the takes: one fewer than there are takes."""
    format: str
    sample_rate: int
    bitrate: int | None = None
    stretch: float = 1.0
    """The part of the speed that the engine does not do itself."""
    join_version: int = JOIN_VERSION
    encoder_version: int = ENCODER_VERSION

    def encode(self, namespace: str) -> bytes:
        # Takes go in by their own encoding, not by their keys: then the fingerprint, too, tells all texts apart.
        takes = tuple(digest(take.encode(namespace)) for take in self.takes)
        fields = (*takes, *self.pauses, self.format, self.sample_rate, self.bitrate, self.stretch)
        return encode("rendition", namespace, (len(takes), *fields, self.join_version, self.encoder_version))


def encode(kind: str, namespace: str, fields: tuple[Field, ...]) -> bytes:
    """An injective encoding: each field as one type byte, its length, its bytes."""
    out = [b"refrain"]
    for field in (kind, KEY_VERSION, namespace, *fields):
        tag, data = _typed(field)
        out += (tag, struct.pack(">I", len(data)), data)
    return b"".join(out)


def _typed(field: Field) -> tuple[bytes, bytes]:
    match field:
        case None:
            return b"n", b""
        case str():
            return b"s", field.encode()
        case int():
            return b"i", str(field).encode()
        case float():
            return b"f", struct.pack(">d", field + 0.0)  # +0.0: -0.0 is the same number


def digest(encoded: bytes) -> str:
    """The fingerprint of an encoded recipe: 64 hex digits, unkeyed."""
    return blake2b(encoded, digest_size=32).hexdigest()


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


class Keyring:
    """Makes addresses from encoded recipes with the deployment's address secret, which never rotates."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) not in SECRET_BYTES:
            raise ValueError("the address secret must have 16 to 64 bytes")
        self._secret = secret

    def key(self, encoded: bytes) -> Key:
        return Key(blake2b(encoded, digest_size=20, key=self._secret).hexdigest())

    def canary(self) -> str:
        """What a store remembers of the secret, so that an edge that starts with another one notices."""
        return self.key(b"refrain canary")
