"""`refrain plan`: what a text would become, and how much of it is cached."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from edge.command import CommandError
from edge.command.client import DEFAULT_URL, calling, expect_success, speech

Word = Annotated[str, Parameter(show_default=False)]


class Segment(msgspec.Struct):
    """A sentence that is synthesised and cached on its own."""

    key: str
    text: str
    cached: bool


class Planned(msgspec.Struct):
    """What is shown of an edge's answer to `POST /v1/audio/plan`."""

    url: str
    cached: bool
    model: str
    voice: str
    dialect: str
    ignored: list[str]
    characters: int
    segments: list[Segment]


def plan(
    text: str,
    /,
    *,
    url: str = DEFAULT_URL,
    voice: Word = "",
    model: Word = "",
    dialect: Word = "",
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Show a text's segments and keys, and which are cached; nothing is synthesised.

    Parameters
    ----------
    text
        What would be said.
    url
        The edge.
    voice
        One of `GET /v1/voices`; left out: the model's own for the text's script.
    model
        One of `GET /v1/models`; left out: tts-1.
    dialect
        One that the model speaks.
    json
        Print the edge's answer as it is.

    """
    with calling(url) as client:
        response = client.post("/v1/audio/plan", json=speech(text, voice=voice, model=model, dialect=dialect))
        expect_success(response)
    if json:
        sys.stdout.write(response.text.rstrip("\n") + "\n")
        return 0
    try:
        planned = msgspec.json.decode(response.content, type=Planned)
    except msgspec.DecodeError as error:
        raise CommandError(f"{url} answers no plan: {error}") from error
    _show(planned, Console(highlight=False))
    return 0


def _show(planned: Planned, console: Console) -> None:
    table = Table("", Column("key", no_wrap=True, min_width=40), "text", box=None)
    for segment in planned.segments:
        mark = Text("cached", "green") if segment.cached else Text("to make", "yellow")
        table.add_row(mark, segment.key, Text(segment.text))
    console.print(table)
    spoken = " ".join(filter(None, (planned.model, planned.voice, planned.dialect)))
    missing = sum(len(segment.text) for segment in planned.segments if not segment.cached)
    state = "cached" if planned.cached else f"{missing} of {planned.characters} characters to make"
    console.print(Text(f"\n{spoken}: {state}\n{planned.url}"), soft_wrap=True)
    if planned.ignored:
        console.print(Text(f"ignored: {', '.join(planned.ignored)}"))
