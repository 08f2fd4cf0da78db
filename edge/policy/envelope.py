"""The envelope of every stored value: what it is, whose it is, and the proof that its bytes are the ones that were kept.

    magic and version, the MAC key's id, the head's length   17 bytes
    head: Meta, and the xxh3_64 of each block of the body    MessagePack
    MAC over all of the above                                keyed BLAKE2b-256
    body

The head can be read without the body, and the body from any block on. Whoever can write to a store but has no MAC key cannot
make a value that is believed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from xxhash import xxh3_64

from edge.policy.pieces import Pieces
from shared.errors import Internal
from shared.keys import SECRET_BYTES, RenditionRecipe, TakeRecipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["take", "rendition", "recipe"]

BLOCK: Final = 256 << 10
"""Bytes of the body that are verified, and sent, together."""
MAX_HEAD: Final = 2 << 20
"""Bytes: a recipe of 10,000 characters in segments of two takes 1.2 MB."""

_MAGIC: Final = b"RFRN"
_VERSION: Final = 1
_PREFIX: Final = struct.Struct(">4sB8sI")
_MAC: Final = 32
_SUM: Final = 8


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a stored value besides its bytes."""

    kind: Kind
    key: str
    fingerprint: str
    namespace: str
    take: TakeRecipe | None = None
    rendition: RenditionRecipe | None = None
    """The recipe: `take` of a take, `rendition` of a rendition and of a recipe (which has no body)."""
    media_type: str = ""
    sample_rate: int = 0
    samples: int = 0
    """Samples of the audio; of a rendition, before it was encoded."""
    dialect: str = ""
    """The dialect that the origin said it spoke."""
    tags: tuple[str, ...] = ()
    began: float
    """When the flight that made it began, in seconds since 1970: what `Age` and purges count from."""
    epoch: int = 0
    """The purge epoch that its flight began in."""
    etag: str = ""
    """BLAKE2b-128 of the body, hex. Of a recipe: of its first stored rendition; empty before there was one."""
    size: int = 0
    """Bytes of the body."""


class Wrong(StrEnum):
    """Every way in which a stored value can fail its verification: what logs and metrics say."""

    NOT_AN_ENVELOPE = "not_an_envelope"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_MAC_KEY = "unknown_mac_key"
    BAD_HEAD = "bad_head"
    SHORT_HEAD = "short_head"
    BAD_MAC = "bad_mac"
    WRONG_KEY = "wrong_key"
    WRONG_FINGERPRINT = "wrong_fingerprint"
    BAD_BLOCK = "bad_block"
    SHORT_BODY = "short_body"
    LONG_BODY = "long_body"

    @property
    def foreign(self) -> bool:
        """Whether the value may be good for others: a newer node, or one with another MAC key. It is not ours to remove."""
        return self in (Wrong.UNKNOWN_VERSION, Wrong.UNKNOWN_MAC_KEY, Wrong.WRONG_FINGERPRINT)


class WrongEnvelope(Exception):
    """A stored value that must not be used."""

    def __init__(self, reason: Wrong) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Head(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    meta: Meta
    sums: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An authentic head. `begin` and `end` say where in the value its body lies."""

    meta: Meta
    sums: bytes
    begin: int

    @property
    def end(self) -> int:
        return self.begin + self.meta.size

    def body(self, value: bytes, *, ended: bool) -> bytes:
        """The body, verified, as far as `value`, the first bytes of the stored one, holds whole blocks of it.

        `ended` says that there are no more bytes. Raises WrongEnvelope.
        """
        if len(value) > self.end:
            raise WrongEnvelope(Wrong.LONG_BODY)
        body = value[self.begin :]
        if not ended and len(body) < self.meta.size:
            body = body[: len(body) // BLOCK * BLOCK]
            self.check(0, len(body), body)
        else:
            self.check(0, self.meta.size, body)
        return body

    def check(self, start: int, stop: int, body: bytes) -> None:
        """Verify that `body` is the body's bytes from `start` to `stop`, whole blocks. Raises WrongEnvelope."""
        if len(body) < stop - start:
            raise WrongEnvelope(Wrong.SHORT_BODY)
        view = memoryview(body)
        for at in range(0, len(body), BLOCK):
            number = (start + at) // BLOCK
            if xxh3_64(view[at : at + BLOCK]).digest() != self.sums[number * _SUM : (number + 1) * _SUM]:
                raise WrongEnvelope(Wrong.BAD_BLOCK)


class Sealer:
    """Makes envelopes with the first of its MAC keys (16 to 64 bytes each), reads those of all.

    An envelope names its key by a digest of the key itself: a node that was given another secret does not know the envelopes of
    its neighbours, instead of taking them all for forged and removing them.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or not all(len(key) in SECRET_BYTES for key in keys):
            raise ValueError("there must be a MAC key, and each must have 16 to 64 bytes")
        self._keys = {blake2b(key, digest_size=8, person=b"refrain mac id").digest(): key for key in keys}
        self._writes = next(iter(self._keys))
        self._decoder = msgspec.msgpack.Decoder(_Head)

    def seal(self, meta: Meta, body: bytes = b"") -> tuple[Meta, bytes]:
        """The value to store, and the Meta in it: `meta` with the size of `body`, and its ETag if there is a body.

        Raises Internal `store_failed` where the head would be longer than MAX_HEAD.
        """
        meta, head = self._head(meta, (body,))
        return meta, head + body

    def seal_pieces(self, meta: Meta, body: Pieces) -> tuple[Meta, Pieces]:
        """`seal` for a body that is not to be held: it is read once here, and again by whoever reads the value."""
        meta, head = self._head(meta, body)
        return meta, Pieces(len(head) + len(body), head, body.__iter__)

    def head_end(self, value: bytes) -> int:
        """How many of the value's bytes `open` needs; `value` has at least its first ones. Raises WrongEnvelope."""
        if len(value) < _PREFIX.size:
            raise WrongEnvelope(Wrong.SHORT_HEAD)
        magic, version, _, length = _PREFIX.unpack_from(value)
        if magic != _MAGIC:
            raise WrongEnvelope(Wrong.NOT_AN_ENVELOPE)
        if version != _VERSION:
            raise WrongEnvelope(Wrong.UNKNOWN_VERSION)
        if length > MAX_HEAD:
            raise WrongEnvelope(Wrong.BAD_HEAD)
        return _PREFIX.size + int(length) + _MAC

    def open(self, value: bytes, kind: Kind, key: str) -> Envelope:
        """The envelope that `value` begins with, if it is authentic and belongs to `key`. Raises WrongEnvelope."""
        begin = self.head_end(value)
        if len(value) < begin:
            raise WrongEnvelope(Wrong.SHORT_HEAD)
        mac_key = self._keys.get(_PREFIX.unpack_from(value)[2])
        if mac_key is None:
            raise WrongEnvelope(Wrong.UNKNOWN_MAC_KEY)
        signed, mac = value[: begin - _MAC], value[begin - _MAC : begin]
        if not compare_digest(_mac(mac_key, signed), mac):
            raise WrongEnvelope(Wrong.BAD_MAC)
        try:
            head = self._decoder.decode(signed[_PREFIX.size :])
        except msgspec.DecodeError as error:
            # Authentic, so it was written by a node whose Meta is not ours.
            raise WrongEnvelope(Wrong.UNKNOWN_VERSION) from error
        if (head.meta.kind, head.meta.key) != (kind, key):
            raise WrongEnvelope(Wrong.WRONG_KEY)
        return Envelope(head.meta, head.sums, begin)

    def _head(self, meta: Meta, body: Iterable[bytes]) -> tuple[Meta, bytes]:
        """What stands before the body."""
        size, etag, sums = _digests(body)
        meta = msgspec.structs.replace(meta, size=size, etag=etag if size else meta.etag)
        head = msgspec.msgpack.encode(_Head(meta, sums))
        if len(head) > MAX_HEAD:
            raise Internal(f"A recipe of {len(head)} bytes is too long to be stored.", code="store_failed")
        signed = _PREFIX.pack(_MAGIC, _VERSION, self._writes, len(head)) + head
        return meta, signed + _mac(self._keys[self._writes], signed)


def _digests(body: Iterable[bytes]) -> tuple[int, str, bytes]:
    """The body's size, its ETag, and the sums of its blocks, however it is cut into pieces."""
    size, etag, block, sums = 0, blake2b(digest_size=16), xxh3_64(), bytearray()
    for piece in body:
        etag.update(piece)
        view = memoryview(piece)
        while view:
            part = view[: BLOCK - size % BLOCK]
            block.update(part)
            size += len(part)
            view = view[len(part) :]
            if size % BLOCK == 0:
                sums += block.digest()
                block.reset()
    if size % BLOCK:
        sums += block.digest()
    return size, etag.hexdigest(), bytes(sums)


def _mac(key: bytes, signed: bytes) -> bytes:
    return blake2b(signed, digest_size=_MAC, key=key, person=b"refrain envelope").digest()
