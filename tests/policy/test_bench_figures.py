"""The benches' own sums: a figure that is wrong is worse than none."""

import gzip
import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import corpora, imports
from bench.client import Reply, outcome
from bench.load import Sample, arrivals
from bench.report import percentiles
from bench.savings import Made, Pass, Plan, account
from bench.verify import Faults, sound

METRICS = """\
# HELP refrain_origin_segments_total Runs of the engine, once each.
refrain_origin_segments_total{model="espeak",outcome="ok"} 12.0
refrain_origin_segments_total{model="espeak",outcome="bad_take"} 1.0
refrain_origin_joins_total 7.0
refrain_origin_audio_seconds_total 34.5
"""


def reply(body=b"", status=200, **headers):
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("cache_status", "said"),
    [
        ("refrain; hit; detail=memory", "memory"),
        ("refrain; fwd=miss; stored", "miss"),
        ("refrain; fwd=miss; collapsed", "collapsed"),
        ("refrain; fwd=bypass", "bypass"),
        ("cdn; fwd=uri-miss, refrain; hit; detail=valkey", "valkey"),
        ("cdn; hit", "none"),
        ("", "none"),
    ],
)
def test_an_outcome_is_what_our_member_of_cache_status_says(cache_status, said):
    assert outcome(cache_status) == said
    assert reply(cache_status=cache_status).outcome == said
    assert reply(status=503, cache_status=cache_status).outcome == "503"


@given(st.lists(st.floats(0, 100), min_size=1))
def test_percentiles_are_latencies_that_somebody_had(seconds):
    figures = percentiles(seconds)
    assert set(figures.values()) <= {round(value * 1000, 3) for value in seconds}
    assert figures["p50"] <= figures["p90"] <= figures["p99"] <= figures["max"] == round(max(seconds) * 1000, 3)


def test_percentiles_of_a_hundred():
    assert percentiles(n / 1000 for n in range(1, 101)) == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert percentiles([]) == {}


@given(st.floats(0.5, 1000), st.integers(0, 2**32))
def test_arrivals_come_in_order_and_at_the_rate(rate, seed):
    at = arrivals(rate, 2000, random.Random(seed))
    assert at == sorted(at)
    assert len(at) == 2000
    assert at[-1] == pytest.approx(2000 / rate, rel=0.2)


def test_a_stream_and_its_stored_copy_differ_in_the_header_alone():
    stream = b"RIFF\xff\xff\xff\xffWAVEfmt \x00data\xff\xff\xff\xffabcd"
    assert sound(stream, "wav") == sound(b"RIFF\x0c\x00\x00\x00WAVEfmt \x00data\x04\x00\x00\x00abcd", "wav") == b"abcd"
    blocks = b"\x00\x00\x00\x02xx" + b"\x84\x00\x00\x03yyy"
    assert sound(b"fLaC" + blocks + b"frames", "flac") == b"frames"
    assert sound(b"data1234", "mp3") == b"data1234"


def test_a_header_that_never_ends_is_no_endless_loop():
    assert sound(b"fLaC\x00\x00\x00\x00", "flac") == b""


def test_faults_are_answers_that_were_refused_and_bytes_that_changed():
    faults = Faults("mp3")
    faults.look_at(reply(b"one", content_location="/v1/audio/a"))
    faults.look_at(reply(b"one", content_location="/v1/audio/a"))
    faults.look_at(reply(b"two", content_location="/v1/audio/b"))
    assert not faults
    assert faults.addresses == ["/v1/audio/a", "/v1/audio/b"]
    faults.look_at(reply(b"three", content_location="/v1/audio/b"))
    assert faults.different == {"/v1/audio/b"}
    faults.look_at(reply(b"full", status=503))
    faults.look_at(reply(b"EOFError", status=0))
    assert faults.refused == {"503: full": 1, "broken off: EOFError": 1}
    assert faults


def test_what_origins_made_is_summed_and_subtracted():
    before, after = Made.parse([METRICS]), Made.parse([METRICS, METRICS.replace("12.0", "20.0")])
    assert before == Made(Counter(ok=12, bad_take=1), 34.5)
    assert after.since(before) == Made(Counter(ok=20, bad_take=1), 34.5)
    assert not before.since(before).runs


def test_characters_are_synthesised_once():
    """A segment that two misses share, and one that a hit repeats, cost once; the second pass costs nothing."""
    plans = [Plan(7, {"a": 3, "b": 4}), Plan(8, {"b": 4, "c": 4}), Plan(7, {"a": 3, "b": 4})]
    cold = Pass(samples("miss", "miss", "memory"), Made(Counter(ok=3), 1.0), 2.0)
    warm = Pass(samples("memory", "valkey", "object"), Made(Counter(), 0.0), 1.0)
    first, second = account([cold, warm], plans, "pcm")
    assert first["characters"] == {"asked": 22, "synthesised": 11, "saved": 11}
    assert first["segments"] == {"asked": 6, "fresh": 3}
    assert first["audio_s"] == {"answered": 3.0, "synthesised": 1.0, "saved": 2.0}
    assert (first["hit_ratio"], first["misses"], first["runs"]) == (0.3333, 2, {"ok": 3})
    assert second["characters"] == {"asked": 22, "synthesised": 0, "saved": 22}
    assert second["hits"] == {"memory": 1, "valkey": 1, "object": 1}
    assert second["hit_ratio"] == 1.0
    assert account([cold, cold], plans, "pcm")[1]["segments"]["fresh"] == 0
    assert account([cold], plans, "opus")[0]["audio_s"]["saved"] is None


def test_an_answer_that_was_refused_is_neither_hit_nor_miss():
    refused = Pass(samples("422"), Made(Counter(unspeakable=1), 0.0), 1.0)
    (figures,) = account([refused], [Plan(3, {"a": 3})], "pcm")
    assert (figures["hit_ratio"], figures["misses"], figures["other"]) == (0.0, 0, {"422": 1})


def test_a_corpus_is_any_file_in_its_own_order(tmp_path):
    lines = [{"lang": "en", "text": "One."}, {"lang": "zh", "text": "二。"}, {"lang": "en", "text": "Three."}]
    written = "\n".join(map(json.dumps, lines))
    (tmp_path / "a.jsonl").write_text(written)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(written.encode()))
    (tmp_path / "c.txt").write_text("One.\n\n二。\nThree.\n")
    for name in ("a.jsonl", "b.jsonl.gz", "c.txt"):
        assert corpora.choose((str(tmp_path / name),), 2) == {name: ["One.", "二。"]}


@pytest.mark.parametrize("content", ["", '{"lang": "en"}', "{", "[]"])
def test_what_has_no_texts_is_named(tmp_path, content):
    (tmp_path / "bad.jsonl").write_text(content)
    with pytest.raises(corpora.NoTexts, match=r"bad\.jsonl"):
        corpora.choose((str(tmp_path / "bad.jsonl"),), None)
    with pytest.raises(corpora.NoTexts, match="nowhere"):
        corpora.choose(("nowhere",), None)


def test_imports_are_read_from_among_the_logs():
    said = [
        "import time: self [us] | cumulative | imported package",
        "import time:       250 |       1500 |   numpy.core",
        '{"event": 1}',
    ]
    found = imports.parse(said)
    assert found == [("numpy.core", 0.25, 1.5)]
    assert imports.among(found, ("torch", "numpy")) == ["numpy"]
    assert imports.among(found, ("torch", "num")) == []


def samples(*outcomes):
    return [Sample(outcome, 48_000, 0.01, 0.02) for outcome in outcomes]
