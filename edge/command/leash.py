"""`python -m edge.command.leash PARENT PROGRAM ARGUMENT...`: a program that does not know of its parent, and yet dies with it.

Not a `preexec_fn`: that runs Python in the fork of a process that has threads, which may hang.
"""

from __future__ import annotations

import os
import signal
import sys

from shared.process import die_with


def main() -> None:
    parent, *program = sys.argv[1:]
    die_with(int(parent), signal.SIGKILL)  # what was asked for survives exec
    os.execv(program[0], program)  # noqa: S606 - to replace this process is the point


if __name__ == "__main__":
    main()
