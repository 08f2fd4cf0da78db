"""Encoders on FFmpeg (PyAV): PCM in, the bytes of a format out as they come.

The same PCM gives the same bytes however it is cut into chunks: whatever arrives is fed on in blocks of 20 ms, and bit-exact
mode leaves out what would differ between runs and FFmpeg's versions (serial numbers, tags). The output cannot seek, so the
lengths in WAV and FLAC headers are unknown while streaming; `finished` fills them in.

FFmpeg releases the GIL while it filters and encodes.
"""

from __future__ import annotations

import ctypes
import math
import struct
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.frame import AudioFrame
    from av.filter.graph import Graph

    from edge.ports import Encoder
    from shared.keys import RenditionRecipe

BLOCKS_PER_SECOND: Final = 50


class _Form(NamedTuple):
    codec: str
    muxer: str
    options: dict[str, str] = {}  # noqa: RUF012 - read only


_FORMS: Final[dict[str, _Form]] = {
    # The Xing header could not be filled in afterwards; ID3 would say nothing.
    "mp3": _Form("libmp3lame", "mp3", {"write_xing": "0", "id3v2_version": "0"}),
    # Microseconds. The muxer keeps one page back: 40 ms make the first sound come out after 100 ms (a second by default), and
    # cost half of the overhead that a page for every packet would.
    "opus": _Form("libopus", "ogg", {"page_duration": "40000"}),
    "aac": _Form("aac", "adts"),
    # No padding for tags to come: it would be 8 KiB.
    "flac": _Form("flac", "flac", {"metadata_header_padding": "0"}),
    "wav": _Form("pcm_s16le", "wav"),
    "pcm": _Form("pcm_s16le", "s16le"),
}


class FFmpegEncoders:
    """Makes encoders. The first call imports PyAV (0.1 s)."""

    def make(self, recipe: RenditionRecipe, sample_rate: int) -> Encoder:
        if recipe.format == "pcm" and recipe.sample_rate == sample_rate and recipe.stretch == 1.0:
            return Untouched()
        return FFmpegEncoder(recipe, sample_rate)

    def finished(self, recipe: RenditionRecipe, head: bytes, size: int, samples: int) -> bytes:
        """`head` with its length fields filled in: `size` bytes in all, `samples` as the encoder counted them."""
        match recipe.format:
            case "wav":
                data = head.index(b"data") + 8
                filled = bytearray(head)
                struct.pack_into("<I", filled, 4, size - 8)
                struct.pack_into("<I", filled, data - 4, size - data)
                return bytes(filled)
            case "flac":
                # STREAMINFO follows "fLaC" and its own header of 4 bytes; 10 bytes in: rate (20 bits), channels (3), depth (5),
                # samples (36), as one big-endian number (RFC 9639 §8.2).
                filled = bytearray(head)
                (field,) = struct.unpack_from(">Q", filled, 18)
                struct.pack_into(">Q", filled, 18, field >> 36 << 36 | samples)
                return bytes(filled)
            case _:
                return head


class Untouched:
    """PCM that is wanted as it is."""

    def __init__(self) -> None:
        self._bytes = 0

    @property
    def samples(self) -> int:
        return self._bytes // 2

    def encode(self, pcm: bytes) -> bytes:
        self._bytes += len(pcm)
        return pcm

    def finish(self) -> bytes:
        return b""

    def close(self) -> None: ...


class FFmpegEncoder:
    """One rendition's encoder: blocks, then FFmpeg's atempo (the pace, not the pitch), resampler, codec and muxer."""

    def __init__(self, recipe: RenditionRecipe, sample_rate: int) -> None:
        av = _av()
        form = _FORMS[recipe.format]
        self.samples = 0
        """Samples encoded so far, at the recipe's rate: exact in FLAC, which writes them down; mp3 and aac pad."""
        self._rate = sample_rate
        self._block = 2 * max(1, sample_rate // BLOCKS_PER_SECOND)
        self._pending = bytearray()
        self._fed = 0
        self._sink = _Sink()
        self._graph = _tempo(recipe.stretch, sample_rate) if recipe.stretch != 1.0 else None
        options = {"fflags": "+bitexact", "flush_packets": "1", **form.options}
        self._container = av.open(self._sink, "w", format=form.muxer, container_options=options)
        self._stream = self._container.add_stream(
            form.codec, rate=recipe.sample_rate, options={"flags": "+bitexact"}, layout="mono"
        )
        if recipe.bitrate is not None:
            self._stream.bit_rate = recipe.bitrate
        self._container.start_encoding()  # so that even audio without a sample has its header

    def encode(self, pcm: bytes) -> bytes:
        self._pending += pcm
        whole = len(self._pending) // self._block * self._block
        for start in range(0, whole, self._block):
            self._feed(bytes(self._pending[start : start + self._block]))
        del self._pending[:whole]
        return self._sink.take()

    def finish(self) -> bytes:
        self._feed(bytes(self._pending[: len(self._pending) & ~1]))
        self._pending.clear()
        if self._graph is not None:
            for frame in _through(self._graph, None):
                self._encode(frame)
        self._encode(None)
        self._container.close()
        return self._sink.take()

    def close(self) -> None:
        # Closing twice is harmless to PyAV; one that was not finished writes its trailer into a sink that nobody reads.
        self._container.close()
        self._graph = None
        self._pending.clear()
        self._sink.take()

    def _feed(self, pcm: bytes) -> None:
        if not pcm:
            return
        frame = _av().AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._fed
        frame.planes[0].update(pcm)
        self._fed += frame.samples
        for tempered in (frame,) if self._graph is None else _through(self._graph, frame):
            self._encode(tempered)

    def _encode(self, frame: AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self.samples += packet.duration or 0
            self._container.mux(packet)


class _Sink:
    """What the muxer writes to. It has no `seek`: PyAV then tells the muxer that it cannot."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def _tempo(stretch: float, sample_rate: int) -> Graph:
    """A filter graph that speaks `stretch` times as fast."""
    # atempo takes 0.5 to 100, but skips samples above 2 instead of blending them: two steps do 0.25 to 4.
    steps = (stretch,) if 0.5 <= stretch <= 2.0 else (math.sqrt(stretch),) * 2  # noqa: PLR2004 - atempo's own bounds
    graph: Graph = _av().filter.Graph()
    nodes = [graph.add_abuffer(sample_rate=sample_rate, format="s16", layout="mono")]
    nodes += [graph.add("atempo", repr(step)) for step in steps]
    graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
    return graph


def _through(graph: Graph, frame: AudioFrame | None) -> Iterator[AudioFrame]:
    """What comes out of `graph` when `frame` goes in; None: the rest."""
    av = _av()
    graph.push(frame)
    while True:
        try:
            yield cast("AudioFrame", graph.pull())
        except (av.BlockingIOError, av.EOFError):  # wants more, or is done
            return


@cache
def _av() -> Any:  # noqa: ANN401 - a module
    """PyAV, imported by who encodes, so that an edge starts without it."""
    import av  # noqa: PLC0415 - 0.1 s

    # PyAV resamples in a filter graph for each encoder, and FFmpeg starts a thread per core for every graph, up to 16, which
    # have nothing to do here: 2,000 flights would be 32,000 idle threads. PyAV has no switch for it; FFmpeg has, per process.
    ctypes.CDLL(av._core.__file__).av_cpu_force_count(1)  # noqa: SLF001 - any of PyAV's extensions leads to libavutil
    return av
