"""Settings: one TOML file, each overridden by the environment, read once, frozen.

A setting `timeout_ms` in the table `[stores]` is overridden by `REFRAIN_STORES__TIMEOUT_MS`. What is not plain (a list, a
table) is given as JSON.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T", bound=msgspec.Struct)

PREFIX = "REFRAIN_"
FILE = "REFRAIN_CONFIG"


class SettingsError(Exception):
    """A setting that cannot be used: says which, where it was read, what is wrong."""


def load(schema: type[T], environ: Mapping[str, str]) -> T:
    """The settings of `schema`, a struct of structs, from the file that REFRAIN_CONFIG names and from the environment.

    Tables and settings that `schema` does not have are refused in the file by name; in the environment they may belong to
    another program (`REFRAIN_TONE_RTF`) and are left alone. Raises SettingsError.
    """
    sections = msgspec.structs.fields(schema)
    path = environ.get(FILE, "")
    tables = _read(Path(path)) if path else {}
    known = {field.encode_name: field.type for field in sections}
    for name, table in _overrides(known, environ).items():
        tables.setdefault(name, {}).update(table)
    # One file serves edges and origins: each takes its own tables.
    try:
        return msgspec.convert({name: table for name, table in tables.items() if name in known}, schema, strict=False)
    except msgspec.ValidationError as error:
        where = f"{path} or the environment" if path else "the environment"
        message = f"{where}: {error}"
        raise SettingsError(message) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path}: is not TOML: {error}"
        raise SettingsError(message) from error


def _overrides(known: dict[str, Any], environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the environment says, table by table."""
    tables: dict[str, dict[str, Any]] = {}
    for section, schema in known.items():
        if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
            continue
        for field in msgspec.structs.fields(schema):
            variable = f"{PREFIX}{section}__{field.name}".upper()
            if variable in environ:
                tables.setdefault(section, {})[field.name] = _value(environ[variable], variable)
    return tables


def _value(text: str, variable: str) -> Any:  # noqa: ANN401 - a setting has any type that JSON has
    if text[:1] not in ("[", "{"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        message = f"{variable}: is not JSON: {error}"
        raise SettingsError(message) from error
