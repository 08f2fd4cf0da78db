"""S3-FIFO against a plain model: a dictionary that forgets nothing."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.policy.s3fifo import ENTRY, S3Fifo

UNIT = 1000


def steps(seed, count=600):
    """Puts, gets and a few pops over 60 keys, some of them much more popular, weights from nothing to two units."""
    dice = random.Random(seed)
    for _ in range(count):
        step = dice.choices(("put", "get", "pop"), (10, 20, 1))[0]
        yield step, str(int(dice.random() ** 3 * 60)), dice.randrange(2 * UNIT)


@given(st.integers(), st.integers(0, 60 * UNIT))
@settings(deadline=None)
def test_it_never_holds_too_much_and_never_says_what_was_not_put(seed, capacity):
    cache, model, held = S3Fifo(capacity), {}, {}
    for number, (step, key, weight) in enumerate(steps(seed)):
        if step == "put":
            model[key] = number
            if cache.put(key, number, weight):
                assert cache.get(key) == number
                held[key] = weight + ENTRY
            else:
                assert cache.get(key) is None
        elif step == "pop":
            assert cache.pop(key) in (None, model.pop(key, None))
            assert cache.get(key) is None
        else:
            assert cache.get(key) in (None, model.get(key, "nothing was put"))
        assert cache.weight <= capacity
    there = [key for key in held if cache.get(key) is not None]
    assert len(cache) == len(there)
    assert cache.weight == sum(held[key] for key in there)


@given(st.integers())
@settings(deadline=None)
def test_the_ghost_is_bounded_and_holds_nothing_that_is_there(seed):
    cache = S3Fifo(20 * UNIT)
    for step, key, weight in steps(seed):
        getattr(cache, step)(*((key, key, weight) if step == "put" else (key,)))
        ghosts = cache._ghost  # noqa: SLF001 - nothing else shows that forgotten keys do not add up
        assert sum(ghosts.values()) <= 18 * UNIT
        assert not any(key in queue for queue in (cache._small, cache._main) for key in ghosts)  # noqa: SLF001 - the same


def filled(capacity_in_entries=100):
    return S3Fifo(capacity_in_entries * (ENTRY + UNIT))


def test_everything_fits_until_it_is_full():
    cache = filled(100)
    for number in range(100):
        assert cache.put(str(number), number, UNIT)
    assert [cache.get(str(number)) for number in range(100)] == list(range(100))


def test_one_hit_wonders_do_not_push_out_what_is_sung_again():
    cache = filled(100)
    for number in range(50):
        cache.put(f"refrain {number}", number, UNIT)
        for _ in range(2):
            cache.get(f"refrain {number}")
    for number in range(10_000):
        cache.put(f"once {number}", number, UNIT)
    assert [cache.get(f"refrain {number}") for number in range(50)] == list(range(50))


def test_what_is_new_has_a_tenth_of_the_room_to_prove_itself_in():
    cache = filled(100)
    for number in range(100):
        cache.put(f"refrain {number}", number, UNIT)
        for _ in range(2):
            cache.get(f"refrain {number}")
    for number in range(30):
        cache.put(f"once {number}", number, UNIT)
    cache.put("new", "new", UNIT)
    for number in range(30, 38):
        cache.put(f"once {number}", number, UNIT)
    assert cache.get("new") == "new"


def test_what_comes_back_while_the_ghost_remembers_it_stays():
    cache = filled(100)
    cache.put("back", 1, UNIT)
    for number in range(120):
        cache.put(f"once {number}", number, UNIT)
    assert cache.get("back") is None
    cache.put("back", 2, UNIT)
    for number in range(120, 400):
        cache.put(f"once {number}", number, UNIT)
    assert cache.get("back") == 2


def test_what_is_no_longer_asked_for_leaves_the_main_queue_too():
    cache = filled(100)
    for generation in range(5):
        for number in range(90):
            cache.put(f"{generation} {number}", number, UNIT)
            cache.get(f"{generation} {number}")
            cache.get(f"{generation} {number}")
    kept = [sum(cache.get(f"{generation} {number}") is not None for number in range(90)) for generation in range(5)]
    assert kept[0] == 0
    assert all(older <= newer for older, newer in pairwise(kept))


def test_a_value_heavier_than_the_small_queue_is_left_out_and_takes_its_older_self_along():
    cache = filled(100)
    cache.put("a", "light", UNIT)
    assert cache.put("a", "heavy", 11 * UNIT + 11 * ENTRY) is False
    assert cache.get("a") is None
    assert cache.weight == 0
