"""Plans: what of a request is in which key, and what is said of the rest."""

import msgspec
import pytest

from edge.policy.plan import Planner
from shared.catalogue import Catalogue, Model, Voice
from shared.errors import BadRequest, Unsupported
from shared.keys import Keyring
from shared.speech import SpeechRequest

STEADY = Model(
    id="steady",
    revision="steady-1",
    engine="test",
    sample_rate=22_050,
    voices=(Voice("anna", "d-anna", ("en-us", "en")), Voice("mei", "d-mei", ("cmn", "zh")), Voice("yue", "d-yue", ("yue",), "yue")),
    default_voices={"zh": "mei", "": "anna"},
    speed=(0.5, 2.0),
    equivalences=("initial_case",),
)
SUPPLE = Model(
    id="supple",
    revision="supple-1",
    engine="test",
    sample_rate=24_000,
    voices=(Voice("lin", "d-lin"),),
    default_voices={"": "lin"},
    dialects=("sichuan",),
    instructions=True,
    language=True,
    seed=True,
)
PLANNER = Planner(
    catalogue=Catalogue((STEADY, SUPPLE)),
    aliases={"tts-1": "steady", "pinned": "supple-1", "gone": "gone-1"},
    voice_aliases=("alloy",),
    keyring=Keyring(b"an address secret"),
    namespace="ns",
    text_characters=100,
)


def plan(text="Mind the gap.", **fields):
    return PLANNER.plan(SpeechRequest(input=text, **fields))


def test_a_plan_is_reproducible_and_can_be_had_from_its_recipe():
    one = plan("Mind the gap. Mind the step.")
    assert one == plan("Mind the gap. Mind the step.")
    again = PLANNER.from_recipe(one.recipe, one.namespace)
    assert (again.key, again.fingerprint, again.takes, again.media_type) == (one.key, one.fingerprint, one.takes, one.media_type)


def test_sentences_are_the_same_takes_inside_other_texts():
    alone, inside = plan("Mind the gap."), plan("Hello there. Mind the gap.")
    assert alone.takes[0] == inside.takes[1]
    assert inside.recipe.pauses == (400,)
    assert alone.recipe.pauses == ()


def test_formats_share_takes_and_have_keys_of_their_own():
    plans = [plan(response_format=form) for form in ("mp3", "opus", "aac", "flac", "wav", "pcm")]
    assert len({one.takes for one in plans}) == 1
    assert len({one.key for one in plans}) == 6
    assert {one.recipe.format: one.recipe.sample_rate for one in plans}["opus"] == 48_000


@pytest.mark.parametrize("name", ["steady", "tts-1", "steady-1"])
def test_a_model_goes_by_id_alias_and_revision(name):
    assert plan(model=name).key == plan(model="steady").key


@pytest.mark.parametrize("voice", ["", "alloy", "anna"])
def test_a_voice_that_is_left_out_or_an_alias_is_resolved_before_the_key(voice):
    assert plan(voice=voice).key == plan(voice="anna").key


def test_the_script_chooses_the_voice_where_none_is_named():
    assert plan("你好。").voice == plan("你好。", voice="alloy").voice == "mei"
    assert plan("你好。", voice="anna").voice == "anna"
    assert plan("Hello.", language="zh").voice == "mei"


def test_what_is_not_there_is_refused_with_what_is():
    for fields, code, says in [
        ({"model": "nope"}, "unknown_model", "steady"),
        ({"model": "gone"}, "unknown_model", "steady"),
        ({"voice": "nobody"}, "unknown_voice", "anna, mei"),
        ({"dialect": "hakka"}, "unknown_dialect", "yue"),
        ({"dialect": "yue", "voice": "anna"}, "unknown_dialect", "anna"),
    ]:
        with pytest.raises(Unsupported) as raised:
            plan(**fields)
        assert raised.value.code == code
        assert says in raised.value.message


def test_of_many_voices_those_that_are_called_alike_are_named():
    many = msgspec.structs.replace(STEADY, voices=tuple(Voice(f"voice-{n}", f"d{n}") for n in range(99)))
    planner = Planner(
        catalogue=Catalogue((many,)),
        aliases={},
        voice_aliases=(),
        keyring=Keyring(b"an address secret"),
        namespace="ns",
        text_characters=100,
    )
    with pytest.raises(Unsupported) as raised:
        planner.plan(SpeechRequest(input="Hi.", model="steady", voice="voice-12x"))
    assert "voice-12" in raised.value.message
    assert raised.value.message.count("voice-") <= 8


def test_a_dialect_is_a_voice_or_an_instruction():
    by_voice = plan("你好。", dialect="yue")
    assert (by_voice.voice, by_voice.dialect, by_voice.takes[0].recipe.dialect) == ("yue", "yue", "")
    assert by_voice.key == plan("你好。", voice="yue").key
    told = plan("你好。", model="supple", dialect="sichuan")
    assert told.takes[0].recipe.dialect == told.dialect == "sichuan"
    assert told.key != plan("你好。", model="supple").key


def test_a_fallback_is_keyed_as_what_it_really_is():
    fallen = plan("你好。", dialect="hakka", dialect_fallback=True)
    assert fallen.dialect == ""
    assert fallen.key == plan("你好。").key


def test_what_the_engine_ignores_is_left_out_of_the_key_and_named():
    ignored = plan(instructions="softly", seed=1, bitrate=32_000, response_format="wav", voice="anna", language="fr")
    assert set(ignored.ignored) == {"instructions", "seed", "bitrate", "language"}
    assert ignored.key == plan(response_format="wav").key
    assert PLANNER.plan(SpeechRequest(input="Hi."), ("pitch",)).ignored == ("pitch",)


def test_what_the_engine_obeys_is_in_the_key():
    keys = {plan(model="supple", **fields).key for fields in ({}, {"instructions": "softly"}, {"seed": 1}, {"language": "fr"})}
    assert len(keys) == 4


@pytest.mark.parametrize(("speed", "native", "stretch"), [(1.0, 1.0, 1.0), (2.0, 2.0, 1.0), (4.0, 2.0, 2.0), (0.25, 0.5, 0.5)])
def test_speed_is_the_engine_s_as_far_as_it_goes_and_stretched_beyond(speed, native, stretch):
    one = plan(speed=speed)
    assert (one.takes[0].recipe.speed, one.recipe.stretch) == (native, stretch)
    other = plan(model="supple", speed=speed)
    assert (other.takes[0].recipe.speed, other.recipe.stretch) == (1.0, speed)


def test_an_equivalence_folds_what_is_synthesised_and_hashed():
    assert plan("Turn left.").key == plan("turn left.").key
    assert plan("Turn left.").takes[0].recipe.text == "turn left."
    assert plan("Turn left.", model="supple").key != plan("turn left.", model="supple").key


def test_a_text_over_the_limit_is_refused():
    with pytest.raises(BadRequest) as raised:
        plan("a" * 101)
    assert raised.value.code == "text_too_long"
