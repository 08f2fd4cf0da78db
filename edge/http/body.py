"""A request's body, read within bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from shared.errors import BadRequest

if TYPE_CHECKING:
    from edge.http.exchange import Exchange

DRAIN_BYTES: Final = 8 << 20
"""How much of a refused body is read, so that its sender gets to read why: to close on one who still writes is a reset to him."""
DRAIN_S: Final = 5.0
BODY_S: Final = 30.0
"""As long as the first byte of an answer may take: one who writes slower than this waits for nobody."""


async def read_json(exchange: Exchange, limit: int) -> bytes:
    """The body of at most `limit` bytes.

    Raises BadRequest: `bad_media_type`, `body_too_large`, `slow_body`, or `bad_request` where it broke off or its chunks are
    malformed. Each ends the connection, for where the next request would begin is not known.
    """
    incoming = _Incoming(exchange)
    try:
        _expect_json(exchange.fields)
        if incoming.announced > limit:
            raise _too_large(limit)
        return await incoming.within(limit)
    except BadRequest:
        exchange.closing = True
        await incoming.drain()
        raise


class _Incoming:
    """The pieces of a body."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._ended = False
        self.announced = int(exchange.fields.get("content-length", "0"))
        """Bytes; the server has seen to it that this is a number. 0: none were, it comes in chunks."""

    async def within(self, limit: int) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                while not self._ended:
                    body += await self._piece()
                    if len(body) > limit:
                        raise _too_large(limit)
        except TimeoutError:
            self._ended = True  # nothing more is waited for
            raise BadRequest("The body did not come in time.", code="slow_body") from None
        return bytes(body)

    async def drain(self) -> None:
        """Read what is left of a refused body, within bounds."""
        if self.announced > DRAIN_BYTES or "expect" in self._exchange.fields:
            return
        left = DRAIN_BYTES
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self._ended and left > 0:
                    left -= len(await self._piece())
        except (TimeoutError, BadRequest):
            return  # the answer is decided; this was for the sender's sake

    async def _piece(self) -> bytes:
        message = await self._exchange.receive()
        if message["type"] == "http.disconnect":
            self._ended = True
            # Malformed chunks look the same to us as a client who left.
            raise BadRequest("The body broke off, or its chunks are malformed.")
        self._ended = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


def _expect_json(fields: dict[str, str]) -> None:
    media_type = fields.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadRequest("The body is of another type than JSON.", code="bad_media_type")
    if fields.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadRequest("The body is compressed.", code="bad_media_type")
    # The server has taken the chunks apart, but knows no other coding (RFC 9112 §6.1).
    if fields.get("transfer-encoding", "chunked").strip().lower() != "chunked":
        raise BadRequest("The body has a transfer coding besides chunked.")


def _too_large(limit: int) -> BadRequest:
    return BadRequest(f"The body has more than {limit} bytes.", code="body_too_large")
