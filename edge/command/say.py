"""`refrain say`: a text through a running edge, to a file or to the loudspeaker."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from rich.console import Console

from edge.command import Failure
from edge.command.client import DEFAULT_URL, calling, expect_success, speech

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

FORMATS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
PLAYERS: Final = (
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "24000", "-"),
    ("paplay", "--raw", "--format=s16le", "--channels=1", "--rate=24000"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-f", "s16le", "-ar", "24000", "-i", "-"),
)
"""They play `pcm` (24,000 Hz, mono, s16le) from standard input, as it comes."""


def say(text: str, *, output: Path | None = None, url: str = DEFAULT_URL, voice: str = "", model: str = "") -> int:
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
    with calling(url) as client, (_file(output) if output else _player()) as sink:
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
        raise Failure(f"-o {output}: the suffix says the format; it is one of {', '.join(FORMATS)}", 2)
    return suffix


def _copy(response: httpx.Response, sink: BinaryIO) -> tuple[float, int]:
    """When the first audio came, and how many bytes there were."""
    first, size = 0.0, 0
    for chunk in response.iter_bytes():
        first = first or time.monotonic()
        size += len(chunk)
        sink.write(chunk)
        sink.flush()  # a player plays what it has
    if not size:
        raise Failure("the edge answered without audio")
    return first, size


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    """The file appears under its name when it is complete."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            fresh = Path(file.name)
            try:
                yield file.file
                file.flush()
                fresh.chmod(0o644)
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
    except OSError as error:
        raise Failure(f"-o {path}: cannot be written: {error.strerror}") from error


@contextmanager
def _player() -> Iterator[BinaryIO]:
    """The standard input of the first player there is; waits until it has played."""
    command = next((player for player in PLAYERS if shutil.which(player[0])), None)
    if command is None:
        raise Failure(f"nothing here plays audio (no {', '.join(player[0] for player in PLAYERS)}): name a file with -o out.wav")
    with subprocess.Popen(command, stdin=subprocess.PIPE) as player:  # noqa: S603 - one of PLAYERS
        assert player.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        try:
            yield player.stdin
            player.stdin.close()
        except BrokenPipeError as error:
            raise Failure(f"{command[0]} ended before the audio did") from error
    if player.returncode:
        raise Failure(f"{command[0]} could not play: name a file with -o out.wav")


def _summarise(response: httpx.Response, first: float, total: float, size: int, output: Path | None) -> None:
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    where = f"{output}, " if output else ""
    console.print(f"{where}{size:,} bytes; first audio after {first * 1000:.0f} ms, all after {total * 1000:.0f} ms")
    for title, header in (("cache", "Cache-Status"), ("address", "Content-Location"), ("ignored", "Refrain-Ignored")):
        if value := response.headers.get(header):
            console.print(f"{title:8}{value}")
