"""Takes: joined while they run, replayed when they have run, dropped when nobody is left, refused when there are too many."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from origins import ask, client, frames, run, running, say, segment
from processes import eventually

from origin.engines.melody import read, spell

if TYPE_CHECKING:
    import httpx
    from origins import Running

RUNS = 'segments_total{model="tone"'


async def until(condition) -> None:
    """Wait, without holding up the callers of this test, until `condition` holds."""
    await asyncio.to_thread(eventually, condition)


async def first_frame(http: httpx.AsyncClient, wanted) -> None:
    """Hear the first sound, then hang up."""
    async with aclosing(frames(http, wanted)) as heard:
        async for frame in heard:
            if frame.HasField("pcm"):
                return


def test_many_callers_of_one_key_share_one_run(tone):
    tone.behave(rtf=0.3)

    async def call() -> list[bytes]:
        async with client(tone) as http:
            model = tone.model()
            wanted = [segment(model, "The same words.", token=f"t{n}") for n in range(50)]
            early = [asyncio.create_task(ask(http, each)) for each in wanted[:40]]
            await until(lambda: tone.count("audio_seconds_total") > 0 or tone.count("takes_running") == 1)
            late = [asyncio.create_task(ask(http, each)) for each in wanted[40:]]
            return [(await task)[0].pcm for task in (*early, *late)]

    heard = set(run(call()))
    assert [read(pcm) for pcm in heard] == [[spell("The same words.")]]
    assert tone.count(RUNS) == 1
    assert tone.count("joins_total") == 49


def test_a_colliding_key_does_not_exchange_sounds(tone):
    tone.behave(rtf=0.2)

    async def call() -> list[list[str]]:
        async with client(tone) as http:
            one, other = segment(tone.model(), "First words."), segment(tone.model(), "Other words.")
            other.key = one.key
            return [read(heard[0].pcm) for heard in await asyncio.gather(ask(http, one), ask(http, other))]

    assert run(call()) == [[spell("First words.")], [spell("Other words.")]]


def test_finished_work_is_replayed_for_the_same_token_only(tone):
    tone.behave(vary=1)
    first = say(tone, "Again.", token="a")  # noqa: S106 - a lease's token
    assert say(tone, "Again.", token="a").pcm == first.pcm  # noqa: S106
    assert tone.count(RUNS) == 1
    assert tone.count("replays_total") == 1
    assert say(tone, "Again.", token="b").pcm != first.pcm  # noqa: S106
    assert say(tone, "Again.").pcm != first.pcm
    assert tone.count(RUNS) == 3


def test_a_deadline_that_passes_in_the_queue_never_reaches_the_engine():
    with running(REFRAIN_TONE_SLOTS="1", REFRAIN_TONE_STALL="1") as tone:

        async def call() -> tuple[str, bool, float]:
            async with client(tone) as http:
                model = tone.model()
                stuck = asyncio.create_task(ask(http, segment(model, "Stuck.")))
                await until(lambda: tone.count("takes_running") == 1)
                late = (await ask(http, segment(model, "Late."), deadline_ms=150))[0]
                stuck.cancel()
                await asyncio.gather(stuck, return_exceptions=True)
                return late.error, late.retryable, late.retry_after

        assert run(call()) == ("overloaded", True, 1.0)
        eventually(lambda: tone.count(RUNS) == 1)
        assert tone.count('refused_total{reason="dropped"}') == 1


def test_a_deadline_that_passes_in_the_engine_is_said_and_the_work_cancelled(tone):
    tone.behave(stall=1)
    assert say(tone, "Hello.", deadline_ms=150).error == "deadline_exceeded"
    eventually(lambda: tone.count('segments_total{model="tone",outcome="cancelled"}') == 1)


def test_a_caller_who_leaves_before_the_first_sound_ends_the_run(tone):
    tone.behave(stall=1)

    async def call() -> None:
        async with client(tone) as http:
            task = asyncio.create_task(ask(http, segment(tone.model(), "Hello.")))
            await until(lambda: tone.count("takes_running") == 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(call())
    eventually(lambda: tone.count('segments_total{model="tone",outcome="cancelled"}') == 1)
    assert tone.count("takes_running") == 0


def test_a_caller_who_leaves_after_the_first_sound_finds_the_take_kept(tone):
    tone.behave(rtf=0.3)
    run(_hear_first(tone, "Hello there."))
    eventually(lambda: tone.count('segments_total{model="tone",outcome="ok"}') == 1)
    assert read(say(tone, "Hello there.", token="a").pcm) == [spell("Hello there.")]  # noqa: S106
    assert tone.count(RUNS) == 1
    assert tone.count("replays_total") == 1


async def _hear_first(tone: Running, text: str) -> None:
    async with client(tone) as http:
        await first_frame(http, segment(tone.model(), text, token="a"))  # noqa: S106


def test_one_caller_leaving_disturbs_no_other(tone):
    tone.behave(rtf=0.3)

    async def call() -> bytes:
        async with client(tone) as http:
            wanted = segment(tone.model(), "Hello there.")
            stays = asyncio.create_task(ask(http, wanted))
            await first_frame(http, wanted)
            return (await stays)[0].pcm

    assert read(run(call())) == [spell("Hello there.")]
    assert tone.count(RUNS) == 1


def test_a_slow_reader_holds_up_nobody(tone):
    """It reads nothing at all, of more than the sockets' buffers take; another, who joined, hears the end."""
    text = "A long text. " * 100

    async def call() -> bytes:
        async with client(tone) as http:
            tone.behave(rtf=0.004)
            wanted = segment(tone.model(), text)
            slow = frames(http, wanted)
            await anext(slow)
            heard = (await ask(http, wanted))[0].pcm
            await slow.aclose()
            return heard

    assert len(run(call())) == len(text) * 9600
    assert tone.count(RUNS) == 1


def test_200_abandoned_calls_leave_nothing_behind():
    with running(REFRAIN_TONE_SLOTS="4", REFRAIN_TONE_STALL="1") as tone:

        async def call() -> list[str]:
            async with client(tone) as http:
                model = tone.model()
                calls = [asyncio.create_task(ask(http, segment(model, f"Abandoned {n}."))) for n in range(200)]
                await until(lambda: tone.count("takes_queued") == 196)
                # In two steps, so that it is not chance whether a slot is freed before its heir is known to have left.
                for some in (calls[4:], calls[:4]):
                    for task in some:
                        task.cancel()
                    await asyncio.gather(*some, return_exceptions=True)
                    await until(lambda: tone.count("takes_queued") == 0)
                await until(lambda: tone.count("takes_running") == 0)
                tone.behave(stall=0)
                return read((await ask(http, segment(model, "Next.")))[0].pcm)

        assert run(call()) == [spell("Next.")]
        assert tone.count(RUNS) == 5, "the four that held a slot, and the next"


def test_beyond_slots_and_queue_a_segment_is_refused_at_once():
    with running(REFRAIN_TONE_SLOTS="2", REFRAIN_ORIGIN__QUEUE="3", REFRAIN_TONE_RTF="0.2") as tone:

        async def call() -> list[tuple[str, float]]:
            async with client(tone) as http:
                model = tone.model()
                heard = await ask(http, *(segment(model, f"Segment {n}.", index=n) for n in range(8)))
                return [(heard[n].error, heard[n].retry_after) for n in range(8)]

        answers = run(call())
        assert [error for error, _ in answers] == [""] * 5 + ["overloaded"] * 3
        assert all(retry_after >= 1 for error, retry_after in answers if error)
        assert tone.count(RUNS) == 5
        assert tone.count('refused_total{reason="overloaded"}') == 3


def test_a_take_that_runs_too_long_is_ended():
    with running(REFRAIN_TONE_STALL="1", REFRAIN_ORIGIN__TAKE_TIMEOUT_S="0.2") as tone:
        assert say(tone, "Hello.", deadline_ms=5_000).error == "origin_timeout"
        assert tone.count('segments_total{model="tone",outcome="timeout"}') == 1
