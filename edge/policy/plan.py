"""From a speech request to what must be made: keys, segments, recipes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from edge.policy import formats, join
from shared.errors import Unsupported
from shared.keys import RenditionRecipe, TakeRecipe, digest
from shared.segments import segments
from shared.text import canonical, fold, script

if TYPE_CHECKING:
    from shared.catalogue import Catalogue, Model, Voice
    from shared.keys import Key, Keyring
    from shared.speech import SpeechRequest


NAMED: Final = 8
"""Voices that an error names."""


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


class Planner:
    """Plans requests against a pinned catalogue: no origin is asked."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        aliases: dict[str, str],
        voice_aliases: tuple[str, ...],
        keyring: Keyring,
        namespace: str,
        text_characters: int,
    ) -> None:
        self.catalogue = catalogue
        self._aliases = aliases
        self._voice_aliases = frozenset(voice_aliases)
        self._keyring = keyring
        self._namespace = namespace
        self._text_characters = text_characters

    def plan(self, request: SpeechRequest, unknown: tuple[str, ...] = ()) -> Plan:
        """What `request` asks for. `unknown` are fields of its body that Refrain does not know. Raises BadRequest, Unsupported."""
        model = self._model(request.model)
        text = canonical(request.input, self._text_characters)
        ignored = list(unknown)
        language = request.language or script(text)
        voice, dialect = self._voice(model, request, language)
        named = voice.name == request.voice
        native, stretch = _speeds(model, request.speed)
        if request.instructions and not model.instructions:
            ignored.append("instructions")
        if request.seed is not None and not model.seed:
            ignored.append("seed")
        # It may still have chosen the voice.
        if request.language and named and not model.language:
            ignored.append("language")
        resolved = formats.resolve(request.response_format, model.sample_rate, request.sample_rate, request.bitrate)
        pieces = segments(text, request.segmentation)
        takes = tuple(
            TakeRecipe(
                text=fold(piece.text, model.equivalences),
                language=language if model.language else "",
                revision=model.revision,
                voice=voice.digest,
                dialect="" if dialect == voice.dialect else dialect,
                instructions=request.instructions if model.instructions else "",
                seed=request.seed if model.seed else None,
                speed=native,
            )
            for piece in pieces
        )
        recipe = RenditionRecipe(
            takes=takes,
            pauses=join.pauses(piece.ending for piece in pieces),
            format=request.response_format,
            sample_rate=resolved.sample_rate,
            bitrate=resolved.bitrate,
            stretch=stretch,
        )
        return replace(
            self.from_recipe(recipe, self._namespace),
            model=model.id,
            voice=voice.name,
            dialect=dialect,
            ignored=(*ignored, *resolved.ignored),
            tags=request.cache_tags,
            no_store=request.no_store,
        )

    def from_recipe(self, recipe: RenditionRecipe, namespace: str) -> Plan:
        """The plan behind an address: a rendition can be made again from its recipe alone."""
        encoded = recipe.encode(namespace)
        return Plan(
            key=self._keyring.key(encoded),
            fingerprint=digest(encoded),
            recipe=recipe,
            namespace=namespace,
            takes=tuple(self._take(take, namespace) for take in recipe.takes),
            media_type=formats.FORMATS[recipe.format].media_type,
        )

    def _take(self, recipe: TakeRecipe, namespace: str) -> PlannedTake:
        encoded = recipe.encode(namespace)
        return PlannedTake(self._keyring.key(encoded), digest(encoded), recipe)

    def _model(self, name: str) -> Model:
        model = self.catalogue.model(self._aliases.get(name, name))
        if model is None:
            known = ", ".join(sorted({*self._aliases, *(model.id for model in self.catalogue.models)}))
            raise Unsupported(f"No pool speaks this model. There are: {known or 'none'}.", code="unknown_model", param="model")
        return model

    def _voice(self, model: Model, request: SpeechRequest, language: str) -> tuple[Voice, str]:
        """The voice, and the dialect that it is to speak (its own included)."""
        named = model.voice(request.voice)
        if named is None and request.voice and request.voice not in self._voice_aliases:
            raise Unsupported(
                f"`{model.id}` has no such voice. {_voices(model, request.voice)}", code="unknown_voice", param="voice"
            )
        wanted = request.dialect
        voice = named or _default_voice(model, language, wanted)
        if not wanted or wanted == voice.dialect or wanted in model.dialects:
            return voice, wanted or voice.dialect
        if request.dialect_fallback:
            return voice, voice.dialect
        spoken = ", ".join(model.dialects_spoken()) or "none"
        with_voice = f" with the voice {voice.name}" if named else ""
        message = f"`{model.id}` does not speak this dialect{with_voice}. It speaks: {spoken}."
        raise Unsupported(message, code="unknown_dialect", param="dialect")


def _voices(model: Model, wanted: str) -> str:
    """Those there are; of many, those whose names are nearest."""
    names = [voice.name for voice in model.voices]
    if len(names) <= NAMED:
        return f"It has: {', '.join(names)}."
    near = get_close_matches(wanted, names, n=NAMED, cutoff=0.5)
    return f"Of its {len(names)} voices, these are called alike: {', '.join(near) or 'none'}."


def _default_voice(model: Model, language: str, dialect: str) -> Voice:
    """The voice that is meant when none is named: the dialect's own, else the language's, else the model's."""
    if dialect:
        for voice in model.voices:
            if voice.dialect == dialect:
                return voice
    for name in (language, language.partition("-")[0], ""):
        meant = model.voice(model.default_voices.get(name, ""))
        if meant is not None:
            return meant
    return model.voices[0]


def _speeds(model: Model, speed: float) -> tuple[float, float]:
    """What the engine does itself, and what is left to stretching."""
    if model.speed is None:
        return 1.0, speed
    slowest, fastest = model.speed
    native = min(max(speed, slowest), fastest)
    return native, round(speed / native, 4)
