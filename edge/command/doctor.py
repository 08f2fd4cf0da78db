"""`refrain doctor`: what is wrong with an installation, in words, and what to do about it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from rich.console import Console

from edge.command import CommandError, checks
from edge.command.state import DataFolder, is_running
from edge.settings import Settings
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from edge.command.checks import Finding


def doctor(*, data: Path = Path(".refrain")) -> int:
    """Say what is wrong with an installation, and what to do about it.

    Where a `refrain up` runs in --data, that is examined: its edges, origins and stores. Otherwise what REFRAIN_CONFIG and
    REFRAIN_SECTION__NAME tell an edge that would be started here. The exit code is 1 if anything is wrong.

    Parameters
    ----------
    data
        The folder of the `refrain up` to examine.

    """
    return asyncio.run(_examine(DataFolder(data).running))


async def _examine(running: Path) -> int:
    console = Console(soft_wrap=True, markup=False, highlight=False)
    well = True
    async with httpx.AsyncClient(trust_env=False, timeout=checks.PATIENCE_S) as client:
        async for finding in _findings(running, client):
            well &= finding.well
            console.print(f"{'✓' if finding.well else '✗'} {finding.words}")
            if finding.remedy:
                console.print(f"    {finding.remedy}")
    return 0 if well else 1


async def _findings(running: Path, client: httpx.AsyncClient) -> AsyncIterator[Finding]:
    instance = _instance(running)
    if instance is None:
        yield checks.Finding(f"{running.parent}: no `refrain up` runs here; this is about an edge that would be started")
        settings = _settings({})
        async for finding in _node(settings, client):
            yield finding
        yield await checks.place_for_edge(settings, client)
        return
    if not is_running(instance["pid"]):
        yield checks.ill(f"the `refrain up` of {running} was ended by force", "start it again, or remove that file")
        return
    for name, region in instance["regions"].items():
        yield checks.Finding(f"region {name} of {running}")
        async for finding in _node(_settings(region["told"]), client):
            yield finding
        for edge in region["edges"]:
            yield await checks.edge(edge["url"], client)


async def _node(settings: Settings, client: httpx.AsyncClient) -> AsyncIterator[Finding]:
    """Everything that an edge with these settings needs."""
    for finding in (*checks.secrets(settings.secrets), *checks.models(settings)):
        yield finding
    async for finding in checks.stores(settings.stores):
        yield finding
    async for finding in checks.origins(settings, client):
        yield finding


def _instance(running: Path) -> Any | None:  # noqa: ANN401 - what `up` wrote, as it wrote it
    try:
        return msgspec.json.decode(running.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(f"{running}: cannot be read: {error}") from error


def _settings(told: Mapping[str, str]) -> Settings:
    try:
        return load(Settings, {**os.environ, **told})
    except SettingsError as error:
        raise CommandError(f"settings: {error}") from error
