"""`stream_format: sse`: audio as OpenAI's server-sent events."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Literal

import msgspec

from edge.answer import Cache
from edge.http.answers import NO_STORE, address, answer_headers
from shared.errors import RefrainError
from shared.problems import OpenAIError, openai_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from edge.answer import Answer
    from edge.http.exchange import Exchange, Field
    from edge.policy.plan import Plan


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """OpenAI counts tokens; we count the characters of the text, and nothing that comes out."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the audio, in base64."""

    type: Literal["speech.audio.delta"] = "speech.audio.delta"
    audio: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The end. A stream without it has failed."""

    type: Literal["speech.audio.done"] = "speech.audio.done"
    usage: Usage


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The failure, for OpenAI's clients to raise; the connection breaks off after it."""

    error: OpenAIError


async def send_events(exchange: Exchange, answer: Answer, plan: Plan, more: tuple[Field, ...]) -> None:
    """The audio of `answer`, stored or live, as events."""
    exchange.cache = answer.cache
    headers = [(b"content-type", b"text/event-stream"), NO_STORE, *answer_headers(answer), *more]
    if answer.cache is not Cache.BYPASS:  # what is not kept has no address
        headers.append((b"content-location", address(plan.key)))
    try:
        await exchange.start(200, headers)
        async for chunk in _chunks(answer):
            await exchange.body(_event(Delta(audio=base64.b64encode(chunk).decode())), more=True)
        usage = Usage(input_tokens=plan.characters, output_tokens=0, total_tokens=plan.characters)
        await exchange.body(_event(Done(usage=usage)), more=False)
    except RefrainError as error:
        await exchange.body(_event(Failed(error=openai_error(error))), more=True)
        raise
    finally:
        if answer.live is not None:
            await answer.live.chunks.aclose()


def _chunks(answer: Answer) -> AsyncIterator[bytes]:
    if answer.live is not None:
        return aiter(answer.live.chunks)
    if answer.found is not None:
        return answer.found.body.read()
    raise ValueError("an answer is stored or live")


def _event(data: Delta | Done | Failed) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(data)
