"""Settings: the file, the environment over it, and words for what is wrong with either."""

import pytest

import edge.settings
import origin.settings
from shared.settings import TABLES, SettingsError, load

EDGE, ORIGIN = edge.settings.Settings, origin.settings.Settings


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "refrain.toml"
        path.write_text(text)
        return {"REFRAIN_CONFIG": str(path)}

    return write


def test_without_anything_said_the_defaults_hold():
    assert load(EDGE, {}) == EDGE()


def test_the_environment_overrides_the_file(file):
    told = file('[stores]\ntimeout_ms = 100\nvalkey_url = "redis://one"\n[origins]\nurls = ["http://a"]\n')
    settings = load(EDGE, told | {"REFRAIN_STORES__TIMEOUT_MS": "7", "REFRAIN_ORIGINS__URLS": '["http://b", "http://c"]'})
    assert settings.stores.timeout_ms == 7
    assert settings.stores.valkey_url == "redis://one"
    assert settings.origins.urls == ("http://b", "http://c")


def test_one_file_serves_edges_and_origins(file):
    told = file("[edge]\nport = 1\n[origin]\nport = 2\n")
    assert (load(EDGE, told).edge.port, load(ORIGIN, told).origin.port) == (1, 2)
    assert set(EDGE.__struct_fields__) | set(ORIGIN.__struct_fields__) == TABLES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[store]\n", "[store]"),
        ("[stores]\ntimeout = 1\n", "timeout"),
        ('[edge]\nport = "many"\n', "$.edge.port"),
        ("[edge\n", "is not TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file, text, says):
    with pytest.raises(SettingsError) as raised:
        load(EDGE, file(text))
    assert says in str(raised.value)
    assert "refrain.toml" in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("REFRAIN_EDGE__PROT", "1", "prot"),
        ("REFRAIN_EDGE__PORT", "many", "$.edge.port"),
        ("REFRAIN_ORIGINS__URLS", "[nonsense", "REFRAIN_ORIGINS__URLS"),
        ("REFRAIN_CONFIG", "/nowhere/refrain.toml", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(variable, value, says):
    with pytest.raises(SettingsError) as raised:
        load(EDGE, {variable: value})
    assert says in str(raised.value)


def test_what_belongs_to_others_is_left_alone():
    assert load(EDGE, {"REFRAIN_TONE_RTF": "1", "REFRAIN_ORIGIN__PORT": "x", "PATH": "/bin"}) == EDGE()
