"""A store in a dictionary, and an observer that remembers: real code behind the ports, held to the same contract tests."""

from collections import Counter
from contextlib import asynccontextmanager

from edge.policy.pieces import Pieces
from edge.ports import Reason, StoreError


def pieces(body, step=50_000):
    """`body` as a flight's spool gives it."""
    return Pieces(len(body), body[:64], lambda: (body[at : at + step] for at in range(64, len(body), step)))


@asynccontextmanager
async def opened(store):
    await store.open()
    try:
        yield store
    finally:
        await store.close()


class DictStore:
    """`broken` makes every call fail, as a store that is down; `values` is open to whoever wants to flip a bit."""

    def __init__(self, name="dict"):
        self.name = name
        self.values = {}
        self.broken = False
        self.gets = Counter()
        self.bytes_read = 0

    async def get(self, address, start=0, stop=None):
        self._answer()
        self.gets[address] += 1
        value = self.values.get(address)
        if value is None:
            return None
        self.bytes_read += len(value[start:stop])
        return value[start:stop]

    async def put(self, address, value, *, replace=False):
        self._answer()
        if address in self.values and not replace:
            return False
        self.values[address] = bytes(value)
        return True

    async def delete(self, address):
        self._answer()
        self.values.pop(address, None)

    async def close(self):
        self.broken = True

    def _answer(self):
        if self.broken:
            raise StoreError(self.name, Reason.FAILED, "as told")


class Ledger:
    """What an `edge.ports.Observer` was told of stores."""

    def __init__(self):
        self.tiers = Counter()
        self.wrongs = Counter()
        self.errors = Counter()

    def looked_up(self, tier):
        self.tiers[str(tier)] += 1

    def wrong(self, store, reason):
        self.wrongs[store, str(reason)] += 1

    def store_error(self, store, reason):
        self.errors[store, str(reason)] += 1
