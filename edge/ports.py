"""What the flow needs from outside, as Protocols. adapters/ has the real ones; tests have others, under the same contract tests."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from contextlib import AbstractAsyncContextManager

    from edge.policy.pieces import Pieces
    from shared.keys import Key, RenditionRecipe, TakeRecipe


class Store(Protocol):
    """A place for bytes. A value never changes under its address, so nothing here needs invalidating."""

    name: str

    async def get(self, address: str, start: int = 0, stop: int | None = None) -> bytes | None:
        """The value's bytes from `start` to `stop` (fewer where it ends before); None where there is none.

        Raises StoreError where the store cannot say.
        """

    async def put(self, address: str, value: bytes | Pieces, *, replace: bool = False) -> bool:
        """Keep `value`, whole or not at all. False where there was one already: the first one wins, unless `replace`.

        Raises StoreError where it was not kept.
        """

    async def delete(self, address: str) -> None:
        """Forget it, if it is there."""

    async def close(self) -> None: ...


class Reason(StrEnum):
    """Why a store did not do what it was asked to."""

    LOADING = "loading"
    """Its client is still being imported, and the call cannot be a miss."""
    TIMEOUT = "timeout"
    OPEN = "open"
    """It failed a moment ago, and was not asked."""
    UNREACHABLE = "unreachable"
    DENIED = "denied"
    """It does not accept the credentials, or they do not allow this."""
    FAILED = "failed"


class StoreError(Exception):
    """A store that did not answer, or refused."""

    def __init__(self, store: str, reason: Reason, message: str) -> None:
        super().__init__(f"{store}: {message}")
        self.store = store
        self.reason = reason


class Sound:
    """What an origin's stream of one take begins with."""

    __slots__ = ("dialect", "sample_rate")

    def __init__(self, sample_rate: int, dialect: str = "") -> None:
        self.sample_rate = sample_rate
        self.dialect = dialect


class Origin(Protocol):
    """Whoever synthesises."""

    name: str

    def synthesize(self, recipe: TakeRecipe, key: Key, token: str) -> AsyncGenerator[Sound | bytes, None]:
        """A Sound, then PCM (mono s16le). It ends only after the take's verified end: whatever else happens raises RefrainError.

        The origin joins work of the same key, and replays what ended for the same key and token. Closing cancels the work.
        """


class Router(Protocol):
    """Who may be asked for a take, the best first."""

    def candidates(self, key: Key, revision: str) -> Iterator[Origin]: ...


class Gate(Protocol):
    """What a request costs. `admit` counts the request; `charge` the characters that must be synthesised."""

    async def admit(self) -> None:
        """Raises Refused."""

    async def charge(self, characters: int) -> None:
        """Raises Refused."""

    async def refund(self, characters: int) -> None: ...


class Leases(Protocol):
    """The region-wide right to produce a take."""

    def hold(self, key: Key) -> AbstractAsyncContextManager[str]:
        """Yields the fencing token that goes with the work to the origin."""


class Spool(Protocol):
    """The encoded bytes of a rendition in flight: appended by one, read by many, each from where it is."""

    @property
    def size(self) -> int: ...

    def append(self, data: bytes) -> None:
        """Raises Internal `store_failed` where there is no room; what came before can still be read."""

    def read(self, at: int, most: int) -> bytes:
        """At most `most` bytes from `at`; empty at the end."""

    def close(self) -> None: ...


class Observer(Protocol):
    """Counts what happens. Reasons and outcomes come from closed enums and from `shared.errors.CODES`."""

    def looked_up(self, tier: str) -> None:
        """A look-up ended: the tier that had the value, or `none`."""

    def wrong(self, store: str, reason: str) -> None:
        """A stored value failed its verification."""

    def store_error(self, store: str, reason: str) -> None: ...

    def origin_call(self, origin: str, outcome: str) -> None:
        """A take was asked of an origin: `ok`, or the code of the error."""

    def bad_take(self, origin: str, verdict: str) -> None: ...

    def encoder_started(self, media_format: str) -> None: ...


class Encoder(Protocol):
    """PCM to the bytes of a format, as they come. Not thread-safe; called from one thread at a time."""

    @property
    def samples(self) -> int:
        """Samples encoded so far, at the recipe's rate."""

    def encode(self, pcm: bytes) -> bytes: ...

    def finish(self) -> bytes:
        """What was held back. Nothing may be encoded after it."""

    def close(self) -> None:
        """Free what the codec holds; always called, also after a failure."""


class Encoders(Protocol):
    """Makes encoders. Blocking calls: the flow makes and uses them in threads."""

    def make(self, recipe: RenditionRecipe, sample_rate: int) -> Encoder:
        """An encoder for `recipe`'s format, rate, bitrate and stretch, fed with mono s16le at `sample_rate`."""

    def finished(self, recipe: RenditionRecipe, head: bytes, size: int, samples: int) -> bytes:
        """The rendition's first bytes with its length fields filled in (WAV, FLAC), as long as `head`."""
