"""Real speech: the same bytes every time, in the voice that was asked for, or an honest refusal."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from origins import Heard, ask, client, frames, run, running, say, segment
from processes import eventually, is_running

from origin.engines import create
from shared.keys import TakeRecipe
from shared.text import fold, script

if TYPE_CHECKING:
    from origins import Running

    from shared.catalogue import Model

LONG = "The quick brown fox jumps over the lazy dog, again and again. " * 60


def seconds(heard: Heard) -> float:
    assert not heard.error, heard.error
    return len(heard.pcm) / 2 / 22_050


def children(pid: int) -> list[int]:
    """The processes that it started and that are there: proc(5) lists those by thread."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def zygote(origin: Running) -> int:
    (pid,) = filter(is_running, children(origin.pid))
    return pid


def speak_all(origin, wanted: list[tuple[str, dict]]) -> list[Heard]:
    async def call(model: Model) -> list[Heard]:
        async with client(origin) as http:
            answers = await asyncio.gather(*(ask(http, segment(model, text, **fields)) for text, fields in wanted))
            return [answer[0] for answer in answers]

    return run(call(origin.model()))


def test_the_same_words_are_the_same_bytes_whatever_is_said_besides(espeak):
    texts = [
        ("Turn left at the next junction.", {}),
        ("请在前方路口左转。", {"voice": "cmn"}),
        ("Bonjour à tous !", {"voice": "fr-fr"}),
    ]
    alone = [say(espeak, text, **fields).pcm for text, fields in texts]
    together = [heard.pcm for heard in speak_all(espeak, texts * 8)]
    assert together == alone * 8
    assert len(set(alone)) == 3


def test_another_process_says_the_same_bytes(espeak):
    with running("espeak") as other:
        assert other.model() == espeak.model()
        assert say(other, "Mind the gap.").pcm == say(espeak, "Mind the gap.").pcm


def test_speed_is_spoken_not_stretched(espeak):
    text = "The quick brown fox jumps over the lazy dog."
    normal = seconds(say(espeak, text))
    for speed in (0.5, 0.8, 1.5, 2.5):
        assert seconds(say(espeak, text, speed=speed)) * speed == pytest.approx(normal, rel=0.15)
    assert say(espeak, text, speed=2.6).error == "bad_value"


def test_every_voice_speaks(espeak):
    """A voice that cannot be set would speak in the one before: that is an error. Three have no words for digits."""
    voices = espeak.model().voices
    heard = speak_all(espeak, [("1 2 3", {"voice": voice.name}) for voice in voices])
    silent = {voice.name for voice, take in zip(voices, heard, strict=True) if take.error}
    assert silent == {"chr-us-qaaa-x-west", "cv", "sjn"}
    assert len({voice.digest for voice in voices}) == len(voices) > 130
    assert len({take.pcm for take in heard}) > 110


def test_every_script_has_a_voice_that_can_say_it(espeak):
    texts = ["今天天气很好。", "こんにちは。", "안녕하세요.", "Доброе утро.", "Καλημέρα.", "مرحبا بالعالم.", "שלום עולם.", "नमस्ते।"]
    texts += ["নমস্কার।", "வணக்கம்.", "నమస్కారం.", "สวัสดี", "გამარჯობა.", "Բարեւ։", "Good morning.", "123"]
    defaults = espeak.model().default_voices
    heard = speak_all(espeak, [(text, {"voice": defaults[script(text)]}) for text in texts])
    assert {text: take.error for text, take in zip(texts, heard, strict=True) if take.error} == {}


def test_dialects_are_voices(espeak):
    model = espeak.model()
    assert model.dialects_spoken() == ("hak", "yue")
    cantonese = say(espeak, "你好，今日天氣好好。", voice="yue", dialect="yue")
    assert cantonese.dialect == "yue"
    assert cantonese.pcm != say(espeak, "你好，今日天氣好好。", voice="cmn").pcm
    assert say(espeak, "ngai he hak-ka ngin", voice="hak").dialect == "hak"
    assert say(espeak, "你好", voice="cmn", dialect="yue").error == "unknown_dialect"


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("en-us", "你好世界"),
        ("en-us", "Hello 你好"),
        ("en-us", "Привет, мир"),
        ("en-us", "こんにちは"),
        ("en-us", "…"),
        ("cmn", "Привет"),
        ("cmn", "こんにちは"),
        ("cmn", "熊猫"),  # a syllable that the voice lacks: it says "kshung two", in English
        ("hak", "你好"),
        ("ja", "日本語"),
    ],
)
def test_what_a_voice_cannot_say_is_refused(espeak, voice, text):
    heard = say(espeak, text, voice=voice)
    assert (heard.error, heard.retryable, heard.pcm) == ("unspeakable", False, b"")


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("en-us", "GPS, α and naïve résumés: 12:30, €5 ☃"),
        ("cmn", "打开 Bluetooth，现在是12:30，GPS OK。"),
        ("ru", "СССР, я и GPS."),
        ("en-us", "I wrote a Chinese letter in English."),
        ("en-us", "नमस्ते"),
    ],
)
def test_what_a_voice_can_say_is_not(espeak, voice, text):
    assert seconds(say(espeak, text, voice=voice)) > 0.4


def test_a_text_gives_no_orders(espeak):
    """Neither SSML nor phonemes nor the library's own control sequences: they are read out, or refused."""
    assert seconds(say(espeak, '<break time="9s"/>hi')) < 5
    assert say(espeak, "[[h@loU]]").pcm != say(espeak, "Hello").pcm
    assert say(espeak, "\x01900S hello").error == "bad_text"


SENTENCES = """
Turn left at the next junction. | In two hundred metres, keep right. | Your balance is fifty dollars. | Please hold the line.
The train to York leaves from platform two. | Welcome back! | Are you sure? | We are closed on Sundays. | Press one for sales.
Reading is fun. | May I help you? | August was warm. | March on. | Nice to meet you. | Polish the table. | Xi is here. | US first.
I am here. | It is late. | McAllister Road ahead. | "Hello," she said. | Job done. | China is large. | Turkey is nice. | Iv bags.
""".replace("\n", "|")


def test_an_initial_capital_changes_nothing_that_is_folded(espeak):
    """The proof of `initial_case`: what has one key has one sound; and words that sound otherwise are not folded."""
    equivalences = espeak.model().equivalences
    texts = [text.strip() for text in SENTENCES.split("|") if text.strip()]
    folded = [fold(text, equivalences) for text in texts]
    assert sum(one != other for one, other in zip(texts, folded, strict=True)) > 15
    for voice in ("en-us", "en-gb"):
        as_sent = speak_all(espeak, [(text, {"voice": voice}) for text in texts])
        as_keyed = speak_all(espeak, [(text, {"voice": voice}) for text in folded])
        differ = [text for text, one, other in zip(texts, as_sent, as_keyed, strict=True) if one.pcm != other.pcm]
        assert differ == []
    assert say(espeak, "Polish it.").pcm != say(espeak, "polish it.").pcm, "why there are exceptions"


def test_closing_a_take_kills_its_process():
    """Left alone it would wait for ever for somebody to read the rest."""

    async def body() -> None:
        engine = create("espeak", {})
        await engine.start()
        try:
            voice = engine.model.voices[0]
            recipe = TakeRecipe(text=LONG, language="en", revision=engine.model.revision, voice=voice.digest)
            parent = engine.zygote
            take = engine.synthesize(recipe, voice, 0)
            await anext(take)
            assert len(children(parent)) == 1
            await take.aclose()
            await asyncio.to_thread(eventually, lambda: not children(parent))
        finally:
            await engine.close()
        assert not is_running(parent)

    run(body())


def test_a_killed_zygote_is_replaced(espeak):
    old = zygote(espeak)
    before = say(espeak, "Hello.").pcm
    os.kill(old, signal.SIGKILL)
    eventually(lambda: not is_running(old))
    assert say(espeak, "Hello.").pcm == before
    assert zygote(espeak) != old


def test_a_take_whose_process_dies_fails_and_may_be_tried_again(espeak):
    parent = zygote(espeak)

    async def call() -> tuple[str, bool]:
        async with client(espeak) as http:
            os.kill(parent, signal.SIGSTOP)  # nothing is forked: the order lies in the socket
            task = asyncio.create_task(ask(http, segment(espeak.model(), "Hello.", seed=1)))
            await asyncio.to_thread(eventually, lambda: espeak.count("takes_running") == 1)
            os.kill(parent, signal.SIGKILL)
            heard = (await task)[0]
            return heard.error, heard.retryable

    assert run(call()) == ("origin_failed", True)
    assert seconds(say(espeak, "Hello again.")) > 0.3


def test_audio_comes_before_all_of_it_is_spoken(espeak):
    async def call() -> int:
        async with client(espeak) as http:
            stream = frames(http, segment(espeak.model(), LONG))
            kinds = [(await anext(stream)).WhichOneof("kind") for _ in range(2)]
            await stream.aclose()
            assert kinds == ["start", "pcm"]
            return int(espeak.count('segments_total{model="espeak",outcome="ok"}'))

    done = espeak.count('segments_total{model="espeak",outcome="ok"}')
    run(call())
    eventually(lambda: espeak.count('segments_total{model="espeak",outcome="ok"}') == done + 1)
