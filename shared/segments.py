"""Segments: the sentences of a canonical text, each synthesised and cached on its own.

A cut that is missed costs a reuse, a wrong one is heard: where it is in doubt ("Main St. Turn", "5 p.m. The"), the sentence goes
on. A sentence that is too long to be synthesised at once is cut after clauses; a clause, after words; a word, after characters.
What has nothing to say (quotes, dashes, a row of asterisks) goes with its neighbour.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from shared.text import CJK, has_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.speech import Segmentation

_CJK_WEIGHT: Final = 5
_WEIGHT: Final = 2
_SENTENCE: Final = 200 * _WEIGHT
"""The most that is synthesised at once, by weight: 80 CJK or 200 other characters, 13 to 20 seconds of speech."""
_WHOLE: Final = 4096 * _WEIGHT
"""The same with `segmentation: off`: what OpenAI's speech API takes as one input."""


class Ending(StrEnum):
    """What a segment ends with: the pause that follows."""

    LINE = "line"
    FULL_STOP = "full_stop"
    QUESTION = "question"
    EXCLAMATION = "exclamation"
    ELLIPSIS = "ellipsis"
    CLAUSE = "clause"
    CUT = "cut"
    """No mark: the text is over, or was cut for its length."""


class Segment(NamedTuple):
    """A piece of the text. The sources of all segments, joined, are the canonical text."""

    source: str
    text: str
    """What is synthesised: the source, stripped. It has a letter or digit, and no more weight than can be synthesised."""
    ending: Ending


_STOPS: Final = "。！？．।॥؟۔։።។"
"""Marks that end a sentence wherever they stand; . ! ? … do so before white space, and … before a capital or CJK character."""
_CLAUSES: Final = "，；：、،؛"
_CLOSERS: Final = "\"'”’»)\\]）」』》】〉"
_OPENERS: Final = "\"'“‘«„(\\[（「『《【〈¿¡"
_ENDINGS: Final = {
    "\n": Ending.LINE,
    **dict.fromkeys("?？؟", Ending.QUESTION),
    **dict.fromkeys("!！", Ending.EXCLAMATION),
    "…": Ending.ELLIPSIS,
    **dict.fromkeys(",;:-—" + _CLAUSES, Ending.CLAUSE),
    **dict.fromkeys("." + _STOPS.translate({ord(mark): None for mark in "！？؟"}), Ending.FULL_STOP),
}

# Each of these takes a whole run of what it looks for, so that looking for the next one starts behind it: linear time.
_STOP: Final = re.compile(rf"\n|([.!?…{_STOPS}]+)([{_CLOSERS}]*)([ \n]?)")
_NEXT: Final = re.compile(rf"[{_OPENERS} —–-]*+(.?)")
_CLAUSE: Final = re.compile(
    rf"(?:[{_CLAUSES}](?!(?<=\d.)\d)|[,;:](?=[{_CLOSERS}]*+[ \n])|(?<=\w)(?:——?|--(?!-))(?!\d))[{_CLOSERS}]*[ \n]?"
)
_WORD: Final = re.compile(rf"[{CJK}][^\w\s{_OPENERS}]*\s*|[^\s{CJK}]+\s*|\s+")
_WEIGHTY: Final = re.compile(f"[{CJK}\u3001\u3002\uac00-\ud7a3\uff01-\uff5e]")

_ABBREVIATION: Final = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
"""An initial, or letters with dots between them: "J", "U.S", "a.m", "e.g"."""
_TITLES: Final = re.compile(
    "mrs?|ms|mx|dr|prof|rev|fr|ste?|mt|ft|gen|col|maj|capt|cpt|cmdr|lt|sgt|sen|rep|gov|pres|hon|messrs|mme|mlle|jr|sr|"
    "inc|ltd|co|corp|bros|vs|cf|al|viz|approx|ca|dept|est|ave|blvd|rd|hwy"
)
"""Abbreviations that a capital letter may follow within the sentence."""
_NUMBERED: Final = re.compile("nos?|nr|vols?|figs?|pp?|pg|ch|sect?|art|eq|ver|ext|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec")
"""Abbreviations that a number follows within the sentence; before anything else they end it ("No. I won't.")."""
_BREAK: Final = re.compile(r"\s[\"'“‘(\[]*|--|[—–]|^[\"'“‘(\[]+")
_LONGEST_WORD: Final = 12
"""Characters looked back at for an abbreviation: longer than any."""


def segments(text: str, mode: Segmentation = "sentence") -> tuple[Segment, ...]:
    """Cut canonical text. `clause` cuts after every clause as well; `off` only what no engine would take at once."""
    if mode == "off":
        cap = _WHOLE
        pieces = iter(_fit(text, cap, (_sentences, _clauses, _words, _graphemes, iter)))
    else:
        cap = _SENTENCE
        parts = _sentences(text)
        if mode == "clause":
            parts = (clause for sentence in parts for clause in _clauses(sentence))
        pieces = (piece for part in parts for piece in _fit(part, cap, (_clauses, _words, _graphemes, iter)))
    return tuple(_segment(spoken, cap) for spoken in _with_words(pieces))


def _segment(pieces: list[str], cap: int) -> Segment:
    """One segment of pieces of which one has words. The others are left unspoken where they do not fit beside it."""
    source = "".join(pieces)
    text = source.strip()
    if len(pieces) > 1 and weight(text) > cap:
        text = next(filter(has_words, pieces)).strip()
    return Segment(source, text, _ending(source))


def _ending(source: str) -> Ending:
    for char in reversed(source):
        if char in _ENDINGS:
            return _ENDINGS[char]
        if char.isalnum():
            break
    return Ending.CUT


def _with_words(pieces: Iterable[str]) -> Iterator[list[str]]:
    """Pieces that have something to say, each with those behind it that have not; the first, also with those before it."""
    group: list[str] = []
    found = False
    for piece in pieces:
        if has_words(piece):
            if found:
                yield group
                group = []
            found = True
        group.append(piece)
    if group:
        yield group


# --- cutting by meaning


def _sentences(text: str) -> Iterator[str]:
    start = 0
    quotes = _Quotes(text)
    for stop in _STOP.finditer(text):
        end = stop.end()
        if stop[2] and not stop[3] and not quotes.closes(stop):
            end = stop.end(1)
        if stop[0] == "\n" or stop[3] == "\n" or _ends_sentence(text, start, stop):
            yield text[start:end]
            start = end
    if start < len(text):
        yield text[start:]


class _Quotes:
    """Tells whether a straight quote behind a mark, with a letter right behind it, closes or opens: by those before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._counted = 0
        self._open = False

    def closes(self, stop: re.Match[str]) -> bool:
        at = stop.end(1)
        self._open ^= self._text.count('"', self._counted, at) % 2 == 1
        self._counted = at
        return stop[2][0] != '"' or self._open


def _ends_sentence(text: str, start: int, stop: re.Match[str]) -> bool:
    """Whether a run of marks ends the sentence that began at `start`."""
    marks, before = stop[1], stop.start()
    following = _NEXT.match(text, stop.end())
    after = following[1] if following else ""
    if not after or after in ",;:)" or after in _CLAUSES:
        return not after
    if any(mark in _STOPS for mark in marks):
        return True
    if after.islower():
        return False
    if not stop[3]:
        return "…" in marks or (_is_cjk(text[before - 1 : before]) and _is_cjk(after))
    return marks != "." or not _is_abbreviated(text[max(start, before - _LONGEST_WORD) : before], after)


def _is_cjk(char: str) -> bool:
    return _WEIGHTY.match(char) is not None


def _is_abbreviated(before: str, after: str) -> bool:
    """Whether a full stop belongs to the word that stands before it."""
    word = _BREAK.split(before)[-1].lower()
    if word.isdecimal():
        return len(before) == len(word) < _LONGEST_WORD  # the number of an item: "1. Open the door."
    whole = (_TITLES, _ABBREVIATION, _NUMBERED) if after.isdigit() else (_TITLES, _ABBREVIATION)
    return any(pattern.fullmatch(word) for pattern in whole)


def _clauses(text: str) -> Iterator[str]:
    start = 0
    for mark in _CLAUSE.finditer(text):
        yield text[start : mark.end()]
        start = mark.end()
    if start < len(text):
        yield text[start:]


# --- cutting by length


def weight(text: str) -> int:
    """How long it takes to say, roughly: 2 for each character, 5 for a CJK one."""
    return _WEIGHT * len(text) + (_CJK_WEIGHT - _WEIGHT) * len(_WEIGHTY.findall(text))


def _fit(text: str, cap: int, cuts: tuple[Callable[[str], Iterable[str]], ...]) -> list[str]:
    """`text` in as few pieces as weigh at most `cap`, cut by the first of `cuts` where that is enough, else by the next."""
    if len(text) * _CJK_WEIGHT <= cap or weight(text) <= cap:
        return [text]
    pieces: list[str] = []
    room = 0
    for part in cuts[0](text):
        weighs = weight(part)
        if weighs <= room:
            pieces[-1] += part
            room -= weighs
        else:
            pieces += [part] if weighs <= cap else _fit(part, cap, cuts[1:])
            room = cap - weight(pieces[-1])
    return pieces


def _words(text: str) -> Iterator[str]:
    """Words, numbers and CJK characters, each with the white space and the marks behind it."""
    return (word[0] for word in _WORD.finditer(text))


def _graphemes(text: str) -> Iterator[str]:
    """What a reader takes for one character, near enough: letters with their marks, conjuncts, emoji with what joins them."""
    start = 0
    joined = True
    for at, char in enumerate(text):
        extends = unicodedata.category(char)[0] == "M" or char in "\u200c\u200d" or "\U0001f3fb" <= char <= "\U0001f3ff"
        if not extends and not joined:
            yield text[start:at]
            start = at
        # A virama (combining class 9) and a zero-width joiner take the next letter along.
        joined = char == "\u200d" or unicodedata.combining(char) == 9  # noqa: PLR2004 - the class has no other name
    if text:
        yield text[start:]
