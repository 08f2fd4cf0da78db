"""Values too long to be held: kept in parts, whole or not at all, at no cost of memory."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from processes import eventually
from stores import opened, pieces

from edge.adapters.objects import LEFTOVER_S, PART, ObjectStore
from edge.policy.pieces import Pieces
from edge.ports import Reason, StoreError

TIMEOUT_S = 2.0
LONG = b"".join(number.to_bytes(4, "big") for number in range(PART // 2 + 25))
"""Two parts and a bit, no two stretches of it alike."""


@pytest.fixture(params=["folder", "s3"])
def objects(request, tmp_path):
    """An object store that is to be opened."""
    if request.param == "folder":
        return ObjectStore((tmp_path / "objects").as_uri(), {}, timeout_s=TIMEOUT_S)
    server = request.getfixturevalue("s3_server")
    return ObjectStore(server.url, server.options, timeout_s=TIMEOUT_S)


def test_a_long_value_is_kept_in_parts_and_the_first_one_wins(objects, address):
    async def test():
        async with opened(objects) as it:
            assert await it.put(address, pieces(LONG)) is True
            assert await it.put(address, pieces(LONG[::-1])) is False
            assert await _read(it, address) == LONG
            assert await it.get(address, PART - 3, PART + 3) == LONG[PART - 3 : PART + 3]
            assert await it.put(address, pieces(LONG[4:]), replace=True) is True
            assert await _read(it, address) == LONG[4:]

    asyncio.run(test())


def test_of_long_values_put_at_once_one_is_kept_whole(objects, address):
    async def test():
        values = [LONG[8 * number :] for number in range(3)]
        async with opened(objects) as it:
            await asyncio.gather(*(it.put(address, pieces(value)) for value in values))
            assert await _read(it, address) in values

    asyncio.run(test())


def test_a_long_value_that_breaks_off_is_an_error_and_leaves_nothing(objects, address, tmp_path):
    async def test():
        async with opened(objects) as it:
            for broken in (Pieces(len(LONG) + 1, b"", lambda: [LONG]), Pieces(len(LONG), b"", _breaks_off)):
                with pytest.raises(StoreError) as caught:
                    await it.put(address, broken)
                assert caught.value.reason is Reason.FAILED
                assert await it.get(address, 0, 1) is None
            assert not [path for path in tmp_path.rglob("*") if path.is_file()]
            assert await it.put(address, pieces(LONG)) is True

    asyncio.run(test())


def test_a_long_value_whose_writer_is_cancelled_leaves_nothing(objects, address, tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def halting():
        yield LONG[:PART]
        begun.set()
        go_on.wait(10)
        yield LONG[PART:]

    async def test():
        async with opened(objects) as it:
            writing = asyncio.create_task(it.put(address, Pieces(len(LONG), b"", halting)))
            await asyncio.to_thread(begun.wait, 10)
            writing.cancel()
            await asyncio.wait({writing})
            go_on.set()
            await asyncio.to_thread(eventually, lambda: not [path for path in tmp_path.rglob("*") if path.is_file()])
            assert writing.cancelled()
            assert await it.get(address, 0, 1) is None

    asyncio.run(test())


def test_a_writer_that_was_killed_leaves_what_is_swept_and_never_taken_for_a_value(tmp_path):
    folder = tmp_path / "take" / "ab"
    command = [sys.executable, str(Path(__file__).with_name("halfway.py")), tmp_path.as_uri(), "take/ab/x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"halfway\n"
        writer.kill()
    (left,) = folder.iterdir()
    assert 0 < left.stat().st_size < 2 * PART

    async def test():
        async with opened(ObjectStore(tmp_path.as_uri(), {}, timeout_s=TIMEOUT_S)) as it:
            assert await it.get("take/ab/x") is None
            assert await it.sweep() == 0
            assert await it.put("take/ab/x", pieces(LONG)) is True
            os.utime(left, (time.time() - LEFTOVER_S - 60,) * 2)
            assert await it.sweep() == 1
            assert await _read(it, "take/ab/x") == LONG

    asyncio.run(test())


@pytest.mark.parametrize("place", ["folder", "s3"])
def test_keeping_a_rendition_of_64_mb_holds_next_to_nothing_of_it(place, request, tmp_path):
    """In a process of its own, for a peak counts from a process's start."""
    url, options = tmp_path.as_uri() + "/objects", {}
    if place == "s3":
        server = request.getfixturevalue("s3_server")
        url, options = server.url + "/peak", server.options
    command = [sys.executable, str(Path(__file__).with_name("peak.py")), str(tmp_path), url, json.dumps(options)]
    path = os.pathsep.join(sys.path)
    grown = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=True, timeout=60).stdout
    assert int(grown) < 16 << 20


def _breaks_off():
    yield LONG[: PART + 1]
    raise OSError("the disk is gone")


async def _read(it, address):
    """A long value, in reads that are short enough for the timeout."""
    value, at = b"", 0
    while piece := await it.get(address, at, at + (1 << 20)):
        value, at = value + piece, at + len(piece)
    return value
