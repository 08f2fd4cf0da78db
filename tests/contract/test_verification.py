"""What is wrong in a store is never given out: it is a miss, counted, removed, and mended by the next that is kept."""

import asyncio

import pytest
from nodes import KEY, LONG, RECIPE, RECIPE_AT, RENDITION_AT, SHORT, TAKE_AT, Node, flipped, meta, send
from stores import DictStore

from edge.adapters.objects import ObjectStore
from edge.answer import Tier
from edge.policy.envelope import BLOCK
from edge.shelf import READ, address
from shared.errors import Internal


def test_one_key_with_two_fingerprints_never_exchanges_sounds():
    """As if every text had the same hash."""

    async def test():
        node = Node()
        await node.keep(b"mine", fingerprint="mine")
        assert await node.heard("yours") is None
        ours = await node.keep(b"yours", fingerprint="yours")
        assert ours.fingerprint == "yours"
        for reader in (node, node.another(), node.another(near=DictStore())):
            assert (await reader.heard("mine"))[1] == b"mine"
            assert await reader.heard("yours") is None
            assert await reader.library.take(KEY, "yours") is None
        assert (await node.another().library.recipe(KEY)).fingerprint == "mine"
        assert node.ledger.wrongs["object", "wrong_fingerprint"]

    asyncio.run(test())


@pytest.mark.parametrize("at", [0, 4, 8, 20, -1])
def test_a_flipped_bit_is_a_miss_that_the_next_tier_covers_and_the_next_rendition_mends(at):
    async def test():
        node = Node()
        await node.keep()
        good = node.near.values[RENDITION_AT]
        node.near.values[RENDITION_AT] = flipped(good, at)
        other = node.another()
        assert await other.heard() == (Tier.OBJECT, SHORT)
        assert sum(other.ledger.wrongs.values()) == 1
        await other.settled()
        assert node.near.values[RENDITION_AT] == good

        node.near.values.clear()
        node.home.values[RENDITION_AT] = flipped(good, at)
        late = node.another()
        assert await late.heard() is None
        assert sum(late.ledger.wrongs.values()) == 1
        await late.keep(b"sung again")
        assert await node.another(near=DictStore()).heard() == (Tier.OBJECT, b"sung again")

    asyncio.run(test())


@pytest.mark.parametrize("length", [0, 3, 30, 400, -1])
def test_a_cut_value_is_a_miss_and_is_removed(length):
    async def test():
        node = Node()
        await node.keep()
        node.near.values.clear()
        node.home.values[RENDITION_AT] = node.home.values[RENDITION_AT][:length]
        other = node.another()
        assert await other.heard() is None
        assert RENDITION_AT not in node.home.values
        assert sum(other.ledger.wrongs.values()) == 1

    asyncio.run(test())


def test_a_wrong_take_and_a_wrong_recipe_are_misses_and_keeping_mends_them():
    async def test():
        node = Node()
        await node.library.keep_take(meta("take"), SHORT)
        await node.library.keep_recipe(meta("recipe"))
        await node.settled()
        for where in (TAKE_AT, RECIPE_AT):
            node.home.values[where] = flipped(node.home.values[where])
        node.near.values.clear()
        other = node.another()
        assert await other.library.take(KEY, "f") is None
        await other.library.keep_recipe(meta("recipe"))
        assert (await other.library.recipe(KEY)).rendition == RECIPE
        await other.library.keep_take(meta("take"), SHORT)
        assert (await node.another().library.take(KEY, "f"))[1] == SHORT
        assert set(other.ledger.wrongs) == {("object", "bad_block"), ("object", "bad_mac")}

    asyncio.run(test())


def test_another_nodes_mac_key_is_a_miss_that_removes_nothing():
    async def test():
        node = Node()
        await node.keep()
        before = dict(node.home.values)
        other = node.another(secrets=[b"quite another secret"])
        assert await other.heard() is None
        assert node.home.values == before
        assert other.ledger.wrongs == {("valkey", "unknown_mac_key"): 1, ("object", "unknown_mac_key"): 1}

    asyncio.run(test())


def test_another_keys_value_is_not_believed():
    async def test():
        node = Node()
        await node.keep()
        elsewhere = "f" * 40
        node.home.values[address("rendition", elsewhere)] = node.home.values[RENDITION_AT]
        assert await node.another().library.rendition(elsewhere, None) is None

    asyncio.run(test())


@pytest.mark.parametrize("at", [READ // 2, len(LONG) - 1])
def test_a_long_rendition_wrong_at_its_beginning_or_end_is_a_miss(at):
    async def test():
        node = Node()
        await node.keep(LONG)
        node.near.values.clear()
        value = node.home.values[RENDITION_AT]
        node.home.values[RENDITION_AT] = flipped(value, len(value) - len(LONG) + at)
        other = node.another()
        assert await other.heard() is None
        assert other.ledger.wrongs == {("object", "bad_block"): 1}
        assert RENDITION_AT not in node.home.values

    asyncio.run(test())


def test_a_long_rendition_that_was_cut_is_a_miss():
    async def test():
        node = Node()
        await node.keep(LONG)
        node.near.values.clear()
        node.home.values[RENDITION_AT] = node.home.values[RENDITION_AT][: READ * 2]
        other = node.another()
        assert await other.heard() is None
        assert other.ledger.wrongs == {("object", "short_body"): 1}

    asyncio.run(test())


def test_a_block_wrong_in_the_middle_breaks_the_answer_before_it_is_sent():
    async def test():
        node = Node()
        await node.keep(LONG)
        node.near.values.clear()
        value = node.home.values[RENDITION_AT]
        node.home.values[RENDITION_AT] = flipped(value, len(value) - len(LONG) + READ + 3 * BLOCK)
        other = node.another()
        found = await other.library.rendition(KEY, "f")
        sent = bytearray()
        with pytest.raises(Internal):
            await send(found.body, sent)
        assert LONG.startswith(bytes(sent))
        assert len(sent) == READ
        assert other.ledger.wrongs == {("object", "bad_block"): 1}
        assert RENDITION_AT not in node.home.values

    asyncio.run(test())


def test_a_bit_flipped_in_a_real_folder_is_a_miss_that_is_removed(tmp_path):
    async def test():
        home = ObjectStore(tmp_path.as_uri(), {}, timeout_s=1.0)
        await home.open()
        node = Node(home=home)
        await node.keep()
        file = tmp_path / RENDITION_AT
        file.write_bytes(flipped(file.read_bytes(), 700))
        other = Node(home=home)
        assert await other.heard() is None
        assert not file.exists()
        assert sum(other.ledger.wrongs.values()) == 1

    asyncio.run(test())
