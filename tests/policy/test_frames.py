"""Frames: however the bytes are cut, whatever is wrong with them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64

from shared.errors import BadTake, OriginError, RefrainError
from shared.frames import MAX_FRAME, FrameReader, TakeReader, error_frame, pack, recipe_from_wire, recipe_to_wire
from shared.keys import TakeRecipe
from shared.wire_pb2 import End, Frame, Start

PCM = bytes(range(256)) * 4
START = Frame(start=Start(sample_rate=24_000, revision="r1"))
SOUND = Frame(pcm=PCM)
END = Frame(end=End(samples=len(PCM) // 2, xxh3=xxh3_64(PCM).intdigest(), verdict="ok"))


def varint(number):
    return bytes([*(number >> shift & 0x7F | 0x80 for shift in (0, 7)), number >> 14])


def read(frames, revision="r1"):
    take = TakeReader("origin", revision)
    pcm = b"".join(take.feed(frame) for frame in frames)
    return take, pcm


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(1, 50), min_size=1))
def test_frames_come_out_as_they_went_in_however_they_are_cut(contents, cuts):
    stream = b"".join(pack(Frame(segment=number, pcm=pcm)) for number, pcm in enumerate(contents))
    reader, out, at, turn = FrameReader("origin"), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        out += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert [(frame.segment, frame.pcm) for frame in out] == list(enumerate(contents))


@given(st.binary(max_size=200))
def test_noise_is_an_error_of_the_origin_s_at_worst(data):
    with suppress(RefrainError):
        for frame in FrameReader("origin").feed(data):
            TakeReader("origin", "r1").feed(frame)


def test_a_frame_that_announces_too_much_is_refused_before_it_is_read():
    with pytest.raises(OriginError):
        list(FrameReader("origin").feed(varint(MAX_FRAME + 1)))


def test_a_take_is_its_pcm_and_its_end():
    take, pcm = read([START, SOUND, END])
    assert (take.ended, take.sample_rate, take.verdict, pcm) == (True, 24_000, "ok", PCM)
    assert not read([START, SOUND])[0].ended


@pytest.mark.parametrize(
    "frames",
    [
        [SOUND],
        [END],
        [START, START],
        [START, SOUND, END, SOUND],
        [START, SOUND, END, END],
        [Frame()],
        [Frame(start=Start(sample_rate=0, revision="r1"))],
        [START, SOUND, SOUND, END],
        [START, Frame(pcm=PCM[::-1]), END],
    ],
)
def test_what_is_out_of_order_or_miscounted_is_refused(frames):
    with pytest.raises(OriginError):
        read(frames)


def test_another_revision_is_a_mismatch():
    with pytest.raises(OriginError) as raised:
        read([START], revision="r2")
    assert raised.value.code == "revision_mismatch"


def test_an_error_frame_is_the_error_that_the_origin_had():
    frame = error_frame(0, BadTake("It is silent.", retry_after=2.0))
    with pytest.raises(BadTake) as raised:
        read([START, frame])
    assert (raised.value.code, raised.value.source, raised.value.retry_after) == ("bad_take", "origin", 2.0)
    frame.error.code = "from_the_future"
    with pytest.raises(OriginError) as raised:
        read([frame])
    assert raised.value.code == "origin_failed"


@given(
    st.builds(
        TakeRecipe,
        text=st.text(st.characters(exclude_categories=["Cs"])),
        language=st.just("en"),
        revision=st.just("r"),
        voice=st.just("v"),
        seed=st.none() | st.integers(0, 2**63 - 1),
        speed=st.floats(0.25, 4.0),
    )
)
def test_a_recipe_survives_the_wire(recipe):
    assert recipe_from_wire(recipe_to_wire(recipe)) == recipe
