"""A process's place in the world: the parent that it must not outlive, even one that is killed outright, and the port it takes."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with(parent: int, number: int = signal.SIGTERM) -> None:
    """Have the kernel send us `number` when `parent` ends (Linux; elsewhere `parent_gone` alone says so)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    # It may have ended before we asked to be told.
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


async def parent_gone(parent: int, poll_s: float = 1.0) -> None:
    """Returns once `parent` is no longer our parent: for systems whose kernel does not tell, and should the signal be lost."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel has no event for it that every system knows
        await asyncio.sleep(poll_s)


def check_free(host: str, port: int) -> None:
    """Raises OSError where somebody listens there already.

    To be asked before granian starts: it sets SO_REUSEPORT, and two servers would share the port, each with some of the calls.
    """
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with socket.socket(family, kind, protocol) as probe:
        # What a server that has just stopped leaves behind (TIME_WAIT) does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
