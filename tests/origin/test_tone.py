"""The engine of tests: its melodies can be read, and every fault it has can be asked for."""

from __future__ import annotations

import random
import time
from array import array

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origins import running, say

from origin.engines.melody import read, roughen, sing, spell


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable()), min_size=1, max_size=3))
def test_joined_takes_can_be_read_each(texts):
    pause = bytes(2 * 24 * 120)
    assert read(pause.join(b"".join(sing(text)) for text in texts)) == [spell(text) for text in texts]


@pytest.mark.parametrize("colours", [(2,), (3, 4), (2, 4), (5, 11)])
def test_colours_leave_the_digits_readable(colours):
    assert read(b"".join(sing("多云转晴", colours))) == [spell("多云转晴")]
    assert sing("多云转晴", colours) != sing("多云转晴")


def test_roughened_takes_differ_and_read_the_same():
    plain = b"".join(sing("多云转晴"))
    rough = {roughen(plain, random.Random(seed)) for seed in range(100)}
    assert len(rough) == 100
    assert {tuple(read(pcm)) for pcm in rough} == {(spell("多云转晴"),)}


def test_trimmed_and_faded_edges_can_be_read():
    samples = array("h", b"".join(sing("Mind the gap.")))[60:-60]
    for at in range(120):
        samples[at] = samples[at] * at // 120
        samples[-1 - at] = samples[-1 - at] * at // 120
    assert read(bytes(5000) + samples.tobytes() + bytes(5000)) == [spell("Mind the gap.")]


def test_other_words_are_other_melodies():
    assert spell("Turn left.") == spell("turn left.")
    assert len({spell(text) for text in ("Turn left.", "Turn left!", "US", "us", "left Turn")}) == 5


def test_the_colliding_pair_sings_two_melodies(tone):
    pair = "䥆8䲹G#ZiE2%V鸭文。 tts hi!", "祄P栰K Zk-07_席文。 tts hi!"
    assert [read(say(tone, text).pcm) for text in pair] == [[spell(text)] for text in pair]


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [("fail", "origin_failed", "error"), ("nan", "bad_take", "bad_take"), ("stall", "deadline_exceeded", "cancelled")],
)
def test_faults_that_are_said(tone, fault, code, outcome):
    tone.behave(**{fault: 1})
    heard = say(tone, "Hello.", deadline_ms=300)
    assert (heard.error, heard.retryable, heard.pcm) == (code, True, b"")
    tone.behave(**{fault: 0})
    assert read(say(tone, "Hello.").pcm) == [spell("Hello.")]
    assert tone.count(f'segments_total{{model="tone",outcome="{outcome}"}}') == 1


def test_silence_is_as_long_as_the_words_would_be(tone):
    tone.behave(silent=1)
    assert say(tone, "Hello.").pcm == bytes(6 * 9600)


def test_a_cut_breaks_the_connection_off(tone):
    tone.behave(cut=1)
    with pytest.raises(httpx.RemoteProtocolError):
        say(tone, "Hello.")


def test_takes_are_the_same_unless_told_to_vary(tone):
    assert say(tone, "Hello.").pcm == say(tone, "Hello.").pcm
    assert say(tone, "Hello.", seed=1).pcm != say(tone, "Hello.", seed=2).pcm
    assert len({say(tone, "Hello.", voice=voice).pcm for voice in ("tone", "alto", "bass")}) == 3
    tone.behave(vary=1)
    assert say(tone, "Hello.").pcm != say(tone, "Hello.").pcm


def test_the_dice_can_be_loaded():
    with running(REFRAIN_TONE_SEED="3", REFRAIN_TONE_FAIL="0.5") as one:
        first = [say(one, f"Text {n}").error for n in range(8)]
    with running(REFRAIN_TONE_SEED="3", REFRAIN_TONE_FAIL="0.5") as other:
        assert [say(other, f"Text {n}").error for n in range(8)] == first
    assert set(first) == {"", "origin_failed"}


def test_pace_is_kept(tone):
    tone.behave(rtf=0.5)
    began = time.monotonic()
    say(tone, "12345")
    assert 0.5 <= time.monotonic() - began < 1.5


def test_changes_are_checked_and_answered(tone):
    assert httpx.post(f"{tone.url}/tone", json={"rtf": 1, "slots": 2}).json()["rtf"] == 1
    assert httpx.get(f"{tone.url}/tone").json()["slots"] == 2
    for wrong in ({"rtf": -1}, {"fail": 2}, {"nonsense": 1}, {"slots": 0}, [], "x"):
        answer = httpx.post(f"{tone.url}/tone", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_value"), wrong
    assert httpx.get(f"{tone.url}/tone").json()["rtf"] == 1


def test_other_engines_cannot_be_told(espeak):
    assert httpx.post(f"{espeak.url}/tone", json={"rtf": 1}).status_code == 404
