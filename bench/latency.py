"""How long an answer takes, by where it comes from: `python -m bench.latency`.

Open loop: callers come on a schedule, whatever became of those before them, and latency counts from the schedule. The client and
the HTTP server have a part in every figure. `bare` is that part: the edge's server, without the edge, answering with as many bytes
at the same rate.

Tiers are told apart without restarts: `Cache-Control: no-cache` skips memory, so that Valkey answers; an edge without a Valkey
answers from its object store.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

import cyclopts
from cyclopts import Parameter
from cyclopts.validators import Number

from bench import servers
from bench.client import Client
from bench.load import arrivals, open_loop, run, settle
from bench.report import Report, milliseconds, percentiles, progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.progress import Progress

    from bench.load import Sample

SPEECH: Final = "/v1/audio/speech"
NO_CACHE: Final = {"cache_control": "no-cache"}
ROWS: Final = ("memory", "valkey", "folder", "s3", "miss", "bare")
SEED: Final = 1
BEYOND_HITS: Final = 1_000_000
"""The number of the first text that is new."""

Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Rate = Annotated[float, Parameter(validator=Number(gt=0))]


def main(
    *,
    rate: Rate = 200,
    miss_rate: Rate = 4,
    seconds: Rate = 5,
    texts: Annotated[int, Parameter(validator=Number(gte=1, lte=BEYOND_HITS))] = 64,
    s3: bool = True,
) -> int:
    """Measure how long answers take, by where they come from: memory, Valkey, a folder, S3, or a fresh synthesis.

    Parameters
    ----------
    rate
        Hits asked for a second.
    miss_rate
        Texts that are new, a second; the tone engine says them at once.
    seconds
        How long each row is measured.
    texts
        Different texts among the hits.
    s3
        Measure an S3 server too (needs `weed`, which `make test` and `make bench` install).

    """
    report = Report("latency")
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refrain-bench-")))
            bars = stack.enter_context(progress(live=False))
            bench = Bench(stack, folder, [_body(number) for number in range(texts)], seconds, bars)
            rows = _compare(run(bench.all(rate, miss_rate, s3=s3)))
    except (servers.NotStarted, OSError, TimeoutError) as error:
        print(f"latency: {error}", file=sys.stderr)
        return 1
    _tell(report, rows)
    report.end(rate=rate, miss_rate=miss_rate, seconds=seconds, texts=texts, rows=rows)
    return 0


class Bench:
    """Starts each tier in turn and measures it; what it starts ends with `stack`."""

    def __init__(self, stack: ExitStack, folder: Path, bodies: Sequence[dict[str, str]], seconds: float, bars: Progress) -> None:
        self._stack = stack
        self._folder = folder
        self._bodies = bodies
        self._seconds = seconds
        self._bars = bars
        self._bar = bars.add_task("", total=2 * len(ROWS))
        self._rows: list[dict[str, Any]] = []

    async def all(self, rate: float, miss_rate: float, *, s3: bool) -> list[dict[str, Any]]:
        """The rows. Raises NotStarted, OSError or TimeoutError."""
        up = self._stack.enter_context(servers.refrain(self._folder, "--engine", "tone"))
        (url,), told = up["edges"], up["regions"]["local"]["told"]
        await self._hits("memory", "memory", Client(url), rate)
        await self._hits("valkey", "valkey", Client(url), rate, **NO_CACHE)
        beside = self._stack.enter_context(servers.edge(self._folder, told, valkey_url=""))
        await self._hits("folder", "object", Client(beside), rate, **NO_CACHE)
        if s3:
            bucket, options = self._stack.enter_context(servers.s3(self._folder / "s3"))
            remote = {"valkey_url": "", "object_url": bucket, "object_options": json.dumps(options)}
            beside = self._stack.enter_context(servers.edge(self._folder, told, **remote))
            await self._hits("s3", "object", Client(beside), rate, **NO_CACHE)
        await self._misses(Client(url), miss_rate)
        await self._bare(rate)
        return self._rows

    async def _hits(self, row: str, outcome: str, client: Client, rate: float, **headers: str) -> None:
        posts = [client.post(SPEECH, body, **headers) for body in self._bodies]
        gets = [client.get(address, **headers) for address in await settle(client, posts, outcome)]
        await self._measure(row, "GET", client, itertools.cycle(gets), rate, outcome)
        await self._measure(row, "POST", client, itertools.cycle(posts), rate, outcome)
        client.close()

    async def _misses(self, client: Client, rate: float) -> None:
        fresh = map(_body, itertools.count(BEYOND_HITS))
        gets = (client.get(f"{SPEECH}?{urlencode(body)}") for body in fresh)
        posts = (client.post(SPEECH, body) for body in fresh)
        await self._measure("miss", "GET", client, gets, rate, "miss")
        await self._measure("miss", "POST", client, posts, rate, "miss")
        client.close()

    async def _bare(self, rate: float) -> None:
        with servers.bare(self._folder, self._rows[0]["bytes"]) as url:
            client = Client(url)
            gets, post = itertools.repeat(client.get("/")), itertools.repeat(client.post("/", self._bodies[0]))
            await self._measure("bare", "GET", client, gets, rate, "bare")
            await self._measure("bare", "POST", client, post, rate, "bare")
            client.close()

    async def _measure(self, row: str, method: str, client: Client, requests: Iterator[bytes], rate: float, outcome: str) -> None:
        self._bars.update(self._bar, description=f"{row} {method}", refresh=True)
        at = arrivals(rate, max(1, round(rate * self._seconds)), random.Random(SEED))
        samples, achieved = await open_loop(client, list(itertools.islice(requests, len(at))), at)
        self._rows.append({"row": row, "method": method, "rate": round(achieved, 1), **_figures(samples, outcome)})
        self._bars.advance(self._bar)


def _body(number: int) -> dict[str, str]:
    """A text of one sentence and always the same length, which the tone engine says in 7.4 s: 60 kB of MP3."""
    return {"input": f"This is the sentence number {number:08}.", "response_format": "mp3"}


def _figures(samples: Sequence[Sample], outcome: str) -> dict[str, Any]:
    """Of all answers, whatever they were; `astray` are those that came from elsewhere than the row says."""
    return {
        "requests": len(samples),
        "astray": dict(Counter(sample.outcome for sample in samples if sample.outcome != outcome)),
        "bytes": statistics.median_low(sample.size for sample in samples),
        "first_byte_ms": percentiles(sample.first_s for sample in samples),
        "total_ms": percentiles(sample.total_s for sample in samples),
    }


def _compare(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A miss is measured at another rate, and is another kind of work."""
    bare = {row["method"]: row["total_ms"]["p50"] for row in rows if row["row"] == "bare"}
    return [
        row | {"x_bare": round(row["total_ms"]["p50"] / bare[row["method"]], 2)} if row["row"] != "miss" else row for row in rows
    ]


def _tell(report: Report, rows: Sequence[dict[str, Any]]) -> None:
    columns = ("", "requests", "per s", "astray", "bytes", "first p50", "p99", "total p50", "p90", "p99", "max", "x bare")
    lines = (
        (
            f"{row['row']} {row['method']}",
            f"{row['requests']:,}",
            f"{row['rate']:,.0f}",
            f"{sum(row['astray'].values()):,}",
            f"{row['bytes']:,}",
            *(milliseconds(row["first_byte_ms"], name) for name in ("p50", "p99")),
            *(milliseconds(row["total_ms"], name) for name in ("p50", "p90", "p99", "max")),
            f"{row['x_bare']:.1f}" if "x_bare" in row else "-",
        )
        for row in rows
    )
    report.table("Milliseconds from the moment that was scheduled", columns, lines)
    report.say(
        "astray: answered from elsewhere; x bare: p50 of the total, as a multiple of the same server and client without an edge"
    )


if __name__ == "__main__":
    cyclopts.run(main)
