"""What `refrain doctor` looks at."""

from __future__ import annotations

import re
import secrets as dice
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import msgspec

from edge.adapters.objects import ObjectStore
from edge.adapters.valkey import ValkeyStore
from edge.command.ports import HOST, is_taken
from edge.files import read_catalogue, read_secret
from edge.ports import StoreError
from shared.catalogue import ModelList
from shared.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from edge.ports import Store
    from edge.settings import Secrets, Settings, Stores

PATIENCE_S: Final = 5.0
"""A doctor waits longer than a request would: what is slow is told apart from what is gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, in words. Where it is not well: what to do, unless the words say it."""

    words: str
    well: bool = True
    remedy: str = ""


def ill(words: str, remedy: str = "") -> Finding:
    return Finding(words, well=False, remedy=remedy)


def secrets(told: Secrets) -> Iterator[Finding]:
    """As an edge reads them, and that nobody else can."""
    macs = {f"secrets.mac_files {name}": path for name, path in told.mac_files.items()}
    for setting, path in {"secrets.address_file": told.address_file, **(macs or {"secrets.mac_files": ""})}.items():
        try:
            read_secret(setting, path)
            shared = stat.S_IMODE(Path(path).stat().st_mode) & 0o077
        except SettingsError as error:
            yield ill(str(error))
            continue
        words = f"{setting}: {path}"
        yield ill(f"{words} can be read by others than its owner", f"chmod 600 {path}") if shared else Finding(words)


def models(settings: Settings) -> Iterator[Finding]:
    """That the models are pinned, and that every alias means one of them."""
    try:
        catalogue = read_catalogue(settings.edge.catalogue)
    except SettingsError as error:
        yield ill(str(error))
        return
    names = ", ".join(f"{model.id} ({model.revision})" for model in catalogue.models)
    yield Finding(f"edge.catalogue: {settings.edge.catalogue}: {names}")
    for alias, name in settings.edge.aliases.items():
        words = f"edge.aliases: {alias} = {name}"
        yield (
            Finding(words) if catalogue.model(name) else ill(f"{words}: the catalogue has no such model", f"choose one of: {names}")
        )


async def stores(told: Stores) -> AsyncIterator[Finding]:
    """That each can write, read and forget."""
    if told.valkey_url:
        remedy = "start it, or correct `stores.valkey_url`; until then edges of a region do not share what they make"
        try:
            store = ValkeyStore(
                told.valkey_url, timeout_s=PATIENCE_S, ttl_s=60, max_bytes=told.valkey_max_bytes, clock=time.monotonic
            )
            yield await _store(f"Valkey {_shown(told.valkey_url)}", store, remedy)
        except ValueError as error:
            yield ill(f"Valkey {_shown(told.valkey_url)}: {error}", "a Valkey's URL is like redis://127.0.0.1:6379/0")
    else:
        yield Finding("Valkey: none is configured; each edge makes its own audio")
    if told.object_url:
        remedy = "correct `stores.object_url`, `stores.object_options`, or the rights; until then addresses do not last"
        objects = ObjectStore(told.object_url, told.object_options, timeout_s=PATIENCE_S)
        yield await _store(f"object store {_shown(told.object_url)}", objects, remedy)
    else:
        yield Finding("object store: none is configured; no address outlives the edge's memory and Valkey")


def _shown(url: str) -> str:
    """Without the user and password in it: what a doctor says is pasted into reports."""
    return re.sub("//[^/]*@", "//***@", url)


async def _store(what: str, store: ValkeyStore | ObjectStore, remedy: str) -> Finding:
    try:
        await store.open()
        try:
            return await _canary(what, store, remedy)
        finally:
            await store.close()
    except StoreError as error:
        return ill(f"{what}: {error}", remedy)


async def _canary(what: str, store: Store, remedy: str) -> Finding:
    began = time.monotonic()
    address, value = f"doctor/{dice.token_hex(8)}", dice.token_bytes(32)
    await store.put(address, value)
    if await store.get(address) != value:
        return ill(f"{what} does not give back what was written", remedy)
    await store.delete(address)
    if await store.get(address) is not None:
        return ill(f"{what} does not forget what was deleted", remedy)
    return Finding(f"{what}: written, read, deleted in {(time.monotonic() - began) * 1000:.0f} ms")


async def origins(settings: Settings, client: httpx.AsyncClient) -> AsyncIterator[Finding]:
    """That each is ready and has the revisions that the keys are made for."""
    if not settings.origins.urls:
        yield ill("origins.urls: none is configured", "name them; until then only what is stored is spoken")
    try:
        pinned = {model.revision for model in read_catalogue(settings.edge.catalogue).models}
    except SettingsError:  # `models` says so
        pinned = set()
    for url in settings.origins.urls:
        yield await _origin(url, pinned, client)


async def _origin(url: str, pinned: set[str], client: httpx.AsyncClient) -> Finding:
    what = f"origin {url}"
    try:
        ready = await client.get(f"{url}/readyz")
        listed = msgspec.json.decode((await client.get(f"{url}/v1/models")).content, type=ModelList).data
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return ill(f"{what} does not answer ({type(error).__name__})", "start it, or correct `origins.urls`")
    except msgspec.DecodeError:
        return ill(f"{what} is none: its /v1/models is something else", "correct `origins.urls`")
    if not ready.is_success:
        return ill(f"{what} is not ready", "wait for its model to load, or look at its log")
    if missing := pinned - {model.refrain.revision for model in listed if model.refrain}:
        remedy = "give it the model of the catalogue, or save its GET /v1/models as the catalogue: keys then change"
        return ill(f"{what} does not have the pinned revision {', '.join(sorted(missing))}", remedy)
    return Finding(f"{what} is ready, and has the pinned revisions")


async def edge(url: str, client: httpx.AsyncClient) -> Finding:
    """An edge that should be running."""
    try:
        ready = await client.get(f"{url}/readyz")
    except httpx.HTTPError as error:
        return ill(f"edge {url} does not answer ({type(error).__name__})", "look at its log")
    if not ready.is_success:
        return ill(f"edge {url} is not ready", "it is starting or stopping: try again; or look at its log")
    return Finding(f"edge {url} is ready")


async def place_for_edge(settings: Settings, client: httpx.AsyncClient) -> Finding:
    """The port that an edge is to have: free, or an edge's already."""
    port = settings.edge.port
    if not is_taken(port):
        return Finding(f"port {port} is free")
    found = await edge(f"http://{HOST}:{port}", client)
    return (
        found if found.well else ill(f"port {port} is taken, but not by a ready edge", "end what listens there, or set `edge.port`")
    )
