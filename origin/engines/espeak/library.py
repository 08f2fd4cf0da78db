"""espeak-ng's C interface, as far as it is needed.

The library has one global state, speaks the same text a little differently the second time, and crashes when two threads are in
it: a process sets one voice, speaks once, and ends (see zygote.py).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUFFER_MS: Final = 200
_SYNCHRONOUS: Final = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when everything has been called back; no threads
_DONT_EXIT: Final = 0x8000  # espeakINITIALIZE_DONT_EXIT: or a wrong data path ends the process
_UTF8: Final = 1  # espeakCHARS_UTF8, and nothing else: with espeakSSML or espeakPHONEMES a text could give orders
_IPA: Final = 2
_RATE: Final = 1
_PITCHED: Final = 1  # POS_CHARACTER
NORMAL_RATE: Final = 175
"""Words a minute."""


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("about", ctypes.c_ubyte * 4),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Listed(NamedTuple):
    """A voice, as the library lists it."""

    identifier: str
    """Its file: `gmw/en-US`. Names and languages are not unique, and the library does not find all of them."""
    languages: tuple[str, ...]


class LibraryError(Exception):
    """The library refused."""


class Library:
    """Not thread-safe, and not to be spoken with twice."""

    def __init__(self, path: str, data: str) -> None:
        self._c = ctypes.CDLL(path)
        self._c.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        self._c.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._c.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
        number, address = ctypes.c_uint, ctypes.c_void_p
        self._c.espeak_Synth.argtypes = [ctypes.c_char_p, ctypes.c_size_t, number, ctypes.c_int, number, number, address, address]
        self.sample_rate: int = self._c.espeak_Initialize(_SYNCHRONOUS, BUFFER_MS, data.encode(), _DONT_EXIT)
        if self.sample_rate <= 0:
            raise LibraryError(f"espeak-ng does not start with the data in {data}")

    def voices(self) -> Iterator[Listed]:
        voices = self._c.espeak_ListVoices(None)
        at = 0
        while voices[at]:
            voice = voices[at].contents
            yield Listed(voice.identifier.decode(), tuple(_languages(voice.languages)))
            at += 1

    def set_voice(self, identifier: str) -> None:
        """Raises LibraryError: the library would go on in the voice that it had before."""
        if self._c.espeak_SetVoiceByName(identifier.encode()) != 0:
            raise LibraryError(f"no voice {identifier}")

    def set_rate(self, words_per_minute: int) -> None:
        self._c.espeak_SetParameter(_RATE, words_per_minute, 0)

    def phonemes(self, text: str) -> str:
        """How the voice would say `text`, in IPA; `(en)` is where it goes on in English."""
        buffer = ctypes.create_string_buffer(text.encode())
        rest = ctypes.c_void_p(ctypes.addressof(buffer))
        clauses = []
        while rest.value:
            clauses.append(self._c.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode())
        return " ".join(clauses)

    def speak(self, text: str, out: Callable[[bytes], None]) -> None:
        """Say `text`; its PCM goes to `out` as it comes. Raises LibraryError."""

        def heard(samples: int | None, count: int, _: int | None) -> int:
            if samples and count:
                out(ctypes.string_at(samples, 2 * count))
            return 0

        callback = _Callback(heard)
        self._c.espeak_SetSynthCallback(callback)
        encoded = text.encode() + b"\0"
        status = self._c.espeak_Synth(encoded, len(encoded), 0, _PITCHED, 0, _UTF8, None, None)
        if status != 0:
            raise LibraryError(f"espeak_Synth answered {status}")


def _languages(at: int) -> Iterator[str]:
    """Entries of a priority byte and a string, to a priority of 0."""
    while ctypes.string_at(at, 1) != b"\0":
        language = ctypes.string_at(at + 1)
        yield language.decode()
        at += len(language) + 2
