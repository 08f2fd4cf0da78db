"""What is kept of finished takes: bounded in bytes and seconds, for the same key and token only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from origin.replay import Replay

ADDRESSES = st.tuples(st.sampled_from("abcd"), st.sampled_from("xy"))
PUTS = st.tuples(ADDRESSES, st.frozensets(st.sampled_from("12"), max_size=2), st.integers(0, 60), st.floats(0, 5))


@given(st.lists(PUTS, max_size=30))
def test_what_is_found_was_put_for_that_token_and_is_young(puts):
    replay, now, last = Replay(100, 10.0), 0.0, {}
    for address, tokens, size, passed in puts:
        now += passed
        pcm = (bytes(size), address[0].encode() * size)
        replay.put(address, tokens, pcm, now)
        last[address] = (tokens, pcm, now)
        assert replay.size <= 100
        for each, (kept_for, kept, when) in last.items():
            for token in "12":
                found = replay.get(each, token, now)
                assert found is None or (found == kept and token in kept_for and now < when + 10.0)


def test_the_oldest_goes_first():
    replay = Replay(100, 10.0)
    for name in "abc":
        replay.put((name, ""), frozenset("1"), (bytes(40),), 0.0)
    assert [replay.get((name, ""), "1", 0.0) is None for name in "abc"] == [True, False, False]


def test_after_its_time_it_is_gone_and_frees_its_bytes():
    replay = Replay(100, 10.0)
    replay.put(("a", ""), frozenset("1"), (bytes(40),), 0.0)
    assert replay.get(("a", ""), "1", 9.9)
    assert replay.get(("a", ""), "1", 10.0) is None
    assert (replay.size, len(replay)) == (0, 0)


def test_without_a_token_nothing_is_kept_or_found():
    replay = Replay(100, 10.0)
    replay.put(("a", ""), frozenset(), (b"xx",), 0.0)
    assert len(replay) == 0
    replay.put(("a", ""), frozenset("1"), (b"xx",), 0.0)
    assert replay.get(("a", ""), "", 0.0) is None


def test_what_is_larger_than_the_store_is_not_kept():
    replay = Replay(100, 10.0)
    replay.put(("a", ""), frozenset("1"), (bytes(101),), 0.0)
    assert replay.size == 0
