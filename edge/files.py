"""The files that an edge's settings name: secrets, and the catalogue."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shared.catalogue import Catalogue, ModelList
from shared.keys import SECRET_BYTES
from shared.settings import SettingsError


def read_secret(setting: str, path: str) -> bytes:
    """A secret of 16 to 64 bytes, written as hex. Raises SettingsError, which never shows it."""
    if not path:
        raise SettingsError(f"{setting}: name a file that holds 32 random bytes as hex (openssl rand -hex 32)")
    try:
        secret = bytes.fromhex(Path(path).read_text(encoding="ascii"))
    except OSError as error:
        raise SettingsError(f"{setting}: {path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise SettingsError(f"{setting}: {path} is not hex") from None
    if len(secret) not in SECRET_BYTES:
        raise SettingsError(f"{setting}: {path} holds {len(secret)} bytes; there must be 16 to 64")
    return secret


def read_catalogue(path: str) -> Catalogue:
    """What the saved answer of an origin's `GET /v1/models` pins. Raises SettingsError."""
    if not path:
        raise SettingsError("edge.catalogue: save an origin's GET /v1/models, and name the file")
    try:
        listed = msgspec.json.decode(Path(path).read_bytes(), type=ModelList).data
    except OSError as error:
        raise SettingsError(f"edge.catalogue: {path} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise SettingsError(f"edge.catalogue: {path} is not an origin's list of models: {error}") from error
    models = tuple(model.refrain for model in listed if model.refrain)
    if not models:
        raise SettingsError(f"edge.catalogue: {path} holds no model")
    return Catalogue(models)
