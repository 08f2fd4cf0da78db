"""Flights: one production, however many listen, whatever happens to them."""

import asyncio
from contextlib import aclosing

import pytest
from fakes import RATE, FakeOrigin, SlowStore, voice
from harness import read, settled, stage
from virtual import run

from edge.policy.lookahead import Lookahead
from edge.settings import Limits
from shared.errors import BadTake, DeadlineExceeded, OriginError, RefrainError, Refused, Unsupported

TEXT = "Mind the gap."
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
TEN = " ".join(f"This is sentence number {word}." for word in NUMBERS)


def test_a_thousand_equal_misses_cost_one_synthesis_and_one_encoder():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore()) as it:
            answers = await asyncio.gather(*(it.flow.speak(it.plan(TEXT)) for _ in range(1000)))
            bodies = await asyncio.gather(*(read(answer) for answer in answers))
            assert set(bodies) == {voice(TEXT)}
            assert [answer.cache for answer in answers] == ["miss"] + ["collapsed"] * 999
            assert it.runs == it.encoders.made == 1
            await settled(it)
            again = await it.flow.speak(it.plan(TEXT))
            assert again.found is not None
            assert await read(again) == voice(TEXT)

    run(scene())


def test_who_joins_late_hears_all_of_it_from_the_start_at_once():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore()) as it:
            first = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(1.5)
            started = asyncio.get_running_loop().time()
            answer = await it.flow.speak(it.plan(TEXT))
            assert asyncio.get_running_loop().time() == started
            assert await read(answer) == await first == voice(TEXT)

    run(scene())


def test_the_first_caller_hangs_up_and_the_others_hear_all_of_it():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore()) as it:
            first = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(0.5)
            second = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(0.1)
            first.cancel()
            assert await second == voice(TEXT)
            assert it.runs == 1

    run(scene())


def test_nobody_left_drops_what_has_not_begun_and_keeps_what_has():
    async def scene():
        origin = FakeOrigin(rtf=1.0)
        async with stage(origin, store=SlowStore(), lookahead=Lookahead(1000.0, 2)) as it:
            caller = asyncio.create_task(it.say(TEN))
            await asyncio.sleep(1.0)
            caller.cancel()
            await settled(it)
            assert it.runs == 2  # the look-ahead's, of ten
            assert origin.cancelled == 0
            first = it.plan(TEN).takes[0]
            assert await it.library.take(first.key, first.fingerprint) is not None

    run(scene())


def test_nobody_left_closes_a_call_that_has_sent_no_frame():
    async def scene():
        origin = FakeOrigin(script=["stall"])
        async with stage(origin, store=SlowStore()) as it:
            caller = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(0.5)
            caller.cancel()
            await settled(it)
            assert origin.cancelled == 1
            assert await it.say(TEXT) == voice(TEXT)

    run(scene())


def test_a_failed_origin_gives_way_to_the_next_and_nobody_hears_of_it():
    async def scene():
        bad, good = FakeOrigin("bad", script=["fail"]), FakeOrigin("good", rtf=1.0)
        async with stage(bad, good, store=SlowStore()) as it:
            bodies = await asyncio.gather(*(it.say(TEXT) for _ in range(100)))
            assert set(bodies) == {voice(TEXT)}
            assert (bad.runs[TEXT], good.runs[TEXT]) == (1, 1)

    run(scene())


def test_a_deterministic_failure_is_shared_and_forgotten_after_a_second():
    async def scene():
        origin = FakeOrigin(script=["unspeakable", "unspeakable"])
        async with stage(origin, FakeOrigin("other"), store=SlowStore()) as it:
            for _ in range(2):  # those who wait, and those who come within the second
                outcomes = await asyncio.gather(*(it.say(TEXT) for _ in range(100)), return_exceptions=True)
                assert {(type(error), error.code) for error in outcomes} == {(Unsupported, "unspeakable")}
                assert it.runs == 1
            await asyncio.sleep(1.1)
            with pytest.raises(Unsupported):
                await it.say(TEXT)
            assert it.runs == 2

    run(scene())


def test_what_must_not_be_stored_runs_in_parallel_and_is_not_stored():
    async def scene():
        store = SlowStore()
        async with stage(FakeOrigin(rtf=1.0), store=store) as it:
            started = asyncio.get_running_loop().time()
            bodies = await asyncio.gather(*(it.say(TEXT, no_store=True) for _ in range(10)))
            took = asyncio.get_running_loop().time() - started
            assert set(bodies) == {voice(TEXT)}
            assert it.runs == 10
            assert took < 1.5 * len(TEXT) * 0.2
            assert not store.values

    run(scene())


def test_a_take_that_breaks_when_it_was_heard_breaks_the_answer_and_is_not_kept():
    async def scene():
        store = SlowStore()
        async with stage(FakeOrigin(rtf=1.0, script=["cut"]), FakeOrigin("other"), store=store) as it:
            answer = await it.flow.speak(it.plan(TEXT))
            heard = b""
            with pytest.raises(OriginError) as failure:  # noqa: PT012 - what came before the break counts, too
                async with aclosing(answer.live.chunks) as chunks:
                    async for chunk in chunks:
                        heard += chunk
            assert failure.value.code == "origin_cut"
            assert voice(TEXT).startswith(heard)
            await settled(it)
            assert not [address for address in store.values if not address.startswith("recipe/")]

    run(scene())


def test_a_later_take_that_breaks_unheard_is_made_elsewhere():
    async def scene():
        origin, other = FakeOrigin(rtf=1.0, script=[None, "cut"]), FakeOrigin("other", rtf=1.0)
        async with stage(origin, other, store=SlowStore()) as it:
            two = "This sentence is a good deal longer. Short one."
            await it.say(two)
            assert other.runs == {"Short one.": 1}

    run(scene())


@pytest.mark.parametrize("second", [None, "silent"])
def test_a_silent_take_is_tried_once_elsewhere_and_never_kept(second):
    async def scene():
        store = SlowStore()
        bad, other = FakeOrigin("bad", script=["silent"]), FakeOrigin("other", script=[second])
        async with stage(bad, other, FakeOrigin("third"), store=store) as it:
            if second is None:
                assert await it.say(TEXT) == voice(TEXT)
            else:
                with pytest.raises(BadTake):
                    await it.say(TEXT)
                await settled(it)
                assert not [address for address in store.values if not address.startswith("recipe/")]
            assert it.runs == 2
            assert it.counts.bad_takes["bad", "silent"] == 1

    run(scene())


def test_the_first_sentence_is_heard_when_the_first_sentence_is_made():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore()) as it:
            answer = await it.flow.speak(it.plan(TEN))
            assert asyncio.get_running_loop().time() < 0.5
            await answer.live.chunks.aclose()

    run(scene())


def test_synthesis_stays_within_the_look_ahead_of_who_listens():
    async def scene():
        text = " ".join(f"Sentence {n} of a long text." for n in range(100))
        async with stage(store=SlowStore(), lookahead=Lookahead(30.0, 4), spool_bytes=RATE) as it:
            answer = await it.flow.speak(it.plan(text))
            await asyncio.sleep(60)
            assert it.runs == 4
            body = await read(answer)
            assert it.runs == 100
            assert it.spools[0].on_disk
            assert len(body) > 100 * 20 * 0.2 * RATE * 2

    run(scene())


def test_a_slow_listener_does_not_hold_back_a_fast_one():
    async def scene():
        async with stage(store=SlowStore(), lookahead=Lookahead(30.0, 2)) as it:
            slow = await it.flow.speak(it.plan(TEN))
            fast = await it.say(TEN)
            assert await read(slow) == fast

    run(scene())


def test_no_audio_in_time_is_said_and_leaves_nothing_running():
    async def scene():
        async with stage(FakeOrigin(script=["stall"]), store=SlowStore(), limits=Limits(first_byte_s=5.0)) as it:
            with pytest.raises(DeadlineExceeded):
                await it.say(TEXT)
            assert asyncio.get_running_loop().time() == pytest.approx(5.0)

    run(scene())


def test_more_productions_than_the_limit_are_refused_with_a_time_to_come_back():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore(), limits=Limits(flights=1)) as it:
            running = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(0.3)
            with pytest.raises(Refused) as refusal:
                await it.say("Another text.")
            assert refusal.value.retry_after == 1
            assert await it.say(TEXT) == await running

    run(scene())


def test_without_origins_what_is_stored_is_served_and_the_rest_is_refused():
    async def scene():
        store = SlowStore()
        async with stage(store=store) as it:
            await it.say(TEXT)
            await settled(it)
        async with stage(FakeOrigin(script=["fail"] * 9), store=store) as it:
            assert await it.say(TEXT) == voice(TEXT)
            with pytest.raises(RefrainError) as refusal:
                await it.say("Another text.")
            assert refusal.value.status == 502

    run(scene())


def test_a_store_that_answers_late_is_waited_for_before_an_origin_is_asked():
    async def scene():
        store = SlowStore()
        async with stage(store=store) as it:
            await it.say(TEXT)
            await settled(it)
        store.delay_s = 0.2
        before = sum(store.gets.values())
        async with stage(store=store) as it:
            answers = await asyncio.gather(*(it.flow.speak(it.plan(TEXT)) for _ in range(10)))
            assert all(answer.found is not None for answer in answers)
            assert await read(answers[0]) == voice(TEXT)
            assert it.runs == 0
            assert sum(store.gets.values()) == 1 + before  # one look-up, for all who ask at once

    run(scene())


def test_an_address_is_spoken_again_from_its_recipe_when_the_audio_is_gone():
    async def scene():
        store = SlowStore()
        async with stage(store=store) as it:
            plan = it.plan(TEN)
            body = await it.say(TEN)
            await settled(it)
        for address in [address for address in store.values if not address.startswith("recipe/")]:
            del store.values[address]
        async with stage(FakeOrigin(rtf=1.0), store=store) as it:
            answers = await asyncio.gather(*(it.flow.recall(plan.key) for _ in range(10)))
            bodies = await asyncio.gather(*(read(answer) for answer in answers))
            assert set(bodies) == {body}
            assert it.encoders.made == 1

    run(scene())


class ConstantKeyring:
    def key(self, encoded):
        return "0" * 40


def test_with_a_hash_that_tells_nothing_apart_texts_keep_their_own_sounds():
    async def scene():
        pair = ("䥆8䲹G#ZiE2%V鸭文。 tts hi!", "祄P栰K Zk-07_席文。 tts hi!")
        texts = [*pair, TEXT, "Another text."]
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore(), keyring=ConstantKeyring()) as it:
            for _ in range(2):
                bodies = await asyncio.gather(*(it.say(text, segmentation="off") for text in texts))
                assert bodies == [voice(it.plan(text, segmentation="off").takes[0].recipe.text) for text in texts]
                await settled(it)

    run(scene())
