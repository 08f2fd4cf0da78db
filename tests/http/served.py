"""The real front, routes and flow on a real server in a thread; fakes stand for the origins alone."""

import asyncio
import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
from fakes import RATE, FakeOrigin
from harness import CATALOGUE, Stage
from processes import eventually, free_ports, listens
from stores import DictStore

from edge.http.audio import Audio
from edge.http.middleware import Front
from edge.http.node import Node, Region, Regions
from edge.http.server import make_server
from edge.http.surface import Surface
from edge.lifecycle import Lifecycle
from edge.metrics import Metrics
from edge.settings import Edge

TRACE = "5" * 32


class Lines:
    """A log that a test can read."""

    def __init__(self, lines):
        self._lines = lines

    def info(self, event, **fields):
        self._lines.append({"event": event, **fields})

    error = info


@dataclass
class Served:
    """An edge that listens. `loop` is its thread's: what it owns is touched there."""

    settings: Edge
    origins: tuple[FakeOrigin, ...]
    loopback_only: bool = True
    store: DictStore = field(default_factory=DictStore)
    lifecycle: Lifecycle = field(default_factory=lambda: Lifecycle(missing=""))
    metrics: Metrics = field(default_factory=Metrics)
    lines: list[dict] = field(default_factory=list)
    stage: Stage | None = None
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.settings.port}"

    def client(self, **options):
        return httpx.Client(base_url=self.url, trust_env=False, timeout=10, **options)

    def post(self, text="hello", *, headers=None, **fields):
        with self.client() as client:
            return client.post("/v1/audio/speech", json=spoken(text, **fields), headers=headers)

    def get(self, path, **headers):
        with self.client() as client:
            return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def stored(self, text="hello", **fields):
        """The path of a text that has been spoken and stored."""
        path = self.post(text, **fields).headers["content-location"]
        eventually(lambda: "etag" in self.head(path).headers)
        return path

    def head(self, path, **headers):
        with self.client() as client:
            return client.head(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def evict(self, path):
        """Forget the audio, in every tier; its recipe stays."""
        key = path.rpartition("/")[2]
        self.push_out(path)
        for address in list(self.store.values):
            if not address.startswith("recipe/"):
                del self.store.values[address]
        assert self.stage.flow.peek(key) is None

    def push_out(self, path):
        """Forget it in memory, as if others had taken its place."""

        async def pop():
            self.stage.library._memory.pop(path.rpartition("/")[2])  # noqa: SLF001 - none but a test forgets one

        asyncio.run_coroutine_threadsafe(pop(), self.loop).result(5)

    @property
    def runs(self):
        return self.stage.runs

    def talk(self, sent, *, within=5.0, half_close=False):
        """What comes back for these bytes until the server closes: (bytes, whether it closed)."""
        with socket.create_connection(("127.0.0.1", self.settings.port), timeout=within) as at:
            at.sendall(sent)
            if half_close:
                at.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while piece := at.recv(1 << 16):
                    got += piece
            except TimeoutError:
                return got, False
            except ConnectionResetError:
                pass
            return got, True

    def logged(self, **wanted):
        """The line of log that has these fields, as soon as it is there."""
        return eventually(lambda: next((line for line in list(self.lines) if wanted.items() <= line.items()), None))

    def front(self):
        """What the server calls; made inside the loop that it runs on."""
        self.loop = asyncio.get_running_loop()
        self.stage = Stage(*self.origins, store=self.store)
        node = Node(
            edge=self.settings,
            catalogue=lambda: CATALOGUE,
            regions=lambda: Regions(regions=(Region(name="local", local=True),)),
            lifecycle=self.lifecycle,
            metrics=self.metrics,
        )
        audio = Audio(
            self.stage.flow,
            clock=self.loop.time,  # as the stage's
            body_bytes=self.settings.body_bytes,
            speech_by_get=self.settings.speech_by_get,
            public_audio_base=self.settings.public_audio_base,
        )
        return Front(
            Surface(audio, node),
            lifecycle=self.lifecycle,
            metrics=self.metrics,
            log=Lines(self.lines),
            loopback_only=self.loopback_only,
            clock=self.loop.time,
            new_trace=lambda: TRACE,
        )

    async def run(self, ready, stop):
        server = make_server(self.front(), self.settings.host, self.settings.port)
        running = asyncio.create_task(server.serve())
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.stop()
        await asyncio.wait({running}, timeout=5)
        await self.stage.flow.close()
        await self.stage.library.close()


@contextmanager
def serving():
    """Yields a function that starts one edge more."""
    with ExitStack() as opened:

        def start(*origins, loopback_only=True, **settings):
            edge = Edge(port=free_ports(1), **settings)
            return opened.enter_context(_started(Served(edge, origins or (FakeOrigin(),), loopback_only)))

        yield start


@contextmanager
def _started(served):
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(served.run(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        eventually(lambda: listens(served.url))
        yield served
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def connect(url):
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5)


def spoken(text, **fields):
    return {"input": text, "response_format": "pcm", "sample_rate": RATE, **fields}


def raw(method, path, *lines, body=b"", host="localhost"):
    """A request as bytes, with `lines` as they are."""
    head = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def problem(response):
    """The problem document of an answer, after checking what holds for all of them."""
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert body["status"] == response.status_code
    assert body["code"] == body["error"]["code"]
    assert body["detail"] == body["error"]["message"]
    assert body["trace_id"] == response.headers["refrain-trace-id"]
    assert "Traceback" not in json.dumps(body)
    return body
