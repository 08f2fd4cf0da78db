"""What a bench says: the machine, tables for people, and as the last line one line of JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PERCENTILES: Final = (50, 90, 99)
WIDTH: Final = 140
"""Columns, where nobody's terminal says how many there are."""


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """p50, p90, p99 and max in milliseconds, by nearest rank: each is a latency that somebody had. Empty for no values."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    ranked = {f"p{p}": ordered[math.ceil(len(ordered) * p / 100) - 1] for p in PERCENTILES}
    return {name: round(value * 1000, 3) for name, value in (ranked | {"max": ordered[-1]}).items()}


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


class Report:
    """Writes to standard output as results come; `end` writes the JSON."""

    def __init__(self, bench: str) -> None:
        self._result: dict[str, Any] = {"bench": bench, "machine": machine()}
        self._console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDTH)
        self.say("{cpu}, {cores} cores, {system}, Python {python}".format(**self._result["machine"]))

    def say(self, line: str) -> None:
        self._console.print(line)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """The first column names, the others measure."""
        table = Table(title=title, title_justify="left")
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def end(self, **result: Any) -> None:  # noqa: ANN401 - what JSON can say
        print(json.dumps(self._result | result, ensure_ascii=False), flush=True)


def progress(*, live: bool = True) -> Progress:
    """Bars on standard error. Not `live`: drawn only when told to, for a bench whose own work would show in its figures."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=live)


def milliseconds(values: dict[str, float], name: str) -> str:
    return f"{values[name]:,.2f}" if name in values else "-"
