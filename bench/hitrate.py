"""Replays texts through a Refrain and says what the cache saved: `python -m bench.hitrate`.

Each pass sends the same requests again: the first shows what repeats within the texts, sentence by sentence; the next what a warm
cache does. Synthesis is counted where it happens, by the origins.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

from bench import corpora, servers
from bench.client import Client
from bench.load import closed_loop, run
from bench.report import Report, milliseconds, progress
from bench.savings import TIERS, Made, Pass, Plan, account
from bench.verify import OK, Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.progress import Progress

    from bench.client import Reply
    from bench.load import Sample

SPEECH: Final = "/v1/audio/speech"
PLAN: Final = "/v1/audio/plan"

Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
Segmentation = Literal["sentence", "clause", "off"]


def main(  # noqa: PLR0913 - each is an option
    *,
    corpus: tuple[str, ...] = (),
    lines: Positive | None = None,
    passes: Positive = 2,
    url: str = "",
    engine: str = "espeak",
    format: Format = "pcm",  # noqa: A002 - the option's name
    segmentation: Segmentation = "sentence",
    concurrency: Positive = 4,
    verify: bool = True,
) -> int:
    """Replay texts through a Refrain and say what its cache saved. Exit status 1 where an answer was not what it must be.

    Parameters
    ----------
    corpus
        A name in ../shared/corpora, or a file: .jsonl(.gz) with `text`, or plain text, a text a line. Can be repeated.
        Left out: crosswoz and sgd, or README.md where the corpora are absent.
    lines
        How many texts of each. Left out: 500 of crosswoz, 300 of sgd.
    passes
        How often all of them are asked for.
    url
        An edge that runs. Left out: `refrain up` is started with an empty folder, and ended.
    engine
        Who speaks, where one is started.
    format
        Of the answers. The size of pcm and mp3 says how many seconds they play.
    segmentation
        What is cached on its own: sentences, clauses or whole texts.
    concurrency
        Requests at once.
    verify
        Ask for every address at the end: it must give what was streamed.

    """
    report = Report("hitrate")
    try:
        texts = corpora.choose(corpus, lines)
        with ExitStack() as stack:
            if not url:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refrain-bench-")))
                url = stack.enter_context(servers.refrain(folder, "--engine", engine))["edges"][0]
            bars = stack.enter_context(progress())
            replay = Replay(url, {"response_format": format, "segmentation": segmentation}, passes, concurrency, bars)
            results = run(replay.all(texts, verify=verify))
    except (corpora.NoTexts, servers.NotStarted, OSError) as error:
        print(f"hitrate: {error}", file=sys.stderr)
        return 1
    _tell(report, results)
    _complain(replay.faults)
    report.end(
        format=format,
        segmentation=segmentation,
        concurrency=concurrency,
        corpora=results,
        verified=len(replay.faults.addresses) if verify else None,
        refused=dict(replay.faults.refused),
        different=sorted(replay.faults.different),
    )
    return 1 if replay.faults else 0


class Replay:
    """Asks an edge for texts, again and again. `fields` go into each request, beside its text."""

    def __init__(self, url: str, fields: Mapping[str, str], passes: int, concurrency: int, bars: Progress) -> None:
        self._client = Client(url)
        self._fields = fields
        self._passes = passes
        self._concurrency = concurrency
        self._bars = bars
        self._origins: list[Client] = []
        self.faults = Faults(fields["response_format"])

    async def all(self, texts: Mapping[str, Sequence[str]], *, verify: bool) -> dict[str, list[dict[str, Any]]]:
        """For each corpus, the figures of each pass. Raises OSError where no edge answers."""
        regions = (await self._client.json("/v1/regions"))["regions"]
        self._origins = [Client(url) for region in regions for url in region["origins"]]
        results = {name: await self._corpus(name, corpus) for name, corpus in texts.items()}
        if verify:
            await self._ask("GET by key", [self._client.get(address) for address in self.faults.addresses])
        for client in (self._client, *self._origins):
            client.close()
        return results

    async def _corpus(self, name: str, texts: Sequence[str]) -> list[dict[str, Any]]:
        bodies = [{"input": text, **self._fields} for text in texts]
        requests = [self._client.post(SPEECH, body) for body in bodies]
        passes = [await self._pass(f"{name}, pass {number + 1}", requests) for number in range(self._passes)]
        # Plans last: they look things up, and what is looked up moves to nearer tiers.
        plans = [await self._plan(body) for body in bodies]
        return account(passes, plans, self._fields["response_format"])

    async def _pass(self, what: str, requests: Sequence[bytes]) -> Pass:
        before, began = await self._made(), time.monotonic()
        samples = await self._ask(what, requests)
        return Pass(samples, (await self._made()).since(before), time.monotonic() - began)

    async def _ask(self, what: str, requests: Sequence[bytes]) -> list[Sample]:
        bar = self._bars.add_task(what, total=len(requests))

        def told(reply: Reply) -> None:
            self.faults.look_at(reply)
            self._bars.advance(bar)

        samples = await closed_loop(self._client, requests, self._concurrency, told)
        self._bars.remove_task(bar)
        return samples

    async def _made(self) -> Made:
        return Made.parse([(await client.ask(client.get("/metrics"))).body.decode() for client in self._origins])

    async def _plan(self, body: Mapping[str, str]) -> Plan:
        reply = await self._client.ask(self._client.post(PLAN, body))
        # What cannot be planned was refused when it was to be spoken, and is among the faults.
        return Plan.parse(json.loads(reply.body)) if reply.status == OK else Plan(0, {})


def _tell(report: Report, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """A column for each pass: there are more measures than passes."""
    columns = [(f"{name}, pass {number}", one) for name, passes in results.items() for number, one in enumerate(passes, 1)]
    measures: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("requests", lambda one: f"{one['requests']:,}"),
        ("hits", lambda one: f"{one['hit_ratio']:.1%}"),
        *((f"  from {tier}", partial(_hits, tier)) for tier in TIERS),
        ("misses", lambda one: f"{one['misses']:,}"),
        ("collapsed", lambda one: f"{one['collapsed']:,}"),
        ("other answers", lambda one: f"{sum(one['other'].values()):,}"),
        ("segments asked for", lambda one: f"{one['segments']['asked']:,}"),
        ("runs of the engine", lambda one: f"{sum(one['runs'].values()):,}"),
        ("characters asked for", lambda one: f"{one['characters']['asked']:,}"),
        ("  synthesised", lambda one: f"{one['characters']['synthesised']:,}"),
        ("  saved", lambda one: f"{one['characters']['saved'] / max(1, one['characters']['asked']):.1%}"),
        ("audio answered, s", lambda one: _or_dash(one["audio_s"]["answered"])),
        ("  synthesised, s", lambda one: _or_dash(one["audio_s"]["synthesised"])),
        ("  saved, s", lambda one: _or_dash(one["audio_s"]["saved"])),
        *((f"first byte {name}, ms", partial(_latency, "first_byte_ms", name)) for name in ("p50", "p90", "p99", "max")),
        *((f"total {name}, ms", partial(_latency, "total_ms", name)) for name in ("p50", "p90", "p99", "max")),
        ("requests a second", lambda one: f"{one['requests'] / one['seconds']:,.0f}"),
    ]
    rows = [(label, *(show(one) for _, one in columns)) for label, show in measures]
    report.table("What the cache saved", ("", *(title for title, _ in columns)), rows)


def _hits(tier: str, one: Mapping[str, Any]) -> str:
    return f"{one['hits'][tier]:,}"


def _latency(what: str, name: str, one: Mapping[str, Any]) -> str:
    return milliseconds(one[what], name)


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _complain(faults: Faults) -> None:
    for said, count in faults.refused.most_common(10):
        print(f"hitrate: {count} x not 200: {said}", file=sys.stderr)
    for address in sorted(faults.different)[:10]:
        print(f"hitrate: {address} gave other bytes than at first", file=sys.stderr)


if __name__ == "__main__":
    cyclopts.run(main)
