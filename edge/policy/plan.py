"""From a speech request to what must be made: keys, segments, recipes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.keys import Key, RenditionRecipe, TakeRecipe


@dataclass(frozen=True, slots=True)
class PlannedTake:
    """A segment to be had."""

    key: Key
    fingerprint: str
    recipe: TakeRecipe


@dataclass(frozen=True, slots=True)
class Plan:
    """A rendition to be had, and the takes that it is joined of."""

    key: Key
    fingerprint: str
    recipe: RenditionRecipe
    namespace: str
    takes: tuple[PlannedTake, ...]
    media_type: str
    model: str = ""
    voice: str = ""
    dialect: str = ""
    """The dialect that is served; empty: none."""
    ignored: tuple[str, ...] = ()
    """Fields of the request that change nothing here: `Refrain-Ignored`."""
    tags: tuple[str, ...] = ()
    no_store: bool = False

    @property
    def characters(self) -> int:
        return sum(len(take.recipe.text) for take in self.takes)
