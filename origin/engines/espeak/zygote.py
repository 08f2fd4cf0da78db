"""The process that takes are forked from: `python -m origin.engines.espeak.zygote FD LIBRARY DATA PARENT`.

It has loaded the library and has not spoken. For each take it is handed a socket, and forks; the child speaks as if it were the
first that the library ever said, so the same recipe gives the same bytes, whatever was said before and besides. It reads its
order from the socket and writes frames to it, and dies of SIGPIPE when the other end is closed: that is how a take is cancelled.

Frames: a byte that says what it is, the length as 32 bits, the content.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import struct
import sys
import traceback
from typing import Final

from origin.engines.espeak.library import NORMAL_RATE, Library, LibraryError
from origin.engines.espeak.speakable import can_say
from shared.process import die_with

HEADER: Final = struct.Struct(">cI")
HELLO: Final = b"h"  # JSON: the sample rate and the voices
PCM: Final = b"p"
END: Final = b"e"
UNSPEAKABLE: Final = b"u"
FAILED: Final = b"f"  # why

CPU_S: Final = 30
"""Processor time of one take: an hour of speech. A text that traps the library must not keep a core for ever."""


def write(to: int, kind: bytes, content: bytes = b"") -> None:
    frame = HEADER.pack(kind, len(content)) + content
    while frame:
        frame = frame[os.write(to, frame) :]


def main(control: int, path: str, data: str, parent: int) -> None:
    die_with(parent, signal.SIGKILL)
    # A terminal or a service manager signals the whole group; the origin still needs us to finish what it has begun.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    library = Library(path, data)
    hello = {"sample_rate": library.sample_rate, "voices": sorted(library.voices())}
    write(control, HELLO, json.dumps(hello).encode())
    with socket.socket(fileno=control) as orders:
        while True:
            received, descriptors, _, _ = socket.recv_fds(orders, 1, 1)
            if not received:
                return
            _fork(library, descriptors[0], control)


def _fork(library: Library, descriptor: int, control: int) -> None:
    try:
        pid = os.fork()
    except OSError:  # no memory, no process ids: the take fails, since its socket closes without an end; we live on
        pid = -1
    if pid == 0:
        try:
            os.close(control)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
            take(library, descriptor)
        except BaseException:  # noqa: BLE001 - whatever it is, it must end here and be told: the caller sees a socket that closes
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(descriptor)


def take(library: Library, descriptor: int) -> None:
    """Read an order, speak, end."""
    order = bytearray()
    while chunk := os.read(descriptor, 1 << 16):
        order += chunk
    if not order:
        return  # closed before it was given
    voice, speed, text = json.loads(order)
    try:
        library.set_voice(voice)
        if not can_say(text, library.phonemes):
            write(descriptor, UNSPEAKABLE)
            return
        library.set_rate(round(NORMAL_RATE * speed))
        library.speak(text, lambda pcm: write(descriptor, PCM, pcm))
    except LibraryError as error:
        write(descriptor, FAILED, str(error).encode())
    else:
        write(descriptor, END)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
