"""The hot routes, straight over ASGI: `/v1/audio/{key}` and `/v1/audio/speech`."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from edge.answer import Answer, Found
from edge.http.answers import NO_STORE, address, plan_headers, send_evicted, send_live, send_stored
from edge.http.body import read_json
from edge.http.events import send_events
from edge.policy.conditions import is_conditional
from edge.policy.fields import control
from edge.policy.s3fifo import S3Fifo
from shared.errors import BadRequest
from shared.keys import Key, is_key
from shared.speech import MAX_FIELDS, parse, parse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.flow import Flow
    from edge.http.exchange import Exchange, Field
    from edge.policy.fields import Control
    from edge.policy.plan import Plan
    from shared.speech import SpeechRequest

KEY_ROUTE: Final = "/v1/audio/{key}"
SPEECH_ROUTE: Final = "/v1/audio/speech"
PLAN_ROUTE: Final = "/v1/audio/plan"
KEY_METHODS: Final = ("GET", "HEAD")
PLANS_BYTES: Final = 16 << 20
"""Memory for plans that are remembered."""
TAKE_BYTES: Final = 700
"""What a plan takes of it for each of its takes, besides twice its body (500 to 650, measured)."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `delivery: url`."""

    url: str
    """Where the audio is: a path, or a CDN's address."""
    key: str


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of a plan."""

    key: str
    text: str
    """Canonical: what is synthesised."""
    cached: bool


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `POST /v1/audio/plan`."""

    key: str
    url: str
    cached: bool
    """Whether the whole is stored as it would be answered."""
    model: str
    voice: str
    dialect: str
    ignored: tuple[str, ...]
    characters: int
    segments: tuple[Segment, ...]


class Audio:
    """Answers with audio, by its address or by what is to be said."""

    def __init__(
        self, flow: Flow, *, clock: Callable[[], float], body_bytes: int, speech_by_get: bool, public_audio_base: str
    ) -> None:
        self._flow = flow
        self._clock = clock
        self._body_bytes = body_bytes
        self.speech_methods = ("GET", "POST") if speech_by_get else ("POST",)
        self._base = public_audio_base.rstrip("/")
        # What repeats is asked in the same words, mostly: plans are pure, and take longer than the rest of a hit.
        self._plans: S3Fifo[tuple[SpeechRequest, Plan]] = S3Fifo(PLANS_BYTES)

    async def by_key(self, exchange: Exchange, name: str) -> None:
        """`GET`, `HEAD /v1/audio/{key}`."""
        exchange.route = KEY_ROUTE
        if exchange.method not in KEY_METHODS:
            await not_allowed(exchange, KEY_METHODS)
            return
        if not is_key(name):
            raise BadRequest("This is no key.", code="bad_key", param="key")
        exchange.key = name
        await self._flow.admit()
        asked = control(exchange.fields)
        found = None if asked.no_cache else self._flow.peek(name)
        if found is not None:
            await send_stored(exchange, found, self._clock())
        else:
            await exchange.while_present(self._recall(exchange, Key(name), asked))

    async def speech(self, exchange: Exchange) -> None:
        """`POST`, `GET /v1/audio/speech`."""
        exchange.route = SPEECH_ROUTE
        if exchange.method not in self.speech_methods:
            await not_allowed(exchange, self.speech_methods)
            return
        await self._flow.admit()
        request, plan = await self._plan(exchange)
        asked = control(exchange.fields)
        private = plan.no_store or asked.no_store
        if request.delivery != "audio":
            await self._give_address(exchange, request, plan, private=private)
            return
        found = None if private or asked.no_cache else self._flow.peek(plan.key, plan.fingerprint)
        if found is not None:
            await self._send(exchange, Answer(found=found), request, plan)
        else:
            await exchange.while_present(self._speak(exchange, request, plan, asked))

    async def plan(self, exchange: Exchange) -> None:
        """`POST /v1/audio/plan`."""
        exchange.route = PLAN_ROUTE
        if exchange.method != "POST":
            await not_allowed(exchange, ("POST",))
            return
        await self._flow.admit()
        _, plan = await self._plan(exchange)
        cached, takes = await self._flow.cached(plan)
        segments = tuple(
            Segment(key=take.key, text=take.recipe.text, cached=stored) for take, stored in zip(plan.takes, takes, strict=True)
        )
        planned = Planned(
            key=plan.key,
            url=self._url(plan),
            cached=cached,
            model=plan.model,
            voice=plan.voice,
            dialect=plan.dialect,
            ignored=plan.ignored,
            characters=plan.characters,
            segments=segments,
        )
        await _reply_json(exchange, planned)

    async def _recall(self, exchange: Exchange, key: Key, asked: Control) -> None:
        """What is not in memory. HEAD, and a condition that the recipe's ETag decides, never synthesise."""
        if exchange.method == "HEAD" or is_conditional(exchange.fields):
            known = await self._flow.describe(key, no_cache=asked.no_cache)
            if isinstance(known, Found):
                await send_stored(exchange, known, self._clock())
                return
            if await send_evicted(exchange, known):
                return
        answer = await self._flow.recall(key, no_cache=asked.no_cache, only_if_cached=asked.only_if_cached)
        if answer.live is not None:
            await send_live(exchange, answer.live, timings=answer.timings)
        elif answer.found is not None:
            await send_stored(exchange, answer.found, self._clock(), timings=answer.timings)

    async def _plan(self, exchange: Exchange) -> tuple[SpeechRequest, Plan]:
        """What is asked for, in the body or in the query."""
        if exchange.method == "POST":
            request, plan = self._planned(await read_json(exchange, self._body_bytes))
        else:
            request, unknown = parse_query(_pairs(exchange.scope["query_string"]))
            plan = self._flow.plan(request, unknown)
        exchange.key, exchange.characters = plan.key, plan.characters
        return request, plan

    def _planned(self, body: bytes) -> tuple[SpeechRequest, Plan]:
        """By a digest that nobody finds two bodies for: the wrong plan would be the wrong words."""
        name = blake2b(body, digest_size=32).hexdigest()
        known = self._plans.get(name)
        if known is None:
            request, unknown = parse(body)
            known = request, self._flow.plan(request, unknown)
            self._plans.put(name, known, 2 * len(body) + TAKE_BYTES * len(known[1].takes))
        return known

    async def _speak(self, exchange: Exchange, request: SpeechRequest, plan: Plan, asked: Control) -> None:
        answer = await self._flow.speak(plan, no_store=asked.no_store, no_cache=asked.no_cache, only_if_cached=asked.only_if_cached)
        await self._send(exchange, answer, request, plan)

    async def _send(self, exchange: Exchange, answer: Answer, request: SpeechRequest, plan: Plan) -> None:
        more = plan_headers(plan, request)
        if request.stream_format == "sse":
            await send_events(exchange, answer, plan, more)
        elif answer.live is not None:
            await send_live(exchange, answer.live, timings=answer.timings, more=more)
        elif answer.found is not None:
            await send_stored(exchange, answer.found, self._clock(), timings=answer.timings, more=more)

    async def _give_address(self, exchange: Exchange, request: SpeechRequest, plan: Plan, *, private: bool) -> None:
        """The address, as soon as it works."""
        if private:
            raise BadRequest("What is not kept has no address.", code="bad_value", param="delivery")
        if request.stream_format == "sse":
            raise BadRequest("Events are sent as the audio is made: they have no address.", code="bad_value", param="delivery")
        await self._flow.keep_recipe(plan)
        url = self._url(plan)
        more: list[Field] = [(b"content-location", address(plan.key)), *plan_headers(plan, request)]
        if request.delivery == "redirect":
            await exchange.reply(303, [(b"location", url.encode()), (b"content-length", b"0"), NO_STORE, *more])
        else:
            await _reply_json(exchange, Address(url=url, key=plan.key), *more)

    def _url(self, plan: Plan) -> str:
        return f"{self._base}{address(plan.key).decode()}"


async def not_allowed(exchange: Exchange, methods: tuple[str, ...]) -> None:
    allow = (b"allow", ", ".join(methods).encode())
    await exchange.fail(BadRequest("This route has no such method.", code="method_not_allowed"), allow)


async def _reply_json(exchange: Exchange, value: msgspec.Struct, *more: Field) -> None:
    body = msgspec.json.encode(value)
    length = b"%d" % len(body)
    await exchange.reply(200, [(b"content-type", b"application/json"), (b"content-length", length), NO_STORE, *more], body)


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:  # too many fields, or bytes that are not UTF-8
        raise BadRequest(f"The query cannot be read: {error}.") from error
