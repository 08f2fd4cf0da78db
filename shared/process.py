"""Dying with one's parent: no process of ours outlives the one that started it, even if that one is killed outright."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
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
