"""Writes a long value to a store, halfway: `python halfway.py URL ADDRESS`. Says so, and waits to be killed."""

import asyncio
import sys
import time

from edge.adapters.objects import PART, ObjectStore
from edge.policy.pieces import Pieces


def halting():
    for _ in range(4):
        yield bytes(PART // 2)
    sys.stdout.write("halfway\n")
    sys.stdout.flush()
    time.sleep(60)


async def main(url, address):
    store = ObjectStore(url, {}, timeout_s=1.0)
    await store.open()
    await store.put(address, Pieces(4 * PART, b"", halting))


asyncio.run(main(*sys.argv[1:]))
