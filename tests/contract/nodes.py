"""A node's library over stores that a test can break."""

import asyncio

from stores import DictStore, Ledger, pieces

from edge.answer import Tier
from edge.library import Library
from edge.policy.envelope import Meta, Sealer
from edge.policy.s3fifo import S3Fifo
from edge.shelf import READ, address
from shared.keys import RenditionRecipe, TakeRecipe

KEY = "0123456789abcdef0123456789abcdef01234567"
SECRETS = [b"a secret of sixteen"]
TAKE = TakeRecipe(text="Hello.", language="en", revision="tone-1", voice="v")
RECIPE = RenditionRecipe(takes=(TAKE,), pauses=(), format="wav", sample_rate=24000)
SHORT = bytes(range(256)) * 40
LONG = b"".join(number.to_bytes(4, "big") for number in range(READ // 4 * 3 + 100))
"""Three reads and a bit, no two blocks alike."""
TAKE_AT, RENDITION_AT, RECIPE_AT = (address(kind, KEY) for kind in ("take", "rendition", "recipe"))


def meta(kind="rendition", fingerprint="f", **changes):
    recipe = {"take": TAKE} if kind == "take" else {"rendition": RECIPE}
    values = {"kind": kind, "key": KEY, "fingerprint": fingerprint, "namespace": "default", "media_type": "audio/wav", "began": 1.0}
    return Meta(**values | recipe | changes)


class Node:
    """A library as an edge has it. Another one on the same stores is another edge, or the same after a restart."""

    def __init__(self, *, near=None, home=None, secrets=SECRETS):
        self.near = near or DictStore("valkey")
        self.home = home or DictStore("object")
        self.ledger = Ledger()
        self.library = Library(
            memory=S3Fifo(64 << 20),
            stores=[(Tier.VALKEY, self.near), (Tier.OBJECT, self.home)],
            sealer=Sealer(secrets),
            observer=self.ledger,
        )

    def another(self, **changes):
        return Node(**{"near": self.near, "home": self.home} | changes)

    async def keep(self, body=SHORT, **changes):
        kept = await self.library.keep_rendition(meta(**changes), pieces(body))
        await self.settled()
        return kept

    async def settled(self):
        """Copies to nearer stores go on in the background."""
        if copies := self.library._copies:  # noqa: SLF001 - nobody else needs to wait for them
            await asyncio.wait(copies)

    async def heard(self, fingerprint="f", **options):
        """Tier and bytes of the rendition, or None."""
        found = await self.library.rendition(KEY, fingerprint, **options)
        return found and (found.tier, await everything(found.body))


async def everything(body, start=0, stop=None):
    return b"".join([chunk async for chunk in body.read(start, stop)])


async def send(body, sent):
    async for chunk in body.read():
        sent += chunk


def flipped(value, at=-1):
    spoilt = bytearray(value)
    spoilt[at] ^= 1
    return bytes(spoilt)
