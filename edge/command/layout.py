"""Which processes `refrain up` runs, on which ports, and what each is told."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from edge.command import CommandError
from edge.command.ports import HIGHEST, HOST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edge.command.state import DataFolder
    from edge.settings import Settings

OPENAI_MODELS: Final = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Node:
    """A process and its port. The name is how `up` speaks of it: `local/edge-0`."""

    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class Region:
    """A place with its own Valkey, object store, edges and origins."""

    name: str
    data: Path
    valkey: Node
    origins: tuple[Node, ...]
    edges: tuple[Node, ...]

    @property
    def valkey_url(self) -> str:
        return f"redis://{HOST}:{self.valkey.port}/0"

    @property
    def objects(self) -> Path:
        return self.data / "objects"


def names(regions: str) -> tuple[str, ...]:
    """The regions that `--regions a,b` names. Raises CommandError."""
    found = tuple(regions.split(","))
    for name in found:
        if not _REGION.fullmatch(name):
            raise CommandError(f"--regions: {name!r} is no name for a region: use a-z, 0-9 and -, at most 32 of them", 2)
    if len(set(found)) < len(found):
        raise CommandError(f"--regions {regions}: each region once", 2)
    return found


def edge_ports(first: int, count: int) -> range:
    if first + count - 1 > HIGHEST:
        raise CommandError(f"--port {first}: {count} edges need the ports up to {first + count - 1}; the highest is {HIGHEST}", 2)
    return range(first, first + count)


def lay_out(regions: tuple[str, ...], ports: range, origins: int, folder: DataFolder, free: Iterator[int]) -> tuple[Region, ...]:
    """Edges take `ports`, region by region; the others any that are free."""
    each = len(ports) // len(regions)
    return tuple(
        Region(
            name=name,
            data=folder.region(name),
            valkey=Node(f"{name}/valkey", next(free)),
            origins=tuple(Node(f"{name}/origin-{i}", port) for i, port in enumerate(islice(free, origins))),
            edges=tuple(Node(f"{name}/edge-{i}", port) for i, port in enumerate(ports[at * each : (at + 1) * each])),
        )
        for at, name in enumerate(regions)
    )


def ready_line(regions: tuple[Region, ...], pids: Mapping[str, int]) -> dict[str, Any]:
    """What `up` prints when all is ready; a contract with scripts."""

    def told(node: Node, url: str = "") -> dict[str, str | int]:
        return {"url": url or node.url, "pid": pids.get(node.name, 0)}

    return {
        "ready": True,
        "edges": [edge.url for region in regions for edge in region.edges],
        "regions": {
            region.name: {
                "edges": [told(edge) for edge in region.edges],
                "origins": [told(origin) for origin in region.origins],
                "valkey": told(region.valkey, region.valkey_url),
                "data": str(region.data),
            }
            for region in regions
        },
    }


def origin_environment(node: Node, engine: str, parent: int) -> dict[str, str]:
    told = {"REFRAIN_ORIGIN__HOST": HOST, "REFRAIN_ORIGIN__PORT": str(node.port), "REFRAIN_ORIGIN__PARENT": str(parent)}
    return told | ({"REFRAIN_ORIGIN__ENGINE": engine} if engine else {})


def edge_environment(node: Node, region: Region, parent: int) -> dict[str, str]:
    return {
        "REFRAIN_EDGE__HOST": HOST,
        "REFRAIN_EDGE__PORT": str(node.port),
        "REFRAIN_EDGE__REGION": region.name,
        "REFRAIN_EDGE__PARENT": str(parent),
        "REFRAIN_STORES__VALKEY_URL": region.valkey_url,
        "REFRAIN_STORES__OBJECT_URL": region.objects.as_uri(),
        "REFRAIN_ORIGINS__URLS": json.dumps([origin.url for origin in region.origins]),
    }


def edge_defaults(said: Settings, folder: DataFolder, catalogue: Path, model: str) -> dict[str, str]:
    """What edges are told where the user has said nothing in REFRAIN_CONFIG or the environment."""
    told: dict[str, str] = {}
    if not said.secrets.address_file:
        told["REFRAIN_SECRETS__ADDRESS_FILE"] = str(folder.secret("address"))
    if not said.secrets.mac_files:
        told["REFRAIN_SECRETS__MAC_FILES"] = json.dumps({"k1": str(folder.secret("mac"))})
    if not said.edge.catalogue:
        told["REFRAIN_EDGE__CATALOGUE"] = str(catalogue)
    if not said.edge.aliases:
        told["REFRAIN_EDGE__ALIASES"] = json.dumps(dict.fromkeys(OPENAI_MODELS, model))
    return told
