"""Keys: no two recipes share one, no field can shift into another, nobody can guess a text behind an address."""

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64, xxh3_128

from shared.keys import Keyring, RenditionRecipe, TakeRecipe, digest, encode, is_key

PAIR = ("䥆8䲹G#ZiE2%V鸭文。 tts hi!", "祄P栰K Zk-07_席文。 tts hi!")
RING = Keyring(b"0123456789abcdef")
TAKE = TakeRecipe(text="Mind the gap.", language="en", revision="tone-1", voice="d1")
RENDITION = RenditionRecipe(takes=(TAKE, TAKE), pauses=(400,), format="mp3", sample_rate=24_000, bitrate=64_000)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
fields = st.lists(st.one_of(text, st.none(), st.integers(), st.floats(allow_nan=False)), max_size=6).map(tuple)
takes = st.builds(
    TakeRecipe,
    text=text,
    language=text,
    revision=text,
    voice=text,
    dialect=text,
    instructions=text,
    seed=st.none() | st.integers(0, 2**63 - 1),
    speed=st.floats(0.25, 4.0),
)


@dataclass(frozen=True)
class Same:
    """Compares as the encoding should: 1, 1.0 and "1" are three things, 0.0 and -0.0 one."""

    values: tuple

    def __eq__(self, other):
        return [(type(value), value) for value in self.values] == [(type(value), value) for value in other.values]

    def __hash__(self):
        return 0


@given(fields, fields)
def test_two_field_lists_have_one_encoding_only_if_they_are_equal(one, other):
    assert (encode("take", "ns", one) == encode("take", "ns", other)) == (Same(one) == Same(other))


@given(text, text, text)
def test_no_text_shifts_a_boundary(first, second, moved):
    if moved:
        assert encode("take", "ns", (first + moved, second)) != encode("take", "ns", (first, moved + second))
        assert encode("take", first + moved, (second,)) != encode("take", first, (moved + second,))


@given(takes, takes)
def test_two_takes_have_one_key_only_if_they_are_equal(one, other):
    assert (RING.key(one.encode("ns")) == RING.key(other.encode("ns"))) == (one == other)


@pytest.mark.parametrize("field", TakeRecipe.__struct_fields__)
def test_every_field_of_a_take_is_in_its_key(field):
    other = {"seed": 1, "speed": 1.5}.get(field, "another")
    assert msgspec.structs.replace(TAKE, **{field: other}).encode("ns") != TAKE.encode("ns")


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("takes", (TAKE, msgspec.structs.replace(TAKE, text="Mind the step."))),
        ("pauses", (60,)),
        ("format", "wav"),
        ("sample_rate", 48_000),
        ("bitrate", None),
        ("stretch", 1.5),
        ("join_version", 99),
        ("encoder_version", 99),
    ],
)
def test_every_field_of_a_rendition_is_in_its_key(field, other):
    assert msgspec.structs.replace(RENDITION, **{field: other}).encode("ns") != RENDITION.encode("ns")


def test_kinds_and_namespaces_do_not_meet():
    assert len({encode(kind, namespace, ("a",)) for kind in ("take", "rendition") for namespace in ("a", "b", "")}) == 6


def test_the_pair_that_collides_elsewhere_does_not_here():
    one, other = (value.encode() for value in PAIR)
    assert xxh3_64(one).digest() == xxh3_64(other).digest()
    assert xxh3_128(one).digest() == xxh3_128(other).digest()
    keys = {RING.key(msgspec.structs.replace(TAKE, text=value).encode("ns")) for value in PAIR}
    assert len(keys) == 2


def test_a_key_is_forty_hex_digits_and_depends_on_the_secret():
    encoded = TAKE.encode("ns")
    assert is_key(RING.key(encoded))
    assert RING.key(encoded) != Keyring(b"fedcba9876543210").key(encoded)
    assert RING.canary() != Keyring(b"fedcba9876543210").canary()
    assert not any(map(is_key, ("", "0" * 39, "0" * 41, "0" * 39 + "G", "A" * 40, "0" * 40 + "\n")))


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_secret_that_can_be_guessed_or_that_does_not_fit_is_refused(size):
    with pytest.raises(ValueError, match="16 to 64"):
        Keyring(b"x" * size)


def test_the_encoding_has_not_changed():
    # A change here empties every cache there is: then KEY_VERSION must rise, and this digest with it.
    assert digest(RENDITION.encode("ns")) == "15d6114be781ee0d63dbc1818eb217ed1f202c1fa10fd676a22ef38b426eb3dc"
