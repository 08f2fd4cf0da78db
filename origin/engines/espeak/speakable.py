"""Whether a voice can say a text. Pure: what a voice makes of letters is asked of a function.

What espeak-ng cannot read, it spells. An English voice says of 你好 "Chinese letter, Chinese letter"; of мир "em, ee, err"; a
Japanese one says "Chinese letter" in English. That is not the text. So each script in a text is put to the test:

- a voice that reads a script says a word of it in fewer stresses than letters, or hands it to a voice that does (`(ko)`);
- Han needs another test, since a character is a syllable: a voice that cannot read it says two characters alike. One that can
  says each with a single stress, and does not fall back to English for it.

Latin letters pass: spelling them (GPS) is what a voice is meant to do, and all voices can.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STRESS: Final = "ˈ"
_ENGLISH: Final = "(en)"
_HAN: Final = "CJK"
_LETTERS: Final = frozenset({"Lo", "Lu", "Ll", "Lt", "Mn", "Mc"})
_WORDS: Final = {
    "CYRILLIC": "молоко",
    "GREEK": "ελλάδα",
    "ARABIC": "مرحبا",
    "HEBREW": "שלום",
    "HIRAGANA": "こんにちは",
    "KATAKANA": "カタカナ",
    "THAI": "สวัสดี",
}
"""A word that is no abbreviation, by script. Of other scripts, the text's own first word must do."""


def can_say(text: str, phonemes: Callable[[str], str]) -> bool:
    """Whether the voice behind `phonemes` (IPA of a text) says every letter of `text`, and says anything at all."""
    return phonemes(text).strip() != "" and all(_reads(script, word, phonemes) for script, word in _words(text).items())


def _words(text: str) -> dict[str, str]:
    """The scripts of `text` but Latin, with the first word of each; of Han, all characters."""
    words: dict[str, str] = {}
    for script, run in groupby(text, _script):
        if script == _HAN:
            words[script] = words.get(script, "") + "".join(run)
        elif script not in ("", "LATIN"):
            words.setdefault(script, "".join(run))
    return words


def _script(character: str) -> str:
    """The first word of a letter's or a vowel sign's name in Unicode, which is its script; empty for what is neither."""
    script = unicodedata.name(character, "").partition(" ")[0]
    return script if unicodedata.category(character) in _LETTERS and script != "COMBINING" else ""


def _reads(script: str, word: str, phonemes: Callable[[str], str]) -> bool:
    if script == _HAN:
        return phonemes("一") != phonemes("人") and all(_is_syllable(phonemes(character)) for character in set(word))
    if len(word) == 1:
        return True  # α: its name is all there is to say
    probe = _WORDS.get(script, word)
    said = phonemes(probe)
    return _ENGLISH not in said and said.count(STRESS) < len(probe)


def _is_syllable(said: str) -> bool:
    return _ENGLISH not in said and said.count(STRESS) == 1
