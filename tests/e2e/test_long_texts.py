"""A text of 10,000 characters: made no faster than it is heard, held nowhere, and the same when it is asked for again."""

import re
import socket
from pathlib import Path

import httpx
import pytest
from processes import eventually, running_up

SENTENCES = 250
TEXT = " ".join(f"Here is number {number:03} of my 250 sentences." for number in range(SENTENCES))
HEADER = 64
"""Bytes that hold the header, and its length fields."""
LOOKAHEAD = 8
"""Segments."""
GROWTH = 40 << 20
"""Bytes that the edge's peak memory may grow by: a third of the audio."""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with running_up(tmp_path_factory.mktemp("up"), "--engine", "tone") as it:
        yield it


@pytest.fixture(scope="module")
def client(up):
    # A listener who has read less has at most this much more on the way to it.
    narrow = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)])
    with httpx.Client(base_url=up.url, transport=narrow, timeout=30) as client:
        client.post("/v1/audio/speech", json=speech("Warm up. Twice."))
        yield client


def speech(text):
    return {"input": text, "response_format": "wav"}


def peak(up):
    """Bytes of memory that the edge has had at most."""
    (edge,) = up.region()["edges"]
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{edge['pid']}/status").read_text())[1]) << 10


def synthesised(client, up):
    """How many segments the origin has run, once that stays the same for half a second."""
    (origin,) = up.region()["origins"]
    seen = []

    def stays():
        metrics = client.get(f"{origin['url']}/metrics").text
        seen.append(sum(map(float, re.findall(r"^refrain_origin_segments_total\{.*} (.*)$", metrics, re.MULTILINE))))
        return len(set(seen[-25:])) == 1 and len(seen) >= 25

    eventually(stays)
    return seen[-1]


def test_it_is_made_as_it_is_heard_held_nowhere_and_found_again(up, client, tmp_path):
    before, memory = synthesised(client, up), peak(up)
    heard = tmp_path / "heard.wav"
    ahead = []
    with client.stream("POST", "/v1/audio/speech", json=speech(TEXT)) as answer, heard.open("wb") as file:
        pieces = answer.iter_raw()
        for pause_at in (1, 2_000_000, 4_000_000):
            while file.tell() < pause_at:
                file.write(next(pieces))
            ahead.append((file.tell(), synthesised(client, up) - before))
        for piece in pieces:
            file.write(piece)
        address = answer.headers["content-location"]
    size = heard.stat().st_size
    assert size > 90_000_000
    assert synthesised(client, up) - before == SENTENCES
    for read, segments in ahead:
        assert segments <= read / size * SENTENCES + 1 + LOOKAHEAD

    eventually(lambda: "etag" in client.head(address).headers)
    equal_but_for_lengths(client, address, heard)
    middle = client.get(address, headers={"range": "bytes=50000001-50300000"})
    with heard.open("rb") as file:
        file.seek(50_000_001)
        assert (middle.status_code, middle.content) == (206, file.read(300_000))
    assert peak(up) - memory < GROWTH


def equal_but_for_lengths(client, address, heard):
    """The stored audio, compared with what was heard: `RIFF`, length, format, `data`, length, samples."""
    size = heard.stat().st_size
    with client.stream("GET", address) as answer, heard.open("rb") as file:
        assert int(answer.headers["content-length"]) == size
        pieces = answer.iter_raw(1 << 20)
        first, streamed = next(pieces), file.read(1 << 20)
        data = first.index(b"data", 0, HEADER) + 8
        assert first[:4] + first[8 : data - 4] == streamed[:4] + streamed[8 : data - 4]
        assert int.from_bytes(first[4:8], "little") == size - 8
        assert int.from_bytes(first[data - 4 : data], "little") == size - data
        assert first[data:] == streamed[data:]
        for piece in pieces:
            assert piece == file.read(len(piece))
        assert file.read() == b""
