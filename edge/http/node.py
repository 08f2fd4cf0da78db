"""What the edge tells about itself: models, voices, regions, health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from shared.catalogue import Catalogue, ListedModel, ModelList
from shared.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.lifecycle import Lifecycle
    from edge.metrics import Metrics
    from edge.settings import Edge


class ListedVoice(msgspec.Struct, frozen=True, kw_only=True):
    """A voice of a model."""

    name: str
    model: str
    languages: tuple[str, ...]
    dialects: tuple[str, ...]
    """Those that it can be asked for: its own, and the model's."""


class Voices(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/voices`."""

    voices: tuple[ListedVoice, ...]
    aliases: tuple[str, ...]
    """Names that mean a model's default voice for the text's script."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A region, as this edge sees it."""

    name: str
    local: bool
    origins: tuple[str, ...] = ()
    """URLs."""


class Regions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/regions`."""

    regions: tuple[Region, ...]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /healthz` and `GET /readyz`."""

    status: str
    region: str


@dataclass(frozen=True, slots=True)
class Node:
    """Answers without audio. `regions` says what there is right now."""

    edge: Edge
    catalogue: Callable[[], Catalogue]
    regions: Callable[[], Regions]
    lifecycle: Lifecycle
    metrics: Metrics

    def models(self) -> ModelList:
        """Every model by its id, and each alias with the id of the model that it means."""
        catalogue = self.catalogue()
        models = [ListedModel(id=model.id, root=model.id, refrain=model) for model in catalogue.models]
        meant = ((alias, catalogue.model(name)) for alias, name in self.edge.aliases.items())
        aliases = [ListedModel(id=alias, root=model.id) for alias, model in meant if model is not None and alias != model.id]
        return ModelList(data=(*models, *aliases))

    def voices(self) -> Voices:
        voices = tuple(
            ListedVoice(
                name=voice.name,
                model=model.id,
                languages=voice.languages,
                dialects=tuple(sorted({*model.dialects, voice.dialect} - {""})),
            )
            for model in self.catalogue().models
            for voice in model.voices
        )
        return Voices(voices=voices, aliases=self.edge.voice_aliases)

    def health(self) -> Health:
        """Whether the process answers at all."""
        return Health(status="ok", region=self.edge.region)

    def readiness(self) -> Health:
        """Whether requests should be sent here. Raises Refused: `not_ready`, `draining`."""
        if self.lifecycle.draining:
            raise Refused("The edge is stopping.", code="draining")
        if self.lifecycle.missing:
            raise Refused(f"The edge {self.lifecycle.missing}.", code="not_ready")
        return Health(status="ready", region=self.edge.region)
