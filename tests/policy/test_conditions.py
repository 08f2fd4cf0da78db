"""The matrix of conditions and ranges, and what holds of every range."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.conditions import Decision, decide, http_date

ETAG = "5eb63bbbe01eeed0"
MADE = 1_800_000_000
SIZE = 1000
BEFORE, SINCE, AFTER = (http_date(MADE + offset) for offset in (-1, 0, 1))


def decided(method="GET", **fields):
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return decide(method, named, etag=ETAG, size=SIZE, modified=MADE)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"if_match": f'"{ETAG}"'}, 200),
        ({"if_match": f'"other", "{ETAG}"'}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": f'W/"{ETAG}"'}, 412),  # compared strongly
        ({"if_match": '"other"'}, 412),
        ({"if_match": "malformed"}, 412),
        ({"if_unmodified_since": SINCE}, 200),
        ({"if_unmodified_since": BEFORE}, 412),
        ({"if_unmodified_since": "no date"}, 200),
        ({"if_match": f'"{ETAG}"', "if_unmodified_since": BEFORE}, 200),  # If-Match decides alone
        ({"if_none_match": f'"{ETAG}"'}, 304),
        ({"if_none_match": f'W/"{ETAG}"'}, 304),  # compared weakly
        ({"if_none_match": f'"a,b", W/"c" , "{ETAG}"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_none_match": ETAG}, 200),  # no entity tag without its quotes
        ({"if_none_match": f'"{ETAG.upper()}"'}, 200),
        ({"if_modified_since": SINCE}, 304),
        ({"if_modified_since": AFTER}, 304),
        ({"if_modified_since": BEFORE}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_none_match": '"other"', "if_modified_since": AFTER}, 200),  # If-None-Match decides alone
        ({"if_match": '"other"', "if_none_match": f'"{ETAG}"'}, 412),  # the first condition that fails
        ({"if_none_match": f'"{ETAG}"', "range": "bytes=0-9"}, 304),
        ({"if_match": '"other"', "range": "bytes=0-9"}, 412),
        ({"if_none_match": f'"{ETAG}"', "range": "bytes=5000-"}, 304),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_are_judged_in_their_order(method, fields, status):
    assert decided(method, **fields).status == status


@pytest.mark.parametrize(
    ("value", "decision"),
    [
        ("bytes=0-0", Decision(206, 0, 1)),
        ("bytes=10-19", Decision(206, 10, 20)),
        ("bytes=990-", Decision(206, 990, 1000)),
        ("bytes=0-", Decision(206, 0, 1000)),
        ("bytes=-1", Decision(206, 999, 1000)),
        ("bytes=-5000", Decision(206, 0, 1000)),
        ("bytes=0-99999999999999999999999999", Decision(206, 0, 1000)),
        ("bytes=0-" + "9" * 5000, Decision(206, 0, 1000)),
        ("bytes=0000-0009", Decision(206, 0, 10)),
        ("Bytes=0-9", Decision(206, 0, 10)),
        ("bytes= 0 - 9 ", Decision(206, 0, 10)),
        ("bytes=1000-", Decision(416)),
        ("bytes=" + "9" * 5000 + "-", Decision(416)),
        ("bytes=-0", Decision(416)),
        ("bytes=20-10", Decision(416)),
        ("bytes=", Decision(200)),
        ("bytes=-", Decision(416)),
        ("bytes=a-b", Decision(416)),
        ("bytes=0x1-2", Decision(416)),
        ("bytes=١-٢", Decision(416)),  # digits elsewhere, not in a header
        ("bytes=0-1,2-3", Decision(200)),  # several: the whole
        ("bytes=0-1,5000-", Decision(206, 0, 2)),  # of several, one can be satisfied
        ("bytes=5000-,6000-", Decision(416)),
        ("seconds=0-9", Decision(200)),
        ("bytes", Decision(200)),
        ("", Decision(200)),
    ],
)
def test_ranges(value, decision):
    assert decided(range=value) == decision
    assert decided("HEAD", range=value) == Decision(200)


@pytest.mark.parametrize(
    ("before", "status"),
    [(f'"{ETAG}"', 206), (f'W/"{ETAG}"', 200), ('"other"', 200), (SINCE, 206), (AFTER, 200), (BEFORE, 200), ("no date", 200)],
)
def test_if_range_is_compared_strongly(before, status):
    assert decided(if_range=before, range="bytes=0-9").status == status
    assert decided(if_range=before, range="bytes=5000-").status == (416 if status == 206 else 200)


def test_what_is_not_stored_has_no_ranges_and_matches_no_star():
    for fields, status in [
        ({"range": "bytes=0-9"}, 200),
        ({"range": "bytes=x"}, 200),
        ({"if-none-match": "*"}, 200),
        ({"if-none-match": f'"{ETAG}"'}, 304),
        ({"if-match": '"other"'}, 412),
        ({"if-modified-since": AFTER}, 200),
    ]:
        assert decide("GET", fields, etag=ETAG, size=None).status == status


@given(first=st.integers(0, 1 << 70), length=st.integers(0, 1 << 70), size=st.integers(1, 1 << 40))
def test_a_range_is_the_slice_that_python_would_take(first, length, size):
    decision = decide("GET", {"range": f"bytes={first}-{first + length}"}, etag=ETAG, size=size)
    expected = range(size)[first : first + length + 1]
    if expected:
        assert decision == Decision(206, expected.start, expected.stop)
    else:
        assert decision.status == 416


@given(length=st.integers(0, 1 << 70), size=st.integers(1, 1 << 40))
def test_a_suffix_is_the_slice_that_python_would_take(length, size):
    decision = decide("GET", {"range": f"bytes=-{length}"}, etag=ETAG, size=size)
    assert decision == (Decision(206, max(0, size - length), size) if length else Decision(416))


HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)


@given(
    st.sampled_from(["GET", "HEAD"]),
    st.dictionaries(
        st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"]),
        HEADER | st.from_regex(r"bytes=[0-9,\- ]*", fullmatch=True) | st.just(f'"{ETAG}"') | st.just("*"),
    ),
    st.integers(1, 1 << 40) | st.none(),
    st.integers(0, 1 << 33) | st.none(),
)
def test_nothing_that_a_client_sends_makes_a_wrong_slice(method, fields, size, modified):
    decision = decide(method, fields, etag=ETAG, size=size, modified=modified)
    if decision.status == 206:
        assert method == "GET"
        assert size is not None
        assert decision.stop is not None
        assert 0 <= decision.start < decision.stop <= size
    else:
        assert (decision.start, decision.stop) == (0, None)
