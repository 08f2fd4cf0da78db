"""Whatever happens to a stored value, it is either what was kept or recognised as wrong."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.policy.envelope import BLOCK, MAX_HEAD, Meta, Sealer, Wrong, WrongEnvelope
from edge.policy.pieces import Pieces
from shared.errors import Internal
from shared.keys import RenditionRecipe, TakeRecipe

KEY = "0123456789abcdef0123456789abcdef01234567"
SEALER = Sealer([b"a secret of sixteen"])
TAKE = TakeRecipe(text="你好，世界。", language="cmn", revision="tone-1", voice="v")


def meta(**changes):
    values = {"kind": "take", "key": KEY, "fingerprint": "f" * 64, "namespace": "default", "take": TAKE, "began": 1.5}
    return Meta(**values | changes)


def opened(value, sealer=SEALER, kind="take", key=KEY):
    envelope = sealer.open(value, kind, key)
    return envelope.meta, envelope.body(value, ended=True)


def reason(value, sealer=SEALER, kind="take", key=KEY):
    with pytest.raises(WrongEnvelope) as caught:
        opened(value, sealer, kind, key)
    return caught.value.reason


BODIES = st.one_of(
    st.binary(max_size=300),
    # Around the ends of blocks, without drawing every byte.
    st.builds(
        lambda size, seed: (seed * (size // len(seed) + 1))[:size], st.integers(BLOCK - 2, 2 * BLOCK + 2), st.binary(min_size=1)
    ),
)
SMALL = SEALER.seal(meta(), b"some sound")[1]


@given(BODIES, st.text(), st.floats(0, 1e12), st.none() | st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_what_was_sealed_is_what_is_opened(body, text, began, seed):
    take = msgspec.structs.replace(TAKE, text=text.encode(errors="replace").decode(), seed=seed)
    sealed, value = SEALER.seal(meta(take=take, began=began, tags=("a", "b"), epoch=3), body)
    assert sealed.size == len(body)
    assert opened(value) == (sealed, body)


@given(BODIES, st.integers(1000, 2 * BLOCK), st.integers(0, 100))
@settings(deadline=None)
def test_a_body_in_pieces_is_sealed_like_the_whole(body, step, head):
    cut = Pieces(len(body), body[:head], lambda: (body[at : at + step] for at in range(head, len(body), step)))
    sealed, value = SEALER.seal_pieces(meta(), cut)
    assert (sealed, bytes(value)) == SEALER.seal(meta(), body)
    assert len(value) == len(bytes(value))


@pytest.mark.parametrize("size", [9, 11])
def test_pieces_that_are_too_many_or_too_few_are_no_value(size):
    cut = Pieces(size, b"head", lambda: [b"piece", b"s"])
    with pytest.raises(ValueError, match="missing"):
        SEALER.seal_pieces(meta(), cut)


@given(BODIES, st.data())
@settings(deadline=None)
def test_any_flipped_bit_is_found(body, data):
    value = bytearray(SEALER.seal(meta(), body)[1])
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= 1 << data.draw(st.integers(0, 7))
    assert isinstance(reason(bytes(value)), Wrong)


def test_every_single_bit_of_a_short_value_counts():
    for at in range(len(SMALL)):
        for bit in range(8):
            value = bytearray(SMALL)
            value[at] ^= 1 << bit
            assert isinstance(reason(bytes(value)), Wrong)


def test_every_cut_is_found_and_so_is_what_was_added():
    for length in range(len(SMALL)):
        assert reason(SMALL[:length]) in (Wrong.SHORT_HEAD, Wrong.SHORT_BODY)
    assert reason(SMALL + b"\0") is Wrong.LONG_BODY


@given(st.binary(max_size=200), st.integers(0, 60))
def test_junk_is_refused_quietly(junk, kept):
    assert isinstance(reason(SMALL[:kept] + junk), Wrong)


def test_each_fault_has_its_name():
    assert reason(b"<html>not found</html>") is Wrong.NOT_AN_ENVELOPE
    assert reason(SMALL[:4] + b"\x02" + SMALL[5:]) is Wrong.UNKNOWN_VERSION
    assert reason(SMALL[:13] + b"\xff" * 4 + SMALL[17:]) is Wrong.BAD_HEAD
    assert reason(SMALL[:20] + b"\0" + SMALL[21:]) is Wrong.BAD_MAC
    assert reason(SMALL[:-10] + b"SOME SOUND") is Wrong.BAD_BLOCK
    assert reason(SMALL, key="f" * 40) is Wrong.WRONG_KEY
    assert reason(SMALL, kind="rendition") is Wrong.WRONG_KEY
    assert reason(SMALL, Sealer([b"another secret of ours"])) is Wrong.UNKNOWN_MAC_KEY


def test_mac_keys_rotate_the_first_one_writes_and_all_are_read():
    old, new = b"the old secret: 16", b"the new secret: 16"
    both = Sealer([new, old])
    assert opened(Sealer([old]).seal(meta(), b"x")[1], both)[1] == b"x"
    assert opened(both.seal(meta(), b"x")[1], Sealer([new]))[1] == b"x"
    assert reason(both.seal(meta(), b"x")[1], Sealer([old])) is Wrong.UNKNOWN_MAC_KEY


@pytest.mark.parametrize("keys", [[], [b"short"], [b"x" * 65], [b"x" * 16, b""]])
def test_mac_keys_that_cannot_be_used_are_refused(keys):
    with pytest.raises(ValueError, match="16 to 64"):
        Sealer(keys)


def test_the_etag_is_of_the_body_and_without_one_stays_what_it_was():
    one, other = (SEALER.seal(meta(etag="told"), body)[0].etag for body in (b"one", b"other"))
    assert len(one) == len(other) == 32
    assert one != other
    assert SEALER.seal(meta(kind="recipe", etag="told"))[0].etag == "told"


def test_the_head_is_enough_to_open_and_blocks_are_verified_one_by_one():
    body = bytes(range(256)) * 1024 * 3  # three blocks
    value = SEALER.seal(meta(), body + b"tail")[1]
    envelope = SEALER.open(value[: SEALER.head_end(value)], "take", KEY)
    envelope.check(BLOCK, 2 * BLOCK, body[BLOCK : 2 * BLOCK])
    envelope.check(3 * BLOCK, 3 * BLOCK + 4, b"tail")
    # The same bytes in another block's place are another sound.
    other = SEALER.seal(meta(), b"".join(bytes([n]) * BLOCK for n in range(3)))[1]
    with pytest.raises(WrongEnvelope, match="bad_block"):
        SEALER.open(other, "take", KEY).check(BLOCK, 2 * BLOCK, bytes(BLOCK))
    with pytest.raises(WrongEnvelope, match="short_body"):
        envelope.check(BLOCK, 2 * BLOCK, b"")


def test_a_part_of_a_value_gives_whole_blocks_only():
    body = bytes(3 * BLOCK)
    value = SEALER.seal(meta(), body)[1]
    envelope = SEALER.open(value, "take", KEY)
    assert envelope.body(value[: envelope.begin + 2 * BLOCK + 1], ended=False) == body[: 2 * BLOCK]
    assert envelope.body(value, ended=False) == body


def test_a_recipe_of_ten_thousand_characters_fits_and_one_without_bounds_does_not():
    def recipe(takes):
        many = tuple(msgspec.structs.replace(TAKE, text="好。", voice=f"{n:032x}", revision="x" * 40) for n in range(takes))
        return meta(
            kind="recipe", take=None, rendition=RenditionRecipe(takes=many, pauses=(0,) * takes, format="mp3", sample_rate=24000)
        )

    value = SEALER.seal(recipe(5_000))[1]
    assert len(value) < MAX_HEAD
    assert SEALER.open(value, "recipe", KEY).meta.rendition.takes[4_999].text == "好。"
    with pytest.raises(Internal) as caught:
        SEALER.seal(recipe(20_000))
    assert caught.value.code == "store_failed"


def test_only_what_may_be_good_for_others_is_foreign():
    assert {wrong for wrong in Wrong if wrong.foreign} == {
        Wrong.UNKNOWN_VERSION,
        Wrong.UNKNOWN_MAC_KEY,
        Wrong.WRONG_FINGERPRINT,
    }
