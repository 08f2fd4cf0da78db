"""Puts an edge together and runs it. The only place that knows everything."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge import log
from edge.adapters.encode import FFmpegEncoders
from edge.adapters.objects import ObjectStore
from edge.adapters.spool import FileSpool
from edge.adapters.upstream import Connections, HttpOrigin
from edge.adapters.valkey import ValkeyStore
from edge.answer import Tier
from edge.files import read_catalogue, read_secret
from edge.flights import Flights
from edge.flow import Flow
from edge.http.audio import Audio
from edge.http.middleware import Front
from edge.http.node import Node, Region, Regions
from edge.http.server import serve
from edge.http.surface import Surface
from edge.library import Library
from edge.lifecycle import Lifecycle
from edge.local import OpenGate, OrdinalRouter, ProcessLeases
from edge.metrics import Metrics
from edge.policy.envelope import Sealer
from edge.policy.fields import is_loopback
from edge.policy.lookahead import Lookahead
from edge.policy.plan import Planner
from edge.policy.s3fifo import S3Fifo
from edge.ports import StoreError
from edge.settings import Settings
from edge.studio import Studio
from edge.takes import Takes
from shared.errors import RefrainError
from shared.keys import Key, Keyring
from shared.process import WRONG_SETTINGS, end_with, leave
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from edge.settings import Edge, Origins, Secrets, Stores
    from shared.catalogue import Catalogue


CANARY_S: Final = 10.0
"""Between two attempts to ask an object store that does not answer whose it is."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is opened when the edge starts, and closed when it ends."""

    valkey: ValkeyStore | None
    objects: ObjectStore | None
    connections: Connections
    library: Library
    flow: Flow
    executor: ThreadPoolExecutor
    canary: str

    async def open(self, lifecycle: Lifecycle) -> None:
        """Load what can be loaded, in the background: what is cached is served before what synthesis needs is imported."""
        await asyncio.to_thread(log.load)
        try:
            lifecycle.missing = await self._open()
            if not lifecycle.missing:
                log.info("ready")
                lifecycle.missing = await self._compare_canary()
        except Exception as error:  # noqa: BLE001 - nobody waits for this task: a bug must be told, and keep the edge from being ready
            log.error("bug", exc_info=error)
            lifecycle.missing = "could not be started; its log says why"
        if lifecycle.missing:
            log.error("not_ready", reason=lifecycle.missing)
        elif self.objects is not None:
            try:
                await self.objects.sweep()
            except StoreError as error:
                log.warning("sweep_failed", reason=str(error))

    async def _open(self) -> str:
        """What keeps the edge from being ready; empty: nothing."""
        if self.valkey is not None:
            try:
                await self.valkey.open()
            except ValueError as error:
                return f"cannot use stores.valkey_url: {error}"
        await self.connections.open()
        return ""

    async def _compare_canary(self) -> str:
        """What is wrong with the address secret. Asks until the object store answers: until then, what it has is a miss."""
        while True:
            try:
                same = await self.library.canary(self.canary)
            except RefrainError as error:
                log.warning("store_unusable", reason=str(error))
                await asyncio.sleep(CANARY_S)
            else:
                return "" if same else "has another address secret than the object store was written with"

    async def close(self) -> None:
        await self.flow.close()
        await self.library.close()
        await self.connections.close()
        self.executor.shutdown(wait=False)


def compose_flow(settings: Settings, catalogue: Catalogue, metrics: Metrics) -> Parts:
    """The flow, and all it stands on. Raises SettingsError."""
    limits = settings.limits
    keyring = Keyring(read_secret("secrets.address_file", settings.secrets.address_file))
    valkey, objects = _stores(settings.stores)
    library = Library(
        memory=S3Fifo(settings.stores.memory_bytes),
        stores=[(tier, store) for tier, store in ((Tier.VALKEY, valkey), (Tier.OBJECT, objects)) if store is not None],
        sealer=_sealer(settings.secrets),
        observer=metrics,
    )
    connections = Connections(settings.origins)
    gate = OpenGate()
    takes = Takes(
        library=library,
        router=OrdinalRouter([HttpOrigin(url, connections) for url in _origins(settings.origins)]),
        leases=ProcessLeases(lambda: secrets.token_hex(8)),
        gate=gate,
        observer=metrics,
        clock=time.time,
        fresh_key=lambda: Key(secrets.token_hex(20)),
        limit=limits.flights * limits.lookahead_segments,
    )
    # Codecs release the GIL: as many at once as there are processors.
    executor = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="codec")
    studio = Studio(
        library=library,
        takes=takes,
        encoders=FFmpegEncoders(),
        spools=lambda: FileSpool(settings.stores.spool_bytes),
        lookahead=Lookahead(limits.lookahead_s, limits.lookahead_segments),
        observer=metrics,
        clock=time.time,
        executor=executor,
    )
    flow = Flow(
        planner=_planner(settings.edge, catalogue, keyring),
        studio=studio,
        flights=Flights(limits.flights),
        gate=gate,
        limits=limits,
    )
    return Parts(valkey, objects, connections, library, flow, executor, keyring.canary())


def _stores(told: Stores) -> tuple[ValkeyStore | None, ObjectStore | None]:
    timeout_s = told.timeout_ms / 1000
    valkey = objects = None
    if told.valkey_url:
        valkey = ValkeyStore(
            told.valkey_url,
            timeout_s=timeout_s,
            ttl_s=told.valkey_ttl_s,
            max_bytes=told.valkey_max_bytes,
            clock=time.monotonic,
        )
    if told.object_url:
        objects = ObjectStore(told.object_url, told.object_options, timeout_s=timeout_s)
    return valkey, objects


def _sealer(told: Secrets) -> Sealer:
    macs = [read_secret(f"secrets.mac_files {name}", path) for name, path in told.mac_files.items()]
    if not macs:
        raise SettingsError('secrets.mac_files: name a secret that authenticates stored values: {"k1": "/path"}')
    return Sealer(macs)


def _origins(told: Origins) -> tuple[str, ...]:
    for url in told.urls:
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"origins.urls: {url} is no HTTP address")
    return told.urls


def _planner(edge: Edge, catalogue: Catalogue, keyring: Keyring) -> Planner:
    return Planner(
        catalogue=catalogue,
        aliases=edge.aliases,
        voice_aliases=edge.voice_aliases,
        keyring=keyring,
        namespace=edge.namespace,
        text_characters=edge.text_characters,
    )


async def run(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or the parent's end. Raises SettingsError, or OSError where the port is taken."""
    edge, metrics, lifecycle = settings.edge, Metrics(), Lifecycle()
    if not is_loopback(f"[{edge.host}]" if ":" in edge.host else edge.host):
        raise SettingsError(f"edge.host: {edge.host} is open to others; without API keys an edge serves its own machine alone")
    catalogue = read_catalogue(edge.catalogue)
    parts = compose_flow(settings, catalogue, metrics)
    metrics.gauge("refrain_edge_requests_in_flight", lambda: lifecycle.in_flight)
    region = Region(name=edge.region, local=True, origins=settings.origins.urls)
    node = Node(
        edge=edge,
        catalogue=lambda: catalogue,
        regions=lambda: Regions(regions=(region,)),
        lifecycle=lifecycle,
        metrics=metrics,
    )
    audio = Audio(
        parts.flow,
        clock=time.time,
        body_bytes=edge.body_bytes,
        speech_by_get=edge.speech_by_get,
        public_audio_base=edge.public_audio_base,
    )
    front = Front(
        Surface(audio, node),
        lifecycle=lifecycle,
        metrics=metrics,
        log=log,
        loopback_only=True,
        clock=time.perf_counter,
        new_trace=lambda: f"{random.getrandbits(128):032x}",
    )
    # An address that is in the object store must not be called unknown because that is still loading.
    if parts.objects is not None:
        try:
            await parts.objects.open()
        except StoreError as error:
            raise SettingsError(f"stores.object_url: {error}") from error
    opening = asyncio.create_task(parts.open(lifecycle))
    watching = asyncio.create_task(end_with(edge.parent))  # runs once `serve` listens to signals
    try:
        await serve(front, edge, lifecycle)
    finally:
        for task in (opening, watching):
            task.cancel()
        await parts.close()


def main() -> None:
    code = 0
    try:
        asyncio.run(run(load(Settings, os.environ)))
    except SettingsError as error:
        log.error("stopped", reason=str(error))
        code = WRONG_SETTINGS
    except OSError as error:
        log.error("stopped", reason=str(error))
        code = 1
    leave(code)
