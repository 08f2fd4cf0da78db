"""The breaker of a shortcut: how many calls a store that hangs can cost."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.policy.breaker import Breaker


def test_closed_it_lets_everything_through():
    breaker = Breaker()
    assert all(breaker.allows(now) for now in (0.0, 0.0, 5.0))


def test_after_a_failure_nothing_for_a_second_then_one_at_a_time():
    breaker = Breaker(rest_s=1.0)
    breaker.failed(10.0)
    assert not breaker.allows(10.0)
    assert not breaker.allows(10.99)
    assert breaker.allows(11.0)
    assert not breaker.allows(11.2)
    breaker.failed(11.25)
    assert not breaker.allows(12.2)
    assert breaker.allows(12.25)
    breaker.succeeded()
    assert breaker.allows(12.26)
    assert breaker.allows(12.26)


def test_a_probe_that_was_cancelled_blocks_nobody_for_long():
    breaker = Breaker(rest_s=1.0)
    breaker.failed(10.0)
    assert breaker.allows(11.0)
    assert not breaker.allows(11.99)
    assert breaker.allows(12.0)


@given(st.lists(st.floats(0, 60), min_size=1))
def test_a_store_that_only_fails_is_called_at_most_once_a_second(times):
    breaker, calls = Breaker(rest_s=1.0), []
    for now in sorted(times):
        if breaker.allows(now):
            calls.append(now)
            breaker.failed(now)
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(calls))
