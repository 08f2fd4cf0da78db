"""What an edge counts. Counting is a dictionary's work; prometheus-client is imported by the first scrape, not by the first hit."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds: from a hit in memory to the longest wait for a first byte, and beyond it a long text."""

# Family: (what it counts, its labels). Each has its heading in docs/metrics.md.
COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "refrain_edge_requests": ("Requests answered.", ("route", "status", "cache")),
    "refrain_edge_sent_bytes": ("Bytes of bodies sent.", ("route",)),
    "refrain_edge_broken": ("Answers that were broken off after they had begun.", ("route", "code")),
    "refrain_edge_lookups": ("Look-ups, by the tier that had the value.", ("tier",)),
    "refrain_edge_wrong_values": ("Stored values that failed their verification.", ("store", "reason")),
    "refrain_edge_store_errors": ("Calls to a store that failed.", ("store", "reason")),
    "refrain_edge_origin_calls": ("Takes asked of origins, by how that ended.", ("origin", "outcome")),
    "refrain_edge_bad_takes": ("Takes that failed the checks.", ("origin", "verdict")),
    "refrain_edge_encoders": ("Encoders started.", ("format",)),
}
HISTOGRAMS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "refrain_edge_first_byte_seconds": ("From the request's head to the answer's.", ("route", "cache")),
    "refrain_edge_request_seconds": ("From the request's head to the answer's end.", ("route", "cache")),
}
GAUGES: Final[dict[str, str]] = {
    "refrain_edge_requests_in_flight": "Requests being answered.",
}


class Histogram:
    """Observations of one set of labels."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, float]]:
        seen, out = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            seen += count
            out.append((bound, float(seen)))
        return out


class Metrics:
    """All that one edge has counted. The methods that take reasons and outcomes are `edge.ports.Observer`."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in COUNTERS}
        self._spans: dict[str, defaultdict[tuple[str, ...], Histogram]] = {name: defaultdict(Histogram) for name in HISTOGRAMS}
        self._gauges: dict[str, Callable[[], float]] = {}

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Have every scrape call `read`. `name` is one of GAUGES."""
        self._gauges[name] = read

    def answered(self, route: str, status: int, cache: str, *, first_byte_s: float, total_s: float, sent: int) -> None:
        self._counts["refrain_edge_requests"][route, str(status), cache] += 1
        self._counts["refrain_edge_sent_bytes"][route,] += sent
        self._spans["refrain_edge_first_byte_seconds"][route, cache].observe(first_byte_s)
        self._spans["refrain_edge_request_seconds"][route, cache].observe(total_s)

    def broken(self, route: str, code: str) -> None:
        self._counts["refrain_edge_broken"][route, code] += 1

    def looked_up(self, tier: str) -> None:
        self._counts["refrain_edge_lookups"][tier,] += 1

    def wrong(self, store: str, reason: str) -> None:
        self._counts["refrain_edge_wrong_values"][store, reason] += 1

    def store_error(self, store: str, reason: str) -> None:
        self._counts["refrain_edge_store_errors"][store, reason] += 1

    def origin_call(self, origin: str, outcome: str) -> None:
        self._counts["refrain_edge_origin_calls"][origin, outcome] += 1

    def bad_take(self, origin: str, verdict: str) -> None:
        self._counts["refrain_edge_bad_takes"][origin, verdict] += 1

    def encoder_started(self, media_format: str) -> None:
        self._counts["refrain_edge_encoders"][media_format,] += 1

    def exposition(self) -> tuple[bytes, str]:
        """What `/metrics` answers, and its media type."""
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - 60 ms that no hit should wait for
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest  # noqa: PLC0415 - the same

        registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def collect(self) -> Iterator[Metric]:
        """prometheus-client's collector."""
        from prometheus_client.core import (  # noqa: PLC0415 - see above
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for name, (what, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, what, labels=labels)
            for values, count in self._counts[name].items():
                counter.add_metric(values, count)
            yield counter
        for name, (what, labels) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, what, labels=labels)
            for values, span in self._spans[name].items():
                histogram.add_metric(values, buckets=span.cumulated(), sum_value=span.total)
            yield histogram
        for name, read in self._gauges.items():
            yield GaugeMetricFamily(name, GAUGES[name], value=read())
