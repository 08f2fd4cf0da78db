"""Callers, hang-ups and faults in any order, over virtual time: what may never happen to a flight."""

import asyncio
from copy import deepcopy

from fakes import FakeOrigin, SlowStore
from harness import Stage, read
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from virtual import VirtualLoop

from edge.policy.join import Joiner
from edge.policy.lookahead import Lookahead
from shared.errors import RefrainError

ONE, OTHER = "Mind the gap.", "The doors are closing."
TEXTS = [ONE, OTHER, f"{ONE} {OTHER}", f"{OTHER} {ONE} {OTHER}"]
CODES = {"fail": "origin_failed", "cut": "origin_cut", "silent": "bad_take", "unspeakable": "unspeakable"}


class Callers(RuleBasedStateMachine):
    """One node, two origins with faults in store, a store that answers late, callers who come and go."""

    def __init__(self):
        super().__init__()
        self.loop = VirtualLoop()
        self.origins = [FakeOrigin("first", rtf=1.0, vary=True), FakeOrigin("second", rtf=0.5, vary=True)]
        self.store = SlowStore()
        self.stage = self.loop.run_until_complete(self._open())
        self.callers = []
        self.codes = set()

    async def _open(self):
        return Stage(*self.origins, store=self.store, lookahead=Lookahead(2.0, 2))

    @rule(text=st.sampled_from(TEXTS), no_store=st.booleans())
    def call(self, text, no_store):
        plan = self.stage.plan(text, no_store=no_store)
        self.callers.append((plan, self.loop.create_task(self._listen(plan))))

    @rule(fault=st.sampled_from([*CODES, None]), origin=st.sampled_from([0, 1]))
    def foretell(self, fault, origin):
        self.origins[origin].script.append(fault)
        self.codes.add(CODES.get(fault))

    @rule(delay=st.sampled_from([0.0, 0.02, 0.2]))
    def slow_down_the_store(self, delay):
        self.store.delay_s = delay

    @precondition(lambda self: self.callers)
    @rule(which=st.integers(0, 99))
    def hang_up(self, which):
        self.callers[which % len(self.callers)][1].cancel()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 1.0, 5.0]))
    def wait(self, seconds):
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def an_answer_is_whole_and_its_own_or_an_error(self):
        for plan, task in self.callers:
            if not task.done() or task.cancelled():
                continue
            error = task.exception()
            if error is None:
                assert self.is_joined_of_whole_takes(plan, task.result())
            else:
                assert isinstance(error, RefrainError), error
                assert error.code in self.codes, error

    @invariant()
    def one_synthesis_runs_for_a_text_unless_it_must_not_be_shared(self):
        private = sum(plan.no_store for plan, _ in self.callers)
        for origin in self.origins:
            # A text of three segments says one of them twice.
            assert all(count <= 1 + 2 * private for count in origin.most_running.values())

    def teardown(self):
        self.loop.run_until_complete(asyncio.sleep(200))
        assert all(task.done() for _, task in self.callers)
        self.an_answer_is_whole_and_its_own_or_an_error()
        assert len(self.stage.renditions) == len(self.stage.takes.flights) == self.stage.encoders.open == 0
        assert not any(sum(origin.running.values()) for origin in self.origins)
        self.nothing_wrong_was_kept()
        self.loop.close()

    def nothing_wrong_was_kept(self):
        self.store.delay_s = 0.0
        for plan, _ in self.callers:
            for take in plan.takes:
                kept = self.loop.run_until_complete(self.stage.library.take(take.key, take.fingerprint))
                assert kept is None or kept[1] in self.spoken(take.recipe.text)

    def spoken(self, text):
        return [pcm for origin in self.origins for pcm in origin.spoken[text]]

    def is_joined_of_whole_takes(self, plan, body):
        """Whether some choice of one take a segment, each as an origin spoke it, gives this answer."""
        joiners = [(Joiner(8000, plan.recipe.pauses), b"")]
        for number, take in enumerate(plan.takes):
            grown = []
            for joiner, start in joiners:
                for pcm in self.spoken(take.recipe.text):
                    branch = deepcopy(joiner)
                    said = start + (branch.next_take() if number else b"") + branch.feed(pcm)
                    if body.startswith(said):
                        grown.append((branch, said))
            joiners = grown
        return any(said + joiner.finish() == body for joiner, said in joiners)

    async def _listen(self, plan):
        return await read(await self.stage.flow.speak(plan))


TestCallers = Callers.TestCase
TestCallers.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
