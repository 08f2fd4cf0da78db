"""The command `refrain`. A command's module is imported when it is asked for, and an edge or origin starts without any of them."""

from __future__ import annotations

import os
import sys

_NODES = ("edge", "origin")


def main() -> None:
    arguments = sys.argv[1:]
    # A node's start-up time is its users' cold start: nothing else is imported on its way.
    if len(arguments) == 1 and arguments[0] in _NODES:
        _become(arguments[0])
    sys.exit(_run(arguments))


def _become(node: str) -> None:
    """Be `python -m edge` (or origin) from here on. -P: a folder called `edge` where we stand is not the program."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", node])  # noqa: S606 - to replace this process is the point


def edge() -> None:
    """Run one edge, configured by REFRAIN_CONFIG (a TOML file) and REFRAIN_SECTION__NAME."""
    _become("edge")


def origin() -> None:
    """Run one origin, configured by REFRAIN_CONFIG (a TOML file) and REFRAIN_SECTION__NAME."""
    _become("origin")


def _run(arguments: list[str]) -> int:
    """The exit status: 0; 1 where the command failed; 2 where it was called wrongly."""
    from importlib.metadata import version  # noqa: PLC0415 - see main

    from cyclopts import App, CycloptsError  # noqa: PLC0415 - see main
    from rich.console import Console  # noqa: PLC0415 - see main

    from edge.command import CommandError  # noqa: PLC0415 - see main

    complaints = Console(stderr=True, markup=False, highlight=False)
    app = App(
        name="refrain",
        help="An edge cache and router for text-to-speech. Start with `refrain up`, then `refrain say hello -o hello.wav`.",
        version=lambda: version("refrain-tts"),
        error_console=complaints,
        result_action="return_int_as_exit_code_else_zero",
    )
    app.command("edge.command.up:up", help="Start everything on this machine: edges, origins, Valkey, object store.")
    app.command(edge)
    app.command(origin)
    app.command("edge.command.say:say", help="Speak a text through a running edge.")
    app.command("edge.command.plan:plan", help="Show a text's segments and keys, and which are cached; nothing is synthesised.")
    app.command("edge.command.doctor:doctor", help="Say what is wrong with an installation, and what to do about it.")
    try:
        return int(app(arguments, exit_on_error=False))
    except CycloptsError:
        return 2  # it has been printed
    except CommandError as error:
        complaints.print(f"refrain: {error}", soft_wrap=True)
        return error.code
    except KeyboardInterrupt:
        return 130
