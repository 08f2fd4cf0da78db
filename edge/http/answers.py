"""Audio as answers: what is stored, what is known of it when it is not, and what is being made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.answer import Cache
from edge.policy.conditions import decide, http_date
from edge.policy.fields import cache_status, server_timing
from shared.errors import BadRequest

if TYPE_CHECKING:
    from edge.answer import Answer, Found, Live, Timings
    from edge.http.exchange import Exchange, Field
    from edge.policy.envelope import Meta
    from edge.policy.plan import Plan
    from shared.speech import SpeechRequest

FOREVER: Final[Field] = (b"cache-control", b"public, max-age=31536000, immutable")
"""A value never changes under its key."""
NO_STORE: Final[Field] = (b"cache-control", b"no-store")


def address(key: str) -> bytes:
    return b"/v1/audio/%b" % key.encode()


async def send_stored(
    exchange: Exchange, found: Found, now: float, *, timings: Timings | None = None, more: tuple[Field, ...] = ()
) -> None:
    """A materialised answer. Conditions and ranges hold for GET and HEAD alone (RFC 9110 §9.3.3)."""
    exchange.cache = Cache.HIT
    meta = found.meta
    headers = [*_stored_headers(found, now), *cache_headers(Cache.HIT, found.tier, timings), *more]
    if exchange.method == "POST":
        await _send_bytes(exchange, found, 200, headers, 0, meta.size)
        return
    decision = decide(exchange.method, exchange.fields, etag=meta.etag, size=meta.size, modified=int(meta.began))
    stop = meta.size if decision.stop is None else decision.stop
    match decision.status:
        case 200:
            await _send_bytes(exchange, found, 200, headers, 0, stop)
        case 206:
            headers.append((b"content-range", b"bytes %d-%d/%d" % (decision.start, stop - 1, meta.size)))
            await _send_bytes(exchange, found, 206, headers, decision.start, stop)
        case 304:
            await exchange.reply(304, headers)
        case 412:
            await _refuse_condition(exchange)
        case 416:
            error = BadRequest(f"The audio has {meta.size} bytes.", code="range_not_satisfiable", param="Range")
            await exchange.fail(error, (b"content-range", b"bytes */%d" % meta.size))


async def send_evicted(exchange: Exchange, recipe: Meta) -> bool:
    """Answer from the recipe alone; False where that cannot be done, and the audio must be made again."""
    # Not made yet: no validator can name it.
    status = decide(exchange.method, exchange.fields, etag=recipe.etag, size=None).status if recipe.etag else 200
    where = (b"content-location", address(recipe.key))
    if status == 412:  # noqa: PLR2004 - a status is its own name
        await _refuse_condition(exchange)
    elif status == 304:  # noqa: PLR2004 - the same
        await exchange.reply(304, [where, (b"etag", b'"%b"' % recipe.etag.encode()), FOREVER])
    elif exchange.method == "HEAD":
        await exchange.reply(200, [where, (b"content-type", recipe.media_type.encode()), NO_STORE])
    else:
        return False
    return True


async def send_live(exchange: Exchange, live: Live, *, timings: Timings, more: tuple[Field, ...] = ()) -> None:
    """An unmaterialised answer: in chunks, without the last one if it fails."""
    exchange.cache = live.cache
    headers = [(b"content-type", live.media_type.encode()), NO_STORE, *cache_headers(live.cache, "", timings), *more]
    if live.cache is not Cache.BYPASS:  # what is not kept has no address
        headers.append((b"content-location", address(live.key)))
    try:
        if exchange.scope["http_version"] in ("1.0", "1"):  # granian writes "1"
            # There it would end with the connection, and what broke off would look complete.
            raise BadRequest("This answer is not stored yet, and HTTP/1.0 has no chunks.", code="bad_version")
        await exchange.start(200, headers)
        async for chunk in live.chunks:
            await exchange.body(chunk, more=True)
        await exchange.body(b"", more=False)
    finally:
        await live.chunks.aclose()


def cache_headers(cache: Cache, tier: str, timings: Timings | None) -> list[Field]:
    """What the cache did, and how long it took."""
    written = ((b"cache-status", cache_status(cache, tier)), (b"server-timing", server_timing(timings.steps if timings else {})))
    return [(name, value.encode()) for name, value in written if value]


def answer_headers(answer: Answer) -> list[Field]:
    return cache_headers(answer.cache, answer.found.tier if answer.found else "", answer.timings)


def plan_headers(plan: Plan, request: SpeechRequest) -> tuple[Field, ...]:
    """What was done otherwise than asked, or than might be thought."""
    headers: list[Field] = []
    if plan.ignored:
        headers.append((b"refrain-ignored", ", ".join(plan.ignored).encode("latin-1", "replace")))
    if plan.dialect or request.dialect:
        headers.append((b"refrain-dialect", (plan.dialect or "none").encode("latin-1", "replace")))
    return tuple(headers)


def _stored_headers(found: Found, now: float) -> list[Field]:
    meta = found.meta
    return [
        (b"content-type", meta.media_type.encode()),
        (b"content-location", address(meta.key)),
        (b"etag", b'"%b"' % meta.etag.encode()),
        (b"last-modified", http_date(int(meta.began)).encode()),
        (b"age", b"%d" % max(0, now - meta.began)),
        (b"accept-ranges", b"bytes"),
        FOREVER,
    ]


async def _send_bytes(exchange: Exchange, found: Found, status: int, headers: list[Field], start: int, stop: int) -> None:
    headers.append((b"content-length", b"%d" % (stop - start)))
    if exchange.method == "HEAD":
        await exchange.reply(status, headers)
        return
    await exchange.start(status, headers)
    left = stop - start
    async for chunk in found.body.read(start, stop):
        left -= len(chunk)
        await exchange.body(chunk, more=left > 0)


async def _refuse_condition(exchange: Exchange) -> None:
    await exchange.fail(BadRequest("The audio is another than the condition names.", code="precondition_failed"))
