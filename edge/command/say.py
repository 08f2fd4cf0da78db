"""`refrain say`: a text through a running edge, to a file or to the loudspeaker."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import IO, TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from edge.command import CommandError
from edge.command.client import DEFAULT_URL, calling, expect_success, speech
from edge.policy.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

PLAYERS: Final = (
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "24000", "-"),
    ("paplay", "--raw", "--format=s16le", "--channels=1", "--rate=24000"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-f", "s16le", "-ar", "24000", "-i", "-"),
)
"""They play `pcm` (24,000 Hz, mono, s16le) from standard input, as it comes."""


def say(
    text: str,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    url: str = DEFAULT_URL,
    voice: Annotated[str, Parameter(show_default=False)] = "",
    model: Annotated[str, Parameter(show_default=False)] = "",
) -> int:
    """Speak a text through a running edge.

    Parameters
    ----------
    text
        What to say.
    output
        The file; its suffix is the format: mp3, opus, aac, flac, wav or pcm. Left out: played aloud.
    url
        The edge.
    voice
        One of `GET /v1/voices`; left out: the model's own for the text's script.
    model
        One of `GET /v1/models`; left out: tts-1.

    """
    audio_format = _format(output) if output else "pcm"
    body = speech(text, voice=voice, model=model, response_format=audio_format)
    with calling(url) as client, _file(output) if output else _player() as sink:
        began = time.monotonic()
        with client.stream("POST", "/v1/audio/speech", json=body) as response:
            expect_success(response)
            first, size = _copy(response, sink)
        ended = time.monotonic()
    _summarise(response, first - began, ended - began, size, output)
    return 0


def _format(output: Path) -> str:
    suffix = output.suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise CommandError(f"-o {output}: the suffix says the format; it is one of {', '.join(FORMATS)}", 2)
    return suffix


def _copy(response: httpx.Response, sink: IO[bytes]) -> tuple[float, int]:
    """When the first audio came, and how many bytes there were."""
    first, size = 0.0, 0
    for chunk in response.iter_bytes():
        first = first or time.monotonic()
        size += len(chunk)
        sink.write(chunk)
        sink.flush()  # a player plays what it has
    if not size:
        raise CommandError("the edge answered without audio")
    return first, size


@contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    """The file appears under its name when it is complete."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w+b") as file:
            yield file
            if path.suffix.lower() == ".wav":
                _fill_in_lengths(file)
        fresh.replace(path)
    except OSError as error:
        raise CommandError(f"-o {path}: cannot be written: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)


def _fill_in_lengths(file: IO[bytes]) -> None:
    """Whoever streams a WAV does not know how long it will be; whoever opens a file wants to."""
    size = file.tell()
    file.seek(0)
    data = file.read(4096).find(b"data")
    if data < 0:
        return
    for at in (4, data + 4):  # the lengths of the RIFF chunk and of the data chunk count from behind themselves
        file.seek(at)
        file.write(struct.pack("<I", min(size - at - 4, 0xFFFFFFFF)))


@contextmanager
def _player() -> Iterator[IO[bytes]]:
    """The standard input of the first player there is; waits until it has played."""
    command = next((player for player in PLAYERS if shutil.which(player[0])), None)
    if command is None:
        raise CommandError(
            f"nothing here plays audio (no {', '.join(player[0] for player in PLAYERS)}): name a file with -o out.wav"
        )
    with subprocess.Popen(command, stdin=subprocess.PIPE) as player:  # noqa: S603 - one of PLAYERS
        assert player.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        try:
            yield player.stdin
            player.stdin.close()
        except BrokenPipeError as error:
            raise CommandError(f"{command[0]} ended before the audio did") from error
    if player.returncode:
        raise CommandError(f"{command[0]} could not play: name a file with -o out.wav")


def _summarise(response: httpx.Response, first: float, total: float, size: int, output: Path | None) -> None:
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    where = f"{output}, " if output else ""
    console.print(f"{where}{size:,} bytes; first audio after {first * 1000:.0f} ms, all after {total * 1000:.0f} ms")
    for title, header in (("cache", "Cache-Status"), ("address", "Content-Location"), ("ignored", "Refrain-Ignored")):
        if value := response.headers.get(header):
            console.print(f"{title:8}{value}")
