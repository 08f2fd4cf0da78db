from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.command import CommandError, layout
from edge.command.state import DataFolder
from edge.settings import Settings
from shared.settings import load

FOLDER = DataFolder(Path("/srv/refrain"))
region_names = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True), min_size=1, max_size=4, unique=True)


@given(region_names, st.integers(1, 5), st.integers(1, 5))
def test_every_process_has_a_port_and_a_name_of_its_own(regions, edges, origins):
    names = layout.names(",".join(regions))
    ports = layout.edge_ports(8080, edges * len(names))
    plan = layout.lay_out(names, ports, origins, FOLDER, itertools.count(20_000))
    nodes = [node for region in plan for node in (region.valkey, *region.origins, *region.edges)]
    assert len({node.port for node in nodes}) == len({node.name for node in nodes}) == len(names) * (1 + edges + origins)
    assert [edge.port for region in plan for edge in region.edges] == list(ports)
    assert len({region.data for region in plan}) == len(names)
    assert [origin for region in plan for origin in json.loads(told(region)["REFRAIN_ORIGINS__URLS"])] == [
        origin.url for region in plan for origin in region.origins
    ]


def told(region: layout.Region) -> dict[str, str]:
    return layout.edge_environment(region.edges[0], region, parent=1)


def test_what_up_tells_an_edge_is_what_an_edge_understands():
    (region,) = layout.lay_out(("local",), range(8080, 8081), 2, FOLDER, itertools.count(20_000))
    defaults = layout.edge_defaults(Settings(), FOLDER, FOLDER.catalogue("espeak"), "espeak")
    settings = load(Settings, defaults | told(region))
    assert settings.edge.port == 8080
    assert settings.edge.parent == 1
    assert settings.edge.aliases == {"tts-1": "espeak", "tts-1-hd": "espeak", "gpt-4o-mini-tts": "espeak"}
    assert settings.secrets.mac_files == {"k1": "/srv/refrain/secrets/mac.hex"}
    assert settings.stores.valkey_url == "redis://127.0.0.1:20000/0"
    assert settings.stores.object_url == "file:///srv/refrain/regions/local/objects"
    assert settings.origins.urls == ("http://127.0.0.1:20001", "http://127.0.0.1:20002")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REFRAIN_SECRETS__ADDRESS_FILE", "/mine"),
        ("REFRAIN_SECRETS__MAC_FILES", '{"mine": "/mine"}'),
        ("REFRAIN_EDGE__CATALOGUE", "/mine"),
        ("REFRAIN_EDGE__ALIASES", '{"mine": "espeak"}'),
    ],
)
def test_what_the_user_says_stands(variable, value):
    said = load(Settings, {variable: value})
    assert variable in layout.edge_defaults(Settings(), FOLDER, Path("/catalogue"), "espeak")
    assert variable not in layout.edge_defaults(said, FOLDER, Path("/catalogue"), "espeak")


@pytest.mark.parametrize("regions", ["", "a,", "a,a", "A", "../a", "a/b", "-a", "a-", "a" * 33, "regionä"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(regions):
    with pytest.raises(CommandError) as caught:
        layout.names(regions)
    assert caught.value.code == 2


def test_ports_end_at_the_last():
    assert layout.edge_ports(65_535, 1)[-1] == 65_535
    with pytest.raises(CommandError):
        layout.edge_ports(65_535, 2)
