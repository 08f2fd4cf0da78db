"""Which handler answers: the hot routes at once, all others through Starlette, which is imported when one of them is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from edge.http.audio import Audio
    from edge.http.exchange import Exchange
    from edge.http.node import Node

_AUDIO: Final = "/v1/audio/"
REST: Final = frozenset({"/v1/models", "/v1/voices", "/v1/regions", "/healthz", "/readyz", "/metrics", "/openapi.json"})
"""The others, by name: what a metric's label may say of a path."""


class Surface:
    """Every route of the edge."""

    def __init__(self, audio: Audio, node: Node) -> None:
        self._audio = audio
        self._node = node

    async def __call__(self, exchange: Exchange) -> None:
        name = exchange.path.removeprefix(_AUDIO)
        if name == exchange.path or not name or "/" in name:
            exchange.route = exchange.path if exchange.path in REST else "other"
            await self.rest({**exchange.scope, "refrain": exchange}, exchange.receive, exchange.send)
        elif name == "speech":
            await self._audio.speech(exchange)
        elif name == "plan":
            await self._audio.plan(exchange)
        else:
            await self._audio.by_key(exchange, name)

    @cached_property
    def rest(self) -> Starlette:
        from edge.http.routes import application  # noqa: PLC0415 - 80 ms that no hit should wait for

        return application(self._node)
