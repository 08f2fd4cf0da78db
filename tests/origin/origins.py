"""Real origins for tests: started as processes, asked over real sockets, ended by process id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from processes import eventually, free_ports

from shared.catalogue import Model, ModelList
from shared.frames import CONTENT_TYPE, FrameReader, TakeReader, recipe_to_wire
from shared.keys import Keyring, TakeRecipe
from shared.wire_pb2 import Frame, Segment, SynthesizeRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Iterator

import msgspec

T = TypeVar("T")
KEYS = Keyring(bytes(32))


@dataclass
class Heard:
    """What came of one segment."""

    pcm: bytes = b""
    frames: list[str] = field(default_factory=list)
    error: str = ""
    retryable: bool = False
    retry_after: float = 0.0
    verdict: str = ""
    dialect: str = ""


@dataclass
class Running:
    """An origin."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def model(self) -> Model:
        listed = msgspec.json.decode(httpx.get(f"{self.url}/v1/models").content, type=ModelList).data[0].refrain
        assert listed is not None
        return listed

    def count(self, name: str) -> float:
        """The sum of a metric's samples whose line begins with `refrain_origin_` and `name`."""
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"refrain_origin_{name}"))

    def behave(self, **ways: float) -> None:
        httpx.post(f"{self.url}/tone", json=ways).raise_for_status()

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 12.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


@contextmanager
def running(engine: str = "tone", *, ready: bool = True, **env: str) -> Iterator[Running]:
    port = free_ports(1)
    environ = {**os.environ, "REFRAIN_ORIGIN__ENGINE": engine, "REFRAIN_ORIGIN__PORT": str(port), **env}
    process = subprocess.Popen([sys.executable, "-m", "origin"], env=environ)
    url = f"http://127.0.0.1:{port}"
    try:
        if ready:
            eventually(lambda: is_ready(url) or process.poll() is not None)
            assert process.poll() is None
        yield Running(url, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False


def segment(model: Model, text: str, *, index: int = 0, token: str = "", **fields: Any) -> Segment:
    """A segment as an edge would ask for it; `fields` are the recipe's."""
    voice = model.voice(fields.pop("voice", "") or model.default_voices[""])
    assert voice is not None
    recipe = TakeRecipe(**{"text": text, "language": "en", "revision": model.revision, "voice": voice.digest} | fields)
    return Segment(index=index, key=KEYS.key(recipe.encode("test")), recipe=recipe_to_wire(recipe), token=token)


def client(origin: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=origin.url, timeout=30, limits=httpx.Limits(max_connections=None))


async def frames(http: httpx.AsyncClient, *segments: Segment, deadline_ms: int = 0) -> AsyncGenerator[Frame, None]:
    """The frames of a call, as they come. Raises httpx.RemoteProtocolError where the answer breaks off."""
    body = SynthesizeRequest(segments=segments, deadline_ms=deadline_ms).SerializeToString()
    reader = FrameReader("test")
    async with http.stream("POST", "/v1/synthesize", content=body, headers={"content-type": CONTENT_TYPE}) as response:
        assert response.status_code == 200, await response.aread()
        async for data in response.aiter_raw():
            for frame in reader.feed(data):
                yield frame


async def ask(http: httpx.AsyncClient, *segments: Segment, deadline_ms: int = 0) -> dict[int, Heard]:
    """All that comes of each segment, checked as an edge checks it."""
    heard: defaultdict[int, Heard] = defaultdict(Heard)
    readers = {each.index: TakeReader("test", each.recipe.revision) for each in segments}
    async for frame in frames(http, *segments, deadline_ms=deadline_ms):
        take = heard[frame.segment]
        take.frames.append(frame.WhichOneof("kind") or "")
        if frame.HasField("error"):
            take.error, take.retryable, take.retry_after = frame.error.code, frame.error.retryable, frame.error.retry_after
        else:
            take.pcm += readers[frame.segment].feed(frame)
            take.verdict, take.dialect = readers[frame.segment].verdict, readers[frame.segment].dialect
    return dict(heard)


def say(origin: Running, text: str, *, deadline_ms: int = 0, **fields: Any) -> Heard:
    """One segment, one call."""

    async def call() -> Heard:
        async with client(origin) as http:
            return (await ask(http, segment(origin.model(), text, **fields), deadline_ms=deadline_ms))[0]

    return run(call())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
