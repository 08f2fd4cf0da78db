"""Answers that are made while they are sent: they flow, break visibly, and end when nobody listens."""

import base64
import json
import socket

import httpx
import openai
import pytest
from fakes import FakeOrigin, voice
from processes import eventually
from served import raw, spoken

LONG = "a sentence that is long enough to be heard while it is made"


def request(**fields):
    body = json.dumps(spoken(LONG, **fields)).encode()
    return raw("POST", "/v1/audio/speech", f"Content-Length: {len(body)}", body=body)


def test_bytes_flow_from_the_first_frame(served):
    origin = FakeOrigin(rtf=0.2)
    edge = served(origin)
    with edge.client() as client, client.stream("POST", "/v1/audio/speech", json=spoken(LONG)) as said:
        chunks = said.iter_raw()
        first = next(chunks)
        assert origin.running[LONG] == 1
        assert first + b"".join(chunks) == voice(LONG)


def test_those_who_join_say_so(served):
    edge = served(FakeOrigin(rtf=0.1))
    with edge.client() as client, client.stream("POST", "/v1/audio/speech", json=spoken(LONG)) as first:
        joined = edge.post(LONG)
        assert joined.headers["cache-status"] == "refrain; fwd=miss; collapsed"
        assert joined.content == first.read() == voice(LONG)
    assert edge.runs == 1


def test_a_cut_answer_has_no_last_chunk(served):
    edge = served(FakeOrigin(rtf=0.01, script=["cut"] * 9))
    got, closed = edge.talk(request())
    assert closed
    assert got.startswith(b"HTTP/1.1 200")
    assert b"\r\n0\r\n" not in got
    with pytest.raises(httpx.RemoteProtocolError):
        edge.post(LONG)
    line = edge.logged(event="request", complete=False)
    assert (line["status"], line["code"]) == (200, "origin_cut")
    assert 'refrain_edge_broken_total{code="origin_cut",route="/v1/audio/speech"}' in edge.get("/metrics").text


def test_a_stored_answer_whose_store_fails_is_shorter_than_announced(served):
    edge = served(FakeOrigin())
    text = "x" * 700  # longer than the store's first read
    path = edge.stored(text)
    size = int(edge.head(path).headers["content-length"])
    edge.push_out(path)
    address = next(name for name in edge.store.values if name.startswith("rendition/") and path.rpartition("/")[2] in name)
    value = bytearray(edge.store.values[address])
    value[len(value) * 2 // 3] ^= 1  # behind what is verified before the answer begins
    edge.store.values[address] = bytes(value)
    got, closed = edge.talk(raw("GET", path))
    head, _, body = got.partition(b"\r\n\r\n")
    assert closed
    assert b"200 OK" in head
    assert b"content-length: %d" % size in head
    assert 0 < len(body) < size
    assert edge.logged(event="request", complete=False, code="internal")


def test_the_origin_stops_when_the_only_client_leaves(served):
    origin = FakeOrigin(rtf=1.0)
    edge = served(origin)
    with edge.client() as client, client.stream("POST", "/v1/audio/speech", json=spoken(LONG + ". More. " * 50)) as said:
        next(said.iter_raw())
    eventually(lambda: edge.lifecycle.in_flight == 0, within=2)
    assert len(edge.stage.renditions) == 0


def test_a_client_who_leaves_before_the_first_byte_is_counted_as_499(served):
    origin = FakeOrigin(script=["stall"])
    edge = served(origin)
    with socket.create_connection(("127.0.0.1", edge.settings.port)) as at:
        at.sendall(request())
        eventually(lambda: origin.running[LONG] == 1)
    assert edge.logged(event="request", status=499)
    eventually(lambda: origin.running[LONG] == 0, within=2)


def test_the_others_still_hear_all_of_it(served):
    origin = FakeOrigin(rtf=0.2)
    edge = served(origin)
    with edge.client() as client, client.stream("POST", "/v1/audio/speech", json=spoken(LONG)) as stays:
        with edge.client() as other, other.stream("POST", "/v1/audio/speech", json=spoken(LONG)) as leaves:
            next(leaves.iter_raw())
        assert stays.read() == voice(LONG)
    assert origin.runs[LONG] == 1


def events(edge, text, **fields):
    with (
        edge.client() as client,
        client.stream("POST", "/v1/audio/speech", json=spoken(text, stream_format="sse", **fields)) as said,
    ):
        assert said.headers["content-type"] == "text/event-stream"
        for line in said.iter_lines():
            if line:
                yield json.loads(line.removeprefix("data: "))


def test_events_carry_the_audio_live_and_stored(edge):
    for _ in range(2):
        *deltas, done = events(edge, "as events")
        assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
        assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == voice("as events")
        assert done == {"type": "speech.audio.done", "usage": {"input_tokens": 9, "output_tokens": 0, "total_tokens": 9}}
        edge.stored("as events")


def test_events_that_break_off_say_why_and_have_no_end(served):
    edge = served(FakeOrigin(rtf=0.01, script=["cut"] * 9))
    heard = []
    with pytest.raises(httpx.RemoteProtocolError):
        heard.extend(event for event in events(edge, LONG) if heard.append(event))
    assert heard[0]["type"] == "speech.audio.delta"
    assert heard[-1]["error"]["code"] == "origin_cut"


def test_the_openai_client_speaks_and_reads_errors(edge):
    with openai.OpenAI(base_url=f"{edge.url}/v1", api_key="none", max_retries=0) as client:
        said = client.audio.speech.create(
            model="tts-1", voice="one", input="openai", response_format="pcm", extra_body={"sample_rate": 8000}
        )
        assert said.content == voice("openai")
        with pytest.raises(openai.NotFoundError) as wrong:
            client.audio.speech.create(model="no-such", voice="one", input="openai")
        assert (wrong.value.code, wrong.value.param, wrong.value.type) == ("unknown_model", "model", "invalid_request_error")
        assert [model.id for model in client.models.list()] == ["fake"]


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_what_is_not_kept_has_no_address(edge, stream_format):
    assert "content-location" in edge.post("kept", stream_format=stream_format).headers
    assert "content-location" not in edge.post("not kept", stream_format=stream_format, no_store=True).headers
