"""Valkey or Redis as a store, through aiocache.

aiocache is used as a store only: its lock waits on a dictionary of this process. All that Valkey holds can be lost.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edge.policy.breaker import Breaker
from edge.ports import Reason, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from aiocache import RedisCache  # type: ignore[import-untyped] # it has no types

    from edge.policy.pieces import Pieces

T = TypeVar("T")

NAMESPACE: Final = "refrain"
CONNECTIONS: Final = 32
"""Beyond them, callers wait for one to become free, within the timeout."""


class ValkeyStore:
    """An `edge.ports.Store` whose values expire `ttl_s` after they were written.

    No call takes longer than `timeout_s`. After one that failed, Valkey is left alone for a second (see Breaker). Until `open`
    has returned there is nothing in it: importing redis takes longer than the first requests should wait.
    """

    name = "valkey"

    def __init__(self, url: str, *, timeout_s: float, ttl_s: int, max_bytes: int, clock: Callable[[], float]) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._ttl_s = ttl_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._breaker = Breaker()
        self._cache: RedisCache | None = None

    async def open(self) -> None:
        """Import the client, in a thread. Nothing is connected yet. Raises ValueError where the URL is none."""
        self._cache = await asyncio.to_thread(_client, self._url, self._timeout_s)

    async def get(self, address: str, start: int = 0, stop: int | None = None) -> bytes | None:
        if self._cache is None:
            return None
        value: bytes | None = await self._call(self._cache.get(address))
        # Values are small here, see `max_bytes`: a range is cut out of the whole.
        return None if value is None else value[start:stop]

    async def put(self, address: str, value: bytes | Pieces, *, replace: bool = False) -> bool:
        """False also for a value of more than `max_bytes`, and until `open` has returned."""
        if self._cache is None or len(value) > self._max_bytes:
            return False
        if replace:
            # aiocache's own `set` sends SETEX, which redis has deprecated.
            raw = self._cache.raw("set", self._cache.build_key(address), bytes(value), ex=self._ttl_s)
            return bool(await self._call(raw))
        return await self._call(_add(self._cache, address, bytes(value), self._ttl_s))

    async def delete(self, address: str) -> None:
        if self._cache is not None:
            await self._call(self._cache.delete(address))

    async def close(self) -> None:
        cache, self._cache = self._cache, None
        if cache is not None:
            await cache.client.aclose()

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        if not self._breaker.allows(self._clock()):
            call.close()
            raise StoreError(self.name, Reason.OPEN, "is being left alone after a failure")
        try:
            # Sockets have the same timeout, but one call may take several turns: a connection, the handshake, the command.
            with _translated(self.name):
                async with asyncio.timeout(self._timeout_s):
                    result = await call
        except StoreError:
            self._breaker.failed(self._clock())
            raise
        self._breaker.succeeded()
        return result


async def _add(cache: RedisCache, address: str, value: bytes, ttl_s: int) -> bool:
    try:
        await cache.add(address, value, ttl=ttl_s)
    except ValueError:  # aiocache's way to say that it is there already
        return False
    return True


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turns what redis raises into StoreError."""
    from redis import exceptions  # noqa: PLC0415 - see ValkeyStore; it has been imported by now

    try:
        yield
    except (TimeoutError, exceptions.TimeoutError) as error:
        raise StoreError(name, Reason.TIMEOUT, "did not answer in time") from error
    except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
        raise StoreError(name, Reason.DENIED, str(error)) from error
    except (exceptions.ConnectionError, OSError) as error:
        raise StoreError(name, Reason.UNREACHABLE, str(error)) from error
    except exceptions.RedisError as error:
        raise StoreError(name, Reason.FAILED, str(error)) from error


def _client(url: str, timeout_s: float) -> RedisCache:
    """Make an aiocache over a pool that fails fast: redis's defaults retry for seconds, and raise when the pool is full."""
    from aiocache import RedisCache  # noqa: PLC0415 - see ValkeyStore
    from aiocache.serializers import NullSerializer  # type: ignore[import-untyped]  # noqa: PLC0415 - the same
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415 - the same
    from redis.asyncio.retry import Retry  # noqa: PLC0415 - the same
    from redis.backoff import NoBackoff  # noqa: PLC0415 - the same

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
    return RedisCache(
        # aiocache builds its pool from a host and a port; ours comes from the URL (TLS, user, database, socket).
        connection_pool_class=lambda **_: pool,
        serializer=NullSerializer(encoding=None),
        namespace=NAMESPACE,
        timeout=None,
    )
