"""Whatever speaks, behind one Protocol. An engine is imported when it is asked for: theirs are the heavy libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from shared.catalogue import Model, Voice
    from shared.keys import TakeRecipe

_MODULES: Final = {"espeak": "origin.engines.espeak.engine", "tone": "origin.engines.tone"}
"""Each has `create(environ)`, which returns its Engine."""


class Engine(Protocol):
    """A model that speaks. Nothing here blocks the event loop."""

    @property
    def model(self) -> Model:
        """What it speaks; there once `start` has returned."""

    @property
    def slots(self) -> int:
        """Takes that it does well at once."""

    async def start(self) -> None:
        """Load what is needed, and speak once: first takes are slow, and a broken engine shows. Raises EngineError."""

    def synthesize(self, recipe: TakeRecipe, voice: Voice, seed: int) -> AsyncGenerator[bytes, None]:
        """PCM in whole samples (mono s16le at the model's rate), as it comes; closing it cancels the work.

        `seed` is the recipe's, or derived from the take's key. Raises RefrainError, or Cut.
        """

    def routes(self, changed: Callable[[], None]) -> Sequence[BaseRoute]:
        """Controls of its own; most have none. `changed` is to be called when `slots` has changed."""

    async def close(self) -> None: ...


class EngineError(Exception):
    """An engine that cannot start: says what is missing."""


class Cut(Exception):
    """The connection must break off here, without an error frame, as when a host dies in mid-sentence."""


def create(name: str, environ: Mapping[str, str]) -> Engine:
    """The engine of that name, not started yet. Raises EngineError."""
    module = _MODULES.get(name)
    if module is None:
        raise EngineError(f"There is no engine {name!r}; there are: {', '.join(sorted(_MODULES))}.")
    engine: Engine = import_module(module).create(environ)
    return engine
