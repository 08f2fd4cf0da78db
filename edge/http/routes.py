"""The routes that are not hot, in Starlette."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from edge.http import problems
from edge.http.openapi import document
from shared.errors import BadRequest, Internal, NotFound, RefrainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from edge.http.exchange import Exchange
    from edge.http.node import Node


def application(node: Node) -> Starlette:
    """Every route that `edge.http.surface` does not answer itself. Its requests' scope holds the exchange as `refrain`."""
    app = Starlette(
        routes=[
            _route("/v1/models", lambda: _json(node.models())),
            _route("/v1/voices", lambda: _json(node.voices())),
            _route("/v1/regions", lambda: _json(node.regions())),
            _route("/healthz", lambda: _json(node.health())),
            _route("/readyz", lambda: _json(node.readiness())),
            _route("/metrics", lambda: _metrics(node)),
            _route("/openapi.json", lambda: _json(document())),
        ],
        exception_handlers={HTTPException: _not_routed, RefrainError: _refused, Exception: _failed},
    )
    app.router.redirect_slashes = False  # an address is what it is
    return app


def _route(path: str, answer: Callable[[], Response]) -> Route:
    async def endpoint(_: Request) -> Response:
        return answer()

    return Route(path, endpoint)


def _json(value: msgspec.Struct | dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"cache-control": "no-store"})


def _metrics(node: Node) -> Response:
    body, media_type = node.metrics.exposition()
    return Response(body, headers={"content-type": media_type})


async def _not_routed(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: an unknown path, or a method that a route does not have."""
    headers = getattr(error, "headers", None) or {}
    if "Allow" in headers:
        allow = (b"allow", headers["Allow"].encode())
        return _problem(request, BadRequest("This route has no such method.", code="method_not_allowed"), allow)
    return _problem(request, NotFound("There is no such route."))


async def _refused(request: Request, error: Exception) -> Response:
    return _problem(request, error if isinstance(error, RefrainError) else Internal("Something went wrong."))


async def _failed(request: Request, _: Exception) -> Response:
    """Starlette raises the error again behind this answer, so that it is logged where all are."""
    return _problem(request, Internal("Something went wrong."))


def _problem(request: Request, error: RefrainError, *fields: tuple[bytes, bytes]) -> Response:
    exchange: Exchange = request.scope["refrain"]
    exchange.code = error.code
    status, headers, body = problems.answer(error, exchange.trace_id, *fields)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})
