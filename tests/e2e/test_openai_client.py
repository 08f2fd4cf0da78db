"""The `openai` package, as it comes, against a real edge: what people already have works."""

import base64
import io
import json

import av
import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI, UnprocessableEntityError
from processes import eventually, running_up

TEXT = "The next train is on time. 下一班车准点。"
CODECS = {"mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "pcm_s16le"}
PADDED = ("mp3", "aac")
HEAD = 64
"""Bytes in which WAV and FLAC say how long they are; that is unknown while they are streamed."""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with running_up(tmp_path_factory.mktemp("up")) as it:
        yield it


@pytest.fixture
def client(up):
    with OpenAI(base_url=f"{up.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def pcm_seconds(up):
    answer = httpx.post(f"{up.url}/v1/audio/speech", json={"input": TEXT, "response_format": "pcm"}, timeout=60)
    return len(answer.content) / 2 / 24_000


def decoded(data):
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.name, stream.sample_rate, samples / stream.sample_rate


def hit(client, **fields):
    """The stored answer, once there is one: it is stored while its last bytes are on their way."""
    answer = client.audio.speech.with_raw_response.create(**fields)
    return answer.content if "hit" in answer.headers["cache-status"] else None


@pytest.mark.parametrize("form", CODECS)
def test_every_format_decodes_to_what_was_said(client, pcm_seconds, form):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="nova", input=TEXT, response_format=form
    ) as streamed:
        said = b"".join(streamed.iter_bytes())
    stored = eventually(lambda: hit(client, model="tts-1", voice="alloy", input=TEXT, response_format=form))
    codec, rate, seconds = decoded(said)
    assert codec in (CODECS[form], f"{CODECS[form]}float", "mp3float")
    assert rate == {"opus": 48_000}.get(form, 22_050)
    assert seconds == pytest.approx(pcm_seconds, abs=0.1) if form in PADDED else seconds == pytest.approx(pcm_seconds, rel=0.02)
    assert stored[HEAD:] == said[HEAD:]
    assert (stored[:HEAD] == said[:HEAD]) == (form not in ("wav", "flac"))


@pytest.mark.parametrize("form", [*CODECS, "pcm"])
def test_events_carry_the_same_bytes_and_end_with_done(client, form):
    asked = {"model": "tts-1", "voice": "alloy", "input": f"Events carry {form}.", "response_format": form}
    with client.audio.speech.with_streaming_response.create(**asked, stream_format="sse") as streamed:
        events = [json.loads(line[6:]) for line in streamed.iter_lines() if line.startswith("data: ")]
    deltas = [event for event in events if event["type"] == "speech.audio.delta"]
    said = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    stored = eventually(lambda: hit(client, **asked))
    assert (len(said), said[HEAD:]) == (len(stored), stored[HEAD:])
    assert events[-1]["type"] == "speech.audio.done"


def test_pcm_is_24_khz_and_the_same_streamed_and_stored(client, pcm_seconds):
    asked = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm"}
    with client.audio.speech.with_streaming_response.create(**asked) as streamed:
        said = b"".join(streamed.iter_bytes())
    assert client.audio.speech.create(**asked).content == said
    with av.open(io.BytesIO(said), format="s16le", options={"sample_rate": "24000"}) as container:
        samples = sum(frame.samples for frame in container.decode(container.streams.audio[0]))
    assert samples / 24_000 == pytest.approx(pcm_seconds)


def test_speed_changes_the_length(client):
    def seconds(speed):
        fields = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "wav", "speed": speed}
        return decoded(client.audio.speech.create(**fields).content)[2]

    assert 0.35 * seconds(0.5) < seconds(1.0) < 0.65 * seconds(0.5)
    assert seconds(2.0) < 0.75 * seconds(1.0)


def test_models_are_listed_and_named_by_their_aliases(client):
    names = {model.id for model in client.models.list()}
    assert {"espeak", "tts-1", "tts-1-hd", "gpt-4o-mini-tts"} <= names


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"input": ""}, BadRequestError, "empty_text"),
        ({"input": "。！？"}, BadRequestError, "empty_text"),
        ({"input": "a\0b"}, BadRequestError, "bad_text"),
        ({"model": "gpt-9"}, NotFoundError, "unknown_model"),
        ({"voice": "nobody"}, UnprocessableEntityError, "unknown_voice"),
        ({"response_format": "ogg"}, BadRequestError, "bad_value"),
        ({"speed": 9.0}, BadRequestError, "bad_value"),
        ({"extra_body": {"dialect": "klingon"}}, UnprocessableEntityError, "unknown_dialect"),
        ({"extra_body": {"cache_tags": ["a b"]}}, BadRequestError, "bad_tag"),
    ],
)
def test_errors_come_as_the_client_knows_them(client, fields, error, code):
    asked = {"model": "tts-1", "voice": "alloy", "input": TEXT} | fields
    with pytest.raises(error) as raised:
        client.audio.speech.create(**asked)
    assert raised.value.code == code
    assert "Traceback" not in raised.value.response.text
