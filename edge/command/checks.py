"""What `refrain doctor` looks at. Each check yields findings: what was looked at and, where that is wrong, what to do."""

from __future__ import annotations

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
from edge.command.ports import is_taken
from edge.ports import StoreError
from shared.catalogue import Catalogue, ModelList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from edge.ports import Store
    from edge.settings import Secrets, Settings, Stores

PATIENCE_S: Final = 5.0
"""A doctor waits longer than a request would: what is slow is told apart from what is gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` is empty where all is well."""

    what: str
    wrong: str = ""
    remedy: str = ""


def secrets(told: Secrets) -> Iterator[Finding]:
    if not told.address_file:
        yield Finding("address secret", "there is none", "name a file of 32 random bytes, hex, as `secrets.address_file`")
    else:
        yield _secret("address secret", Path(told.address_file))
    if not told.mac_files:
        yield Finding("MAC secrets", "there are none", 'name one as `secrets.mac_files`: {"k1": "/path"}')
    for name, file in told.mac_files.items():
        yield _secret(f"MAC secret {name}", Path(file))


def _secret(what: str, path: Path) -> Finding:
    what = f"{what} {path}"
    try:
        size = len(bytes.fromhex(path.read_text(encoding="ascii")))
        shared = stat.S_IMODE(path.stat().st_mode) & 0o077
    except OSError as error:
        return Finding(what, f"cannot be read: {error.strerror}", "correct the path, or its rights")
    except ValueError:
        return Finding(what, "is not hex", "write 32 random bytes as hex: openssl rand -hex 32")
    if not 16 <= size <= 64:  # noqa: PLR2004 - what BLAKE2b takes as a key, and what cannot be guessed
        return Finding(what, f"has {size} bytes", "it must have 16 to 64: openssl rand -hex 32")
    if shared:
        return Finding(what, "can be read by others than its owner", f"chmod 600 {path}")
    return Finding(what)


def catalogue(settings: Settings) -> Iterator[Finding]:
    """That the models are pinned, and that every alias means one of them."""
    pinned = pinned_models(settings)
    if isinstance(pinned, Finding):
        yield pinned
        return
    names = ", ".join(f"{model.id} ({model.revision})" for model in pinned.models)
    yield Finding(f"catalogue {settings.edge.catalogue}: {names}")
    for alias, name in settings.edge.aliases.items():
        if pinned.model(name):
            yield Finding(f"alias {alias} = {name}")
        else:
            yield Finding(f"alias {alias} = {name}", "the catalogue has no such model", f"choose one of: {names}")


def pinned_models(settings: Settings) -> Catalogue | Finding:
    """The catalogue, or what is wrong with it."""
    path = settings.edge.catalogue
    remedy = "save an origin's GET /v1/models, and name the file as `edge.catalogue`"
    if not path:
        return Finding("catalogue", "none is named", remedy)
    try:
        listed = msgspec.json.decode(Path(path).read_bytes(), type=ModelList).data
    except OSError as error:
        return Finding(f"catalogue {path}", f"cannot be read: {error.strerror}", remedy)
    except msgspec.DecodeError as error:
        return Finding(f"catalogue {path}", f"is not an origin's list of models: {error}", remedy)
    models = tuple(model.refrain for model in listed if model.refrain)
    return Catalogue(models) if models else Finding(f"catalogue {path}", "holds no model", remedy)


async def stores(told: Stores) -> AsyncIterator[Finding]:
    """That each can write, read and forget."""
    if told.valkey_url:
        remedy = "start it, or correct `stores.valkey_url`; until then edges of a region do not share what they make"
        try:
            store = ValkeyStore(
                told.valkey_url, timeout_s=PATIENCE_S, ttl_s=60, max_bytes=told.valkey_max_bytes, clock=time.monotonic
            )
            yield await _store(f"Valkey {told.valkey_url}", store, remedy)
        except ValueError as error:
            yield Finding(f"Valkey {told.valkey_url}", str(error), "a Valkey's URL is like redis://127.0.0.1:6379/0")
    else:
        yield Finding("Valkey: none is configured; each edge makes its own audio")
    if told.object_url:
        remedy = "correct `stores.object_url`, `stores.object_options`, or the rights; until then addresses do not last"
        objects = ObjectStore(told.object_url, told.object_options, timeout_s=PATIENCE_S)
        yield await _store(f"object store {told.object_url}", objects, remedy)
    else:
        yield Finding("object store: none is configured; no address outlives the edge's memory and Valkey")


async def _store(what: str, store: ValkeyStore | ObjectStore, remedy: str) -> Finding:
    try:
        await store.open()
        try:
            return await _canary(what, store, remedy)
        finally:
            await store.close()
    except StoreError as error:
        return Finding(what, str(error), remedy)


async def _canary(what: str, store: Store, remedy: str) -> Finding:
    began = time.monotonic()
    address, value = f"doctor/{dice.token_hex(8)}", dice.token_bytes(32)
    await store.put(address, value)
    if await store.get(address) != value:
        return Finding(what, "does not give back what was written", remedy)
    await store.delete(address)
    if await store.get(address) is not None:
        return Finding(what, "does not forget what was deleted", remedy)
    return Finding(f"{what}: written, read, deleted in {(time.monotonic() - began) * 1000:.0f} ms")


async def origins(settings: Settings, client: httpx.AsyncClient) -> AsyncIterator[Finding]:
    """That each is ready and has the revisions that the keys are made for."""
    if not settings.origins.urls:
        yield Finding("origins", "none is configured", "name them as `origins.urls`; until then only what is stored is spoken")
    pinned = pinned_models(settings)
    wanted = {model.revision for model in pinned.models} if isinstance(pinned, Catalogue) else set()
    for url in settings.origins.urls:
        yield await _origin(url, wanted, client)


async def _origin(url: str, wanted: set[str], client: httpx.AsyncClient) -> Finding:
    what = f"origin {url}"
    try:
        ready = await client.get(f"{url}/readyz")
        listed = msgspec.json.decode((await client.get(f"{url}/v1/models")).content, type=ModelList).data
    except httpx.HTTPError as error:
        return Finding(what, f"does not answer: {type(error).__name__}", "start it, or correct `origins.urls`")
    except msgspec.DecodeError:
        return Finding(what, "is no origin: its /v1/models is none", "correct `origins.urls`")
    if not ready.is_success:
        return Finding(what, "is not ready", "wait for its model to load, or look at its log")
    if missing := wanted - {model.refrain.revision for model in listed if model.refrain}:
        remedy = "give it the model of the catalogue, or save its GET /v1/models as the catalogue: keys then change"
        return Finding(what, f"does not have the pinned revision {', '.join(sorted(missing))}", remedy)
    return Finding(f"{what}: ready, has the pinned revisions")


async def edge(url: str, client: httpx.AsyncClient) -> Finding:
    """An edge that should be running."""
    try:
        ready = await client.get(f"{url}/readyz")
    except httpx.HTTPError as error:
        return Finding(f"edge {url}", f"does not answer: {type(error).__name__}", "look at its log")
    if not ready.is_success:
        return Finding(f"edge {url}", "is not ready", "it is starting or stopping: try again; or look at its log")
    return Finding(f"edge {url}: ready")


async def place_for_edge(settings: Settings, client: httpx.AsyncClient) -> Finding:
    """The port that an edge is to have: free, or an edge's already."""
    port = settings.edge.port
    if not is_taken(port):
        return Finding(f"port {port}: free")
    found = await edge(f"http://127.0.0.1:{port}", client)
    if found.wrong:
        return Finding(
            f"port {port}", f"is taken, and its {found.what} {found.wrong}", "end what listens there, or set `edge.port`"
        )
    return found
