"""granian around an ASGI application: listening, draining, stopping."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.http.middleware import Lifecycle
    from edge.settings import Edge

    Application = Callable[..., Awaitable[None]]

BACKLOG: Final = 4096
"""Connections that the kernel holds until they are accepted; it cuts this to net.core.somaxconn."""
CONNECTIONS: Final = 16_384
"""Connections served at once; further ones wait in the backlog."""
HEADER_TIMEOUT_MS: Final = 75_000
"""For a head to come, and so for an idle connection to begin its next: nginx keeps them for 75 s, load balancers reuse for 60."""
BUFFER_BYTES: Final = 128 << 10
"""Room for a request's head, and so its bound: a text of 10,000 Chinese characters is 90 kB in a query."""
DELAY_SHARE: Final = 0.125
"""Of the time to drain, the part in which requests are still taken, while load balancers learn that we are not ready."""
_LOGGING: Final = {
    "handlers": {
        # Standard output is not granian's to write to.
        name: {"formatter": "generic", "class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
        for name in ("console", "access")
    }
}


def make_server(app: Application, host: str, port: int) -> Server:
    """HTTP/1.1 alone: what stands in front speaks HTTP/2 to the world, and one protocol has one set of smuggling rules."""
    return Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=BUFFER_BYTES),
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


async def serve(app: Application, edge: Edge, lifecycle: Lifecycle) -> None:
    """Serve until SIGTERM or SIGINT; then drain. Raises OSError where the port is taken.

    To drain: not ready first; for a moment requests are still taken, each answered with `Connection: close`; then the listener
    closes, and what has begun has the rest of `drain_s` to end.
    """
    _refuse_taken(edge.host, edge.port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = make_server(app, edge.host, edge.port)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving  # raises what ended it
            return
        lifecycle.draining = True
        await asyncio.sleep(edge.drain_s * DELAY_SHARE)
        server.stop()  # type: ignore[no-untyped-call]  # the server's own
        await asyncio.wait({serving}, timeout=edge.drain_s * (1 - DELAY_SHARE))
    finally:
        stopping.cancel()
        serving.cancel()


def _refuse_taken(host: str, port: int) -> None:
    """The server listens with SO_REUSEPORT: without this, a second edge on the port would take half of the first one's requests."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
