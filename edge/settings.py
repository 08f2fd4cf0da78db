"""What an edge can be told. Each field is documented in docs/settings.md, where the tests look for its heading."""

from __future__ import annotations

import msgspec


class Edge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[edge]`: this node."""

    host: str = "127.0.0.1"
    port: int = 8080
    region: str = "local"
    catalogue: str = ""
    """Path of the JSON file that pins the models: an origin's `GET /v1/models`, saved."""
    aliases: dict[str, str] = {}
    """OpenAI's model names to ids or revisions of the catalogue: `{"tts-1": "espeak"}`."""
    voice_aliases: tuple[str, ...] = (
        "alloy",
        "ash",
        "ballad",
        "coral",
        "echo",
        "fable",
        "nova",
        "onyx",
        "sage",
        "shimmer",
        "verse",
    )
    """OpenAI's voices, which mean the model's default voice for the text's script."""
    namespace: str = "default"
    text_characters: int = 10_000
    body_bytes: int = 1 << 20
    speech_by_get: bool = True
    """Whether `GET /v1/audio/speech?input=` speaks; texts then end up in access logs."""
    public_audio_base: str = ""
    """Where `delivery: url` and `redirect` point, a CDN's base URL; empty: the path alone."""
    drain_s: float = 8.0
    """How long a stopping node finishes what it has begun."""
    parent: int = 0
    """Process id to die with; 0: none."""


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[secrets]`: read from files, so that they appear in no process list."""

    address_file: str = ""
    """The address secret (16 to 64 bytes, hex). Never rotates: every key depends on it."""
    mac_files: dict[str, str] = {}
    """Key id to file of the secrets that authenticate stored values; the first one writes, all are read."""


class Stores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[stores]`: where takes, renditions and recipes are kept."""

    memory_bytes: int = 64 << 20
    valkey_url: str = ""
    """`redis://127.0.0.1:6379/0`; empty: no Valkey."""
    object_url: str = ""
    """`file:///srv/refrain`, `s3://bucket/prefix`, `gs://...`, `az://...`; empty: none."""
    object_options: dict[str, str] = {}
    """The object store's own options: `{"endpoint": "...", "region": "..."}`."""
    timeout_ms: int = 250
    """How long a look-up waits for a store, and the socket timeout of each."""
    valkey_ttl_s: int = 24 * 3600
    valkey_max_bytes: int = 1 << 20
    """The largest value that goes into Valkey."""
    spool_bytes: int = 1 << 20
    """Encoded bytes of one rendition in flight kept in memory; beyond, in a temporary file."""


class Origins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[origins]`: who synthesises."""

    urls: tuple[str, ...] = ()
    connect_ms: int = 1_000
    first_frame_ms: int = 14_000
    """How long an origin may take to its first frame: twice that is less than `limits.first_byte_s`, so a second one has a turn."""
    stall_ms: int = 10_000
    """How long it may pause between two frames."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`: look-ahead, time, concurrency."""

    first_byte_s: float = 30.0
    lookahead_s: float = 30.0
    """Seconds of audio synthesised ahead of the fastest listener."""
    lookahead_segments: int = 8
    flights: int = 2_000
    """Productions at once; beyond, 503."""


class Settings(msgspec.Struct, frozen=True):
    """All of it."""

    edge: Edge = Edge()
    secrets: Secrets = Secrets()
    stores: Stores = Stores()
    origins: Origins = Origins()
    limits: Limits = Limits()
