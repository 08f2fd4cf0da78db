"""What a model speaks: the answer of an origin's `GET /v1/models`, and what an edge pins, so that it knows its keys alone."""

from __future__ import annotations

import msgspec


class Voice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One voice. `digest` names its sound: it changes when the voice does, and is what recipes hold."""

    name: str
    digest: str
    languages: tuple[str, ...] = ()
    """BCP 47 tags, the best first: `("cmn", "zh")`."""
    dialect: str = ""
    """The dialect that this voice speaks by itself (espeak's `yue`)."""


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """One revision of a model. Every field that decides a key is here, so that a key needs no origin."""

    id: str
    revision: str
    engine: str
    sample_rate: int
    voices: tuple[Voice, ...]
    default_voices: dict[str, str] = {}
    """Script (`zh`, `en`, ...; `""` for the rest) to the voice that speaks it when none is asked for."""
    dialects: tuple[str, ...] = ()
    """Dialects that any voice speaks when told to (CosyVoice), besides the voices' own."""
    instructions: bool = False
    """Whether `instructions` change the sound."""
    language: bool = False
    """Whether `language` changes the sound of a voice."""
    seed: bool = False
    """Whether `seed` changes the sound."""
    speed: tuple[float, float] | None = None
    """The range of speeds the engine speaks by itself; others are stretched. None: all are stretched."""
    equivalences: tuple[str, ...] = ()
    """What this engine's front end does not tell apart: see `shared.text.EQUIVALENCES`."""

    def voice(self, name: str) -> Voice | None:
        return next((voice for voice in self.voices if voice.name == name), None)

    def voice_by_digest(self, digest: str) -> Voice | None:
        return next((voice for voice in self.voices if voice.digest == digest), None)

    def dialects_spoken(self) -> tuple[str, ...]:
        """Every dialect that this model can be asked for, sorted."""
        return tuple(sorted({*self.dialects, *(voice.dialect for voice in self.voices if voice.dialect)}))


class Catalogue(msgspec.Struct, frozen=True):
    """The models there are."""

    models: tuple[Model, ...] = ()

    def model(self, name: str) -> Model | None:
        """By id, or by revision."""
        return next((model for model in self.models if name in (model.id, model.revision)), None)


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in the form of OpenAI's `GET /v1/models`, with ours beside it."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "refrain"
    root: str = ""
    """The id of the model that is meant."""
    refrain: Model | None = None
    """All that is known of it; an alias leaves that to its model."""


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """OpenAI's list, as origins and edges answer it."""

    object: str = "list"
    data: tuple[ListedModel, ...] = ()
