"""The folder of `refrain up`: secrets, the pinned models, a folder for each region, and `up.json`, which says what runs."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

from edge.command import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRETS = ("address", "mac", "peers")
"""The address secret, the key that authenticates stored values, what regions prove themselves to one another with."""


class DataFolder:
    """Everything in it can be deleted while nothing runs; without its secrets, what the stores hold is never found again."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.running = self.root / "up.json"

    def prepare(self) -> None:
        """Make the folder, and the secrets that it does not have yet. Raises CommandError."""
        try:
            (self.root / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n", encoding="utf-8")  # secrets are not for repositories
            for name in SECRETS:
                _create(self.secret(name), secrets.token_hex(32).encode())
        except OSError as error:
            raise CommandError(f"--data {self.root}: cannot be used: {error.strerror}", 2) from error

    def note(self, state: Mapping[str, Any]) -> None:
        """Write down what runs; where another `up` that lives has done so, that stays."""
        if self._owner() in (None, os.getpid()):
            replace(self.running, json.dumps({**state, "pid": os.getpid()}).encode())

    def forget(self) -> None:
        """Take back what `note` wrote."""
        if self._owner() == os.getpid():
            self.running.unlink()

    def _owner(self) -> int | None:
        """The process id of the `up` that wrote down what runs, if it still does."""
        try:
            pid = json.loads(self.running.read_bytes())["pid"]
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return pid if is_running(pid) else None

    def secret(self, name: str) -> Path:
        return self.root / "secrets" / f"{name}.hex"

    def catalogue(self, engine: str) -> Path:
        return self.root / f"catalogue-{engine}.json"

    def valkey_log(self, region: str) -> Path:
        return self.root / f"valkey-{region}.log"

    def region(self, name: str) -> Path:
        return self.root / "regions" / name


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def replace(path: Path, data: bytes) -> None:
    """Write it whole or not at all."""
    fresh = _beside(path)
    fresh.write_bytes(data)
    fresh.replace(path)


def _create(path: Path, data: bytes) -> None:
    """Write it whole, for its owner alone; who comes second keeps what is there."""
    fresh = _beside(path)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - takes no mode
        file.write(data)
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
