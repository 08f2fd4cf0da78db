"""The engine of `refrain up`."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from origin.engines import EngineError
from origin.engines.espeak import zygote
from origin.engines.espeak.nursery import Nursery, read
from shared.catalogue import Model, Voice
from shared.errors import OriginError, RefrainError, Unsupported
from shared.keys import TakeRecipe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

    from starlette.routing import BaseRoute

SOUND_VERSION: Final = 1
"""Raised by hand when the same library would be made to sound otherwise: another rate, other flags."""
FRONT_END_VERSION: Final = 1
"""Raised when other texts are refused, or texts are prepared otherwise."""

DEFAULT_VOICES: Final = {
    "zh": "cmn", "ja": "ja", "ko": "ko", "ru": "ru", "el": "el", "ar": "ar", "he": "he", "hi": "hi", "bn": "bn", "ta": "ta",
    "te": "te", "th": "th", "ka": "ka", "hy": "hy", "en": "en-us", "": "en-us",
}  # fmt: skip
_DIALECTS: Final = frozenset({"yue", "hak"})
_WITHOUT_DICTIONARY: Final = frozenset({"gmq/fo", "trk/kaa", "art/xex"})
"""The wheel lists them, and has no words for them: they would spell."""
_SPEEDS: Final = (0.5, 2.5)
"""88 to 438 words a minute. The library's own range is 80 to 450; below, it keeps to 80, above, it stretches."""


class Espeak:
    """Speaks in processes of its own: see zygote.py."""

    def __init__(self, library: Path, data: Path) -> None:
        self._library = library
        self._data = data
        self._nursery = Nursery(str(library), str(data))
        self.model: Model
        """There once started."""
        self._identifiers: dict[str, str] = {}
        """Voice name to the library's own name."""

    @property
    def slots(self) -> int:
        return 2 * (os.cpu_count() or 1)

    @property
    def zygote(self) -> int | None:
        """Its process id."""
        return self._nursery.pid

    def routes(self, changed: Callable[[], None]) -> Sequence[BaseRoute]:
        del changed
        return ()

    async def start(self) -> None:
        (revision, sound), hello = await asyncio.gather(
            asyncio.to_thread(_revision, self._library, self._data), self._nursery.start()
        )
        self._identifiers = _names(hello["voices"])
        voices = tuple(self._voice(name, hello["voices"], sound) for name in sorted(self._identifiers))
        self.model = Model(
            id="espeak",
            revision=revision,
            engine="espeak",
            sample_rate=hello["sample_rate"],
            voices=voices,
            default_voices=DEFAULT_VOICES,
            speed=_SPEEDS,
            equivalences=("initial_case",),
        )
        await self._warm_up()

    async def synthesize(self, recipe: TakeRecipe, voice: Voice, seed: int) -> AsyncGenerator[bytes, None]:
        del seed  # it has nothing to throw dice for
        order = (self._identifiers[voice.name], recipe.speed, recipe.text)
        async with self._nursery.take(order) as reader:
            while True:
                try:
                    kind, content = await read(reader)
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    raise OriginError("The engine's process died.") from error
                if kind == zygote.PCM:
                    yield content
                elif kind == zygote.END:
                    return
                elif kind == zygote.UNSPEAKABLE:
                    raise Unsupported(f"The voice {voice.name!r} cannot say this text.", code="unspeakable", param="input")
                else:
                    raise OriginError(f"espeak-ng failed: {content.decode()}.")

    async def close(self) -> None:
        await self._nursery.close()

    def _voice(self, name: str, listed: Iterable[tuple[str, list[str]]], sound: str) -> Voice:
        identifier = self._identifiers[name]
        languages = next(languages for each, languages in listed if each == identifier)
        # Voices call on each other (Latin words in Chinese are the English voice's), so each depends on all of the data.
        digest = blake2b(f"{sound} {identifier}".encode(), digest_size=16).hexdigest()
        return Voice(name, digest, tuple(languages), name if name in _DIALECTS else "")

    async def _warm_up(self) -> None:
        voice = self.model.voice(DEFAULT_VOICES[""])
        if voice is None:
            raise EngineError(f"espeak-ng has no voice {DEFAULT_VOICES['']!r}.")
        recipe = TakeRecipe(text="Hello.", language="en", revision=self.model.revision, voice=voice.digest)
        try:
            async with aclosing(self.synthesize(recipe, voice, 0)) as chunks:
                async for _ in chunks:
                    pass
        except RefrainError as error:
            raise EngineError(error.message) from error


def _names(listed: Iterable[tuple[str, list[str]]]) -> dict[str, str]:
    """A name for each voice: its language, or, where another voice has that, its file's name."""
    names: dict[str, str] = {}
    for identifier, languages in listed:
        if identifier not in _WITHOUT_DICTIONARY:
            name = languages[0].lower()
            names[identifier.rpartition("/")[2].lower() if name in names else name] = identifier
    return names


def _revision(library: Path, data: Path) -> tuple[str, str]:
    """The revision, and the digest of what sounds: the library and all of its data (18 MB, 0.1 s)."""
    digest = blake2b(digest_size=16)
    for path in (library, *sorted(path for path in data.rglob("*") if path.is_file())):
        content = path.read_bytes()
        name = path.name if path == library else path.relative_to(data).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    sound = f"{digest.hexdigest()} {SOUND_VERSION}"
    revision = blake2b(f"{sound} {FRONT_END_VERSION}".encode(), digest_size=8).hexdigest()
    return f"espeak-{revision}", sound


def create(environ: Mapping[str, Any]) -> Espeak:
    """Raises EngineError where the wheel is not installed."""
    del environ
    try:
        import espeakng_loader  # type: ignore[import-untyped]  # noqa: PLC0415 - of the extra `local`, which may be absent
    except ImportError as error:
        raise EngineError("The engine espeak needs the extra `local`: pip install refrain-tts[local].") from error
    return Espeak(Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path()))
