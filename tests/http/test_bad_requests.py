"""Every bad request has a problem document with a stable code, reaches no origin, and leaves the edge as it was."""

import json

import pytest
from served import problem, raw, spoken

from shared.errors import CODES

SPEECH = "/v1/audio/speech"


def body(**fields):
    return json.dumps(spoken("hello") | fields).encode()


BAD_BODIES = [
    (b"", "bad_json"),
    (b"hello", "bad_json"),
    (b"[]", "bad_json"),
    (b"null", "bad_json"),
    (b'{"input": "a"', "bad_json"),
    (b"[" * 100_000, "bad_json"),
    ('{"input": "é"}'.encode("latin-1"), "bad_json"),
    ("﻿" + '{"input": "a"}').encode("utf-16"),
    (b'{"input": "\\ud800"}', "bad_text"),
    (body(input="a\0b"), "bad_text"),
    (body(input="a\x1bb"), "bad_text"),
    (body(input=""), "empty_text"),
    (body(input=" \n\t"), "empty_text"),
    (body(input="…!?。"), "empty_text"),
    (body(input="a" * 10_001), "text_too_long"),
    (body(input=3), "bad_value"),
    (b'{"voice": "one"}', "bad_value"),
    (body(model="no-such"), "unknown_model"),
    (body(model=""), "bad_value"),
    (body(voice="no-such"), "unknown_voice"),
    (body(dialect="no-such"), "unknown_dialect"),
    (body(response_format="midi"), "bad_value"),
    (body(speed=0.2), "bad_value"),
    (body(speed=5), "bad_value"),
    (body(speed="fast"), "bad_value"),
    (body(seed=-1), "bad_value"),
    (body(sample_rate=1), "bad_value"),
    (body(stream_format="ws"), "bad_value"),
    (body(delivery="pigeon"), "bad_value"),
    (body(segmentation="word"), "bad_value"),
    (body(cache_tags=["a b"]), "bad_tag"),
    (body(cache_tags=["a"] * 17), "bad_tag"),
    (body(cache_tags=["a" * 65]), "bad_tag"),
    (body(cache_tags="a"), "bad_tag"),
    (b" " * ((1 << 20) + 1), "body_too_large"),
]
BAD_BODIES = [case if len(case) == 2 else (case, "bad_json") for case in BAD_BODIES]


@pytest.mark.parametrize(("content", "code"), BAD_BODIES)
@pytest.mark.parametrize("path", [SPEECH, "/v1/audio/plan"])
def test_bodies(edge, path, content, code):
    before = edge.runs
    with edge.client() as client:
        said = client.post(path, content=content, headers={"content-type": "application/json"})
        assert problem(said)["code"] == code
        assert said.status_code == CODES[code].status
        assert client.get("/healthz").status_code == 200
    assert edge.runs == before


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/audio/" + "0" * 40, "unknown_key"),
        ("HEAD", "/v1/audio/" + "0" * 40, "unknown_key"),
        ("GET", "/v1/audio/" + "0" * 39, "bad_key"),
        ("GET", "/v1/audio/" + "A" * 40, "bad_key"),
        ("GET", "/v1/audio/" + "0" * 41, "bad_key"),
        ("GET", "/v1/audio/" + "0" * 40 + "%0a", "bad_key"),
        ("GET", "/v1/audio/%00", "bad_key"),
        ("GET", "/v1/audio/..%5c..", "bad_key"),
        ("GET", "/v1/audio/%2e%2e", "bad_key"),
        ("GET", "/v1/audio/%2e%2e%2fspeech", "not_found"),
        ("GET", "/v1/audio/../../etc/passwd", "not_found"),
        ("GET", "/v1/audio/%ff%fe", "bad_key"),
        ("GET", "/v1/audio/", "not_found"),
        ("GET", "/v1/audio", "not_found"),
        ("GET", "//v1/models", "not_found"),
        ("GET", "/v1/models/", "not_found"),
        ("GET", "/", "not_found"),
        ("DELETE", "/v1/models", "method_not_allowed"),
        ("PUT", SPEECH, "method_not_allowed"),
        ("HEAD", SPEECH, "method_not_allowed"),
        ("BREW", "/v1/audio/" + "0" * 40, "method_not_allowed"),
        ("POST", "/v1/audio/" + "0" * 40, "method_not_allowed"),
        ("GET", "/v1/audio/plan", "method_not_allowed"),
        ("POST", "/healthz", "method_not_allowed"),
        ("GET", SPEECH, "bad_value"),
        ("GET", SPEECH + "?input=%ff", "bad_request"),
        ("GET", SPEECH + "?input=a&input=b", "bad_value"),
        ("GET", SPEECH + "?input=a&speed=x", "bad_value"),
        ("GET", SPEECH + "?input=a" + "&x=1" * 100, "bad_request"),
        ("GET", SPEECH + "?input=%00", "bad_text"),
    ],
)
def test_paths_methods_and_queries(edge, method, path, code):
    before = edge.runs
    got, _ = edge.talk(raw(method, path, "Connection: close"))
    head, _, content = got.partition(b"\r\n\r\n")
    assert head.split()[1] == str(CODES[code].status).encode()
    assert b"content-type: application/problem+json" in head
    if method != "HEAD":
        assert json.loads(content)["code"] == code
    assert (b"\r\nallow: " in head) == (code == "method_not_allowed")
    assert edge.runs == before


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["Content-Encoding: gzip"], "bad_media_type"),
        (["Content-Encoding: deflate, gzip"], "bad_media_type"),
        (["Content-Type: text/xml"], "bad_media_type"),
        (["Content-Type: multipart/form-data; boundary=x"], "bad_media_type"),
    ],
)
def test_media_types(edge, lines, code):
    sent = body()
    got, closed = edge.talk(raw("POST", SPEECH, f"Content-Length: {len(sent)}", *lines, body=sent))
    assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == code
    assert closed


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "chunks",
    [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\r\nabc"],
)
def test_malformed_chunks_are_400_and_close(edge, chunks):
    got, closed = edge.talk(raw("POST", SPEECH, CHUNKED, body=chunks), half_close=True)
    assert got.startswith(b"HTTP/1.1 400")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert closed


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5, 6"],
        ["Content-Length: +5"],
        ["Content-Length: 5x"],
        ["Content-Length: -1"],
        ["Content-Length: 99999999999999999999999"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding : chunked"],
        ["Transfer-Encoding: identity", "Content-Length: 3"],
        ["X: a", " folded"],
        ["X: a\0b"],
        ["X: a\rb"],
    ],
)
def test_smuggling_is_400_and_closes(edge, lines):
    got, closed = edge.talk(raw("POST", SPEECH, *lines, body=b"0\r\n\r\n" + SMUGGLED))
    assert got.startswith(b"HTTP/1.1 400")
    assert got.count(b"HTTP/1.1 ") == 1
    assert closed


def test_a_length_beside_chunks_is_dropped_and_ends_the_connection(edge):
    """The server answers by the chunks alone, as RFC 9112 §6.3 lets it; what follows is never read as a request."""
    for lines in (["Content-Length: 5", CHUNKED], [CHUNKED, "Content-Length: 5"]):
        got, closed = edge.talk(raw("POST", SPEECH, *lines, body=b"2\r\n{}\r\n0\r\n\r\n" + SMUGGLED))
        assert got.count(b"HTTP/1.1 ") == 1
        assert b"\r\nconnection: close\r\n" in got
        assert closed


@pytest.mark.parametrize(
    ("host", "lines", "code"),
    [
        (None, [], "bad_host"),
        ("", [], "bad_host"),
        ("localhost", ["Host: localhost"], "bad_host"),
        ("localhost", ["Host: evil.example"], "bad_host"),
        ("evil.example", [], "bad_host"),
        ("localhost.evil.example", [], "bad_host"),
        ("localhost", ["Origin: http://evil.example"], "bad_origin"),
        ("localhost", ["Origin: null"], "bad_origin"),
        ("localhost", ["Origin: file://localhost"], "bad_origin"),
        ("localhost", ["Origin: http://localhost:3000", "Origin: http://evil.example"], "bad_origin"),
    ],
)
def test_others_hosts_and_pages_are_refused(edge, host, lines, code):
    got, closed = edge.talk(raw("GET", "/v1/models", *lines, host=host))
    assert got.startswith(f"HTTP/1.1 {CODES[code].status}".encode())
    assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == code
    assert closed


@pytest.mark.parametrize(
    ("host", "lines"),
    [("localhost:8080", []), ("127.0.0.1", []), ("[::1]:1", []), ("localhost", ["Origin: http://127.0.0.1:3000"])],
)
def test_this_machine_s_are_served(edge, host, lines):
    assert edge.talk(raw("GET", "/v1/models", *lines, "Connection: close", host=host))[0].startswith(b"HTTP/1.1 200")


def test_with_keys_any_host_is_served_but_one_there_must_be(served):
    edge = served(loopback_only=False)
    lines = ("Origin: https://app.example", "Connection: close")
    assert edge.talk(raw("GET", "/v1/models", *lines, host="tts.example"))[0].startswith(b"HTTP/1.1 200")
    assert edge.talk(raw("GET", "/v1/models", host=None))[0].startswith(b"HTTP/1.1 400")


def test_a_refused_body_is_drained_within_bounds(edge):
    """Who still writes would be reset, and never read why."""
    sent = b"x" * (4 << 20)
    for lines, content in [
        ([f"Content-Length: {len(sent)}"], sent),
        ([CHUNKED], b"%x\r\n%b\r\n0\r\n\r\n" % (len(sent), sent)),
    ]:
        got, closed = edge.talk(raw("POST", SPEECH, *lines, body=content))
        assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"
        assert closed


def test_a_bomb_is_not_read(edge):
    got, closed = edge.talk(raw("POST", SPEECH, f"Content-Length: {1 << 40}", body=b"x" * 1000))
    assert json.loads(got.partition(b"\r\n\r\n")[2])["code"] == "body_too_large"
    assert closed
    got, closed = edge.talk(raw("POST", SPEECH, "Expect: 100-continue", f"Content-Length: {2 << 20}"))
    assert got.startswith(b"HTTP/1.1 413")  # instead of 100
    assert closed


def test_heads_are_bounded(edge):
    for path, lines in [("/", ["X: " + "a" * 300_000]), ("/", ["X: a"] * 200), ("/" + "a" * 70_000, [])]:
        got, closed = edge.talk(raw("GET", path, *lines))
        assert got.split()[1] in (b"431", b"414")
        assert closed
