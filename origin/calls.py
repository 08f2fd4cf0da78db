"""A call: what is read from `POST /v1/synthesize`, and the frames that answer it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from xxhash import xxh3_64

from origin.takes import Job
from shared import frames
from shared.errors import BadRequest, RefrainError
from shared.keys import is_key
from shared.wire_pb2 import End, Frame, Segment, Start, SynthesizeRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from origin.takes import Takes
    from shared.catalogue import Model

T = TypeVar("T")


class Encoding(NamedTuple):
    """How a call is written down."""

    answer_type: str
    read: Callable[[bytes], SynthesizeRequest]
    write: Callable[[Frame], bytes]


def _from_json(body: bytes) -> SynthesizeRequest:
    return json_format.Parse(body, SynthesizeRequest())


def _to_json(frame: Frame) -> bytes:
    return json_format.MessageToJson(frame, indent=None, preserving_proto_field_name=True).encode() + b"\n"


ENCODINGS: Final = {
    frames.CONTENT_TYPE: Encoding(frames.CONTENT_TYPE, SynthesizeRequest.FromString, frames.pack),
    "application/json": Encoding("application/x-ndjson", _from_json, _to_json),
}


def parse(body: bytes, encoding: Encoding) -> SynthesizeRequest:
    """Raises BadRequest."""
    try:
        request = encoding.read(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError) as error:
        raise BadRequest("The body is no SynthesizeRequest.") from error
    indexes = {segment.index for segment in request.segments}
    if not 1 <= len(request.segments) <= frames.MAX_SEGMENTS:
        raise BadRequest(f"A call asks for 1 to {frames.MAX_SEGMENTS} segments.", param="segments")
    if len(indexes) < len(request.segments):
        raise BadRequest("Two segments have the same index.", param="segments")
    if not all(is_key(segment.key) for segment in request.segments):
        raise BadRequest("A segment's key is not 40 hexadecimal digits.", code="bad_key", param="segments")
    return request


async def answer(request: SynthesizeRequest, takes: Takes, model: Model, limit_s: float) -> AsyncGenerator[Frame, None]:
    """The frames of all segments, as they come; where several are ready, the first wanted go first. Raises Cut."""
    deadline = asyncio.get_running_loop().time() + (request.deadline_ms / 1000 or limit_s)
    async with aclosing(_merge([_segment(segment, deadline, takes, model) for segment in request.segments])) as merged:
        async for frame in merged:
            yield frame


async def _segment(segment: Segment, deadline: float, takes: Takes, model: Model) -> AsyncGenerator[Frame, None]:
    """Start, PCM, end: or an error, that of this segment alone."""
    job = Job(segment.key, frames.recipe_from_wire(segment.recipe), segment.token, deadline)
    size, checksum = 0, xxh3_64()
    try:
        async with aclosing(takes.listen(job)) as heard:
            async for pcm in heard:
                if not size:
                    yield Frame(segment=segment.index, start=_start(job, model))
                size += len(pcm)
                checksum.update(pcm)
                yield Frame(segment=segment.index, pcm=pcm)
    except RefrainError as error:
        yield frames.error_frame(segment.index, error)
    else:
        yield Frame(segment=segment.index, end=End(samples=size // 2, xxh3=checksum.intdigest(), verdict="ok"))


def _start(job: Job, model: Model) -> Start:
    voice = model.voice_by_digest(job.recipe.voice)
    dialect = job.recipe.dialect or (voice.dialect if voice else "")
    return Start(sample_rate=model.sample_rate, revision=model.revision, dialect=dialect)


async def _merge(streams: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """All items of all streams, each as soon as it is there. One item of each is held at most, so a slow reader slows all."""
    turns = {order: asyncio.create_task(_next(stream)) for order, stream in enumerate(streams)}
    try:
        while turns:
            await asyncio.wait(turns.values(), return_when=asyncio.FIRST_COMPLETED)
            for order in [order for order, turn in turns.items() if turn.done()]:
                item = turns[order].result()
                if item is None:
                    del turns[order]
                else:
                    turns[order] = asyncio.create_task(_next(streams[order]))
                    yield item
    finally:
        for turn in turns.values():
            turn.cancel()
        await asyncio.gather(*turns.values(), return_exceptions=True)
        for stream in streams:
            await stream.aclose()


async def _next(stream: AsyncGenerator[T, None]) -> T | None:
    return await anext(stream, None)
