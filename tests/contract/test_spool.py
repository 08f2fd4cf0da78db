"""The spool: what was appended is read, from memory and from the disk, and a full disk is a failure that says so."""

import resource
from contextlib import closing, contextmanager

import pytest

from edge.adapters.spool import FileSpool
from shared.errors import Internal

MIB = 1 << 20


@contextmanager
def files_of_at_most(size):
    """Beyond, writes of this process fail, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def whole(spool):
    return spool.read(0, 64 * MIB)


def test_it_reads_the_same_from_memory_and_from_the_disk():
    with closing(FileSpool(10)) as spool:
        for at, piece in enumerate((b"12345", b"67890", b"a", b"bc")):
            spool.append(piece)
            assert spool.on_disk == (at >= 2)
            assert whole(spool) == b"1234567890abc"[: spool.size]
        assert spool.read(9, 2) == b"0a"
        assert spool.read(13, 2) == b""


@pytest.mark.parametrize("room", [2, 3, 5], ids=["moving", "moved", "appending"])
def test_a_full_disk_is_said_and_what_came_before_can_be_read(room):
    """It is full when what was in memory is moved there, just behind it, or later."""
    with closing(FileSpool(3 * MIB)) as spool, files_of_at_most(room * MIB):
        for _ in range(max(room, 3)):
            spool.append(b"x" * MIB)
        with pytest.raises(Internal) as raised:
            spool.append(b"y" * MIB)
        assert (raised.value.code, raised.value.source) == ("store_failed", "spool")
        assert whole(spool) == b"x" * spool.size
