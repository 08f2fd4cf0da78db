"""Conditional requests and ranges (RFC 9110 §13, §14): what a GET or HEAD of a representation is answered with. Pure.

Where the RFC leaves a choice, nginx's: a malformed range of the unit `bytes` is unsatisfiable. Other than nginx, several ranges
that can all be satisfied are answered with the whole (§14.2 allows it): no player asks for them, and a multipart body of many
small ranges is a way to make a server work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

_ETAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_SPEC: Final = re.compile(r" *([0-9]*) *- *([0-9]*) *")
_CONDITIONS: Final = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


@dataclass(frozen=True, slots=True)
class Decision:
    """What is answered: of a 200 and a 206, the bytes from `start` to `stop` (None: to the end)."""

    status: Literal[200, 206, 304, 412, 416]
    start: int = 0
    stop: int | None = None


WHOLE: Final = Decision(200)


def is_conditional(fields: Mapping[str, str]) -> bool:
    """Whether the answer may do without the audio."""
    return not _CONDITIONS.isdisjoint(fields)


def decide(method: str, fields: Mapping[str, str], *, etag: str, size: int | None, modified: int | None = None) -> Decision:
    """Decide in the order of §13.2.2.

    `fields` are the request's, by lower-case name; `etag` is the strong validator, without quotes; `size` is None where the bytes
    would have to be made anew; `modified` is in seconds since 1970, None where it is not known.
    """
    if not _may_go_on(fields, etag, modified):
        return Decision(412)
    if not _is_news(fields, etag, modified, stored=size is not None):
        return Decision(304)
    if method != "GET" or size is None or "range" not in fields or not _same_as_before(fields, etag, modified):
        return WHOLE
    return _ranged(fields["range"], size)


@lru_cache(4096)
def http_date(seconds: int) -> str:
    """`seconds` since 1970 in the one form that is written (§5.6.7). Kept, because every hit says when it was made."""
    return formatdate(seconds, usegmt=True)


def _may_go_on(fields: Mapping[str, str], etag: str, modified: int | None) -> bool:
    """If-Match, else If-Unmodified-Since."""
    wanted = fields.get("if-match")
    if wanted is not None:
        return wanted.strip() == "*" or etag in _strong(wanted)
    since = _seconds(fields.get("if-unmodified-since"))
    return since is None or modified is None or modified <= since


def _is_news(fields: Mapping[str, str], etag: str, modified: int | None, *, stored: bool) -> bool:
    """If-None-Match, else If-Modified-Since."""
    known = fields.get("if-none-match")
    if known is not None:
        return not (stored if known.strip() == "*" else any(tag == etag for _, tag in _ETAG.findall(known)))
    since = _seconds(fields.get("if-modified-since"))
    return since is None or modified is None or modified > since


def _same_as_before(fields: Mapping[str, str], etag: str, modified: int | None) -> bool:
    """If-Range: compared strongly; a date only where it is the very one that was sent."""
    before = fields.get("if-range")
    if before is None:
        return True
    return etag in _strong(before) if '"' in before else modified is not None and _seconds(before) == modified


def _strong(tags: str) -> list[str]:
    return [tag for weak, tag in _ETAG.findall(tags) if not weak]


def _ranged(value: str, size: int) -> Decision:
    if value[:6].lower() != "bytes=" or value[6:] == "":  # nothing asked for, says nginx, is no range at all
        return WHOLE
    ranges = []
    for spec in value[6:].split(","):
        match = _SPEC.fullmatch(spec)
        if match is None or match.group(1) == match.group(2) == "":
            return Decision(416)
        part = _part(match.group(1), match.group(2), size)
        if part:
            ranges.append(part)
    if not ranges:
        return Decision(416)
    return Decision(206, ranges[0].start, ranges[0].stop) if len(ranges) == 1 else WHOLE


def _part(first: str, last: str, size: int) -> range:
    """One range, clipped to the size; empty where it cannot be satisfied."""
    if not first:
        return range(max(0, size - _bounded(last, size)), size)
    return range(_bounded(first, size), min(_bounded(last, size) + 1, size) if last else size)


def _bounded(digits: str, size: int) -> int:
    """The number, or `size` where it is that large: Python refuses to read more than 4,300 digits."""
    digits = digits.lstrip("0") or "0"
    return size if len(digits) > len(str(size)) else min(int(digits), size)


def _seconds(date: str | None) -> int | None:
    """Seconds since 1970; None where there is no date, or none that can be read, which is to be ignored (§13.1.3)."""
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
