"""A process's place in the world: the parent that it must not outlive, even one that is killed outright; its port; its end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from typing import Final, NoReturn

WRONG_SETTINGS: Final = 2
"""Exit status that says: starting again with the same settings would fail again."""
_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send us `number` when `parent` ends (Linux; elsewhere nothing is sent)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    # It may have ended before we asked to be told.
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


async def end_with(parent: int, poll_s: float = 1.0) -> None:
    """SIGTERM to ourselves once `parent` is gone; whoever starts this task listens to it by now. 0: there is none to watch."""
    if not parent:
        return
    die_with(parent)
    # For systems whose kernel does not tell, and should the signal be lost.
    while os.getppid() == parent:  # noqa: ASYNC110 - there is no event for it that every system knows
        await asyncio.sleep(poll_s)
    signal.raise_signal(signal.SIGTERM)


def leave(code: int) -> NoReturn:
    """End at once: granian's threads may still call for the interpreter, and abort a process that is tearing it down."""
    sys.stderr.flush()
    os._exit(code)


def check_free(host: str, port: int) -> None:
    """Raises OSError where somebody listens there already.

    To be asked before granian starts: it sets SO_REUSEPORT, and two servers would share the port, each with some of the calls.
    """
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with socket.socket(family, kind, protocol) as probe:
        # What a server that has just stopped leaves behind (TIME_WAIT) does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
