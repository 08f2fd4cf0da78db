"""Run a program that dies when its parent does, even by SIGKILL: `leash.py PARENT PROGRAM ARGUMENT...`.

Started by path under `python -I -S`, so that it costs 15 ms. Not a `preexec_fn`: that runs Python in the fork of a process that
has threads, which may hang, and keeps subprocess from using vfork.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h. It survives exec, but is not inherited: a child's own children are the child's business."""


def main() -> None:
    parent, *program = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the line above, and no signal will come
        sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - to replace this process is the point


if __name__ == "__main__":
    main()
