"""granian around an ASGI application: listening, draining, stopping."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from shared.process import check_free

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from edge.lifecycle import Lifecycle
    from edge.settings import Edge

    Application = Callable[..., Awaitable[None]]

BACKLOG: Final = 4096
"""Connections that the kernel holds until they are accepted; it cuts this to net.core.somaxconn."""
CONNECTIONS: Final = 16_384
"""Connections served at once, where there are descriptors for them; further ones wait in the backlog."""
HEADER_TIMEOUT_MS: Final = 75_000
"""For a head to come, and so for an idle connection to begin its next: nginx keeps them for 75 s, load balancers reuse for 60."""
UNSENT_BYTES: Final = 128 << 10
"""Most that the kernel takes of an answer beyond what is on its way. By default it takes 4 MB: 4 minutes of mp3, which would count
as heard, and be made ahead of, for a listener who has long stopped to read."""
BUFFER_BYTES: Final = 128 << 10
"""Room for a request's head, and so its bound: a text of 10,000 Chinese characters is 90 kB in a query."""
DELAY_SHARE: Final = 0.125
"""Of the time to drain, the part in which requests are still taken, while load balancers learn that we are not ready."""
SETTLE_SHARE: Final = 0.0625
"""Of the same, between the listener's end and that of idle connections: who was let in last has not yet asked."""
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
        backpressure=_connections(),
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=BUFFER_BYTES),
        log_level=LogLevels.error,
        log_dictconfig=_LOGGING,
    )


async def serve(app: Application, edge: Edge, lifecycle: Lifecycle) -> None:
    """Serve until SIGTERM or SIGINT; then drain. Raises OSError where the port is taken.

    To drain: not ready first; for a moment connections are still taken, each answered with `Connection: close`; then the listener
    closes; then, when those who got in have had time to ask, idle connections; what has begun has the rest of `drain_s` to end.
    """
    check_free(edge.host, edge.port)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = make_server(app, edge.host, edge.port)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    bounding = asyncio.create_task(_bound_unsent(edge.port))
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving  # raises what ended it
            return
        lifecycle.draining = True
        await asyncio.sleep(edge.drain_s * DELAY_SHARE)
        _close_listener(edge.port)
        await asyncio.sleep(edge.drain_s * SETTLE_SHARE)
        server.stop()  # type: ignore[no-untyped-call]  # the server's own
        await asyncio.wait({serving}, timeout=edge.drain_s * (1 - DELAY_SHARE - SETTLE_SHARE))
    finally:
        for task in (stopping, bounding, serving):
            task.cancel()


def _connections() -> int:
    """CONNECTIONS, but at most half of the descriptors that we may have.

    The server takes connections until none is left, and then spins until one is free; nor is one left to ask an origin with.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(CONNECTIONS, descriptors // 2)


def _close_listener(port: int) -> None:
    """Close the listening socket, and no connection: the server would close both at once, and some of them are about to ask.

    It keeps the socket to itself. Its descriptor is given another socket, never connected, for it to close as its own.
    """
    for descriptor, _ in _listeners(port):
        with socket.socket() as blank:
            os.dup2(blank.fileno(), descriptor, inheritable=False)


async def _bound_unsent(port: int) -> None:
    """Set UNSENT_BYTES on the listening socket, from which connections inherit it (Linux; elsewhere kernels hold less)."""
    bound = sys.platform != "linux"
    while not bound:
        await asyncio.sleep(0.001)  # the server opens it in its own time, and tells nobody
        for _, listener in _listeners(port):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
            bound = True


def _listeners(port: int) -> Iterator[tuple[int, socket.socket]]:
    """The server's listening socket among our descriptors, and its descriptor."""
    for entry in Path("/dev/fd").iterdir():
        try:
            if entry.is_socket():
                with socket.socket(fileno=os.dup(int(entry.name))) as found:
                    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[1] == port:
                        yield int(entry.name), found
        except OSError:
            continue  # a connection that the server's threads have just closed
