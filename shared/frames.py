"""The frames of an origin's answer: length-delimited Protobuf, and the order that they must keep.

Of each segment: start, PCM any number of times, then end or error. A segment without its end has failed, whatever arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from xxhash import xxh3_64

from shared import wire_pb2 as wire
from shared.errors import OriginError, RefrainError, from_code
from shared.keys import TakeRecipe
from shared.wire_pb2 import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT_TYPE: Final = "application/x-protobuf"
MAX_SEGMENTS: Final = 64
MAX_FRAME: Final = 1 << 20
"""Bytes: more than any honest frame (23 s of PCM at 22,050 Hz), so that a broken length does not fill the memory."""


def pack(frame: Frame) -> bytes:
    data = frame.SerializeToString()
    return _varint(len(data)) + data


def error_frame(segment: int, error: RefrainError) -> Frame:
    frame = Frame(segment=segment)
    frame.error.code = error.code
    frame.error.message = error.message
    frame.error.retryable = error.retryable
    frame.error.retry_after = error.retry_after or 0.0
    return frame


class FrameReader:
    """Cuts a byte stream into frames, however it was chunked. Raises OriginError `origin_failed` where it is not one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while (span := self._next()) is not None:
            start, stop = span
            frame = Frame()
            try:
                frame.ParseFromString(bytes(self._buffer[start:stop]))
            except DecodeError as error:
                raise OriginError("The answer holds a frame that is none.", source=self._source) from error
            del self._buffer[:stop]
            yield frame

    def _next(self) -> tuple[int, int] | None:
        """Where the first whole frame's body lies in the buffer."""
        length = 0
        for at, byte in enumerate(self._buffer[:5]):
            length |= (byte & 0x7F) << (7 * at)
            if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
                if length > MAX_FRAME:
                    break
                stop = at + 1 + length
                return (at + 1, stop) if len(self._buffer) >= stop else None
        else:
            if len(self._buffer) < 5:  # noqa: PLR2004 - a varint of 32 bits has at most 5 bytes
                return None
        raise OriginError("The answer holds a frame that is too long.", source=self._source)


class TakeReader:
    """Checks one segment's frames: their order, the count of samples, the hash of the PCM, the revision."""

    def __init__(self, source: str, revision: str) -> None:
        self._source = source
        self._revision = revision
        self._hash = xxh3_64()
        self._bytes = 0
        self.sample_rate = 0
        self.dialect = ""
        self.verdict = ""

    @property
    def started(self) -> bool:
        return self.sample_rate > 0

    @property
    def ended(self) -> bool:
        return self.verdict != ""

    def feed(self, frame: Frame) -> bytes:
        """The PCM in the frame, if any. Raises OriginError where the frame is out of order, or is the origin's error."""
        kind = frame.WhichOneof("kind")
        if kind == "error" and not self.ended:
            error = frame.error
            raise from_code(error.code, error.message, source=self._source, retry_after=error.retry_after or None)
        if self.ended or (kind == "start") == self.started or kind is None:
            raise self._wrong("frames are out of order")
        if kind == "start":
            self._start(frame)
        elif kind == "pcm":
            self._hash.update(frame.pcm)
            self._bytes += len(frame.pcm)
            return frame.pcm
        else:
            self._end(frame)
        return b""

    def _start(self, frame: Frame) -> None:
        if frame.start.sample_rate == 0:
            raise self._wrong("its sample rate is 0")
        if frame.start.revision != self._revision:
            message = f"The origin spoke with revision {frame.start.revision!r}, not {self._revision!r}."
            raise OriginError(message, code="revision_mismatch", source=self._source)
        self.sample_rate = frame.start.sample_rate
        self.dialect = frame.start.dialect

    def _end(self, frame: Frame) -> None:
        if frame.end.samples * 2 != self._bytes:
            raise self._wrong(f"{frame.end.samples} samples were announced, {self._bytes} bytes came")
        if frame.end.xxh3 != self._hash.intdigest():
            raise self._wrong("the hash of its samples is another")
        self.verdict = frame.end.verdict or "ok"

    def _wrong(self, what: str) -> OriginError:
        return OriginError(f"The origin's answer is wrong: {what}.", source=self._source)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def recipe_to_wire(recipe: TakeRecipe) -> wire.TakeRecipe:
    message = wire.TakeRecipe(
        text=recipe.text,
        language=recipe.language,
        revision=recipe.revision,
        voice=recipe.voice,
        dialect=recipe.dialect,
        instructions=recipe.instructions,
        speed=recipe.speed,
    )
    if recipe.seed is not None:
        message.seed = recipe.seed
    return message


def recipe_from_wire(message: wire.TakeRecipe) -> TakeRecipe:
    return TakeRecipe(
        text=message.text,
        language=message.language,
        revision=message.revision,
        voice=message.voice,
        dialect=message.dialect,
        instructions=message.instructions,
        seed=message.seed if message.HasField("seed") else None,
        speed=message.speed or 1.0,
    )
