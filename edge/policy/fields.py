"""Header fields: read from requests, written for answers. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LOOPBACK: Final = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{0,5}))?", re.ASCII | re.IGNORECASE)
HIGHEST_PORT: Final = 65_535
_STATUS: Final = {
    "miss": "refrain; fwd=miss; stored",
    "collapsed": "refrain; fwd=miss; collapsed",
    "bypass": "refrain; fwd=bypass",
}


class Control(NamedTuple):
    """What a request's Cache-Control asks of us."""

    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False


def gathered(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The fields by lower-case name; what stands on several lines is one list (RFC 9110 §5.2)."""
    fields: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


def control(fields: Mapping[str, str]) -> Control:
    value = fields.get("cache-control")
    if value is None:
        return Control()
    names = {directive.partition("=")[0].strip().lower() for directive in value.split(",")}
    return Control("no-cache" in names, "no-store" in names, "only-if-cached" in names)


def cache_status(cache: str, tier: str = "") -> str | None:
    """Cache-Status (RFC 9211): `tier` is where a hit was found."""
    return f"refrain; hit; detail={tier}" if cache == "hit" else _STATUS.get(cache)


def server_timing(steps: Mapping[str, float]) -> str | None:
    """Milliseconds by step; None where nothing was timed."""
    return ", ".join(f"{name};dur={duration:.1f}" for name, duration in steps.items()) or None


@lru_cache(64)
def refused_host(host: str, origin: str | None, *, loopback_only: bool) -> str | None:
    """The error code of a request that is not for us, else None. Kept: clients say the same again and again.

    There must be exactly one Host; several, gathered, have a comma between them. Where the edge serves its own machine alone, it
    must be one of that machine's names, and a page that asks must come from there: a stranger's page can have a name that it
    controls resolved to 127.0.0.1 (DNS rebinding).
    """
    if not host or "," in host or (loopback_only and not is_loopback(host)):
        return "bad_host"
    if not loopback_only or origin is None:
        return None
    scheme, _, authority = origin.partition("://")
    return None if scheme in ("http", "https") and is_loopback(authority) else "bad_origin"


def is_loopback(authority: str) -> bool:
    """Whether a Host, or the host and port of an Origin, names this machine alone."""
    named = _LOOPBACK.fullmatch(authority)
    return named is not None and int(named[1] or 0) <= HIGHEST_PORT
