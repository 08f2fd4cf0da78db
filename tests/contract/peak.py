"""Keeps a rendition of 64 MB: `python peak.py FOLDER URL OPTIONS`. Says by how many bytes the peak of its memory grew."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from stores import Ledger

from edge.adapters.objects import ObjectStore
from edge.adapters.spool import FileSpool
from edge.answer import Tier
from edge.library import Library
from edge.policy.envelope import Meta, Sealer
from edge.policy.pieces import Pieces
from edge.policy.s3fifo import S3Fifo
from shared.keys import RenditionRecipe

STEP = 1 << 16


def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


async def keep(library, key, size):
    """As a flight does it: from its spool, with another head."""
    spool = FileSpool(1 << 20)
    for at in range(0, size, STEP):
        spool.append(at.to_bytes(8, "big") * (STEP // 8))
    recipe = RenditionRecipe(takes=(), pauses=(), format="wav", sample_rate=24000)
    meta = Meta(kind="rendition", key=key, fingerprint="f", namespace="default", rendition=recipe, began=1.0)
    body = Pieces(size, spool.read(0, 64), lambda: (spool.read(at, STEP) for at in range(64, size, STEP)))
    kept = await library.keep_rendition(meta, body)
    found = await library.rendition(key, "f")
    assert found.meta == kept
    read = 0
    async for piece in found.body.read():
        assert piece[:64] == spool.read(read, 64)
        read += len(piece)
    assert read == size
    spool.close()


async def main(folder, url, options):
    tempfile.tempdir = folder
    store = ObjectStore(url, json.loads(options), timeout_s=5.0)
    await store.open()
    library = Library(
        memory=S3Fifo(1 << 20), stores=[(Tier.OBJECT, store)], sealer=Sealer([b"a secret of sixteen"]), observer=Ledger()
    )
    await keep(library, "a" * 40, 12 << 20)  # imports, threads, buffers that stay
    before = peak()
    await keep(library, "b" * 40, 64 << 20)
    sys.stdout.write(str(peak() - before))
    await library.close()


asyncio.run(main(*sys.argv[1:]))
