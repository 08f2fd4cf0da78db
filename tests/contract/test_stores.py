"""What every store promises, held by each of them: the dictionary of the tests, Valkey, a folder, an S3 server."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest
from stores import DictStore, opened, pieces

from edge.adapters.objects import LEFTOVER_S, ObjectStore
from edge.adapters.valkey import ValkeyStore
from edge.ports import Reason, StoreError

TIMEOUT_S = 0.5
"""Twice the default: two busy cores should not look like a store that hangs."""


def valkey_store(server, **changes):
    return ValkeyStore(server.url, **{"timeout_s": TIMEOUT_S, "ttl_s": 60, "max_bytes": 1 << 20, "clock": time.monotonic} | changes)


@pytest.fixture(params=["dict", "valkey", "folder", "s3"])
def store(request, tmp_path):
    """A function that gives an open store, anew for each event loop, on the same contents."""
    values = DictStore()

    @asynccontextmanager
    async def fresh():
        if request.param == "dict":
            yield values
            return
        if request.param == "folder":
            made = ObjectStore((tmp_path / "objects").as_uri(), {}, timeout_s=TIMEOUT_S)
        elif request.param == "s3":
            server = request.getfixturevalue("s3_server")
            made = ObjectStore(server.url, server.options, timeout_s=TIMEOUT_S)
        else:
            made = valkey_store(request.getfixturevalue("valkey_server"))
        async with opened(made):
            yield made

    return fresh


def held(store, test):
    async def run():
        async with store() as it:
            await test(it)

    asyncio.run(run())


def test_what_was_put_is_what_is_found(store, address):
    value = bytes(range(256)) * 2000

    async def test(it):
        assert await it.get(address) is None
        assert await it.put(address, value) is True
        assert await it.get(address) == value

    held(store, test)
    held(store, lambda it: _equals(it, address, value))


async def _equals(it, address, value):
    assert await it.get(address) == value


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 5), (0, 11), (0, 1 << 20), (3, 7), (3, None), (3, 500), (11, None), (11, 12), (40, 50)]
)
def test_a_range_is_a_slice_wherever_it_begins_and_ends(store, address, start, stop):
    async def test(it):
        await it.put(address, b"hello world", replace=True)
        assert await it.get(address, start, stop) == b"hello world"[start:stop]
        assert await it.get(address + "x", start, stop) is None

    held(store, test)


def test_the_first_one_wins_unless_it_is_to_be_replaced(store, address):
    async def test(it):
        assert await it.put(address, b"first") is True
        assert await it.put(address, b"second") is False
        assert await it.get(address) == b"first"
        assert await it.put(address, b"third", replace=True) is True
        assert await it.get(address) == b"third"

    held(store, test)


def test_of_several_at_once_exactly_one_wins(store, address):
    """Four: the S3 server of the tests makes each that loses wait for another second."""

    async def test(it):
        values = [b"%d" % number * 1000 for number in range(4)]
        won = await asyncio.gather(*(it.put(address, value) for value in values))
        assert won.count(True) == 1
        assert await it.get(address) == values[won.index(True)]

    held(store, test)


def test_what_was_deleted_is_gone_and_may_be_put_again(store, address):
    async def test(it):
        await it.delete(address)
        await it.put(address, b"one")
        await it.delete(address)
        assert await it.get(address) is None
        assert await it.put(address, b"two") is True

    held(store, test)


def test_an_empty_value_is_a_value(store, address):
    """A file that a power cut left empty must be found, to be recognised as wrong and removed."""

    async def test(it):
        await it.put(address, b"", replace=True)
        assert await it.get(address, 0, 100) == b""

    held(store, test)


@pytest.mark.parametrize("value", [b"piece by piece", bytes(range(256)) * 2000])
def test_a_value_in_pieces_is_its_bytes(store, address, value):
    async def test(it):
        assert await it.put(address, pieces(value, 1000)) is True
        assert await it.put(address, pieces(value[:9])) is False
        assert await it.get(address) == value
        assert await it.put(address, pieces(value[:9]), replace=True) is True
        assert await it.get(address) == value[:9]

    held(store, test)


def test_until_it_is_open_there_is_nothing_and_what_must_last_is_refused(tmp_path, valkey_server):
    async def test():
        objects = ObjectStore(tmp_path.as_uri(), {}, timeout_s=TIMEOUT_S)
        assert await objects.get("take/ab/x") is None
        with pytest.raises(StoreError) as caught:
            await objects.put("take/ab/x", b"value")
        assert caught.value.reason is Reason.LOADING
        shortcut = valkey_store(valkey_server)
        assert await shortcut.get("take/ab/x") is None
        assert await shortcut.put("take/ab/x", b"value") is False
        await shortcut.delete("take/ab/x")
        await shortcut.close()

    asyncio.run(test())


# Valkey


def test_valkey_values_expire_and_large_ones_are_left_out(valkey_server, address):
    async def test():
        async with opened(valkey_store(valkey_server, ttl_s=1, max_bytes=100)) as it:
            assert await it.put(address, bytes(101)) is False
            assert await it.get(address) is None
            for replace in (False, True):
                assert await it.put(address, bytes(100), replace=replace) is True
                await _gone(it, address)

    asyncio.run(test())


def test_a_valkey_that_hangs_costs_one_timeout_then_nothing_for_a_second(own_valkey, address):
    now = [100.0]

    async def test():
        async with opened(valkey_store(own_valkey, timeout_s=0.25, clock=lambda: now[0])) as it:
            await it.put(address, b"value")
            own_valkey.freeze()
            took, reasons = await _timed(*(it.get(address) for _ in range(50)))
            assert reasons == {Reason.TIMEOUT}
            assert took < 0.25 + 0.15
            now[0] += 0.9
            took, reasons = await _timed(*(it.get(address) for _ in range(50)))
            assert reasons == {Reason.OPEN}
            assert took < 0.05
            own_valkey.thaw()
            now[0] += 0.2
            assert await it.get(address) == b"value"
            assert await it.get(address) == b"value"

    asyncio.run(test())


def test_a_call_that_was_given_up_never_answers_another(own_valkey):
    """Were its connection used again, the next command would read the late answer as its own."""

    async def test():
        now = [100.0]
        async with opened(valkey_store(own_valkey, clock=lambda: now[0])) as it:
            for name in ("a", "b"):
                await it.put(name, name.encode())
            own_valkey.freeze()
            calls = [asyncio.create_task(it.get("a")) for _ in range(8)]
            await asyncio.sleep(0.05)  # long enough for the commands to be on their way, short of the timeout
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            own_valkey.thaw()
            now[0] += 10
            assert await asyncio.gather(*(it.get("b") for _ in range(20))) == [b"b"] * 20

    asyncio.run(test())


def test_a_valkey_that_died_fails_at_once_and_is_found_again_when_it_is_back(own_valkey, address):
    async def test():
        now = [100.0]
        async with opened(valkey_store(own_valkey, clock=lambda: now[0])) as it:
            await it.put(address, b"value")
            own_valkey.kill()
            took, reasons = await _timed(it.get(address))
            assert reasons == {Reason.UNREACHABLE}
            assert took < 0.2
            own_valkey.start()
            now[0] += 1.1
            assert await it.get(address) is None
            assert await it.put(address, b"value") is True

    asyncio.run(test())


def test_more_callers_than_connections_wait_for_one(valkey_server, address):
    async def test():
        async with opened(valkey_store(valkey_server, timeout_s=5.0)) as it:
            await it.put(address, bytes(1000), replace=True)
            assert await asyncio.gather(*(it.get(address) for _ in range(300))) == [bytes(1000)] * 300

    asyncio.run(test())


# Object storage


def test_an_s3_server_that_hangs_costs_one_timeout(own_s3, address):
    async def test():
        async with opened(ObjectStore(own_s3.url, own_s3.options, timeout_s=0.25)) as it:
            await it.put(address, b"value")
            own_s3.freeze()
            took, reasons = await _timed(it.get(address), it.get(address, 2, 4))
            assert reasons == {Reason.TIMEOUT}
            assert took < 0.25 + 0.15
            own_s3.thaw()
            assert await it.get(address) == b"value"
            own_s3.kill()
            took, reasons = await _timed(it.get(address), it.get(address, 2, 4))
            assert reasons <= {Reason.FAILED, Reason.TIMEOUT}
            assert took < 0.25 + 0.15

    asyncio.run(test())


def test_wrong_credentials_are_an_error_not_a_miss(s3_server, address):
    async def test():
        async with opened(ObjectStore(s3_server.url, s3_server.options | {"secret_access_key": "x"}, timeout_s=TIMEOUT_S)) as it:
            _, reasons = await _timed(it.get(address), it.put(address, b"value"))
            assert reasons == {Reason.DENIED}

    asyncio.run(test())


@pytest.mark.parametrize(("url", "options"), [("s3://bucket/x", {"regio": "y"}), ("az://container/x", {}), ("nonsense", {})])
def test_a_store_that_cannot_be_opened_says_why(url, options):
    async def test():
        with pytest.raises(StoreError, match=r"object: .+"):
            await ObjectStore(url, options, timeout_s=TIMEOUT_S).open()

    asyncio.run(test())


def test_a_folder_that_takes_no_writes_is_an_error(tmp_path):
    """A file where a folder should be: unlike file modes, it stops even root."""
    folder = tmp_path / "objects"

    async def test():
        async with opened(ObjectStore(folder.as_uri(), {}, timeout_s=TIMEOUT_S)) as it:
            (folder / "take").write_bytes(b"")
            _, reasons = await _timed(it.put("take/ab/x", b"value"), it.get("take/ab/x"), it.delete("take/ab/x"))
            assert reasons == {Reason.FAILED}

    asyncio.run(test())


def test_a_folder_is_made_for_its_owner_alone(tmp_path):
    folder = tmp_path / "a folder" / "objects"

    async def test():
        async with opened(ObjectStore(folder.as_uri(), {}, timeout_s=TIMEOUT_S)):
            assert folder.stat().st_mode & 0o777 == 0o700

    asyncio.run(test())


def test_only_old_leftovers_of_killed_writers_are_swept(tmp_path):
    async def test():
        async with opened(ObjectStore(tmp_path.as_uri(), {}, timeout_s=TIMEOUT_S)) as it:
            await it.put("take/ab/kept", b"value")
            for name, age in (("old#1", LEFTOVER_S + 60), ("new#1", 0), ("kept", LEFTOVER_S + 60)):
                path = tmp_path / "take" / "ab" / name
                path.touch()
                os.utime(path, (time.time() - age,) * 2)
            assert await it.sweep() == 1
            assert {path.name for path in (tmp_path / "take" / "ab").iterdir()} == {"kept", "new#1"}

    asyncio.run(test())


async def _gone(it, address):
    async with asyncio.timeout(5):
        while await it.get(address) is not None:  # noqa: ASYNC110 - another process expires it and tells nobody
            await asyncio.sleep(0.05)


async def _timed(*calls):
    """How long they took together, and why each of them failed."""
    began = time.monotonic()
    results = await asyncio.gather(*calls, return_exceptions=True)
    took = time.monotonic() - began
    assert all(isinstance(result, StoreError) for result in results), results
    return took, {result.reason for result in results}
