"""How the command speaks to an edge over HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec

from edge.command import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
_LOOPBACK: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class Problem(msgspec.Struct):
    """What of an RFC 9457 answer people want to read."""

    title: str = ""
    detail: str = ""
    remedy: str = ""
    code: str = ""


@contextmanager
def calling(url: str) -> Iterator[httpx.Client]:
    """A client of the edge at `url`. What goes wrong on the way becomes a CommandError that says what to do."""
    try:
        # No proxy stands between this machine and itself, whatever the environment says.
        with httpx.Client(base_url=url, timeout=_TIMEOUT, mounts=dict.fromkeys(_LOOPBACK)) as client:
            yield client
    except httpx.ConnectError as error:
        raise CommandError(f"no edge at {url}: start one with `refrain up`, or name another with --url") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise CommandError(f"--url {url}: is no HTTP address: {error}", 2) from error
    except httpx.TimeoutException as error:
        raise CommandError(f"{url} did not answer in time; its log may say why") from error
    except httpx.HTTPError as error:
        raise CommandError(f"the answer of {url} broke off: {error}") from error


def expect_success(response: httpx.Response) -> None:
    """Raises CommandError with the edge's own words where it refused. Reads the body only then."""
    if response.is_success:
        return
    response.read()
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        problem = Problem(detail=response.text[:200])
    said = " ".join(filter(None, (problem.detail or problem.title, problem.remedy)))
    raise CommandError(f"{response.status_code} {problem.code or response.reason_phrase}: {said}")


def speech(text: str, **fields: str) -> dict[str, Any]:
    """A speech request's body; what is empty is left to the edge."""
    return {"input": text} | {name: value for name, value in fields.items() if value}
