"""Object storage through obstore: a folder, S3, Google Cloud Storage, Azure, by URL."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from edge.ports import Reason, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ObjectStore as Backend

    from edge.policy.pieces import Pieces

WRITE_S: Final = 5.0
"""How long a write, or one part of it, may take: a synthesis was paid for what it keeps, and next to nobody waits for it."""
PART: Final = 5 << 20
"""Bytes that are written at once: the least that S3 takes for a part, and the most of a value that is held in memory."""
RETRIES: Final = 2
"""Of what was refused or reset, within the timeout; the first after about 25 ms. What is slow is not asked twice here."""
LEFTOVER_S: Final = 3600.0
"""Age of a leftover that nobody can still be writing."""
CLIENT_OPTIONS: Final = frozenset({"allow_http", "allow_invalid_certificates", "proxy_url", "root_certificate"})
"""Those of `object_options` that belong to the HTTP client, not to the kind of store."""


class ObjectStore:
    """An `edge.ports.Store` that lasts. Reads and deletions end within `timeout_s`, writes within WRITE_S.

    Writes are whole or not at all: folders link or rename a finished file into place, the others have one PUT, or of a long value
    a multipart upload, invisible until it is completed. One that breaks off is aborted; the parts of a writer that was killed are
    for the bucket's lifecycle rule to remove. Create-if-absent is `If-None-Match: *` on S3; a server that ignores it lets the
    last writer win instead of the first. So do uploads in parts that begin while there is nothing yet: of two at once the last
    one stays. That keeps every promise but that of one ETag. Folders are not synced to the disk: a value that a power cut left
    short fails its verification.
    """

    name = "object"

    def __init__(self, url: str, options: dict[str, str], *, timeout_s: float) -> None:
        self._url = url
        self._options = options
        self._timeout_s = timeout_s
        self._backend: Backend | None = None

    async def open(self) -> None:
        """Import obstore and make the folder, in a thread. No server is asked yet. Raises StoreError where that is impossible."""
        self._backend = await asyncio.to_thread(self._make)

    async def sweep(self) -> int:
        """Remove from a folder what writers that were killed left behind; how many files."""
        folder = _folder(self._url)
        if folder is None:
            return 0
        try:
            return await asyncio.to_thread(_sweep, folder, time.time() - LEFTOVER_S)
        except OSError as error:
            raise StoreError(self.name, Reason.FAILED, str(error)) from error

    async def get(self, address: str, start: int = 0, stop: int | None = None) -> bytes | None:
        if self._backend is None:
            return None
        import obstore  # noqa: PLC0415 - 30 ms that the first requests should not wait for: `open` has imported it by now

        wanted: Any = {} if (start, stop) == (0, None) else {"range": (start, stop) if stop is not None else {"offset": start}}
        with _translated(self.name):
            async with asyncio.timeout(self._timeout_s):
                try:
                    result = await obstore.get_async(self._backend, address, options=wanted)
                    return bytes(await result.bytes_async())
                except FileNotFoundError:
                    return None
                except obstore.exceptions.GenericError:
                    # A range that begins at the end or after it has no exception of its own.
                    if wanted and (await obstore.head_async(self._backend, address))["size"] <= start:
                        return b""
                    raise

    async def put(self, address: str, value: bytes | Pieces, *, replace: bool = False) -> bool:
        """Raises StoreError also until `open` has returned: what must last cannot be kept yet."""
        if self._backend is None:
            raise StoreError(self.name, Reason.LOADING, "is not open yet")
        import obstore  # noqa: PLC0415 - see get

        with _translated(self.name):
            async with asyncio.timeout(WRITE_S * (1 + len(value) // PART)):
                if len(value) > PART:
                    return await self._upload(self._backend, address, value, replace=replace)
                try:
                    mode: Any = "overwrite" if replace else "create"
                    await obstore.put_async(self._backend, address, bytes(value), mode=mode, use_multipart=False)
                except obstore.exceptions.AlreadyExistsError:
                    return False
        return True

    async def delete(self, address: str) -> None:
        if self._backend is None:
            return
        import obstore  # noqa: PLC0415 - see get

        with _translated(self.name):
            async with asyncio.timeout(self._timeout_s):
                try:
                    await obstore.delete_async(self._backend, address)
                except FileNotFoundError:
                    return

    async def close(self) -> None:
        self._backend = None

    async def _upload(self, backend: Backend, address: str, value: bytes | Pieces, *, replace: bool) -> bool:
        """`put` in parts, for which obstore takes no condition."""
        import obstore  # noqa: PLC0415 - see get

        if not replace:
            try:
                await obstore.head_async(backend, address)
            except FileNotFoundError:
                pass
            else:
                return False
        # One part on its way while the next one is read: more would only be held.
        await obstore.put_async(backend, address, value, use_multipart=True, chunk_size=PART, max_concurrency=1)
        return True

    def _make(self) -> Backend:
        with _translated(self.name):
            return _backend(self._url, self._options, self._timeout_s)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turns what obstore raises into StoreError. Its messages end in a dump of the request: only the first line is kept."""
    from obstore import exceptions  # noqa: PLC0415 - see ObjectStore.get

    try:
        yield
    except TimeoutError as error:
        raise StoreError(name, Reason.TIMEOUT, "did not answer in time") from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError) as error:
        raise StoreError(name, Reason.DENIED, _first_line(error)) from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        raise StoreError(name, Reason.FAILED, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _backend(url: str, options: dict[str, str], timeout_s: float) -> Backend:
    from obstore.store import LocalStore, from_url  # noqa: PLC0415 - see ObjectStore.get

    folder = _folder(url)
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(folder, automatic_cleanup=True)
    config: Any = {name: value for name, value in options.items() if name not in CLIENT_OPTIONS}
    client: Any = {name: value for name, value in options.items() if name in CLIENT_OPTIONS}
    client |= {"timeout": timedelta(seconds=WRITE_S), "connect_timeout": timedelta(seconds=timeout_s)}
    return from_url(
        url,
        config=config,
        client_options=client,
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=WRITE_S),
            "backoff": {"init_backoff": timedelta(milliseconds=25), "max_backoff": timedelta(seconds=1), "base": 2},
        },
    )


def _sweep(folder: Path, before: float) -> int:
    """A file in the making is named after the finished one and a number (`name#1`); our own names hold no `#`."""
    swept = 0
    for path in folder.rglob("*#*"):
        try:
            if path.stat().st_mtime < before:
                path.unlink()
                swept += 1
        except FileNotFoundError:
            continue  # its writer has just finished, or another edge sweeps too
    return swept
