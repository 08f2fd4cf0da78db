"""What every request passes: its trace, the check of Host and Origin, errors as problems, metrics, one line of log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from edge.http.exchange import ClientGone, Exchange
from edge.policy.fields import refused_host
from shared import trace
from shared.errors import CODES, BadRequest, Internal, RefrainError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from edge.http.exchange import Receive, Send
    from edge.lifecycle import Lifecycle
    from edge.metrics import Metrics

CLIENT_GONE: Final = 499
"""nginx's status, in logs and metrics, for a client who left before the answer began."""
PROBES: Final = ("/healthz", "/readyz", "/metrics")
"""Routes that are asked every few seconds by machines: counted, not logged."""


class Log(Protocol):
    """Lines of log: what happened, and its fields. `edge.log` is one, and so is structlog's logger."""

    def info(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - a field is whatever there is to say

    def error(self, event: str, **fields: Any) -> Any: ...  # noqa: ANN401 - the same


class Front:
    """The ASGI application that the server calls. `loopback_only`: without API keys, only this machine's pages may ask."""

    def __init__(
        self,
        surface: Callable[[Exchange], Awaitable[None]],
        *,
        lifecycle: Lifecycle,
        metrics: Metrics,
        log: Log,
        loopback_only: bool,
        clock: Callable[[], float],
        new_trace: Callable[[], str],
    ) -> None:
        self._surface = surface
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._log = log
        self._loopback_only = loopback_only
        self._clock = clock
        self._new_trace = new_trace

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, clock=self._clock)
        exchange.trace_id = trace.trace_id(exchange.fields.get("traceparent", "")) or self._new_trace()
        trace.current.set(exchange.trace_id)  # the server gives each request a context of its own
        exchange.closing = self._lifecycle.draining
        self._lifecycle.in_flight += 1
        try:
            await self._answer(exchange)
        finally:
            self._lifecycle.in_flight -= 1
            self._count(exchange)

    async def _answer(self, exchange: Exchange) -> None:
        """Whatever fails after the answer has begun leaves it without its end: the server then closes the connection."""
        try:
            self._check_host(exchange)
            await self._surface(exchange)
        except ClientGone:
            return
        except RefrainError as error:
            await self._fail(exchange, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours: a problem document, and a traceback in the log alone
            self._log.error("bug", trace_id=exchange.trace_id, route=exchange.route, exc_info=error)
            await self._fail(exchange, Internal("Something went wrong."))

    async def _fail(self, exchange: Exchange, error: RefrainError) -> None:
        if exchange.status and not exchange.complete:
            self._metrics.broken(exchange.route, error.code)
        exchange.code, exchange.source = error.code, error.source or ""
        await exchange.fail(error)

    def _check_host(self, exchange: Exchange) -> None:
        code = refused_host(exchange.fields.get("host", ""), exchange.fields.get("origin"), loopback_only=self._loopback_only)
        if code is not None:
            exchange.closing = True
            raise BadRequest(CODES[code].remedy, code=code)

    def _count(self, exchange: Exchange) -> None:
        now = self._clock()
        status = exchange.status or CLIENT_GONE
        total = now - exchange.began
        first = exchange.first_byte_at - exchange.began if exchange.status else total
        self._metrics.answered(exchange.route, status, exchange.cache, first_byte_s=first, total_s=total, sent=exchange.sent)
        if exchange.route in PROBES:
            return
        # Of the text there is nothing but its length and the key, which is a keyed digest of it.
        self._log.info(
            "request",
            trace_id=exchange.trace_id,
            method=exchange.method,
            route=exchange.route,
            status=status,
            code=exchange.code,
            source=exchange.source,
            cache=exchange.cache,
            key=exchange.key,
            characters=exchange.characters,
            bytes=exchange.sent,
            complete=exchange.complete,
            first_byte_ms=round(first * 1000, 3),
            ms=round(total * 1000, 3),
        )
