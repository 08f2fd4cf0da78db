"""An HTTP/1.1 client that costs little: what it takes is part of every figure (see `bench.latency`, which measures it)."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

CONNECTIONS: Final = 256
"""At once; further requests wait. Below the 1,024 file descriptors that select() can watch."""
TIMEOUT_S: Final = 60.0
READ: Final = 1 << 18
BROKEN: Final = 0
"""The status of an answer that broke off, or never came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and when its parts came, in seconds of `time.monotonic()`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    asked_at: float
    first_at: float
    """When the first byte of the body came, or the head where there is no body."""
    ended_at: float

    @property
    def outcome(self) -> str:
        """Memory, valkey or object for a hit, miss or collapsed; the status where it is no 200."""
        return outcome(self.headers.get("cache-status", "")) if self.status == 200 else str(self.status)  # noqa: PLR2004 - OK


def outcome(cache_status: str) -> str:
    """What our member of Cache-Status (RFC 9211) says: the tier of a hit, `collapsed`, `miss`, or why it was forwarded."""
    for member in cache_status.split(","):
        name, *parameters = (part.strip() for part in member.split(";"))
        if name == "refrain":
            said = dict(part.partition("=")[::2] for part in parameters)
            if "hit" in said:
                return said.get("detail", "hit")
            return "collapsed" if "collapsed" in said else said.get("fwd", "none")
    return "none"


class Client:
    """Keep-alive connections to one server, as many as there are requests at once."""

    def __init__(self, url: str) -> None:
        self._at = urlsplit(url)
        self._idle: list[_Connection] = []
        self._room = asyncio.Semaphore(CONNECTIONS)

    def get(self, path: str, **headers: str) -> bytes:
        """The bytes of a request; `cache_control="no-cache"` is a header."""
        return self._head("GET", path, headers) + b"\r\n"

    def post(self, path: str, body: object, **headers: str) -> bytes:
        data = json.dumps(body).encode()
        return self._head("POST", path, {**headers, "content-type": "application/json", "content-length": str(len(data))}) + (
            b"\r\n" + data
        )

    async def ask(self, request: bytes) -> Reply:
        """The answer; one that breaks off, or does not come in time, has the status BROKEN."""
        asked_at = time.monotonic()
        async with self._room:
            connection = None
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    connection = self._waiting() or await _Connection.open(self._at.hostname, self._port, tls=self._tls)
                    reply = await connection.ask(request, asked_at)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                if connection is not None:
                    connection.close()
                now = time.monotonic()
                return Reply(BROKEN, {}, repr(error).encode(), asked_at, now, now)
            self._idle.append(connection)
            return reply

    async def json(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - what JSON says
        """The JSON that a GET is answered with, or a POST where there is a body. Raises OSError where it is not."""
        reply = await self.ask(self.get(path) if body is None else self.post(path, body))
        if reply.status != 200:  # noqa: PLR2004 - OK
            said = f"{reply.status or 'no answer'}: {reply.body[:300].decode(errors='replace')}"
            raise OSError(f"{self._at.geturl()}{path}: {said}")
        return json.loads(reply.body)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @property
    def _tls(self) -> bool:
        return self._at.scheme == "https"

    @property
    def _port(self) -> int:
        return self._at.port or (443 if self._tls else 80)

    def _waiting(self) -> _Connection | None:
        """A connection that the server has not closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended:
                return connection
            connection.close()
        return None

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"{method} {self._at.path.rstrip('/')}{path} HTTP/1.1\r\nhost: {self._at.netloc}\r\n{fields}".encode()


class _Connection:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str | None, port: int, *, tls: bool) -> _Connection:
        return cls(*await asyncio.open_connection(host, port, ssl=tls or None, limit=READ))

    @property
    def ended(self) -> bool:
        return self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()

    async def ask(self, request: bytes, asked_at: float) -> Reply:
        """Raises OSError, EOFError or ValueError where what comes is no whole answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        first_at = time.monotonic()
        status, headers = _parse(head)
        chunks: list[bytes] = []
        async for chunk in self._body(headers):
            first_at = first_at if chunks else time.monotonic()
            chunks.append(chunk)
        return Reply(status, headers, b"".join(chunks), asked_at, first_at, time.monotonic())

    async def _body(self, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        if headers.get("transfer-encoding") != "chunked":
            left = int(headers.get("content-length", "0"))
            while left:
                chunk = await self._reader.read(min(left, READ))
                if not chunk:
                    raise EOFError(f"{left} bytes are missing")
                left -= len(chunk)
                yield chunk
            return
        while size := int(await self._reader.readline() or b"none", 16):  # b"none": no chunk, no end
            yield (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readuntil(b"\r\n")


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(first.removeprefix("HTTP/1.1 ")[:3]), {name.lower(): value.strip() for name, _, value in fields}
