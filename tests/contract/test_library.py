"""The library over its tiers: what is found, and where it is copied to."""

import asyncio
import time

import msgspec
import pytest
from nodes import KEY, LONG, RECIPE, RENDITION_AT, SECRETS, SHORT, TAKE, TAKE_AT, Node, everything, meta
from stores import DictStore, Ledger, pieces

from edge.adapters.objects import ObjectStore
from edge.adapters.valkey import ValkeyStore
from edge.answer import Tier
from edge.library import Library
from edge.policy.envelope import BLOCK, Sealer
from edge.policy.s3fifo import S3Fifo
from edge.shelf import PIECE, READ, TRIES
from shared.errors import Internal
from shared.keys import RenditionRecipe


def test_a_rendition_is_found_in_memory_then_nearby_then_at_home():
    async def test():
        node = Node()
        kept = await node.keep()
        assert (kept.size, len(kept.etag)) == (len(SHORT), 32)
        assert await node.heard() == (Tier.MEMORY, SHORT)
        assert await node.heard(skip_memory=True) == (Tier.VALKEY, SHORT)
        assert await node.another().heard() == (Tier.VALKEY, SHORT)
        assert await node.another(near=DictStore()).heard() == (Tier.OBJECT, SHORT)
        assert node.ledger.tiers == {"memory": 1, "valkey": 1}
        assert not node.ledger.errors + node.ledger.wrongs

    asyncio.run(test())


def test_what_was_found_at_home_is_copied_to_the_nearer_tiers():
    async def test():
        node = Node()
        await node.keep()
        other = node.another(near=DictStore())
        await other.heard()
        await other.settled()
        assert other.near.values == node.near.values
        assert other.library.peek(KEY, "f").body.data == SHORT
        assert other.library.peek(KEY, "g") is None

    asyncio.run(test())


def test_a_take_is_kept_at_home_and_copied():
    async def test():
        node = Node()
        await node.library.keep_take(meta("take", samples=5), b"0123456789")
        await node.settled()
        node.home.broken = True
        found, pcm = await node.another().library.take(KEY, "f")
        assert (found.samples, found.take, pcm) == (5, TAKE, b"0123456789")
        node.home.broken = False
        far = node.another(near=DictStore())
        assert (await far.library.take(KEY, "f"))[1] == b"0123456789"
        await far.settled()
        assert TAKE_AT in far.near.values

    asyncio.run(test())


def test_a_long_take_comes_whole():
    async def test():
        node = Node()
        await node.library.keep_take(meta("take"), LONG)
        assert (await node.another().library.take(KEY, "f"))[1] == LONG

    asyncio.run(test())


def test_what_nobody_kept_is_a_miss_everywhere():
    async def test():
        library = Node().library
        assert library.peek(KEY) is None
        assert await library.rendition(KEY, None) is None
        assert await library.take(KEY, "f") is None
        assert await library.recipe(KEY) is None

    asyncio.run(test())


def test_the_first_stored_rendition_wins_and_its_etag_stays_with_the_recipe():
    async def test():
        node = Node()
        first = await node.keep(b"first")
        other = node.another()
        assert await other.keep(b"second") == first
        assert await other.heard() == (Tier.VALKEY, b"first")
        assert (await other.library.recipe(KEY)).etag == first.etag
        assert (await node.another().library.recipe(KEY)).etag == first.etag

    asyncio.run(test())


def test_an_expired_rendition_leaves_its_recipe_and_a_resurrection_may_change_the_etag():
    async def test():
        node = Node()
        await node.library.keep_recipe(meta("recipe"))
        assert (await node.library.recipe(KEY)).etag == ""
        first = await node.keep(b"first")
        node.near.values.clear()
        del node.home.values[RENDITION_AT]
        later = node.another()
        assert await later.heard() is None
        recipe = await later.library.recipe(KEY)
        assert (recipe.kind, recipe.size, recipe.etag, recipe.rendition) == ("recipe", 0, first.etag, RECIPE)
        await later.library.keep_recipe(meta("recipe"))
        assert (await later.library.recipe(KEY)).etag == first.etag
        second = await later.keep(b"second")
        assert (await node.another().library.recipe(KEY)).etag == second.etag != first.etag

    asyncio.run(test())


def test_a_long_rendition_is_never_read_whole_and_any_range_of_it_is_right():
    async def test():
        node = Node()
        await node.keep(LONG)
        assert node.library.peek(KEY) is None
        node.near.values.clear()
        found = await node.another().library.rendition(KEY, "f")
        assert (found.tier, found.body.size) == (Tier.OBJECT, len(LONG))
        assert node.home.bytes_read < READ * 2
        assert await everything(found.body) == LONG
        edges = [0, 1, BLOCK - 1, BLOCK, READ - 1, READ, READ + 1, 2 * READ + 5, len(LONG) - 1, len(LONG)]
        for start in edges:
            for stop in (*edges, None, len(LONG) + 9):
                assert await everything(found.body, start, stop) == LONG[start:stop]
        assert all(len(chunk) <= PIECE for chunk in [chunk async for chunk in found.body.read()])
        before = node.home.bytes_read
        await everything(found.body, 2 * READ + 5, 2 * READ + 9)
        assert node.home.bytes_read - before == BLOCK

    asyncio.run(test())


def test_a_store_that_fails_in_mid_stream_is_asked_again_a_few_times():
    async def test():
        node = Node()
        await node.keep(LONG)
        node.near.values.clear()
        found = await node.library.rendition(KEY, "f")
        stream = found.body.read()
        assert b"".join([await anext(stream) for _ in range(READ // PIECE)]) == LONG[:READ]
        node.home.broken = True
        with pytest.raises(Internal):
            await anext(stream)
        assert node.ledger.errors == {("object", "failed"): TRIES}
        node.home.broken = False
        assert await everything(found.body) == LONG

    asyncio.run(test())


def test_a_head_longer_than_the_first_read_is_read_on():
    takes = tuple(msgspec.structs.replace(TAKE, text=f"{number} " + "x" * 500) for number in range(3000))
    recipe = RenditionRecipe(takes=takes, pauses=(0,) * 2999, format="wav", sample_rate=24000)

    async def test():
        node = Node()
        await node.library.keep_recipe(meta("recipe", rendition=recipe))
        assert (await node.another().library.recipe(KEY)).rendition == recipe
        await node.keep(LONG, rendition=recipe)
        node.near.values.clear()
        assert await node.another().heard() == (Tier.OBJECT, LONG)

    asyncio.run(test())


def test_stores_that_are_down_are_misses_and_what_was_made_is_still_remembered():
    async def test():
        node = Node()
        node.near.broken = node.home.broken = True
        kept = await node.keep()
        assert kept.etag
        assert await node.heard() == (Tier.MEMORY, SHORT)
        assert await node.another().heard() is None
        await node.library.keep_take(meta("take"), SHORT)
        with pytest.raises(Internal) as caught:
            await node.library.keep_recipe(meta("recipe"))
        assert (caught.value.code, caught.value.source) == ("store_failed", "object")
        assert node.ledger.errors["object", "failed"] >= 3

    asyncio.run(test())


def test_without_object_storage_valkey_is_home_and_without_any_store_memory_is_all():
    def library(*stores):
        return Library(memory=S3Fifo(64 << 20), stores=stores, sealer=Sealer(SECRETS), observer=Ledger())

    async def test():
        store = DictStore("valkey")
        alone = library((Tier.VALKEY, store))
        await alone.keep_rendition(meta(), pieces(SHORT))
        later = library((Tier.VALKEY, store))
        assert (await later.rendition(KEY, "f")).tier == Tier.VALKEY
        assert (await library((Tier.VALKEY, store)).recipe(KEY)).rendition == RECIPE
        memory = library()
        await memory.keep_rendition(meta(), pieces(SHORT))
        assert (await memory.rendition(KEY, "f")).body.data == SHORT
        assert (await memory.recipe(KEY)).rendition == RECIPE
        await memory.keep_take(meta("take"), SHORT)
        assert await memory.take(KEY, "f") is None
        with pytest.raises(Internal):
            await memory.keep_recipe(meta("recipe"))
        assert await memory.canary("any") is True

    asyncio.run(test())


def test_the_canary_tells_an_edge_with_another_address_secret():
    async def test():
        node = Node()
        assert await node.library.canary("first") is True
        assert await node.another().library.canary("first") is True
        assert await node.another().library.canary("second") is False
        node.home.broken = True
        with pytest.raises(Internal):
            await node.library.canary("first")

    asyncio.run(test())


def test_closing_finishes_the_copies_and_closes_the_stores():
    async def test():
        node = Node()
        await node.library.keep_rendition(meta(), pieces(SHORT))
        await node.library.close()
        assert RENDITION_AT in node.near.values
        assert node.near.broken
        assert node.home.broken

    asyncio.run(test())


def test_a_valkey_that_hangs_or_died_leaves_hits_at_home_and_costs_its_timeout_once(own_valkey, tmp_path):
    async def test():
        near = ValkeyStore(own_valkey.url, timeout_s=0.25, ttl_s=60, max_bytes=1 << 20, clock=time.monotonic)
        home = ObjectStore((tmp_path / "objects").as_uri(), {}, timeout_s=1.0)
        await near.open()
        await home.open()
        node = Node(near=near, home=home)
        await node.keep()
        assert await node.another().heard() == (Tier.VALKEY, SHORT)
        for fault in (own_valkey.freeze, own_valkey.kill):
            fault()
            began = time.monotonic()
            assert await node.another().heard() == (Tier.OBJECT, SHORT)
            assert time.monotonic() - began < 0.25 + 0.2
            began = time.monotonic()
            for _ in range(20):
                assert await node.another().heard() == (Tier.OBJECT, SHORT)
            assert time.monotonic() - began < 0.25
            assert await node.heard() == (Tier.MEMORY, SHORT)
        await node.library.close()

    asyncio.run(test())


def test_a_long_rendition_goes_through_s3_by_ranges(s3_server):
    async def test():
        home = ObjectStore(s3_server.url + "/library", s3_server.options, timeout_s=2.0)
        await home.open()
        node = Node(home=home)
        await node.keep(LONG)
        other = Node(home=home)
        assert await other.heard() == (Tier.OBJECT, LONG)
        found = await other.library.rendition(KEY, "f")
        assert await everything(found.body, READ - 3, READ + 3) == LONG[READ - 3 : READ + 3]
        assert await node.library.canary("first") is True
        assert await other.library.canary("second") is False

    asyncio.run(test())
