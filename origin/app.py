"""Puts an origin together and runs it. The only place that knows everything."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

from granian.constants import Interfaces
from granian.server.embed import Server
from prometheus_client import disable_created_metrics
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from origin import engines, log
from origin.engines import EngineError
from origin.http import problem, routes
from origin.metrics import Metrics
from origin.node import Node
from origin.replay import Replay
from origin.settings import Settings
from origin.slots import Slots
from origin.takes import Takes
from shared.errors import RefrainError
from shared.process import WRONG_SETTINGS, check_free, end_with, leave
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from origin.settings import Origin

CONNECTIONS: Final = 4096
"""Requests at once. granian's own number, 128, would have a few slow streams keep out the health checks."""


def compose(settings: Origin, environ: Mapping[str, str]) -> tuple[Node, Starlette]:
    """Raises EngineError."""
    engine = engines.create(settings.engine, environ)
    metrics = Metrics()
    slots = Slots(settings.slots or 1)
    replay = Replay(settings.replay_bytes, settings.replay_s)
    takes = Takes(engine, slots, replay, metrics, queue=settings.queue, take_timeout_s=settings.take_timeout_s)
    node = Node(engine, takes, slots, metrics, slots_wanted=settings.slots, take_timeout_s=settings.take_timeout_s)
    handlers = dict.fromkeys((RefrainError, HTTPException, Exception), problem)
    return node, Starlette(routes=[*routes(node), *engine.routes(node.fit_slots)], exception_handlers=handlers)


async def serve(settings: Origin, environ: Mapping[str, str]) -> None:
    """Run until SIGTERM, SIGINT or the parent's end. Raises EngineError, or OSError where the port is taken."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    check_free(settings.host, settings.port)
    node, app = compose(settings, environ)
    server = Server(
        app,
        settings.host,
        settings.port,
        interface=Interfaces.ASGINL,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    ends = {serving, asyncio.create_task(stop.wait())}
    starting = asyncio.create_task(node.start())
    watching = asyncio.create_task(end_with(settings.parent))
    try:
        await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        for task in (starting, watching):
            task.cancel()
        await node.drain(settings.drain_s)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=1.0)


def main() -> None:
    log.configure()
    disable_created_metrics()  # type: ignore[no-untyped-call]
    code = 0
    try:
        asyncio.run(serve(load(Settings, os.environ).origin, os.environ))
    except (SettingsError, EngineError) as error:
        log.error("stopped", reason=str(error))
        code = WRONG_SETTINGS
    except OSError as error:
        log.error("stopped", reason=str(error))
        code = 1
    leave(code)
