"""The look-ahead: bounded by what is heard, and never at a standstill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.failures import LIFE_S, MOST, Failures
from edge.policy.lookahead import Lookahead, Pace
from shared.errors import Unsupported

takes = st.lists(st.tuples(st.integers(1, 200), st.floats(0.1, 40.0)), min_size=1, max_size=40)


@given(takes, st.integers(1, 8), st.floats(1.0, 60.0))
def test_a_listener_who_goes_on_hearing_hears_all_and_never_more_than_the_bound_is_ahead(segments, most, seconds):
    pace = Pace(Lookahead(seconds, most))
    started, made, heard, position = [], 0, 0, 0
    while heard < len(segments):
        while len(started) < len(segments) and pace.may_start():
            pace.started(segments[len(started)][0])
            started.append(None)
        assert len(started) - heard <= most
        assert len(started) > heard, "nothing runs, and nothing may start"
        if made < len(started):
            characters, length = segments[made]
            position += int(length * 1000)
            made += 1
            pace.made(characters, length, position)
        if made == len(started):
            heard += 1
            pace.heard(sum(int(length * 1000) for _, length in segments[:heard]))


def test_seconds_bound_the_start_even_where_segments_do_not():
    pace = Pace(Lookahead(10.0, 100))
    for position in range(1, 4):
        assert pace.may_start()
        pace.started(10)
        pace.made(10, 4.0, position)
    assert not pace.may_start()
    assert pace.heard(1)
    assert pace.may_start()
    assert not pace.heard(1)


def test_a_failure_is_remembered_for_a_second_and_no_longer():
    failures, ident = Failures(), ("key", "fingerprint")
    failures.check(ident, 0.0)
    failures.note(ident, Unsupported("It cannot be said.", code="unspeakable"), 100.0)
    for now in (100.0, 100.0 + LIFE_S - 0.01):
        with pytest.raises(Unsupported):
            failures.check(ident, now)
    failures.check(ident, 100.0 + LIFE_S)
    failures.check(ident, 100.1)


def test_what_is_remembered_is_bounded():
    failures = Failures()
    for number in range(MOST + 10):
        failures.note((str(number), ""), Unsupported("no"), 0.0)
    failures.check(("0", ""), 0.0)  # forgotten
