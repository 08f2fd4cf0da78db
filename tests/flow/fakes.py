"""Real code behind the flow's ports, small enough to reason about: an origin on virtual time, an encoder that encodes nothing."""

import asyncio
from collections import Counter, defaultdict
from hashlib import blake2b

from stores import DictStore, Ledger

from edge.ports import Sound
from shared.errors import OriginError, from_code

RATE = 8000
CHARACTER_S = 0.2


def voice(text, take=""):
    """PCM that tells whose words it is: 0.2 s a character of a square wave whose pattern spells a digest of the text."""
    digest = blake2b(f"{take}:{text}".encode(), digest_size=16).digest()
    samples = int(len(text) * CHARACTER_S * RATE)
    wave = b"".join((8000 + 64 * byte).to_bytes(2, "little", signed=True) for byte in digest)
    pattern = wave + b"".join((-8000 - 64 * byte).to_bytes(2, "little", signed=True) for byte in digest)
    quiet = bytes(RATE // 50 * 2)  # a take that ends in the middle of a sound was cut off
    return (pattern * (samples * 2 // len(pattern) + 1))[: samples * 2 - len(quiet)] + quiet


class FakeOrigin:
    """Speaks with `voice`, paced over virtual time; with `vary` never twice alike.

    `script` holds what goes wrong, one entry a call: stall, fail, unspeakable, overloaded, silent, cut, or None.
    """

    def __init__(self, name="origin", *, rtf=0.0, script=(), vary=False):
        self.name = name
        self.rtf = rtf
        self.script = list(script)
        self.vary = vary
        self.runs = Counter()
        self.running = Counter()
        self.most_running = Counter()
        self.cancelled = 0
        self.spoken = defaultdict(list)

    async def synthesize(self, recipe, key, token):
        text = recipe.text
        self.runs[text] += 1
        self.running[text] += 1
        self.most_running[text] = max(self.most_running[text], self.running[text])
        fault = self.script.pop(0) if self.script else None
        pcm = voice(text, f"{self.name} {self.runs[text]}" if self.vary else "")
        self.spoken[text].append(pcm)
        step = RATE // 5 * 2
        try:
            if fault == "stall":
                await asyncio.sleep(3600)
            if fault in ("fail", "unspeakable", "overloaded"):
                code = {"fail": "origin_failed"}.get(fault, fault)
                raise from_code(code, "as told", source=self.name)
            yield Sound(RATE)
            if fault == "silent":
                pcm = bytes(len(pcm))
            for at in range(0, len(pcm), step):
                if fault == "cut" and at >= len(pcm) // 2:
                    raise OriginError("as told", code="origin_cut", source=self.name)
                await asyncio.sleep(self.rtf * 0.2)
                yield pcm[at : at + step]
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.running[text] -= 1


class SlowStore(DictStore):
    """Answers after `delay_s` of virtual time, and outlives the library that closes it."""

    delay_s = 0.0

    async def get(self, address, start=0, stop=None):
        await asyncio.sleep(self.delay_s)
        return await super().get(address, start, stop)

    async def close(self):
        pass


class FlowLedger(Ledger):
    """What the flow told of origins, besides."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()
        self.bad_takes = Counter()
        self.encoders = Counter()

    def origin_call(self, origin, outcome):
        self.calls[origin, str(outcome)] += 1

    def bad_take(self, origin, verdict):
        self.bad_takes[origin, str(verdict)] += 1

    def encoder_started(self, media_format):
        self.encoders[media_format] += 1


class RawEncoder:
    def __init__(self, owner):
        self.owner = owner
        self.samples = 0
        owner.open += 1

    def encode(self, pcm):
        self.samples += len(pcm) // 2
        return pcm

    def finish(self):
        return b""

    def close(self):
        self.owner.open -= 1


class RawEncoders:
    def __init__(self):
        self.made = 0
        self.open = 0

    def make(self, recipe, sample_rate):
        self.made += 1
        return RawEncoder(self)

    def finished(self, recipe, head, size, samples):
        return head
