"""Audio over HTTP: stored, evicted, in the making."""

import json
import re
import socket

import pytest
from fakes import RATE, FakeOrigin, voice
from served import problem, spoken

from edge.policy.conditions import http_date
from shared.errors import CODES
from shared.trace import current

HELLO = voice("hello")
STORED = {"etag", "last-modified", "age", "accept-ranges", "content-length"}


def timeless(headers):
    return {name: value for name, value in headers.items() if name not in ("date", "age")}


def test_a_miss_is_made_stored_and_found_again(edge):
    miss = edge.post("a miss")
    assert (miss.status_code, miss.content) == (200, voice("a miss"))
    assert miss.headers["cache-control"] == "no-store"
    assert miss.headers["cache-status"] == "refrain; fwd=miss; stored"
    assert miss.headers["transfer-encoding"] == "chunked"
    assert miss.headers["content-type"] == "audio/pcm"
    assert not STORED & set(miss.headers)
    path = miss.headers["content-location"]
    assert re.fullmatch(r"/v1/audio/[0-9a-f]{40}", path)
    edge.stored("a miss")
    hit = edge.post("a miss")
    assert (hit.status_code, hit.content) == (200, miss.content)
    assert set(hit.headers) >= STORED
    assert hit.headers["content-location"] == path
    assert hit.headers["cache-status"] == "refrain; hit; detail=memory"
    assert hit.headers["cache-control"] == "public, max-age=31536000, immutable"
    got = edge.get(path)
    assert (got.status_code, got.content, got.headers["etag"]) == (200, miss.content, hit.headers["etag"])
    assert edge.stage.origins[0].runs["a miss"] == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"range": "bytes=0-99"}, 206),
        ({"range": "bytes=-100"}, 206),
        ({"range": "bytes=100-"}, 206),
        ({"range": "bytes=0-1,4-5"}, 200),
        ({"range": "seconds=0-1"}, 200),
        ({"range": "bytes=99999999-"}, 416),
        ({"if_none_match": "ETAG"}, 304),
        ({"if_none_match": "W/ETAG"}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"x"'}, 200),
        ({"if_match": '"x"'}, 412),
        ({"if_match": "ETAG"}, 200),
        ({"if_modified_since": http_date(1 << 32)}, 304),
        ({"if_unmodified_since": http_date(0)}, 412),
        ({"if_range": "ETAG", "range": "bytes=0-9"}, 206),
        ({"if_range": "W/ETAG", "range": "bytes=0-9"}, 200),
        ({"if_none_match": "ETAG", "range": "bytes=0-9"}, 304),
        ({"cache_control": "no-cache", "range": "bytes=0-9"}, 206),
        ({"cache_control": "only-if-cached"}, 200),
    ],
)
def test_the_matrix_of_a_stored_answer(edge, headers, status):
    path = edge.stored()
    whole = edge.get(path)
    headers = {name: value.replace("ETAG", whole.headers["etag"]) for name, value in headers.items()}
    got, head = edge.get(path, **headers), edge.head(path, **headers)
    assert got.status_code == status
    assert head.content == b""
    if status in (200, 304, 412):
        assert head.status_code == status
        assert timeless(head.headers) == timeless(got.headers)
    if status == 206:
        first, last, size = map(int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", got.headers["content-range"]).groups())
        assert size == len(whole.content)
        assert got.content == whole.content[first : last + 1]
        assert int(got.headers["content-length"]) == len(got.content)
        assert got.headers["etag"] == whole.headers["etag"]
    if status == 304:
        assert got.content == b""
        assert set(got.headers) >= {"etag", "cache-control", "content-location", "date", "age"}
    if status == 412:
        assert problem(got)["code"] == "precondition_failed"
    if status == 416:
        assert problem(got)["code"] == "range_not_satisfiable"
        assert got.headers["content-range"] == f"bytes */{len(whole.content)}"


def test_post_answers_no_condition_and_no_range(edge):
    etag = edge.get(edge.stored()).headers["etag"]
    for headers in ({"if-none-match": etag}, {"if-match": '"x"'}, {"range": "bytes=0-9"}, {"range": "bytes=99999999-"}):
        said = edge.post(headers=headers)
        assert (said.status_code, said.content) == (200, HELLO)


def test_speech_by_get_has_ranges_once_it_is_stored(edge):
    query = {"input": "by get", "response_format": "pcm", "sample_rate": RATE, "cache_tags": "a,b"}
    with edge.client() as client:
        assert client.get("/v1/audio/speech", params=query, headers={"range": "bytes=0-9"}).content == voice("by get")
        edge.stored("by get")
        part = client.get("/v1/audio/speech", params=query, headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, voice("by get")[:10])


def test_speech_by_get_can_be_turned_off(served):
    edge = served(speech_by_get=False)
    said = edge.get("/v1/audio/speech?input=x")
    assert (said.status_code, said.headers["allow"]) == (405, "POST")


def test_an_evicted_key_answers_head_and_its_etag_without_synthesis(served):
    edge = served()
    path = edge.stored()
    etag = edge.get(path).headers["etag"]
    edge.evict(path)
    head = edge.head(path)
    assert head.status_code == 200
    assert not {"etag", "content-length"} & set(head.headers)
    assert (head.headers["content-type"], head.headers["cache-control"]) == ("audio/pcm", "no-store")
    same = edge.get(path, if_none_match=etag)
    assert (same.status_code, same.headers["etag"]) == (304, etag)
    assert edge.get(path, if_match='"x"').status_code == 412
    assert problem(edge.get(path, cache_control="only-if-cached"))["code"] == "not_cached"
    assert edge.runs == 1
    again = edge.get(path, range="bytes=0-9", if_none_match='"x"')
    assert (again.status_code, again.content) == (200, HELLO)
    assert not STORED & set(again.headers)
    assert edge.runs == 2


def test_no_store_is_made_anew_and_kept_nowhere(edge):
    for fields, headers in (({"no_store": True}, {}), ({}, {"cache-control": "no-store"})):
        before = edge.runs
        said = edge.post("not to be kept", headers=headers, **fields)
        assert said.headers["cache-status"] == "refrain; fwd=bypass"
        assert edge.runs == before + 1
        assert "content-location" not in said.headers
        assert not any("not to be kept" in str(value) for value in edge.store.values.values())


def test_only_if_cached_is_504_on_a_miss(edge):
    before = edge.runs
    said = edge.post("never said before", headers={"cache-control": "only-if-cached"})
    assert (said.status_code, problem(said)["code"]) == (504, "not_cached")
    assert edge.runs == before


def test_an_address_comes_before_the_audio(served):
    origin = FakeOrigin(rtf=1.0)
    edge = served(origin, public_audio_base="https://cdn.example/")
    said = edge.post("an address", delivery="url")
    path = said.headers["content-location"]
    assert said.json() == {"url": f"https://cdn.example{path}", "key": path.rpartition("/")[2]}
    moved = edge.post("an address", delivery="redirect")
    assert (moved.status_code, moved.headers["location"]) == (303, f"https://cdn.example{path}")
    assert edge.get(path).content == voice("an address")
    assert origin.runs["an address"] == 1


@pytest.mark.parametrize("fields", [{"no_store": True}, {"stream_format": "sse"}])
def test_what_has_no_address_is_not_delivered_by_one(edge, fields):
    said = edge.post(delivery="url", **fields)
    assert (said.status_code, problem(said)["param"]) == (400, "delivery")


def test_what_is_ignored_is_named(edge):
    said = edge.post("ignored", instructions="slowly", pitch=3)
    assert said.headers["refrain-ignored"] == "pitch, instructions"
    fallen = edge.post("ignored", dialect="yue", dialect_fallback=True)
    assert fallen.headers["refrain-dialect"] == "none"


def test_a_plan_costs_no_synthesis(edge):
    edge.stored("One.")
    before = edge.runs
    with edge.client() as client:
        plan = client.post("/v1/audio/plan", json=spoken("One. Two.")).json()
    assert [(segment["text"], segment["cached"]) for segment in plan["segments"]] == [("One.", True), ("Two.", False)]
    assert (plan["cached"], plan["model"], plan["voice"]) == (False, "fake", "one")
    assert plan["url"] == f"/v1/audio/{plan['key']}"
    assert edge.runs == before


@pytest.mark.parametrize("fault", ["fail", "unspeakable", "overloaded"])
def test_a_failure_before_the_first_byte_is_a_problem(served, fault):
    edge = served(FakeOrigin(script=[fault] * 5))
    said = edge.post()
    body = problem(said)
    assert body["code"] in CODES
    assert said.status_code == CODES[body["code"]].status
    assert body["retryable"] is CODES[body["code"]].retryable
    if said.status_code == 503:
        assert int(said.headers["retry-after"]) >= 1


def test_a_trace_goes_through_and_the_text_is_in_no_log(edge):
    trace = "0af7651916cd43dd8448eb211c80319c"
    said = edge.post("a secret text", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert said.headers["refrain-trace-id"] == trace
    line = edge.logged(trace_id=trace)
    assert (line["route"], line["status"], line["cache"], line["characters"]) == ("/v1/audio/speech", 200, "miss", 13)
    assert (line["bytes"], line["complete"]) == (len(said.content), True)
    assert said.headers["content-location"].endswith(line["key"])
    assert "secret" not in repr(edge.lines)


def test_origins_are_asked_under_the_trace_of_who_asked_first(served):
    class Traced(FakeOrigin):
        def synthesize(self, recipe, key, token):
            traces.append(current.get())
            return super().synthesize(recipe, key, token)

    traces = []
    edge = served(Traced())
    with edge.client() as client:
        for at, text in enumerate(("one", "two")):
            fields = {"traceparent": f"00-{str(at + 1) * 32}-{'6' * 16}-01"}
            client.post("/v1/audio/speech", json=spoken(text), headers=fields).raise_for_status()
    assert traces == ["1" * 32, "2" * 32]


def test_metrics_have_the_contract_s_names_and_labels(served):
    edge = served()
    edge.stored()
    edge.post()
    edge.get("/nowhere")
    text = edge.get("/metrics").text
    assert 'refrain_edge_requests_total{cache="hit",route="/v1/audio/speech",status="200"} 1.0' in text
    assert re.search(r'refrain_edge_requests_total\{[^}]*route="other"[^}]*\} 1.0', text)
    assert "refrain_edge_first_byte_seconds_bucket" in text


def test_http_1_0_gets_what_is_stored_and_no_chunks_that_might_break_off_unseen(edge):
    body = json.dumps(spoken("an old protocol")).encode()
    head = b"POST /v1/audio/speech HTTP/1.0\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)

    def ask():
        with socket.create_connection(("127.0.0.1", edge.settings.port), timeout=10) as connection:
            connection.sendall(head + body)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    refused = ask()
    assert b" 505 " in refused.split(b"\r\n")[0]
    assert b'"bad_version"' in refused
    edge.stored("an old protocol")
    assert b" 200 " in ask().split(b"\r\n")[0]
