"""Many callers of one new text: when each hears its first audio, and what they cost together.

    python -m bench.coalesce --callers 50

A tone origin speaks in real time. Callers arrive all through the first sentence. A caller is late by the time from its own arrival,
or from the first caller's first byte where that came later, to its own first byte.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter, validators

from bench import servers
from bench.client import Client
from bench.report import Report, milliseconds, percentiles

if TYPE_CHECKING:
    from bench.client import Reply

SENTENCE: Final = "However many ask for it at the same time, it is made once."
REAL_TIME: Final = {"REFRAIN_TONE_RTF": "1"}

app = App(help_on_error=True, help=__doc__)


@app.default
def coalesce(*, callers: Annotated[int, Parameter(validator=validators.Number(gte=2, lte=250))] = 50, rounds: int = 3) -> int:
    """Measure it.

    Parameters
    ----------
    callers
        Who ask for the text, over the time that its first sentence takes.
    rounds
        Texts, one after the other.

    """
    report = Report("coalesce")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="refrain-bench-") as folder,
            servers.refrain(Path(folder), "--engine", "tone") as up,
        ):
            node = next(iter(up["regions"].values()))
            result = asyncio.run(_measure(up["edges"][0], node["origins"][0]["url"], callers, rounds))
    except (servers.NotStarted, OSError) as error:
        print(f"coalesce: {error}", file=sys.stderr)
        return 1
    late = result["late_ms"]
    row = [str(callers * rounds), *(milliseconds(late, name) for name in ("p50", "p99", "max"))]
    row += [str(result[name]) for name in ("syntheses", "encoders", "bodies")]
    columns = ["texts", "callers", "late ms: p50", "p99", "max", "syntheses", "encoders", "different bodies"]
    report.table("Callers of one new text", columns, [[str(rounds), *row]])
    report.end(callers=callers, rounds=rounds, **result)
    return 0 if result["bodies"] == rounds else 1


async def _measure(edge: str, origin: str, callers: int, rounds: int) -> dict[str, Any]:
    client, engine = Client(edge), Client(origin)
    await engine.json("/tone", {"rtf": 1})
    before = await _counts(client, engine)
    late: list[float] = []
    bodies = set()
    for number in range(rounds):
        replies = await _callers(client, f"{SENTENCE} This is number {number}.", callers)
        if broken := [reply.outcome for reply in replies if reply.status != 200]:  # noqa: PLR2004 - OK
            raise OSError(f"an answer was {broken[0]}")
        first = min(reply.first_at for reply in replies)
        late += [reply.first_at - max(first, reply.asked_at) for reply in replies]
        bodies |= {reply.body for reply in replies}
    syntheses, encoders = (after - old for after, old in zip(await _counts(client, engine), before, strict=True))
    client.close()
    engine.close()
    return {"late_ms": percentiles(late), "syntheses": syntheses, "encoders": encoders, "bodies": len(bodies)}


async def _callers(client: Client, text: str, callers: int) -> list[Reply]:
    """The first half at once, the others one by one while the first sentence (0.2 s a character) is being made."""
    request = client.post("/v1/audio/speech", {"input": text, "response_format": "pcm"})
    spread = 0.2 * len(SENTENCE) * 0.8
    delays = [0.0] * (callers // 2) + [spread * n / callers for n in range(callers - callers // 2)]

    async def ask(delay: float) -> Reply:
        await asyncio.sleep(delay)
        return await client.ask(request)

    return await asyncio.gather(*map(ask, delays))


async def _counts(client: Client, engine: Client) -> tuple[int, int]:
    """Syntheses and encoders so far."""
    return (
        await _total(engine, "refrain_origin_segments_total"),
        await _total(client, "refrain_edge_encoders_total"),
    )


async def _total(client: Client, metric: str) -> int:
    text = (await client.ask(client.get("/metrics"))).body.decode()
    return int(sum(float(value) for value in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)))


if __name__ == "__main__":
    sys.exit(app())
