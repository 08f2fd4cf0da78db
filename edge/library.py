"""Where takes, renditions and recipes are kept and found: memory, then Valkey, then object storage.

Memory holds short renditions, ready to be sent. The last store is home: what it accepted first is what the others copy. Recipes
live at home alone, they are read seldom. Values never change under their keys, so nothing is ever invalidated.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from edge.answer import Found, Tier
from edge.policy.envelope import BLOCK, WrongEnvelope
from edge.ports import StoreError
from edge.shelf import HEAD, READ, Parts, Shelf, Whole
from shared.errors import Internal

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from edge.policy.envelope import Meta, Sealer
    from edge.policy.pieces import Pieces
    from edge.policy.s3fifo import S3Fifo
    from edge.ports import Observer, Store
    from edge.shelf import Held

CANARY: Final = "canary"
COPIES: Final = 64
"""Copies to nearer stores at one time; beyond, they are left out: the next look-up tries again."""
HEAD_WEIGHT: Final = 3
"""Bytes of memory that a byte of an encoded Meta takes once it is decoded (2.2 to 2.7, measured)."""


class Library:
    """Keeps and finds. Look-ups raise nothing: what a store cannot give, or gives wrong, is a miss, told to `observer`.

    `stores` are in the order in which they are asked; each bounds its calls in time. The last one is home.
    """

    def __init__(self, *, memory: S3Fifo[Found], stores: Sequence[tuple[Tier, Store]], sealer: Sealer, observer: Observer) -> None:
        self._memory = memory
        self._shelves = tuple(Shelf(tier, store, sealer, observer) for tier, store in stores)
        self._home = self._shelves[-1] if self._shelves else None
        self._sealer = sealer
        self._observer = observer
        self._copies: set[asyncio.Task[None]] = set()

    def peek(self, key: str, fingerprint: str | None = None) -> Found | None:
        """The rendition, if it is in memory."""
        found = self._memory.get(key)
        if found is None or fingerprint not in (None, found.meta.fingerprint):
            return None
        self._observer.looked_up(Tier.MEMORY)
        return found

    async def rendition(self, key: str, fingerprint: str | None, *, skip_memory: bool = False) -> Found | None:
        """The rendition, from the nearest tier that has it. Without a fingerprint: whichever is under `key`."""
        if not skip_memory and (found := self.peek(key, fingerprint)) is not None:
            return found
        for shelf in self._shelves:
            held = await shelf.find("rendition", key, fingerprint)
            found = await self._found(shelf, held) if held else None
            if found is not None:
                self._observer.looked_up(shelf.tier)
                return found
        self._observer.looked_up("none")
        return None

    async def take(self, key: str, fingerprint: str) -> tuple[Meta, bytes] | None:
        """The take's Meta and its PCM."""
        for shelf in self._shelves:
            held = await shelf.find("take", key, fingerprint)
            pcm = await self._pcm(shelf, held) if held else None
            if held is not None and pcm is not None:
                self._copy(held.meta, pcm, shelf)
                self._observer.looked_up(shelf.tier)
                return held.meta, pcm
        self._observer.looked_up("none")
        return None

    async def has_take(self, key: str, fingerprint: str) -> bool:
        """Whether the take is stored, as far as its envelope tells: its PCM is not read."""
        for shelf in self._shelves:
            if await shelf.find("take", key, fingerprint, HEAD):
                return True
        return False

    async def recipe(self, key: str) -> Meta | None:
        """What is known of the rendition under `key`, also when its audio has expired."""
        if (found := self._memory.get(key)) is not None:
            return recipe_of(found.meta)
        held = await self._home.find("recipe", key, None) if self._home else None
        return held.meta if held else None

    async def keep_take(self, meta: Meta, pcm: bytes) -> None:
        meta, value = await asyncio.to_thread(self._sealer.seal, meta, pcm)
        await self._keep(meta, value)

    async def keep_rendition(self, meta: Meta, body: Pieces) -> Meta:
        """Keep it, and its ETag with its recipe. The Meta of the rendition that is kept: the first one wins.

        A long body is read twice, to be sealed and to be stored, instead of being held; it lies at home alone.
        """
        if len(body) > READ:
            meta, pieces = await asyncio.to_thread(self._sealer.seal_pieces, meta, body)
            kept = await self._home.keep(meta, pieces) if self._home else meta
        else:
            data, (meta, value) = await asyncio.to_thread(self._seal, meta, body)
            kept = await self._keep(meta, value)
            if kept is meta:
                self._remember(meta, data, len(value) - len(data))
        if kept.fingerprint != meta.fingerprint:
            return meta  # another recipe has this address: nothing of ours may stand there
        if self._home is not None:
            await self._home.replace(*self._sealer.seal(recipe_of(kept)))
        return kept

    async def keep_recipe(self, meta: Meta) -> None:
        """Keep what must last, unless it is there already. Raises Internal `store_failed`."""
        if self._home is None:
            raise Internal("There is no store that a recipe could be kept in.", code="store_failed")
        try:
            await self._home.settle(*self._sealer.seal(meta))
        except StoreError as error:
            self._observer.store_error(error.store, error.reason)
            raise Internal("The recipe could not be stored.", code="store_failed", source=error.store) from error

    async def canary(self, expected: str) -> bool:
        """Whether home was written with the same address secret (see Keyring.canary); a new one remembers this.

        Raises Internal `store_failed` where it cannot say.
        """
        if self._home is None:
            return True
        store = self._home.store
        try:
            if await store.put(CANARY, expected.encode()):
                return True
            remembered = await store.get(CANARY)
        except StoreError as error:
            raise Internal("The canary could not be read.", code="store_failed", source=error.store) from error
        if remembered is None:
            raise Internal("The canary could not be read.", code="store_failed", source=store.name)
        return remembered == expected.encode()

    async def close(self) -> None:
        """Finish the copies that have begun (their stores bound them in time), then close the stores."""
        if self._copies:
            await asyncio.wait(self._copies)
        for shelf in self._shelves:
            await shelf.store.close()

    async def _found(self, shelf: Shelf, held: Held) -> Found | None:
        """A short rendition is remembered, and copied to the nearer stores; of a long one the end is verified at least."""
        if held.whole:
            self._copy(held.meta, held.first, shelf)
            self._remember(held.meta, held.first, held.envelope.begin)
            return Found(held.meta, Whole(held.first), shelf.tier)
        try:
            # Where a value was cut off, its end is missing: better a miss now than an answer that breaks.
            await shelf.rest(held, (held.meta.size - 1) // BLOCK * BLOCK, held.meta.size)
        except (StoreError, WrongEnvelope):
            return None
        return Found(held.meta, Parts(shelf, held), shelf.tier)

    async def _pcm(self, shelf: Shelf, held: Held) -> bytes | None:
        if held.whole:
            return held.first
        try:
            return held.first + await shelf.rest(held, len(held.first), held.meta.size)
        except (StoreError, WrongEnvelope):
            return None

    async def _keep(self, meta: Meta, value: bytes) -> Meta:
        """Keep `value` at home if it is the first, and then in the nearer stores."""
        if self._home is None:
            return meta
        kept = await self._home.keep(meta, value)
        if kept is meta:
            for shelf in self._shelves[:-1]:
                self._spawn(shelf.replace(meta, value))
        return kept

    def _remember(self, meta: Meta, data: bytes, head: int) -> None:
        if len(data) <= READ:
            self._memory.put(meta.key, Found(meta, Whole(data), Tier.MEMORY), len(data) + HEAD_WEIGHT * head)

    def _copy(self, meta: Meta, body: bytes, source: Shelf) -> None:
        """Bring what `source` had to the stores that are asked before it."""
        for shelf in self._shelves[: self._shelves.index(source)]:
            self._spawn(self._seal_into(shelf, meta, body))

    async def _seal_into(self, shelf: Shelf, meta: Meta, body: bytes) -> None:
        await shelf.replace(*await asyncio.to_thread(self._sealer.seal, meta, body))

    def _spawn(self, copy: Coroutine[None, None, None]) -> None:
        if len(self._copies) >= COPIES:
            copy.close()
            return
        task = asyncio.create_task(copy)
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    def _seal(self, meta: Meta, body: Pieces) -> tuple[bytes, tuple[Meta, bytes]]:
        data = bytes(body)
        return data, self._sealer.seal(meta, data)


def recipe_of(rendition: Meta) -> Meta:
    """What of a rendition's Meta is kept longer than its audio."""
    return msgspec.structs.replace(rendition, kind="recipe", size=0)
