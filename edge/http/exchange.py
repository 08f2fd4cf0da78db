"""One request and its answer over ASGI, as far as they have come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edge.answer import Cache
from edge.http import problems
from edge.policy.fields import gathered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping

    from shared.errors import RefrainError

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Field = tuple[bytes, bytes]

T = TypeVar("T")

STALL_S: Final = 60.0
"""How long a client may take nothing of an answer, as long as nginx waits for one (`send_timeout`): it holds a production back."""


class ClientGone(Exception):
    """Nobody is there to be answered."""


class Exchange:
    """Remembers what was sent, for whoever must know whether an answer has begun, and for metrics and logs."""

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, *, clock: Callable[[], float]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.fields = gathered(scope["headers"])
        """The request's, by lower-case name."""
        self.receive = receive
        self.trace_id = ""
        self.closing = False
        """Whether the connection ends with this answer."""
        self.route = "other"
        self.cache = Cache.NONE
        self.key = ""
        self.characters = 0
        self.code = ""
        """Of the error, if there was one."""
        self.source = ""
        """Where the error arose: an origin, a store."""
        self.status = 0
        """0: the answer has not begun."""
        self.sent = 0
        """Bytes of the body."""
        self.complete = False
        self.began = clock()
        self.first_byte_at = 0.0
        self._send = send
        self._clock = clock

    async def send(self, message: Message) -> None:
        """ASGI's `send`, with the fields that every answer carries."""
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            headers.append((b"refrain-trace-id", self.trace_id.encode()))
            if self.closing:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
            self.status = message["status"]
            self.first_byte_at = self._clock()
        else:
            self.sent += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)

    async def start(self, status: int, headers: Iterable[Field]) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, more: bool) -> None:
        """A piece of the answer, as soon as the client has taken enough of those before. Raises ClientGone where it takes none."""
        message = {"type": "http.response.body", "body": data, "more_body": more}
        if not more and not self.sent:
            await self.send(message)  # the whole answer is one piece: nothing is before it
            return
        try:
            async with asyncio.timeout(STALL_S):
                await self.send(message)
        except TimeoutError:
            raise ClientGone from None

    async def reply(self, status: int, headers: Iterable[Field], body: bytes = b"") -> None:
        """The whole answer. To HEAD it has no body."""
        await self.start(status, headers)
        await self.body(b"" if self.method == "HEAD" else body, more=False)

    async def fail(self, error: RefrainError, *fields: Field) -> None:
        """Answer with the error. What has begun already is left without its end: the server then closes the connection."""
        if not self.status:
            await self.reply(*problems.answer(error, self.trace_id, *fields))

    async def while_present(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns; it is cancelled when the client leaves, which nothing but `receive` tells. Raises ClientGone."""
        working = asyncio.create_task(work)
        leaving = asyncio.create_task(self._left())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise ClientGone
        finally:
            leaving.cancel()
            working.cancel()
            # What `work` opens it closes before we go on; what it raises now, nobody waits for.
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def _left(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
