"""What an origin counts. Each metric is documented in docs/metrics.md, where the tests look for its heading."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

if TYPE_CHECKING:
    from shared.errors import RefrainError


class Outcome(StrEnum):
    """How an engine's run ended."""

    OK = "ok"
    BAD_TAKE = "bad_take"
    UNSPEAKABLE = "unspeakable"
    TIMEOUT = "timeout"
    CUT = "cut"
    CANCELLED = "cancelled"
    ERROR = "error"

    @classmethod
    def of(cls, error: RefrainError) -> Outcome:
        return _BY_CODE.get(error.code, cls.ERROR)


_BY_CODE = {"bad_take": Outcome.BAD_TAKE, "unspeakable": Outcome.UNSPEAKABLE, "origin_timeout": Outcome.TIMEOUT}


class Metrics:
    """A registry of one's own: nothing global, so that a test may have two."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.segments = self._counter("segments", "Runs of the engine, once each.", "model", "outcome")
        self.joins = self._counter("joins", "Segments that joined a take that was running.")
        self.replays = self._counter("replays", "Segments answered with a finished take: same key, same token.")
        self.refused = self._counter("refused", "Segments that were not begun.", "reason")
        self.gpu_seconds = self._counter("gpu_seconds", "Seconds that the engine ran, summed over its slots.")
        self.audio_seconds = self._counter("audio_seconds", "Seconds of audio that the engine made.")
        self.running = self._gauge("takes_running", "Takes that hold a slot.")
        self.queued = self._gauge("takes_queued", "Takes that wait for a slot.")

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"refrain_origin_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"refrain_origin_{name}", text, registry=self._registry)
