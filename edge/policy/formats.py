"""The six formats of an answer: what each is called, and the sample rates and bitrates that it can have. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.errors import BadRequest

FALLBACK_RATE: Final = 48_000
"""Hz, for a take's rate above everything that a codec can do."""

# Bits a second. MPEG-1 layer III has another ladder than MPEG-2; of MPEG-2.5 (below 16 kHz), LAME does the lower half alone.
_MPEG1: Final = tuple(1000 * k for k in (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320))
_MPEG2: Final = tuple(1000 * k for k in (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160))
_MPEG25: Final = tuple(1000 * k for k in (8, 16, 24, 32, 40, 48, 56, 64))


@dataclass(frozen=True, slots=True)
class Format:
    """What a format can do."""

    media_type: str
    rates: tuple[int, ...] = ()
    """Hz, ascending; empty: any."""
    own_rate: int | None = None
    """Hz, when the request names none; None: the take's."""
    bitrate: int | None = None
    """Bits a second, when the request names none; None: the format has no bitrate."""


_MPEG_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FORMATS: Final[dict[str, Format]] = {
    "mp3": Format("audio/mpeg", _MPEG_RATES, bitrate=64_000),
    # RFC 7845 §9: Opus in Ogg is audio/ogg; audio/opus is RTP's.
    "opus": Format("audio/ogg", (8000, 12000, 16000, 24000, 48000), own_rate=48_000, bitrate=32_000),
    "aac": Format("audio/aac", _MPEG_RATES, bitrate=64_000),
    "flac": Format("audio/flac"),
    "wav": Format("audio/wav"),
    # OpenAI's name for headerless s16le; audio/L16 is big-endian (RFC 2586).
    "pcm": Format("audio/pcm", own_rate=24_000),
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a rendition's recipe says of its encoding."""

    sample_rate: int
    bitrate: int | None
    ignored: tuple[str, ...] = ()
    """Fields of the request that change nothing in this format."""


def resolve(name: str, take_rate: int, sample_rate: int | None = None, bitrate: int | None = None) -> Resolved:
    """The rate and bitrate of an answer in the format `name`, made of takes at `take_rate`, as asked for or by default.

    Raises BadRequest `bad_value` where the format cannot do what is asked.
    """
    form = FORMATS[name]
    if sample_rate is None:
        sample_rate = form.own_rate or _nearest_above(form.rates, take_rate)
    elif form.rates and sample_rate not in form.rates:
        raise _refusal("sample_rate", name, sample_rate, "Hz", f"one of {_listed(form.rates)}")
    if form.bitrate is None:
        return Resolved(sample_rate, None, () if bitrate is None else ("bitrate",))
    choices = _bitrates(name, sample_rate)
    if bitrate is None:
        return Resolved(sample_rate, min(form.bitrate, choices[-1]))
    if bitrate not in choices:
        which = f"one of {_listed(choices)}" if isinstance(choices, tuple) else f"{choices[0]} to {choices[-1]}"
        raise _refusal("bitrate", name, bitrate, f"bit/s at {sample_rate} Hz", which)
    return Resolved(sample_rate, bitrate)


def _nearest_above(rates: tuple[int, ...], take_rate: int) -> int:
    """The take's rate, or the next above it that the codec can do."""
    return take_rate if not rates else next((rate for rate in rates if rate >= take_rate), FALLBACK_RATE)


def _bitrates(name: str, sample_rate: int) -> tuple[int, ...] | range:
    """The bitrates of one channel, ascending."""
    match name:
        case "mp3":
            return _MPEG1 if sample_rate >= 32_000 else _MPEG2 if sample_rate >= 16_000 else _MPEG25  # noqa: PLR2004 - MPEG's own
        case "opus":
            return range(6_000, 256_001)  # libopus, one channel
        case _:
            return range(16_000, 6 * sample_rate + 1)  # AAC: at most 6,144 bits for 1,024 samples


def _refusal(param: str, name: str, value: int, unit: str, choices: str) -> BadRequest:
    return BadRequest(f"{name} has no `{param}` {value} {unit}: ask for {choices}.", code="bad_value", param=param)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
