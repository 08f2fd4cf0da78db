"""The port Encoders, on FFmpeg."""

import io
import math
import os
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.adapters.encode import FFmpegEncoders
from edge.policy.formats import FORMATS, resolve
from shared.keys import RenditionRecipe

ENCODERS = FFmpegEncoders()
CODECS = {"mp3": "mp3float", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "pcm_s16le"}
TAKE_RATE = 22050


def sine(seconds, rate=TAKE_RATE, hertz=440):
    count = round(seconds * rate)
    return struct.pack(f"<{count}h", *(round(12000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(count)))


def recipe(name, take_rate=TAKE_RATE, sample_rate=None, stretch=1.0):
    resolved = resolve(name, take_rate, sample_rate)
    return RenditionRecipe(
        takes=(), pauses=(), format=name, sample_rate=resolved.sample_rate, bitrate=resolved.bitrate, stretch=stretch
    )


def encoded(wanted, chunks, take_rate=TAKE_RATE):
    """All bytes, and how many samples the encoder counted."""
    encoder = ENCODERS.make(wanted, take_rate)
    try:
        return b"".join([*(encoder.encode(chunk) for chunk in chunks), encoder.finish()]), encoder.samples
    finally:
        encoder.close()


def decoded(data, wanted):
    """Codec, rate and samples of what FFmpeg reads there."""
    if wanted.format == "pcm":
        return "pcm_s16le", wanted.sample_rate, struct.unpack(f"<{len(data) // 2}h", data)
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams
        to_s16 = av.AudioResampler(format="s16", layout="mono", rate=stream.rate)
        frames = [*container.decode(stream), None]
        sound = b"".join(bytes(part.planes[0])[: 2 * part.samples] for frame in frames for part in to_s16.resample(frame))
        return stream.codec_context.name, stream.rate, struct.unpack(f"<{len(sound) // 2}h", sound)


def pitch(samples, rate):
    """Hertz, from the zero crossings of the middle half."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return sum(before < 0 <= after for before, after in pairwise(middle)) * rate / len(middle)


@pytest.mark.parametrize("stretch", [1.0, 0.25, 0.7, 1.5, 4.0])
@pytest.mark.parametrize("name", FORMATS)
def test_the_right_codec_rate_duration_and_pitch(name, stretch):
    wanted = recipe(name, stretch=stretch)
    data, count = encoded(wanted, [sine(2)])
    codec, rate, samples = decoded(ENCODERS.finished(wanted, data, len(data), count), wanted)
    assert codec == CODECS.get(name, "pcm_s16le")
    assert rate == wanted.sample_rate
    slack = 0.1 if name in ("mp3", "aac") else 0.0  # whole frames, and the codec's own start
    assert len(samples) / rate == pytest.approx(2 / stretch, rel=0.02, abs=slack)
    assert pitch(samples, rate) == pytest.approx(440, rel=0.01)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_every_format_resamples(name, rate):
    wanted = recipe(name, sample_rate=rate)
    data, _ = encoded(wanted, [sine(1)])
    _, decoded_rate, samples = decoded(data, wanted)
    assert decoded_rate == (48000 if name == "opus" else rate)  # Opus is decoded at 48 kHz, whatever went in
    assert pitch(samples, decoded_rate) == pytest.approx(440, rel=0.01)


SHORT = sine(0.13) + b"\x01"


@settings(deadline=None, max_examples=15)
@given(st.data())
@pytest.mark.parametrize("stretch", [1.0, 1.3])
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_bytes_however_the_pcm_is_chunked(name, stretch, data):
    marks = sorted(data.draw(st.lists(st.integers(0, len(SHORT)), max_size=8)))
    chunks = [SHORT[start:stop] for start, stop in pairwise([0, *marks, len(SHORT)])]
    wanted = recipe(name, stretch=stretch)
    assert encoded(wanted, chunks)[0] == encoded(wanted, [SHORT])[0]


def test_the_same_bytes_in_another_process():
    script = """
        from hashlib import sha256
        print(*(sha256(encoded(recipe(name), [sine(1)])[0]).hexdigest() for name in FORMATS))
    """
    assert in_another_process(script) == in_another_process(script)


@pytest.mark.parametrize("name", ["wav", "flac"])
def test_finished_fills_in_the_lengths_and_nothing_else(name):
    wanted = recipe(name)
    data, count = encoded(wanted, [sine(1.003)])
    head = ENCODERS.finished(wanted, data[:64], len(data), count)
    assert len(head) == 64
    if name == "wav":
        assert struct.unpack_from("<I", head, 4) == (len(data) - 8,)
        assert struct.unpack_from("<4sI", head, 36) == (b"data", len(data) - 44)
        assert head[8:36] + head[44:] == data[8:36] + data[44:64]
        assert data[4:8] == data[40:44] == b"\xff" * 4
    else:
        with av.open(io.BytesIO(head + data[64:])) as container:
            assert container.streams[0].duration == round(1.003 * TAKE_RATE)
        assert head[:21] + head[26:] == data[:21] + data[26:64]


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "pcm"])
def test_formats_without_lengths_are_finished_as_they_are(name):
    assert ENCODERS.finished(recipe(name), b"head", 1000, 1000) == b"head"


@pytest.mark.parametrize("name", ["wav", "pcm"])
def test_a_take_at_the_rate_that_is_wanted_passes_untouched(name):
    take = sine(0.5)
    data, count = encoded(recipe(name, sample_rate=TAKE_RATE), [take[:1001], take[1001:]])
    assert data[44 if name == "wav" else 0 :] == take
    assert count == len(take) // 2


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("take_rate", [22050, 24000])
def test_bytes_come_while_the_sound_comes(name, take_rate):
    wanted = recipe(name, take_rate)
    encoder = ENCODERS.make(wanted, take_rate)
    step = 2 * take_rate // 50
    took = sine(2, take_rate)
    sizes = [len(encoder.encode(took[at : at + step])) for at in range(0, len(took), step)]
    encoder.close()
    headers = 100  # bytes that say nothing of the sound
    came = [20 * (n + 1) for n, size in enumerate(sizes) if sum(sizes[: n + 1]) > headers and size]
    assert came[0] <= 120  # ms: FLAC's block of 105 is the longest
    assert max(after - before for before, after in pairwise(came)) <= 120


@pytest.mark.parametrize("name", FORMATS)
def test_sound_without_a_sample_is_no_failure(name):
    wanted = recipe(name)
    data, count = encoded(wanted, [b""])
    assert count == 0
    assert ENCODERS.finished(wanted, data, len(data), count)[:4] == {"wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}.get(
        name, b""
    )


def test_encoders_left_unfinished_keep_nothing():
    # In a process of its own, whose heap holds nothing else, and without the collector: nothing may hang in a cycle.
    script = """
        import gc
        gc.disable()
        def abandon(wanted, times):
            for _ in range(times):
                encoder = ENCODERS.make(wanted, TAKE_RATE)
                encoder.encode(SHORT)
                encoder.close()
                encoder.close()
        for name in FORMATS:
            for stretch in (1.0, 1.3):
                wanted = recipe(name, stretch=stretch)
                abandon(wanted, 20)
                grown = []
                for _ in range(5):
                    before = resident()
                    abandon(wanted, 20)
                    grown.append(resident() - before)
                print(name, stretch, min(grown))  # the heap grows by steps; a leak grows every time
    """
    lines = in_another_process(script).splitlines()
    assert len(lines) == 2 * len(FORMATS)
    assert [line for line in lines if int(line.split()[2]) >= 20 * 4096] == []  # bytes: a page for each would be a leak


def in_another_process(script):
    """What `script` prints there; it has all that is defined here."""
    path = os.pathsep.join((str(Path(__file__).parent), *sys.path))
    script = "from test_encode import *\n" + dedent(script)
    return subprocess.check_output([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, text=True)


def threads():
    return len(list(Path("/proc/self/task").iterdir()))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_encoders_start_no_threads():
    before = threads()
    encoders = [ENCODERS.make(recipe(name, stretch=1.3), TAKE_RATE) for name in FORMATS]
    for encoder in encoders:
        encoder.encode(sine(0.2))
    assert threads() == before
    for encoder in encoders:
        encoder.close()


def test_importing_the_adapter_does_not_import_pyav():
    script = "import sys, edge.adapters.encode; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
