"""Around a flight's end: who asks while it lands, who has left, what is cancelled twice."""

import asyncio
import threading

import pytest
from fakes import FakeOrigin, RawEncoder, RawEncoders, SlowStore, voice
from harness import read, settled, stage
from virtual import run

from shared.errors import RefrainError

TEXT = "Mind the gap."


def test_who_asks_for_an_address_while_its_flight_lands_gets_it():
    class LateAnswers(SlowStore):
        """Looks at once, and answers late: what is written meanwhile is not in the answer."""

        async def get(self, address, start=0, stop=None):
            found = await super().get(address, start, stop)
            await asyncio.sleep(5.0 if address.startswith("recipe/") else 1.0)
            return found

        async def put(self, address, value, *, replace=False):
            await asyncio.sleep(0.5)
            return await super().put(address, value, replace=replace)

    async def scene():
        async with stage(store=LateAnswers()) as it:
            key = it.plan(TEXT).key
            caller = asyncio.create_task(it.say(TEXT))
            await asyncio.sleep(0.2)
            recalled = asyncio.create_task(it.flow.recall(key))
            await caller
            await settled(it)
            assert not recalled.done()  # it asks the store, which had no recipe when it looked
            assert await read(await recalled) == voice(TEXT)

    run(scene())


def test_what_broke_when_nobody_listened_any_more_is_not_made_again():
    async def scene():
        origin, other = FakeOrigin(rtf=1.0, script=[None, "cut"]), FakeOrigin("other", rtf=1.0)
        async with stage(origin, other, store=SlowStore()) as it:
            caller = asyncio.create_task(it.say("This sentence is a good deal longer. Short one."))
            await asyncio.sleep(0.5)
            caller.cancel()
            await settled(it)
            assert sum(origin.runs.values()) == 2
            assert not other.runs

    run(scene())


def test_an_encoder_at_work_is_not_closed_however_often_its_flight_is_cancelled():
    class AtWork(RawEncoder):
        def encode(self, pcm):
            self.owner.working.set()
            assert self.owner.go_on.wait(10)
            return super().encode(pcm)

        def close(self):
            self.owner.closed_at_work = not self.owner.go_on.is_set()
            super().close()

    class Encoders(RawEncoders):
        working, go_on, closed_at_work = threading.Event(), threading.Event(), None

        def make(self, recipe, sample_rate):
            return AtWork(self)

    async def scene():
        encoders = Encoders()
        async with stage(store=SlowStore(), encoders=encoders) as it:
            caller = asyncio.create_task(it.say(TEXT))
            await asyncio.to_thread(encoders.working.wait, 10)
            caller.cancel()  # the last listener leaves, and cancels the flight
            await asyncio.wait({caller})
            closing = asyncio.create_task(it.flow.close())  # cancels it again
            for _ in range(10):
                await asyncio.sleep(0)
            assert encoders.closed_at_work is None
            encoders.go_on.set()
            await closing
            assert encoders.closed_at_work is False

    asyncio.run(scene())


class Till:
    """A gate that counts what was charged, less what was given back."""

    def __init__(self):
        self.paid = 0

    async def admit(self):
        pass

    async def charge(self, characters):
        self.paid += characters

    async def refund(self, characters):
        self.paid -= characters


def test_only_what_is_synthesised_is_charged_and_failures_are_given_back():
    async def scene():
        async with stage(FakeOrigin(rtf=1.0), store=SlowStore()) as it:
            it.takes.gate = till = Till()
            await asyncio.gather(*(it.say("Mind the gap.") for _ in range(10)))
            assert till.paid == len("Mind the gap.")
            await it.say("Mind the gap. Stand clear.")
            assert till.paid == len("Mind the gap.") + len("Stand clear.")
            it.origins[0].script += ["fail", "stall"]
            with pytest.raises(RefrainError):
                await it.say("It fails.")
            caller = asyncio.create_task(it.say("Nobody waits for it."))
            await asyncio.sleep(1)
            caller.cancel()
            await asyncio.sleep(1)
            assert till.paid == len("Mind the gap.") + len("Stand clear.")

    run(scene())
