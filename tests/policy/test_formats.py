import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.formats import FORMATS, Resolved, resolve
from shared.errors import BadRequest

TAKE_RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000])
ASKED_RATES = st.sampled_from([None, 8000, 16000, 22050, 24000, 32000, 44100, 48000])


@pytest.mark.parametrize(
    ("name", "take_rate", "rate"),
    [
        ("pcm", 22050, 24000),
        ("opus", 22050, 48000),
        ("mp3", 22050, 22050),
        ("aac", 24000, 24000),
        ("flac", 22050, 22050),
        ("wav", 44100, 44100),
        ("mp3", 23000, 24000),
        ("mp3", 96000, 48000),
        ("wav", 96000, 96000),
    ],
)
def test_the_rate_when_none_is_asked_for(name, take_rate, rate):
    assert resolve(name, take_rate).sample_rate == rate


def resolved_or_refused(*args):
    try:
        return resolve(*args), None
    except BadRequest as refusal:
        return None, refusal


@given(st.sampled_from(sorted(FORMATS)), TAKE_RATES, ASKED_RATES, st.none() | st.integers(8000, 320_000))
def test_what_is_asked_for_is_what_comes_or_is_refused_by_name(name, take_rate, sample_rate, bitrate):
    resolved, refusal = resolved_or_refused(name, take_rate, sample_rate, bitrate)
    if refusal:
        assert refusal.code == "bad_value"
        assert {"sample_rate": sample_rate, "bitrate": bitrate}[refusal.param] is not None
    else:
        assert sample_rate in (None, resolved.sample_rate)
        assert resolved.bitrate is None or bitrate in (None, resolved.bitrate)
        assert (resolved.bitrate is None) == (name in ("flac", "wav", "pcm"))


@pytest.mark.parametrize("name", ["flac", "wav", "pcm"])
def test_a_bitrate_where_there_is_none_is_ignored_and_said(name):
    assert resolve(name, 24000, bitrate=64000) == Resolved(24000, None, ("bitrate",))


@pytest.mark.parametrize(
    ("name", "sample_rate", "bitrate", "param"),
    [
        ("opus", 22050, None, "sample_rate"),
        ("opus", 44100, None, "sample_rate"),
        ("opus", None, 320_000, "bitrate"),
        ("mp3", 24000, 320_000, "bitrate"),
        ("mp3", 8000, 128_000, "bitrate"),
        ("mp3", 48000, 65_000, "bitrate"),
        ("aac", 8000, 64_000, "bitrate"),
        ("aac", 24000, 8_000, "bitrate"),
    ],
)
def test_what_a_codec_cannot_do_is_refused(name, sample_rate, bitrate, param):
    with pytest.raises(BadRequest) as refused:
        resolve(name, 24000, sample_rate, bitrate)
    assert (refused.value.code, refused.value.param) == ("bad_value", param)


def test_the_default_bitrate_fits_the_lowest_rate():
    assert resolve("aac", 24000, 8000) == Resolved(8000, 48_000)
    assert resolve("mp3", 24000, 8000) == Resolved(8000, 64_000)


def test_the_ladders_of_mp3_begin_at_their_rates():
    assert resolve("mp3", 24000, 32000, 320_000).bitrate == 320_000
    assert resolve("mp3", 24000, 16000, 160_000).bitrate == 160_000


def test_media_types():
    assert [FORMATS[name].media_type for name in ("mp3", "opus", "aac", "flac", "wav", "pcm")] == [
        "audio/mpeg",
        "audio/ogg",
        "audio/aac",
        "audio/flac",
        "audio/wav",
        "audio/pcm",
    ]
