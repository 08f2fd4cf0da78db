"""What a cache saved, from what was asked for, how it was answered, and what the origins made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.report import percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.load import Sample

TIERS: Final = ("memory", "valkey", "object")
BYTES_A_SECOND: Final = {"pcm": 24_000 * 2, "mp3": 64_000 // 8}
"""Of the formats whose size says how long they play."""


@dataclass(frozen=True, slots=True)
class Made:
    """What origins have synthesised."""

    runs: Counter[str]
    """Runs of the engine, by outcome."""
    audio_s: float

    @classmethod
    def parse(cls, metrics: Iterable[str]) -> Made:
        """From what origins' `/metrics` say, one text for each."""
        runs: Counter[str] = Counter()
        audio_s = 0.0
        for line in (line for text in metrics for line in text.splitlines()):
            name, _, value = line.rpartition(" ")
            if name.startswith("refrain_origin_segments_total{"):
                runs[name.partition('outcome="')[2].partition('"')[0]] += int(float(value))
            elif name == "refrain_origin_audio_seconds_total":
                audio_s += float(value)
        return cls(runs, audio_s)

    def since(self, before: Made) -> Made:
        return Made(self.runs - before.runs, self.audio_s - before.audio_s)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request comes to."""

    characters: int
    segments: dict[str, int]
    """Key: characters."""

    @classmethod
    def parse(cls, planned: dict[str, Any]) -> Plan:
        return cls(planned["characters"], {segment["key"]: len(segment["text"]) for segment in planned["segments"]})


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the texts: an answer for each, in their order."""

    samples: Sequence[Sample]
    made: Made
    seconds: float


def account(passes: Sequence[Pass], plans: Sequence[Plan], media_format: str) -> list[dict[str, Any]]:
    """The figures of each pass.

    `characters.synthesised` are those of the segments that first came up in this pass and in an answer that was no hit. That is
    exact if the cache was empty at first: there are then as many such segments as runs of the engine. Audio is measured: of
    answers by their size, pauses between sentences included; of origins as they count it.
    """
    known: set[str] = set()
    results = []
    for one in passes:
        fresh: dict[str, int] = {}
        for sample, plan in zip(one.samples, plans, strict=True):
            if sample.outcome not in TIERS:
                fresh |= plan.segments
        fresh = {key: count for key, count in fresh.items() if key not in known}
        known.update(*(plan.segments for plan in plans))
        results.append(_figures(one, plans, fresh, media_format))
    return results


def _figures(one: Pass, plans: Sequence[Plan], fresh: dict[str, int], media_format: str) -> dict[str, Any]:
    outcomes = Counter(sample.outcome for sample in one.samples)
    hits = {tier: outcomes.pop(tier, 0) for tier in TIERS}
    misses, collapsed = outcomes.pop("miss", 0), outcomes.pop("collapsed", 0)
    asked = sum(plan.characters for plan in plans)
    rate = BYTES_A_SECOND.get(media_format)
    played_s = sum(sample.size for sample in one.samples) / rate if rate else None
    return {
        "requests": len(one.samples),
        "seconds": round(one.seconds, 3),
        "hits": hits,
        "hit_ratio": round(sum(hits.values()) / len(one.samples), 4),
        "misses": misses,
        "collapsed": collapsed,
        "other": dict(outcomes),
        "segments": {"asked": sum(len(plan.segments) for plan in plans), "fresh": len(fresh)},
        "runs": dict(one.made.runs),
        "characters": {"asked": asked, "synthesised": sum(fresh.values()), "saved": asked - sum(fresh.values())},
        "audio_s": {
            "answered": played_s and round(played_s, 1),
            "synthesised": round(one.made.audio_s, 1),
            "saved": played_s and round(played_s - one.made.audio_s, 1),
        },
        "first_byte_ms": percentiles(sample.first_s for sample in one.samples),
        "total_ms": percentiles(sample.total_s for sample in one.samples),
    }
