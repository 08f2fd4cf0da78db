"""`python -m bench.bare PORT SIZE PARENT`: answers everything with SIZE bytes, on the edge's HTTP server and without the edge."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from edge.http.server import make_server
from shared.process import die_with

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def application(size: int) -> Callable[..., Awaitable[None]]:
    body = bytes(size)
    head = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"audio/mpeg"),
            (b"content-length", b"%d" % size),
            (b"cache-status", b"refrain; hit; detail=bare"),
        ],
    }

    async def answer(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["method"] == "POST":
            await receive()
        await send(head)
        await send({"type": "http.response.body", "body": body})

    return answer


def main() -> None:
    port, size, parent = map(int, sys.argv[1:])
    die_with(parent)
    asyncio.run(make_server(application(size), "127.0.0.1", port).serve())


if __name__ == "__main__":
    main()
