import math
import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.policy.join import FADE_MS, PAUSES_MS, REST_MS, Joiner, pauses
from shared.segments import Ending

RATE = 8000
QUIET = 255


def pcm(samples):
    return struct.pack(f"<{len(samples)}h", *samples)


def samples(data):
    return struct.unpack(f"<{len(data) // 2}h", data)


def tone(ms, hertz=200, amplitude=12000, phase=0.5):
    """Sound that begins and ends in the middle of a wave, by default."""
    return [round(amplitude * math.sin(2 * math.pi * hertz * n / RATE + phase)) for n in range(RATE * ms // 1000)]


def silence(ms, level=0):
    return [level if n % 2 else -level for n in range(RATE * ms // 1000)]


def joined(takes, rests, cut=lambda take: [take]):
    """What comes out, take by take, of chunks that `cut` makes of each."""
    joiner = Joiner(RATE, rests)
    out = bytearray()
    for n, take in enumerate(takes):
        if n:
            out += joiner.next_take()
        for chunk in cut(take):
            out += joiner.feed(chunk)
    return bytes(out + joiner.finish())


def quiet_runs(data):
    """Lengths in ms of the quiet stretches inside of `data`."""
    loud = [n for n, sample in enumerate(samples(data)) if not -256 <= sample <= QUIET]
    return [(after - before - 1) * 1000 / RATE for before, after in pairwise(loud) if after - before > RATE * 30 // 1000]


def steepest(values):
    return max((abs(after - before) for before, after in pairwise(values)), default=0)


takes_of_noise = st.lists(
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from([0, 100, 3000, 32767])), max_size=4).map(
        lambda parts: pcm([level if n % 3 else -level for length, level in parts for n in range(length)])
    ),
    min_size=1,
    max_size=4,
)


@given(st.data(), takes_of_noise)
def test_the_same_bytes_however_the_takes_are_chunked(data, takes):
    rests = tuple(data.draw(st.sampled_from(sorted(PAUSES_MS.values()))) for _ in takes[1:])

    def cut(take):
        marks = sorted(data.draw(st.lists(st.integers(0, len(take)), max_size=5)))
        return [take[a:b] for a, b in pairwise([0, *marks, len(take)])]

    assert joined(takes, rests, cut) == joined(takes, rests)


@given(st.lists(st.binary(max_size=50)))
def test_a_request_of_one_segment_passes_untouched_at_once(chunks):
    joiner = Joiner(RATE, ())
    assert [joiner.feed(chunk) for chunk in chunks] == chunks
    assert joiner.finish() == b""


@pytest.mark.parametrize("ending", sorted(PAUSES_MS))
@pytest.mark.parametrize("edges", [(0, 0), (5, 5), (300, 500), (0, 200), (40, 0)])
def test_a_joint_has_the_pause_that_the_punctuation_asks_for_and_no_more(ending, edges):
    tail, lead = edges
    rests = pauses([ending, Ending.FULL_STOP])
    takes = [pcm(tone(200) + silence(tail, 90)), pcm(silence(lead, 90) + tone(200))]
    (run,) = quiet_runs(joined(takes, rests))
    # Where sound runs up to the edge, the fade makes its last samples quiet too.
    assert rests[0] <= run <= rests[0] + FADE_MS
    assert 60 <= run <= 700


@settings(deadline=None)
@given(st.integers(60, 400), st.floats(0, 6.28), st.integers(0, 40), st.integers(0, 40))
def test_no_step_at_a_joint_is_above_those_inside_the_takes(hertz, phase, tail, lead):
    before = tone(150, hertz, 30000, phase) + silence(tail)
    after = silence(lead) + tone(150, hertz, 30000, phase + 1)
    inside = max(steepest(before), steepest(after))
    assert steepest(samples(joined([pcm(before), pcm(after)], (160,)))) <= inside + 2  # rounding


def test_the_outer_edges_stay_as_they_are():
    first = silence(100, 50) + tone(100)
    last = tone(100) + silence(100, 50)
    out = joined([pcm(first), pcm(tone(50)), pcm(last)], (160, 160))
    assert out.startswith(pcm(first[: -RATE * FADE_MS // 1000]))
    assert out.endswith(pcm(last[RATE * FADE_MS // 1000 :]))


def test_a_silence_inside_a_take_stays():
    take = tone(50) + silence(300) + tone(50)
    out = joined([pcm(take), pcm(take)], (160,))
    assert quiet_runs(out) == pytest.approx([300, 160, 300], abs=FADE_MS + 1)


def test_sound_is_held_back_no_longer_than_a_fade():
    joiner = Joiner(RATE, (400,))
    fade = RATE * FADE_MS // 1000
    assert joiner.feed(pcm(tone(100))) == pcm(tone(100)[:-fade])
    joiner.next_take()
    assert len(joiner.feed(pcm(tone(100)))) == 2 * (RATE * 400 // 1000 - 0 + len(tone(100)) - fade)


def test_a_take_without_a_sound_does_not_double_the_pause():
    out = joined([pcm(tone(100)), pcm(silence(500)), pcm(tone(100))], (400, 650))
    assert quiet_runs(out) == pytest.approx([650], abs=FADE_MS)


def test_every_ending_has_its_pause():
    assert set(PAUSES_MS) == set(Ending)


def test_the_shortest_pause_has_room_for_what_stays_of_both_edges():
    assert min(PAUSES_MS.values()) >= 2 * REST_MS
    assert all(60 <= pause <= 700 for pause in PAUSES_MS.values())


def test_no_pause_after_the_last_segment():
    assert pauses([]) == ()
    assert pauses([Ending.FULL_STOP]) == ()
    assert pauses([Ending.CLAUSE, Ending.FULL_STOP]) == (PAUSES_MS[Ending.CLAUSE],)


def test_more_takes_than_were_announced_are_an_error():
    joiner = Joiner(RATE, (400,))
    joiner.next_take()
    with pytest.raises(StopIteration):
        joiner.next_take()
