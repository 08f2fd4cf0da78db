"""The seams of the flow as one node alone fills them: origins in order, an open gate, no lease but this process's own flights."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from edge.ports import Origin
    from shared.keys import Key


class OrdinalRouter:
    """Origins in the order of the configuration."""

    def __init__(self, origins: Sequence[Origin]) -> None:
        self._origins = tuple(origins)

    def candidates(self, key: Key, revision: str) -> Iterator[Origin]:  # noqa: ARG002 - the port's; others place by key
        return iter(self._origins)


class OpenGate:
    """Lets everybody in, for nothing."""

    async def admit(self) -> None: ...

    async def charge(self, characters: int) -> None: ...

    async def refund(self, characters: int) -> None: ...


class ProcessLeases:
    """A take's flight is the only one of this process, and that is all the right it needs. Tokens are never used twice."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    @asynccontextmanager
    async def hold(self, key: Key) -> AsyncIterator[str]:  # noqa: ARG002 - the port's; a region's lease is by key
        yield self._token()
