"""Canonical text: what is hashed and what is synthesised. Conservative: what some engine might speak otherwise stays apart.

    in the text                              canonical
    letters, accents                         NFC; never folded in case, compatibility form or Chinese script
    full-width ASCII: Ａ １ ＋ ％ ＠           ASCII (not ～: engines say "tilde" for the ASCII one)
    , ! ? : ; ( ) in either width            full-width beside a CJK character, white space and quotes between them aside; ASCII
                                             elsewhere. Well-set text is its own canonical form, and a Chinese voice pauses at
                                             「，」 where it would run over a bare ","
    ， between digits                         as sent: "1，000" is a list, "1,000" a number. 「：」 between digits is ":", a time
    ． 。 、 and .                              ．is "." away from CJK characters; 。and 、keep their own class everywhere
    the same mark twice or more: !!! 。。 ,,   once. ?! keeps both, each once, in the order they came. ASCII marks before a letter
                                             or digit stay (a::b, c??d), and so do brackets and quotes
    ... …… ....                              … (not between digits: "1...2"); ".." after a word: "."
    ———                                      —— (the Chinese dash has two parts; — and -- stay what they are)
    ’ inside a word of Latin letters         '
    other quotes, dashes, symbols, emoji     as sent
    white space, tabs, NBSP, U+3000          one space; none between CJK characters, none beside a full-width mark
    line ends, paragraph separators          one line feed, without spaces around it
    zero-width space, joiner, non-joiner     dropped, but after letters of scripts that use them and inside emoji
    BOM, word joiner, soft hyphen, bidi      dropped

CJK characters are Han, kana, bopomofo and their brackets; Korean sets its words apart with spaces and its marks in ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from shared.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 10_000
"""Characters of a text, unless an edge is told otherwise."""
_STACK: Final = 30
"""Combining marks on one letter; Unicode's Stream-Safe Text Format has the same bound. Sorting longer runs takes quadratic time."""

HAN: Final = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
KANA: Final = "\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\uff66-\uff9f"
CJK: Final = HAN + KANA + "\u3003\u3008-\u3011\u3014-\u301b\u3105-\u312f\u31a0-\u31bf"
"""The characters that make a mark beside them full-width, as a character class of a regular expression."""

_BAD: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ODD_ASCII: Final = re.compile(r"[\x00-\x1f\x7f]|  |\A | \Z|\.\.|[!?][!?]|,,|;;|::")
"""What canonical ASCII text does not have; most texts in English are done when this is not found."""
_PLAIN: Final = re.compile("(?:[A-Za-z0-9]*+[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]++[，。！？；：、]?+)++[A-Za-z0-9]*+")
"""Canonical already: words, Han and kana, single full-width marks behind these. Most texts in Chinese are done here."""

_WIDE: Final = "，！？：；（）．"
_NARROW: Final = ",!?:;()."
_MARKS: Final = f"{_WIDE}。、{_NARROW[:-1]}"
_QUOTES: Final = " .…\"'“”‘’"
_TO_WIDE: Final = str.maketrans(_NARROW[:-1], _WIDE[:-1])
_TO_NARROW: Final = str.maketrans(_WIDE, _NARROW)
_TO_NARROW_IN_NUMBER: Final = str.maketrans(_WIDE[1:], _NARROW[1:])

_SPACES: Final = "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_LINE_ENDS: Final = "\r\x85\u2028\u2029"
_INVISIBLE: Final = "\xad\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_ONE_TO_ONE: Final = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5E) if chr(code) not in _WIDE},
    **str.maketrans("｡､", "。、", _INVISIBLE),
    **dict.fromkeys(map(ord, _SPACES), " "),
    **dict.fromkeys(map(ord, _LINE_ENDS), "\n"),
}

_JOINED: Final = "\u0590-\u109f\u1700-\u18af\u1900-\u1cff\u2600-\u27bf\ua800-\ua95f\ua980-\uabff\ufb1d-\ufdff\ufe0f\ufe70-\ufefc"
_ZERO_WIDTH: Final = re.compile(f"(?<![{_JOINED}\U00010a00-\U0001faff])[\u200b-\u200d]")
_LINES: Final = re.compile(r" ?\n[ \n]*")
_GAP: Final = re.compile(f"(?<=[{CJK}]) (?=[{CJK}])")
# The look-behinds of these three make each run of marks be tried once, from its start: linear time, whatever the run.
_RUN: Final = re.compile(f"(?<![{_QUOTES}{_MARKS}])[{_QUOTES}]*[{_MARKS}][{_QUOTES}{_MARKS}]*")
_ELLIPSIS: Final = re.compile(r"(?:(?<![\d.])\.{3}|(?<!\.)\.{3}(?!\.*\d)|．{3}|…)[.．…]*")
_REPEATED: Final = re.compile(r"[!?！？]{2,}|([,;:，；：．。、])\1+|(?<=[^\W_])\.\.(?!\S)|—{3,}")
_BESIDE_WIDE: Final = re.compile(f" *([{_WIDE}。、]) *")
_CJK: Final = re.compile(f"[{CJK}]")
_APOSTROPHE: Final = re.compile("(?<=[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ])’(?=[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ])")


def canonical(text: str, limit: int = LIMIT) -> str:
    """The canonical text of `text`; canonical text comes back as it is.

    Raises BadRequest: `text_too_long` (more than `limit` characters, as sent or canonical), `bad_text` (control characters but
    tab and line ends, lone surrogates, letters under a pile of marks) or `empty_text` (no letter and no digit: punctuation,
    emoji).
    """
    if len(text) > limit:
        raise _too_long(limit)
    if _ODD_ASCII.search(text) if text.isascii() else not _PLAIN.fullmatch(text):
        if _BAD.search(text):
            raise BadRequest("The text has a control character or a lone surrogate.", code="bad_text", param="input")
        text = _marks(_letters(text))
    if not has_words(text):
        raise BadRequest("The text has no letter and no digit.", code="empty_text", param="input")
    if len(text) > limit:
        raise _too_long(limit)
    return text


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit to speak."""
    return any(map(str.isalnum, text))


def _too_long(limit: int) -> BadRequest:
    return BadRequest(f"The text has more than {limit} characters.", code="text_too_long", param="input")


def _letters(text: str) -> str:
    """NFC, in one width, without what cannot be seen; white space as single spaces and line feeds."""
    text = _composed(text.translate(_ONE_TO_ONE))
    # What a zero-width character kept apart may compose.
    text = _composed(_ZERO_WIDTH.sub("", text))
    text = re.sub("  +", " ", text)
    return _GAP.sub("", _LINES.sub("\n", text).strip(" \n"))


def _composed(text: str) -> str:
    if unicodedata.is_normalized("NFC", text):
        return text
    height = 0
    for char in text:
        height = height + 1 if unicodedata.combining(char) else 0
        if height > _STACK:
            raise BadRequest(f"A letter has more than {_STACK} combining marks.", code="bad_text", param="input")
    return unicodedata.normalize("NFC", text)


def _marks(text: str) -> str:
    """One form for each punctuation mark."""
    text = _RUN.sub(_in_width, text)
    text = _ELLIPSIS.sub("…", text)
    text = _REPEATED.sub(_once, text)
    return _APOSTROPHE.sub("'", text).strip(" \n")


def _in_width(run: re.Match[str]) -> str:
    """A run of marks, quotes and spaces, in the width that its neighbours ask for."""
    before, after = run.string[run.start() - 1 : run.start()], run.string[run.end() : run.end() + 1]
    if _CJK.match(before) or _CJK.match(after):
        wide = run[0].translate(_TO_WIDE)
        return _BESIDE_WIDE.sub(r"\1", wide) if " " in wide else wide
    in_number = before.isdigit() and after.isdigit()
    return run[0].translate(_TO_NARROW_IN_NUMBER if in_number else _TO_NARROW)


def _once(run: re.Match[str]) -> str:
    """Each mark of a run once, in the order in which they came."""
    if run[0][0] == "—":
        return "——"
    if run[0].isascii() and run.string[run.end() : run.end() + 1].isalnum():
        return run[0]
    return "".join(dict.fromkeys(run[0]))


# --- what an engine may declare that it does not tell apart

_AS_SENT: Final = frozenset({"Aj", "Arlene", "Art", "Arten", "Arts", "August", "Bologna", "Degas", "Di", "Polish", "Weg"})
"""Words that espeak-ng's dictionaries pronounce otherwise without their capital."""
_SMALL_I: Final = frozenset({"If", "In", "Into", "Is", "It", "Its"})
"""Turkish has two letters i: a capital I becomes small in these words alone, which Turkish does not have."""
_ROMAN: Final = re.compile("[ivxlc]+")
_FIRST_WORD: Final = re.compile(r"[\"'“‘(\[「『（]*([A-Z][a-z]+)(?!\w|\. )")


def _initial_case(text: str) -> str:
    """'Turn left' is 'turn left'; 'US', 'A320', 'McAllister', 'Polish' and 'Xi' (not the number) stay."""
    first = _FIRST_WORD.match(text)
    if first is None:
        return text
    word = first[1]
    if word in _AS_SENT or (word[0] == "I" and word not in _SMALL_I) or _ROMAN.fullmatch(word.lower()):
        return text
    return f"{text[: first.start(1)]}{word[0].lower()}{text[first.start(1) + 1 :]}"


EQUIVALENCES: Final[dict[str, Callable[[str], str]]] = {
    "initial_case": _initial_case,
    "case": lambda text: unicodedata.normalize("NFC", text.lower()),
}
"""Each folds the canonical text of one segment. `initial_case`: the capital that a sentence begins with; `case`: all capitals."""


def fold(text: str, equivalences: tuple[str, ...]) -> str:
    """A segment's text with what the engine declared to be equal made equal. Raises KeyError for a name that is not known."""
    for name in equivalences:
        text = EQUIVALENCES[name](text)
    return text


# --- which voice speaks it

_SCRIPTS: Final[dict[str, re.Pattern[str]]] = {
    "ko": re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7fb]"),
    "ru": re.compile("[\u0400-\u052f]"),
    "el": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "ar": re.compile("[\u0620-\u064a\u066e-\u06d3\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]"),
    "he": re.compile("[\u05d0-\u05ea]"),
    "hi": re.compile("[\u0904-\u0939\u0958-\u0961]"),
    "bn": re.compile("[\u0985-\u09b9\u09dc-\u09e1]"),
    "ta": re.compile("[\u0b85-\u0bb9]"),
    "te": re.compile("[\u0c05-\u0c39]"),
    "th": re.compile("[\u0e01-\u0e2e]"),
    "ka": re.compile("[\u10a0-\u10ff]"),
    "hy": re.compile("[\u0531-\u0556\u0561-\u0587]"),
}
_LATIN: Final = re.compile("[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ]")
_HAN_LETTER: Final = re.compile(f"[{HAN}]")
_KANA_LETTER: Final = re.compile(f"[{KANA}]")
CJK_WEIGHT: Final = 2.5
"""How many letters of other scripts take as long to say as one CJK character: 200 to 80."""


def script(text: str) -> str:
    """The language whose voice can speak the text's script: `zh`, `ja`, `en` for Latin letters, ...; empty: no letter is known.

    A Latin voice cannot read other scripts, while theirs can mostly read Latin: so the most frequent other script wins when it
    makes up an eighth of what is to be said ("打开 Bluetooth" is `zh`). Han is `ja` when a tenth of it all is kana.
    """
    if text.isascii():
        return "en" if any(map(str.isalpha, text)) else ""
    kana, han = len(_KANA_LETTER.findall(text)), len(_HAN_LETTER.findall(text))
    said = {"ja" if kana * 9 > han else "zh": CJK_WEIGHT * (kana + han)}
    if CJK_WEIGHT * (kana + han) < len(text) - kana - han:  # else no other can outweigh it
        said |= {name: float(len(letters.findall(text))) for name, letters in _SCRIPTS.items()}
    latin = len(_LATIN.findall(text))
    other = max(said, key=lambda name: said[name])
    if said[other] * 7 >= latin and said[other]:
        return other
    return "en" if latin else ""
