"""Encoded bytes of a rendition in flight: in memory up to a bound, beyond it in a temporary file."""

from __future__ import annotations

import os
import tempfile

from shared.errors import Internal


class FileSpool:
    """An `edge.ports.Spool`. Its file has no name, so that it is gone with the process, however that ends.

    Reads and writes do not wait for the disk: they meet the page cache, at most 64 KiB at a time.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        self._file: int | None = None
        self._size = 0

    @property
    def size(self) -> int:
        return self._size

    @property
    def on_disk(self) -> bool:
        return self._file is not None

    def append(self, data: bytes) -> None:
        if self._file is None and self._size + len(data) <= self._memory_bytes:
            self._memory += data
        else:
            try:
                self._append_to_file(data)
            except OSError as error:
                raise Internal("The disk takes no more of the audio in the making.", code="store_failed", source="spool") from error
        self._size += len(data)

    def read(self, at: int, most: int) -> bytes:
        if self._file is None:
            return bytes(memoryview(self._memory)[at : at + most])
        return os.pread(self._file, most, at)

    def close(self) -> None:
        self._memory = bytearray()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append_to_file(self, data: bytes) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(prefix="refrain-") as file:
                _write(file.fileno(), self._memory, 0)
                self._file = os.dup(file.fileno())
            self._memory = bytearray()
        _write(self._file, data, self._size)


def _write(file: int, data: bytes | bytearray, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, at)
        view, at = view[written:], at + written
