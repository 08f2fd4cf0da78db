from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.command.supervisor import FIRST_PAUSE_S, HEALTHY_S, LONGEST_PAUSE_S, pause_before_restart

lives = st.floats(0, 1e6)
pauses = st.floats(FIRST_PAUSE_S, LONGEST_PAUSE_S)


def test_doubles_from_a_tenth_of_a_second_to_five_seconds():
    pause, seen = 0.0, []
    for _ in range(8):
        pause = pause_before_restart(pause, lived=0.0)
        seen.append(round(pause, 3))
    assert seen == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@given(pauses, st.floats(HEALTHY_S, 1e6))
def test_a_healthy_life_is_forgiven(pause, lived):
    assert pause_before_restart(pause, lived) == FIRST_PAUSE_S


@given(st.just(0.0) | pauses, lives)
def test_never_at_once_and_never_long(pause, lived):
    assert FIRST_PAUSE_S <= pause_before_restart(pause, lived) <= LONGEST_PAUSE_S


@given(pauses, st.floats(0, HEALTHY_S, exclude_max=True))
def test_never_shorter_after_an_early_death(pause, lived):
    assert pause_before_restart(pause, lived) >= pause
