"""Header fields, read and written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.answer import Cache, Tier
from edge.policy.fields import Control, cache_status, control, gathered, is_loopback, server_timing
from shared.trace import trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_fields_on_several_lines_are_one_list():
    assert gathered([(b"if-none-match", b'"a"'), (b"range", b"x"), (b"if-none-match", b'"b"')]) == {
        "if-none-match": '"a", "b"',
        "range": "x",
    }


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("no-cache", Control(no_cache=True)),
        ("No-Store", Control(no_store=True)),
        ("max-age=0, only-if-cached", Control(only_if_cached=True)),
        (' no-cache="x" ,no-store', Control(no_cache=True, no_store=True)),
        ("no-cached, x-no-store", Control()),
        ("", Control()),
    ],
)
def test_cache_control(value, asked):
    assert control({"cache-control": value}) == asked
    assert control({}) == Control()


@pytest.mark.parametrize(
    ("value", "trace"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"01-{TRACE}-b7ad6b7169203331-01-more", TRACE),
        (f"00-{TRACE}-b7ad6b7169203331-01-more", None),
        (f"ff-{TRACE}-b7ad6b7169203331-01", None),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE[:-1]}-b7ad6b7169203331-01", None),
        (f"00-{TRACE}-b7ad6b7169203331-01\n", None),
        ("", None),
    ],
)
def test_a_trace_is_gone_on_with_only_where_it_is_well_formed(value, trace):
    assert trace_id(value) == trace


def test_cache_status_is_a_hit_or_a_forward_never_both():
    said = [cache_status(cache, tier) for cache in Cache for tier in Tier]
    for value in filter(None, said):
        members = value.split("; ")
        assert members[0] == "refrain"
        assert ("hit" in members) != any(member.startswith("fwd=") for member in members)
        assert "hit" not in members or not {"stored", "collapsed"} & set(members)
        assert re.fullmatch(r"[a-z]+(; [a-z]+(=[a-z]+)?)+", value)
    assert cache_status(Cache.HIT, Tier.MEMORY) == "refrain; hit; detail=memory"
    assert cache_status(Cache.NONE) is None


def test_server_timing():
    assert server_timing({"lookup": 1.26, "first_byte": 30}) == "lookup;dur=1.3, first_byte;dur=30.0"
    assert server_timing({}) is None


@pytest.mark.parametrize("authority", ["localhost", "localhost:80", "LOCALHOST", "127.0.0.1:8080", "[::1]", "[::1]:1"])
def test_names_of_this_machine(authority):
    assert is_loopback(authority)


@pytest.mark.parametrize(
    "authority",
    [
        *("", ":80", "null", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.2"),
        *("localhost@evil.example", "evil@localhost", "localhost/", "localhost#", "localhost?", "localhost, a"),
        *("localhost:x", "localhost:99999", "::1", "[::1"),
        *("evil.example[::1]", "[::1]evil.example", "evil.example:[::1]", "[::1]]", "localhost:80:80", "localho\u017ft"),
    ],
)
def test_names_of_others(authority):
    assert not is_loopback(authority)


@given(st.text(max_size=30))
def test_no_host_raises(authority):
    assert is_loopback(authority) in (True, False)
