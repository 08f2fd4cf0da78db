"""The engine of tests and drills: it sings what it is told, as fast, as slowly and as badly as it is told to."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from origin import pcm
from origin.engines import Cut, EngineError
from origin.engines.melody import EQUIVALENCES, SAMPLE_RATE, roughen, sing
from shared.catalogue import Model, Voice
from shared.errors import BadRequest, OriginError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from starlette.requests import Request

    from shared.keys import TakeRecipe

PREFIX: Final = "REFRAIN_TONE_"
_COLOURS: Final = {"tone": (), "alto": (2,), "bass": (3,)}
"""Each voice's overtones."""
_DIALECTS: Final = {"sichuan": (4,)}

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]

MODEL: Final = Model(
    id="tone",
    revision="tone-1",
    engine="tone",
    sample_rate=SAMPLE_RATE,
    voices=tuple(Voice(name=name, digest=f"tone-1-{name}") for name in _COLOURS),
    default_voices={"": "tone"},
    dialects=tuple(_DIALECTS),
    seed=True,
    equivalences=EQUIVALENCES,
)


class Ways(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it behaves: `REFRAIN_TONE_RTF` and so on, and the body of `POST /tone`."""

    rtf: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Seconds of synthesis per second of audio."""
    fail: Probability = 0.0
    """An error before the first frame."""
    stall: Probability = 0.0
    """Nothing ever comes."""
    cut: Probability = 0.0
    """The connection breaks off in the middle."""
    nan: Probability = 0.0
    """Samples that are no numbers."""
    silent: Probability = 0.0
    """Zeros, as many as there should be samples."""
    vary: bool = False
    """Every take sounds another."""
    slots: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Takes at once."""
    seed: int | None = None
    """Of the dice."""


class Tone:
    """Deterministic, but for what `Ways` says."""

    model = MODEL

    def __init__(self, ways: Ways, dice: random.Random) -> None:
        self.ways = ways
        self._dice = dice

    @property
    def slots(self) -> int:
        return self.ways.slots

    async def start(self) -> None:
        """Nothing to load; and to sing here would throw the dice."""

    async def close(self) -> None:
        """Nothing to free."""

    async def synthesize(self, recipe: TakeRecipe, voice: Voice, seed: int) -> AsyncGenerator[bytes, None]:
        del seed  # where none was asked for, the melody depends on the text alone, so that tests need no keys
        ways = self.ways
        if self._happens(ways.fail):
            raise OriginError("Told to fail.")
        if self._happens(ways.stall):
            await asyncio.Event().wait()
        if self._happens(ways.nan):
            yield pcm.from_floats([0.0, float("nan")])
        chunks = self._chunks(recipe, voice)
        if self._happens(ways.silent):
            chunks = [bytes(len(chunk)) for chunk in chunks]
        cut_at = (len(chunks) + 1) // 2 if self._happens(ways.cut) else None
        loop = asyncio.get_running_loop()
        began, sung = loop.time(), 0
        for number, chunk in enumerate(chunks):
            if number == cut_at:
                break
            sung += len(chunk)
            # By the schedule, not by pauses: what one chunk is late, the next is not.
            await asyncio.sleep(max(0.0, began + pcm.seconds(sung, SAMPLE_RATE) * ways.rtf - loop.time()))
            yield chunk
        if cut_at is not None:
            raise Cut

    def _chunks(self, recipe: TakeRecipe, voice: Voice) -> list[bytes]:
        chunks = sing(recipe.text, (*_COLOURS[voice.name], *_DIALECTS.get(recipe.dialect, ())))
        if recipe.seed is not None:
            dice = random.Random(recipe.seed)  # noqa: S311 - the seed's own melody, not a secret
            chunks = [roughen(chunk, dice) for chunk in chunks]
        if self.ways.vary:
            chunks = [roughen(chunk, self._dice) for chunk in chunks]
        return chunks

    def _happens(self, probability: float) -> bool:
        return self._dice.random() < probability

    def routes(self, changed: Callable[[], None]) -> list[Route]:
        """`GET /tone` and `POST /tone`; `changed` is called after each change."""

        async def tone(request: Request) -> Response:
            if request.method == "POST":
                self.ways = _changed(self.ways, await request.body())
                changed()
            return Response(msgspec.json.encode(self.ways), media_type="application/json")

        return [Route("/tone", tone, methods=["GET", "POST"])]


def _changed(ways: Ways, body: bytes) -> Ways:
    try:
        changes = msgspec.json.decode(body, type=dict[str, object])
        return msgspec.convert(msgspec.structs.asdict(ways) | changes, Ways, strict=False)  # `vary` may be 1
    except msgspec.DecodeError as error:  # a ValidationError is one, too
        raise BadRequest(f"{error}.", code="bad_value") from error


def create(environ: Mapping[str, str]) -> Tone:
    """By the environment. Raises EngineError."""
    values = {field: environ[PREFIX + field.upper()] for field in Ways.__struct_fields__ if PREFIX + field.upper() in environ}
    try:
        ways = msgspec.convert(values, Ways, strict=False)
    except msgspec.ValidationError as error:
        raise EngineError(f"{PREFIX}*: {error}") from error
    return Tone(ways, random.Random(ways.seed))  # noqa: S311 - dice for faults, not for secrets
