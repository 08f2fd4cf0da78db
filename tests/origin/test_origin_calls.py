"""The origin protocol: what is asked in, what is answered with, what is refused."""

from __future__ import annotations

import base64
import json
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from google.protobuf import json_format
from origins import ask, client, frames, run, say, segment

from origin.engines.melody import read, spell
from shared.frames import CONTENT_TYPE
from shared.wire_pb2 import SynthesizeRequest

if TYPE_CHECKING:
    from origins import Running


def post(origin: Running, body: bytes, content_type: str = CONTENT_TYPE) -> httpx.Response:
    return httpx.post(f"{origin.url}/v1/synthesize", content=body, headers={"content-type": content_type})


def test_a_segment_is_start_pcm_end_in_frames_of_200_ms(tone):
    heard = say(tone, "Turn left.")
    assert read(heard.pcm) == [spell("Turn left.")]
    assert heard.frames == ["start", *["pcm"] * 10, "end"]
    assert heard.verdict == "ok"


def test_segments_of_a_call_are_tagged_and_the_first_wanted_comes_first(tone):
    tone.behave(rtf=0.2)
    texts = {7: "One two three.", 3: "Four.", 60: "Five six."}

    async def call() -> tuple[dict[int, list[str]], list[int]]:
        async with client(tone) as http:
            model = tone.model()
            wanted = [segment(model, text, index=index) for index, text in texts.items()]
            order = [frame.segment async for frame in frames(http, *wanted)]
            return {index: read(heard.pcm) for index, heard in (await ask(http, *wanted)).items()}, order

    spelled, order = run(call())
    assert spelled == {index: [spell(text)] for index, text in texts.items()}
    assert list(dict.fromkeys(order)) == list(texts)
    assert order.index(60) < len(order) - order[::-1].index(7), "interleaved, not one after the other"


def test_json_for_curl(tone):
    call = SynthesizeRequest(segments=[segment(tone.model(), "Hi", index=5)])
    answer = post(tone, json_format.MessageToJson(call).encode(), "application/json; charset=utf-8")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["segment"] for line in lines} == {5}
    assert read(b"".join(base64.b64decode(line["pcm"]) for line in lines if "pcm" in line)) == [spell("Hi")]
    assert lines[0]["start"]["sample_rate"] == 24_000
    assert lines[-1]["end"] == {"samples": "9600", "xxh3": lines[-1]["end"]["xxh3"], "verdict": "ok"}


def test_what_cannot_be_read_is_a_problem(tone):
    model = tone.model()
    one = segment(model, "Hi")
    cases = [
        (b"\xff\xff\xff", CONTENT_TYPE, 400, "bad_request"),
        (b"{", "application/json", 400, "bad_request"),
        (b"\xff", "application/json", 400, "bad_request"),
        (b'{"nonsense": 1}', "application/json", 400, "bad_request"),
        (b"", CONTENT_TYPE, 400, "bad_request"),
        (b"hi", "text/plain", 415, "bad_media_type"),
        (SynthesizeRequest(segments=[one, one]).SerializeToString(), CONTENT_TYPE, 400, "bad_request"),
        (SynthesizeRequest(segments=[{"key": "no"}]).SerializeToString(), CONTENT_TYPE, 400, "bad_key"),  # type: ignore[list-item]
        (bytes(1 << 20) + b"x", CONTENT_TYPE, 413, "body_too_large"),
        (bytes(3 << 20), CONTENT_TYPE, 413, "body_too_large"),
    ]
    for body, content_type, status, code in cases:
        answer = post(tone, body, content_type)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status), body[:40]
        assert answer.headers["content-type"] == "application/problem+json"
    assert tone.count("segments_total") == 0


def test_more_than_64_segments_are_refused(tone):
    model = tone.model()
    many = [segment(model, f"Text {index}", index=index) for index in range(65)]
    assert post(tone, SynthesizeRequest(segments=many).SerializeToString()).status_code == 400
    assert post(tone, SynthesizeRequest(segments=many[:64]).SerializeToString()).status_code == 200


@pytest.mark.parametrize(
    ("fields", "code", "retryable"),
    [
        ({"revision": "tone-0"}, "revision_mismatch", True),
        ({"dialect": "klingon"}, "unknown_dialect", False),
        ({"speed": 1.5}, "bad_value", False),
        ({"text": " "}, "empty_text", False),
        ({"text": "\x01150S quick"}, "bad_text", False),
        ({"text": "a" * 10_001}, "text_too_long", False),
    ],
)
def test_what_a_segment_cannot_have_fails_that_segment_alone(tone, fields, code, retryable):
    async def call() -> tuple[str, bool, str]:
        async with client(tone) as http:
            model = tone.model()
            heard = await ask(http, segment(model, **{"text": "Hi"} | fields, index=1), segment(model, "Fine.", index=2))
            return heard[1].error, heard[1].retryable, heard[2].verdict

    assert run(call()) == (code, retryable, "ok")
    assert tone.count(f'refused_total{{reason="{code}"}}') == 1
    assert tone.count("segments_total") == 1


def test_an_unknown_voice_digest_fails_its_segment(tone):
    wanted = segment(tone.model(), "Hi")
    wanted.recipe.voice = "nobody"

    async def call() -> str:
        async with client(tone) as http:
            return (await ask(http, wanted))[0].error

    assert run(call()) == "unknown_voice"


def test_a_dialect_told_by_instruction_is_spoken_and_said(tone):
    plain, sichuan = say(tone, "Hello."), say(tone, "Hello.", dialect="sichuan")
    assert sichuan.dialect == "sichuan"
    assert read(plain.pcm) == read(sichuan.pcm)
    assert plain.pcm != sichuan.pcm


def test_an_answer_that_is_cut_has_no_last_chunk(tone):
    """Who reads HTTP/1.1 alone, without our frames, must notice too."""
    tone.behave(cut=1)
    body = SynthesizeRequest(segments=[segment(tone.model(), "Hello there.")]).SerializeToString()
    head = f"POST /v1/synthesize HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(tone.url.removeprefix("http://").split(":"), timeout=10) as connection:  # type: ignore[arg-type]
        connection.sendall(head.encode() + body)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"transfer-encoding: chunked" in answer
    assert len(answer) > 6 * 9600
    assert not answer.endswith(b"0\r\n\r\n")
    assert tone.count('segments_total{model="tone",outcome="cut"}') == 1


def test_health_models_and_unknown_paths(tone):
    assert httpx.get(f"{tone.url}/healthz").is_success
    assert tone.model().engine == "tone"
    assert httpx.get(f"{tone.url}/v1/nothing").json()["code"] == "not_found"
    refused = httpx.get(f"{tone.url}/v1/synthesize")
    assert (refused.status_code, refused.json()["code"], refused.headers["allow"]) == (405, "method_not_allowed", "POST")
