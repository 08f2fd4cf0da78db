"""The zygote, seen from the origin: started, asked for takes, started again when it has died."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from origin import log
from origin.engines import EngineError
from origin.engines.espeak.zygote import HEADER, HELLO
from shared.errors import OriginError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_S: Final = 20.0
"""To load the library from a cold disk; it takes 0.1 s from a warm one."""


class _Zygote(NamedTuple):
    process: asyncio.subprocess.Process
    control: socket.socket


class Nursery:
    """Where takes come from."""

    def __init__(self, library: str, data: str) -> None:
        self._arguments = (library, data, str(os.getpid()))
        self._zygote: _Zygote | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._zygote.process.pid if self._zygote else None

    async def start(self) -> dict[str, Any]:
        """What the zygote says of itself. Raises EngineError."""
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: a folder called `origin` where we stand is not the program.
            command = (sys.executable, "-P", "-m", "origin.engines.espeak.zygote", str(theirs.fileno()), *self._arguments)
            process = await asyncio.create_subprocess_exec(*command, pass_fds=[theirs.fileno()], stdin=asyncio.subprocess.DEVNULL)
        ours.setblocking(False)  # noqa: FBT003 - the standard library's way to say it
        self._zygote = _Zygote(process, ours)
        # A duplicate to read from: the transport closes its own, while orders go on over ours.
        reader, writer = await asyncio.open_connection(sock=ours.dup())
        try:
            async with asyncio.timeout(START_S):
                kind, content = await read(reader)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise EngineError("espeak-ng did not start; standard error says why.") from error
        finally:
            writer.close()
        if kind != HELLO:
            raise EngineError("The zygote did not say hello.")
        hello: dict[str, Any] = json.loads(content)
        return hello

    @asynccontextmanager
    async def take(self, order: object) -> AsyncIterator[asyncio.StreamReader]:
        """The frames of one take. Leaving kills it. Raises OriginError."""
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours)
            try:
                await self._hand_over(theirs)
            except BaseException:
                writer.close()
                raise
        try:
            writer.write(json.dumps(order).encode())
            writer.write_eof()
            yield reader
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        if self._zygote is None:
            return
        process, control = self._zygote
        self._zygote = None
        control.close()
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _hand_over(self, theirs: socket.socket) -> None:
        """Give a take's socket to the zygote, which is started again when it turns out to have died."""
        async with self._starting:
            for _ in range(2):
                zygote = self._zygote or await self._restart()
                try:
                    socket.send_fds(zygote.control, [b"t"], [theirs.fileno()])
                except (BrokenPipeError, ConnectionResetError):
                    await self.close()
                except OSError as error:
                    raise OriginError("The engine's process takes no more orders.") from error
                else:
                    return
        raise OriginError("The engine's process dies as soon as it is started.")

    async def _restart(self) -> _Zygote:
        log.warning("zygote_died", action="restart")
        try:
            await self.start()
        except EngineError as error:
            raise OriginError("The engine's process cannot be started again.") from error
        assert self._zygote is not None, "start() has just set it"  # noqa: S101 - for the type checker
        return self._zygote


async def read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A frame. Raises IncompleteReadError where there is no whole one."""
    kind, length = HEADER.unpack(await reader.readexactly(HEADER.size))
    return kind, await reader.readexactly(length)
