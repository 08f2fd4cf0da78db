"""The real flow, over fakes and virtual time."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from itertools import count

from fakes import RATE, FakeOrigin, FlowLedger, RawEncoders

from edge.adapters.spool import FileSpool
from edge.answer import Tier
from edge.flights import Flights
from edge.flow import Flow
from edge.library import Library
from edge.local import OpenGate, OrdinalRouter, ProcessLeases
from edge.policy.envelope import Sealer
from edge.policy.lookahead import Lookahead
from edge.policy.plan import Planner
from edge.policy.s3fifo import S3Fifo
from edge.settings import Limits
from edge.studio import Studio
from edge.takes import Takes
from shared.catalogue import Catalogue, Model, Voice
from shared.keys import Keyring
from shared.speech import SpeechRequest

CATALOGUE = Catalogue(
    (
        Model(
            id="fake",
            revision="fake-1",
            engine="fake",
            sample_rate=RATE,
            voices=(Voice("one", "digest-1"), Voice("two", "digest-2")),
            default_voices={"": "one"},
        ),
    )
)


class Stage:
    """A flow with all its parts at hand."""

    def __init__(self, *origins, store, keyring=None, lookahead=None, limits=None, encoders=None, spool_bytes=1 << 20):
        loop = asyncio.get_running_loop()
        limits = limits or Limits()
        tokens = count()
        self.origins = origins or (FakeOrigin(),)
        self.counts = FlowLedger()
        self.encoders = encoders or RawEncoders()
        self.spools = []
        self.store = store
        self.library = Library(
            memory=S3Fifo(1 << 20),
            stores=[(Tier.OBJECT, store)],
            sealer=Sealer([b"a MAC key for tests"]),
            observer=self.counts,
        )
        gate = OpenGate()
        self.takes = Takes(
            library=self.library,
            router=OrdinalRouter(self.origins),
            leases=ProcessLeases(lambda: f"token-{next(tokens)}"),
            gate=gate,
            observer=self.counts,
            clock=loop.time,
            fresh_key=lambda: f"{next(tokens):040x}",
            limit=1000,
        )
        studio = Studio(
            library=self.library,
            takes=self.takes,
            encoders=self.encoders,
            spools=lambda: self._spool(spool_bytes),
            lookahead=lookahead or Lookahead(30.0, 8),
            observer=self.counts,
            clock=loop.time,
            executor=None,
        )
        self.renditions = Flights(limits.flights)
        planner = Planner(
            catalogue=CATALOGUE,
            aliases={"tts-1": "fake"},
            voice_aliases=(),
            keyring=keyring or Keyring(b"an address secret"),
            namespace="test",
            text_characters=10_000,
        )
        self.flow = Flow(planner=planner, studio=studio, flights=self.renditions, gate=gate, limits=limits)

    def plan(self, text, **fields):
        return self.flow.plan(SpeechRequest(input=text, response_format="pcm", sample_rate=RATE, **fields))

    async def say(self, text, **fields):
        """All bytes of the answer to a request, as a caller hears them."""
        return await read(await self.flow.speak(self.plan(text, **fields)))

    @property
    def runs(self):
        return sum(sum(origin.runs.values()) for origin in self.origins)

    def _spool(self, size):
        spool = FileSpool(size)
        self.spools.append(spool)
        return spool


@asynccontextmanager
async def stage(*origins, **parts):
    """A stage, on which nothing is left running or open at the end."""
    it = Stage(*origins, **parts)
    try:
        yield it
    finally:
        await it.flow.close()
        await it.library.close()
        assert len(it.renditions) == len(it.takes.flights) == 0
        assert it.encoders.open == 0
        assert not any(sum(origin.running.values()) for origin in it.origins)


async def read(answer):
    if answer.found is not None:
        return b"".join([chunk async for chunk in answer.found.body.read()])
    async with aclosing(answer.live.chunks) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def settled(it):
    """Every flight has landed."""
    while len(it.renditions) or len(it.takes.flights):  # noqa: ASYNC110 - virtual time: a poll costs nothing
        await asyncio.sleep(0.01)
