"""Canonical text: what shares a key, what must not, and what is refused."""

from __future__ import annotations

import time
import unicodedata

import corpora
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.text import EQUIVALENCES, canonical, fold, script

PIECES = (
    *"aZéIxß1２Ａ你好。，、！？：；（）．～…—’‘“”「」\"'.,!?:;()-~/ \n\t",
    *("\u3000", "\xa0", "\u200b", "\u200c", "\u200d", "\xad", "\ufeff", "\u2028", "\u0301", "\u0316", "\u3099", "\u0338"),
    *("か", "क", "\u094d", "❤\ufe0f", "👨", "한", "｡", "\u037e", "\u2adc", "\r\n", "...", "……", "!!", "1,000", "3.14", "U.S.", "Å"),
)
"""What canonicalisation looks at, so that generated texts are dense with it."""
messy = st.one_of(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), st.text(max_size=24))


def canonical_or_none(text: str) -> str | None:
    try:
        return canonical(text)
    except BadRequest:
        return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("你好，世界！", "你好,世界!"),
        ("你好，世界", "你好, 世界"),
        ("你好！！！", "你好！"),
        ("你好!!!", "你好！"),
        ("好。。", "好。"),
        ("你 好", "你好"),
        ("你好。\u3000世界", "你好。世界"),
        ("他说:“好”", "他说：“好”"),
        ('"你好","再见"', '"你好"，"再见"'),
        ("八达岭(残长城)", "八达岭（残长城）"),
        ("Tom,你好", "Tom，你好"),
        ("ＨＥＬＬＯ　ｗｏｒｌｄ", "HELLO world"),
        ("Ｈｅｌｌｏ，ｗｏｒｌｄ！", "Hello,world!"),
        ("１２：３０", "12:30"),
        ("10：30", "10:30"),
        ("３．１４", "3.14"),
        ("cafe\u0301", "café"),
        ("Wait...", "Wait…"),
        ("Wait....", "Wait…"),
        ("等……", "等..."),
        ("Hello  world", "Hello world"),
        (" Hello\tworld\n", "Hello world"),
        ("Hello\u00a0world", "Hello world"),
        ("one\r\n\r\n two", "one\ntwo"),
        ("one\u2029two", "one\ntwo"),
        ("Hello!!!", "Hello!"),
        ("Really?!?!", "Really?!"),
        ("Hello.. ", "Hello."),
        ("don’t", "don't"),
        ("hy\u00adphen", "hyphen"),
        ("wo\u200brd", "word"),
        ("cafe\u200b\u0301", "café"),
        ("\ufeffword", "word"),
        ("好｡", "好。"),
        ("等—————", "等——"),
    ],
)
def test_these_share_a_key(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("好的，", "好的。"),
        ("好的。", "好的！"),
        ("好的", "好的。"),
        ("好的……", "好的。"),
        ("好的、", "好的，"),
        ("好的：", "好的；"),
        ("Yes.", "Yes?"),
        ("US", "us"),
        ("½", "1/2"),
        ("①", "1"),
        ("x²", "x2"),
        ("国", "國"),
        ("ｶ", "カ"),
        ("1,000", "1000"),
        ("1,000人", "1，000人"),
        ("3.14", "3,14"),
        ("3.14", "3 14"),
        ("10:30", "1030"),
        ("1...2", "1.2"),
        ("1...2", "1…2"),
        ("a,,b", "a,b"),
        ("std::vector", "std:vector"),
        ("https://a.b/c?d=e", "https://a.b/c？d=e 吧"),
        ("What?", "What?!"),
        ("What!?", "What?!"),
        ("你好", "你\n好"),
        ("안녕 하세요", "안녕하세요"),
        ("Hello world", "Helloworld"),
        ("用 Python 写", "用Python写"),
        ("好~", "好～"),
        ("re-sign", "resign"),
        ("well-known", "well—known"),
        ("می\u200cخواهم", "میخواهم"),
        ("क्\u200dष", "क्ष"),
        ("a 👨\u200d👩", "a 👨👩"),
        ("ไป\u200bมา", "ไปมา"),
        ("𠀀", "\U00020001"),
        ("dogs’ tails", "dogs' tails"),
        ("I said “no”", 'I said "no"'),
    ],
)
def test_these_do_not(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_texts_whose_plain_hashes_collide_stay_apart() -> None:
    pair = ("䥆8䲹G#ZiE2%V鸭文。 tts hi!", "祄P栰K Zk-07_席文。 tts hi!")
    assert [canonical(text) for text in pair] == ["䥆8䲹G#ZiE2%V鸭文。tts hi!", "祄P栰K Zk-07_席文。tts hi!"]


@pytest.mark.parametrize(
    "text",
    [
        "Your booking is made, for 11:30; it costs $1,000.50 (in total). See https://a.b/c?d=e&f=g, or mail me@x.org!",
        "“Is it?” said he. ‘No,’ said she—and left.",
        "抱歉，人均消费68元；推荐您去“讲礼驴肉馆”（总店），电话010-63553377，营业时间07:30-21:00。好吗？好！",
        "他说——等等…再说《红楼梦》、《石头记》。",
        "ジョンは「はい」と言った。そうですか？",
        "안녕하세요, 반갑습니다! 어디 가세요?",
        "می\u200cخواهم بروم؟",
        "C++ is a::b, a??b, C:\\x\\..\\y, ../z, 50% & 3+4=7 #1 *bold* _it_ ~ ^ `x` {y} [z] <a> |b|",
        "❤️‍🔥 and 👩🏽‍🚀 go",
    ],
)
def test_well_set_text_is_canonical_as_it_is(text: str) -> None:
    assert canonical(text) == text


@pytest.mark.parametrize("text", ["a\x00b", "a\x07", "\x1b[31mred", "a\x0bb", "a\x0cb", "a\x7f", "a\x9bb", "a\ud800", "\udc00你"])
def test_control_characters_and_lone_surrogates_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        canonical(text)
    assert (refused.value.code, refused.value.param) == ("bad_text", "input")


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "...", "。！？", "—", "🙂", "\u200b", "\u0301", "***", "$"])
def test_text_with_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        canonical(text)
    assert (refused.value.code, refused.value.param) == ("empty_text", "input")


@pytest.mark.parametrize("text", ["a" * 11, "a" + " " * 10, "\u0958" * 6])
def test_length_counts_as_sent_and_as_canonical(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        canonical(text, limit=10)
    assert (refused.value.code, refused.value.param) == ("text_too_long", "input")
    assert canonical("a" * 10, limit=10)


def test_a_pile_of_marks_is_refused() -> None:
    assert canonical("a" + "\u0316\u0301" * 15)
    with pytest.raises(BadRequest) as refused:
        canonical("a" + "\u0301\u0316" * 16)
    assert refused.value.code == "bad_text"


def letters(text: str) -> list[str]:
    """Letters and digits in one width, whatever marks compose with them."""
    narrow = (chr(ord(char) - 0xFEE0) if "！" <= char <= "～" else char for char in text)
    return [char for char in unicodedata.normalize("NFD", "".join(narrow)) if char.isalnum()]


@given(messy)
def test_canonical_text_is_canonical(text: str) -> None:
    once = canonical_or_none(text)
    if once is not None:
        assert canonical(once) == once


@given(messy)
def test_what_is_spoken_is_kept(text: str) -> None:
    once = canonical_or_none(text)
    if once is not None:
        assert letters(once) == letters(text)


@given(messy)
def test_words_are_never_joined(text: str) -> None:
    once = canonical_or_none(f"one {text} two")
    if once is not None:
        assert once.startswith("one")
        assert once.endswith("two")
        assert not once[3].isalnum()
        assert not once[-4].isalnum()


@given(messy)
def test_white_space_is_single(text: str) -> None:
    once = canonical_or_none(text)
    if once is not None:
        assert once == once.strip()
        assert not any(pair in once for pair in ("  ", " \n", "\n ", "\n\n", "\r", "\t", "\u3000"))


@pytest.mark.parametrize("name", ["crosswoz", "navigation", "weather_bulletins", "smarthome_zh", "ivr_prompts"])
def test_real_texts_keep_their_words(name: str) -> None:
    for text in corpora.texts(name):
        once = canonical_or_none(text)
        assert letters(once or "") == letters(text)
        assert once is None or canonical(once) == once


@pytest.mark.parametrize(
    "bit",
    [".", '"', "!?", ",", ":", " ", "—", "’", "(", "你。", "你,", " \n", "1...2", "!!a", "\u0316\u0301", "e\u200d", '." ', '…"'],
)
def test_time_is_linear_in_the_length(bit: str) -> None:
    def seconds(length: int) -> float:
        text = f"1{(bit * length)[:length]}1"
        began = time.process_time()
        for _ in range(10_000 // length):
            canonical_or_none(text)
        return time.process_time() - began

    # Ten times the length in the same number of characters: as long when linear, ten times as long when quadratic.
    assert min(seconds(9_990) for _ in range(3)) < 4 * min(seconds(999) for _ in range(3)) + 0.002


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Turn left", "turn left"),
        ("“Turn left”", "“turn left”"),
        ("In 900 feet, turn", "in 900 feet, turn"),
        ("Don't", "don't"),
        ("US is", "US is"),
        ("I am", "I am"),
        ("A dog", "A dog"),
        ("A320 is", "A320 is"),
        ("McAllister Street", "McAllister Street"),
        ("Polish people", "Polish people"),
        ("Xi is", "Xi is"),
        ("Irmak", "Irmak"),
        ("No. 5", "No. 5"),
        ("Éa", "Éa"),
        ("turn Left", "turn Left"),
        ("你好 Tom", "你好 Tom"),
        ("", ""),
    ],
)
def test_initial_case_folds_the_capital_that_a_sentence_begins_with(text: str, folded: str) -> None:
    assert fold(text, ("initial_case",)) == folded
    assert fold(text, ()) == text


@given(messy, st.sampled_from(sorted(EQUIVALENCES)))
def test_equivalences_change_nothing_but_case(text: str, name: str) -> None:
    once = canonical_or_none(text)
    if once is not None:
        folded = fold(once, (name,))
        assert folded.casefold() == unicodedata.normalize("NFC", once.lower()).casefold()
        assert fold(folded, (name,)) == folded
        assert canonical(folded) == folded


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello", "en"),
        ("Grüße, café", "en"),
        ("你好", "zh"),
        ("打开 Bluetooth", "zh"),
        ("请说 turn on the light", "zh"),
        ("I visited 北京 last year in autumn with my whole family", "en"),
        ("東京へ行きます", "ja"),
        ("我爱喝午后の红茶，也爱喝别的各种各样的茶水", "zh"),
        ("안녕하세요", "ko"),
        ("Привет, world", "ru"),
        ("Γειά σου", "el"),
        ("مرحبا", "ar"),
        ("שלום", "he"),
        ("नमस्ते", "hi"),
        ("สวัสดี", "th"),
        ("10:30", ""),
        ("ᚠᚢᚦ", ""),
    ],
)
def test_the_script_chooses_the_voice(text: str, language: str) -> None:
    assert script(text) == language
