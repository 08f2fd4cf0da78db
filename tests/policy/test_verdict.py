import math
import random
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.verdict import TakeCheck, Verdict

RATE = 8000
TEXT = "The quick brown fox jumps over the lazy dog."


def pcm(samples):
    return struct.pack(f"<{len(samples)}h", *samples)


def tone(seconds, amplitude=12000):
    """A note that dies away in its last tenth of a second, as speech does."""
    count = round(RATE * seconds)
    return pcm([round(amplitude * min(1, (count - n) / (RATE / 10)) * math.sin(n / 6)) for n in range(count)])


def silence(seconds, level=0):
    return pcm([level] * round(RATE * seconds))


def judged(take, text=TEXT, speed=1.0):
    check = TakeCheck(text, RATE, speed)
    return check.feed(take) or check.finish()


@pytest.mark.parametrize(
    ("take", "verdict"),
    [
        (tone(2.5), Verdict.OK),
        (silence(0.3) + tone(2.5) + silence(0.5), Verdict.OK),
        (b"", Verdict.EMPTY),
        (b"\x07", Verdict.EMPTY),
        (silence(2.5), Verdict.SILENT),
        (silence(2.5, -32768), Verdict.SILENT),
        (silence(3.5) + tone(2.5), Verdict.SILENT),
        (tone(0.3), Verdict.TOO_SHORT),
        (tone(0.3) + silence(2.2), Verdict.TOO_SHORT),
        (tone(50), Verdict.TOO_LONG),
        (pcm(random.Random(7).choices((-32768, 32767), k=RATE * 2)), Verdict.CLIPPED),
        (tone(2.5)[: 2 * RATE * 2], Verdict.CUT_OFF),
    ],
)
def test_verdicts(take, verdict):
    assert judged(take) is verdict


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("是的", 0.41),
        ("好", 0.25),
        ("OK", 0.4),
        ("6。", 0.23),
        ("1,234,567", 4.0),
        ("1" + ",000" * 8, 0.93),
        ("www.example.com/abc?x=1", 6.0),
        ("😀", 2.0),
        ("一..", 0.52),
    ],
)
def test_what_real_voices_do_is_accepted(text, seconds):
    assert judged(tone(seconds), text) is Verdict.OK


@pytest.mark.parametrize("hertz", [600, 1300, 2100])
def test_whole_waves_may_end_at_full_level(hertz):
    rate = 24000
    for text in (TEXT, "今天天气很好，我们去公园吧。", "1234567890", "a"):
        take = pcm([round(9000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(rate * len(text) // 5)])
        check = TakeCheck(text, rate)
        assert check.feed(take) is None
        assert check.finish() is Verdict.OK


def test_a_faster_voice_may_be_shorter_and_a_slower_one_longer():
    assert judged(tone(0.4), speed=4.0) is Verdict.OK
    assert judged(tone(40), speed=1.0) is Verdict.TOO_LONG
    assert judged(tone(40), speed=0.5) is Verdict.OK


def test_a_runaway_is_known_before_it_ends():
    check = TakeCheck("Hi.", RATE)
    verdicts = [check.feed(tone(1)) for _ in range(8)]
    assert verdicts[0] is None
    assert verdicts[-1] is Verdict.TOO_LONG


def test_silence_at_the_start_is_known_before_anything_needs_to_go_out():
    check = TakeCheck(TEXT, RATE)
    assert check.feed(silence(2)) is None
    assert not check.audible
    assert check.feed(silence(2)) is Verdict.SILENT


def test_the_first_sound_is_noticed():
    check = TakeCheck(TEXT, RATE)
    check.feed(silence(1))
    assert not check.audible
    check.feed(tone(0.1))
    assert check.audible


@given(st.data(), st.sampled_from([tone(2.5), tone(0.3), silence(1, 5) + tone(1.7)[:-777], silence(3.5) + tone(2), b"\x01" * 999]))
def test_the_same_verdict_however_the_take_is_chunked(data, take):
    marks = sorted(data.draw(st.lists(st.integers(0, len(take)), max_size=6)))
    check = TakeCheck(TEXT, RATE)
    for start, stop in pairwise([0, *marks, len(take)]):
        check.feed(take[start:stop])
    whole = TakeCheck(TEXT, RATE)
    whole.feed(take)
    assert check.finish() is whole.finish()
