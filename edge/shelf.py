"""One store, seen through envelopes: what comes out is verified, what is wrong is counted and removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest

from edge.policy.envelope import BLOCK, Envelope, Kind, Wrong, WrongEnvelope
from edge.ports import StoreError
from shared.errors import Internal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.answer import Tier
    from edge.policy.envelope import Meta, Sealer
    from edge.policy.pieces import Pieces
    from edge.ports import Observer, Store

READ: Final = 4 * BLOCK
"""Bytes of a body that are asked for at once. A body of at most this size comes whole with the first read."""
HEAD: Final = 64 << 10
"""Bytes that hold the head of a value, unless the text is very long."""
FIRST: Final = READ + HEAD
"""Bytes of the first read: such a body, and its head."""
PIECE: Final = 64 << 10
"""Bytes of a long body that are given out at once. The server holds several pieces for a client who reads slowly."""
TRIES: Final = 3
"""How often a part of a body is asked for when the answer has begun: a store's slowest reads are rarely slow twice."""


@dataclass(frozen=True, slots=True)
class Held:
    """A value that a store holds: its envelope, and the first bytes of its body, verified; all of them if it is short."""

    envelope: Envelope
    first: bytes

    @property
    def meta(self) -> Meta:
        return self.envelope.meta

    @property
    def whole(self) -> bool:
        return len(self.first) == self.envelope.meta.size


class Shelf:
    """A store and its tier. Look-ups never raise: a store that fails, and a value that is wrong, are misses, counted."""

    def __init__(self, tier: Tier, store: Store, sealer: Sealer, observer: Observer) -> None:
        self.tier = tier
        self.store = store
        self._sealer = sealer
        self._observer = observer

    async def find(self, kind: Kind, key: str, fingerprint: str | None, first: int = FIRST) -> Held | None:
        """The value under `key`, if it is the one that `fingerprint` names; None there: whichever it is.

        `first`: how many of its bytes are read.
        """
        try:
            return await self._open(kind, key, fingerprint, first)
        except StoreError as error:
            self._failed(error)
        except WrongEnvelope as wrong:
            await self._discard(address(kind, key), wrong.reason)
        return None

    async def rest(self, held: Held, start: int, stop: int) -> bytes:
        """The body's blocks from `start` to `stop`, verified. Raises StoreError and WrongEnvelope, both counted."""
        where = address(held.meta.kind, held.meta.key)
        try:
            body = await self.store.get(where, held.envelope.begin + start, held.envelope.begin + stop)
            held.envelope.check(start, stop, body or b"")
        except StoreError as error:
            self._failed(error)
            raise
        except WrongEnvelope as wrong:
            await self._discard(where, wrong.reason)
            raise
        return body or b""

    async def settle(self, meta: Meta, value: bytes | Pieces) -> Meta:
        """Keep `value`, unless there is one already; the Meta of that which is there now. Raises StoreError.

        What is there but cannot be read is replaced: it would make every look-up of this key a miss.
        """
        where = address(meta.kind, meta.key)
        if await self.store.put(where, value):
            return meta
        try:
            held = await self._open(meta.kind, meta.key, None)
        except WrongEnvelope as wrong:
            self._observer.wrong(self.store.name, wrong.reason)
            held = None
        if held is None:
            await self.store.put(where, value, replace=True)
        return held.meta if held else meta

    async def keep(self, meta: Meta, value: bytes | Pieces) -> Meta:
        """`settle`, where it is no harm if nothing can be kept."""
        try:
            return await self.settle(meta, value)
        except StoreError as error:
            self._failed(error)
            return meta

    async def replace(self, meta: Meta, value: bytes) -> None:
        """Keep `value` in place of what is there, if the store can."""
        try:
            await self.store.put(address(meta.kind, meta.key), value, replace=True)
        except StoreError as error:
            self._failed(error)

    async def _open(self, kind: Kind, key: str, fingerprint: str | None, first: int = FIRST) -> Held | None:
        where = address(kind, key)
        value = await self.store.get(where, 0, first)
        if value is None:
            return None
        need = self._sealer.head_end(value)
        ended = len(value) < first
        if need > len(value) and not ended:
            value += await self.store.get(where, len(value), need) or b""
        envelope = self._sealer.open(value, kind, key)
        if fingerprint not in (None, envelope.meta.fingerprint):
            raise WrongEnvelope(Wrong.WRONG_FINGERPRINT)
        return Held(envelope, envelope.body(value, ended=ended))

    async def _discard(self, where: str, reason: Wrong) -> None:
        self._observer.wrong(self.store.name, reason)
        if reason.foreign:
            return
        try:
            await self.store.delete(where)
        except StoreError as error:
            self._failed(error)

    def _failed(self, error: StoreError) -> None:
        self._observer.store_error(error.store, error.reason)


class Whole:
    """A body in memory: an `edge.answer.Body`."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        yield self.data[start:stop]


class Parts:
    """A body that is too long for memory: fetched, and verified, part by part as it is read. An `edge.answer.Body`."""

    def __init__(self, shelf: Shelf, held: Held) -> None:
        self.size = held.meta.size
        self._shelf = shelf
        self._held = held

    async def read(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        end = self.size if stop is None else min(stop, self.size)
        at = start
        while at < end:
            begin = at // BLOCK * BLOCK
            part = await self._part(begin, min(begin + READ, -(-end // BLOCK) * BLOCK, self.size))
            wanted = part[at - begin : end - begin]
            for piece in range(0, len(wanted), PIECE):
                yield wanted[piece : piece + PIECE]
            at += len(wanted)

    async def _part(self, start: int, stop: int) -> bytes:
        if stop <= len(self._held.first):
            return self._held.first[start:stop]
        failure: Exception | None = None
        for _ in range(TRIES):
            try:
                return await self._shelf.rest(self._held, start, stop)
            except StoreError as error:
                failure = error
            except WrongEnvelope as wrong:
                failure = wrong
                break
        raise Internal("A stored rendition could not be read to its end.", source=self._shelf.store.name) from failure


def address(kind: Kind, key: str) -> str:
    """Where a store keeps it: spread over 256 folders or prefixes by xxh3."""
    return f"{kind}/{xxh3_64_intdigest(key.encode()) >> 56:02x}/{key}"
