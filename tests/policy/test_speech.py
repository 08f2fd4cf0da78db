"""The speech request: what is refused, with which code, about which field."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.speech import FIELDS, parse, parse_query


def body(**fields):
    return json.dumps({"input": "hello"} | fields).encode()


def test_what_openai_clients_send_is_understood():
    request, unknown = parse(body(model="tts-1", voice="alloy", response_format="opus", speed=1.25, instructions="softly"))
    assert (request.input, request.voice, request.response_format, request.speed) == ("hello", "alloy", "opus", 1.25)
    assert unknown == ()


def test_null_is_left_out_and_unknown_fields_are_named():
    request, unknown = parse(body(voice=None, seed=None, pitch=3, **{"new\nline": 1}))
    assert request.voice == ""
    assert unknown == ("new?line", "pitch")


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        (b"", "bad_json", None),
        (b"{", "bad_json", None),
        (b"[]", "bad_json", None),
        (b'"hello"', "bad_json", None),
        (b'{"input": "\xff"}', "bad_json", None),
        (b"[" * 100_000, "bad_json", None),
        (b'{"input": NaN}', "bad_json", None),
        (b'{"input": "\\ud800"}', "bad_text", "input"),
        (b'{"input": "a\\udc00b"}', "bad_text", "input"),
        (b"{}", "bad_value", "input"),
        (body(**{f"x{n}": n for n in range(64)}), "bad_request", None),
        (body(input=1), "bad_value", "input"),
        (body(input=["a"]), "bad_value", "input"),
        (body(model=""), "bad_value", "model"),
        (body(response_format="ogg"), "bad_value", "response_format"),
        (body(speed=0.2), "bad_value", "speed"),
        (body(speed=4.1), "bad_value", "speed"),
        (body(speed="fast"), "bad_value", "speed"),
        (body(seed=-1), "bad_value", "seed"),
        (body(seed=1 << 63), "bad_value", "seed"),
        (body(sample_rate=11025), "bad_value", "sample_rate"),
        (body(bitrate=1), "bad_value", "bitrate"),
        (body(stream_format="ws"), "bad_value", "stream_format"),
        (body(segmentation="word"), "bad_value", "segmentation"),
        (body(delivery="pigeon"), "bad_value", "delivery"),
        (body(no_store="yes"), "bad_value", "no_store"),
        (body(cache_tags="news"), "bad_tag", "cache_tags"),
        (body(cache_tags=[1]), "bad_tag", "cache_tags"),
        (body(cache_tags=["a b"]), "bad_tag", "cache_tags"),
        (body(cache_tags=["a\n"]), "bad_tag", "cache_tags"),
        (body(cache_tags=[""]), "bad_tag", "cache_tags"),
        (body(cache_tags=["x" * 65]), "bad_tag", "cache_tags"),
        (body(cache_tags=["x"] * 17), "bad_tag", "cache_tags"),
        (body(cache_tags=["x"] * 10_000), "bad_tag", "cache_tags"),
    ],
)
def test_a_bad_request_says_which_field_and_why(data, code, param):
    with pytest.raises(BadRequest) as raised:
        parse(data)
    assert (raised.value.code, raised.value.param) == (code, param)


@pytest.mark.parametrize(
    ("field", "value", "choices"),
    [
        ("response_format", "ogg", "mp3, opus, aac, flac, wav, pcm"),
        ("stream_format", "ws", "audio, sse"),
        ("segmentation", "word", "sentence, clause, off"),
        ("sample_rate", 11025, "8000, 16000, 22050, 24000, 32000, 44100, 48000"),
        ("delivery", "pigeon", "audio, url, redirect"),
    ],
)
def test_who_chose_what_there_is_not_is_told_what_there_is(field, value, choices):
    with pytest.raises(BadRequest, match=f": ask for one of {choices}\\.$"):
        parse(body(**{field: value}))


def test_as_many_fields_as_a_header_can_name_are_let_through():
    assert len(parse(body(**{f"x{n}": n for n in range(63)}))[1]) == 63


def test_sixteen_good_tags_are_kept():
    tags = [f"News.{n}:en-US_{n}" for n in range(16)]
    assert list(parse(body(cache_tags=tags))[0].cache_tags) == tags


def test_a_query_asks_the_same_in_text():
    request, unknown = parse_query([("input", "hello"), ("speed", "1.5"), ("no_store", "true"), ("cache_tags", "a,b"), ("x", "1")])
    assert (request.speed, request.no_store, request.cache_tags, unknown) == (1.5, True, ("a", "b"), ("x",))
    with pytest.raises(BadRequest):
        parse_query([("input", "hello"), ("input", "again")])


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.binary(max_size=60) | st.recursive(values, st.lists).map(json.dumps).map(str.encode))
def test_whatever_comes_is_a_request_or_a_bad_request(data):
    with suppress(BadRequest):
        parse(data)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), values))
def test_whatever_the_fields_are_it_is_a_request_or_a_bad_request(fields):
    with suppress(BadRequest):
        request, _ = parse(json.dumps(fields).encode())
        assert 0.25 <= request.speed <= 4
