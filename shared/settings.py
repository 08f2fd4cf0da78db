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
TABLES = frozenset({"edge", "secrets", "stores", "origins", "limits", "origin"})
"""All that the file may have: one file serves edges and origins, and each takes its own."""


class SettingsError(Exception):
    """A setting that cannot be used: says which, where it was read, what is wrong."""


def load(schema: type[T], environ: Mapping[str, str]) -> T:
    """The settings of `schema`, a struct of structs, from the file that REFRAIN_CONFIG names and from the environment.

    What is misspelt is refused by name: tables and settings in the file, settings of a known table in the environment. Other
    variables (`REFRAIN_TONE_RTF`) are somebody else's. Raises SettingsError.
    """
    sections = msgspec.structs.fields(schema)
    path = environ.get(FILE, "")
    tables = _read(Path(path)) if path else {}
    if stray := sorted(tables.keys() - TABLES):
        raise SettingsError(f"{path}: there is no table [{stray[0]}]; there are: {', '.join(sorted(TABLES))}")
    known = {field.encode_name: field.type for field in sections}
    for name, table in _overrides(known, environ).items():
        tables.setdefault(name, {}).update(table)
    try:
        return msgspec.convert({name: table for name, table in tables.items() if name in known}, schema, strict=False)
    except msgspec.ValidationError as error:
        where = f"{path} or the environment" if path else "the environment"
        raise SettingsError(f"{where}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error


def _overrides(known: dict[str, Any], environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the environment says, table by table."""
    tables: dict[str, dict[str, Any]] = {}
    for variable, text in environ.items():
        section, separator, name = variable.removeprefix(PREFIX).lower().partition("__")
        if variable.startswith(PREFIX) and separator and section in known:
            tables.setdefault(section, {})[name] = _value(text, variable)
    return tables


def _value(text: str, variable: str) -> Any:  # noqa: ANN401 - a setting has any type that JSON has
    if text[:1] not in ("[", "{"):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{variable}: is not JSON: {error}") from error
