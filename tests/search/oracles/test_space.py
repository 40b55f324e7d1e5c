"""Hyperparameters as numbers."""

import math
import random
import sys
from collections import Counter
from itertools import islice

import keras_tuner
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.oracles import _columns
from search.oracles._columns import Category, Continuous, Ordered, Spaced, column
from search.oracles._space import Space
from spaces.sections.algorithms import ALGORITHMS
from spaces.values.dimensions import Choice, Range
from spaces.values.of_keras_tuner import from_keras_tuner, to_keras_tuner
from spaces.values.space import Condition, Hyperparameter, count


def one(define):
    hp = keras_tuner.HyperParameters()
    define(hp)
    return column(from_keras_tuner(hp.space[0]).dimension)


RANGES = {
    "whole": (lambda hp: hp.Int("x", 3, 7), [3, 4, 5, 6, 7]),
    "whole, step": (lambda hp: hp.Int("x", 32, 100, step=32), [32, 64, 96]),
    "whole, log step": (lambda hp: hp.Int("x", 2, 40, step=2, sampling="log"), [2, 4, 8, 16, 32]),
    "step": (lambda hp: hp.Float("x", 0.0, 0.5, step=0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    "log step": (lambda hp: hp.Float("x", 1e-4, 1e-1, step=10, sampling="log"), [1e-4, 1e-3, 1e-2, 1e-1]),
    "reverse log step": (lambda hp: hp.Int("x", 1, 9, step=2, sampling="reverse_log"), [2, 6, 8, 9]),
    "numbers": (lambda hp: hp.Choice("x", [64, 16, 32]), [16, 32, 64]),
    "one value": (lambda hp: hp.Int("x", 5, 5), [5]),
    "boolean": (lambda hp: hp.Boolean("x"), [False, True]),
    "names": (lambda hp: hp.Choice("x", ["b", "a"]), ["b", "a"]),
    "fixed": (lambda hp: hp.Fixed("x", 0.25), [0.25]),
}


@pytest.mark.parametrize("kind", RANGES)
def test_countable_values(kind):
    define, values = RANGES[kind]
    c = one(define)
    assert c.grid() == values
    assert c.count == len(values)
    assert [c.value(code) for code in range(len(values))] == values
    assert [c.value(c.code(v)) for v in values] == values
    drawn = Counter(c.value(code) for code in c.draw(np.linspace(0, 1, 1000, endpoint=False)))
    assert set(drawn) == set(values)
    assert [type(c.value(0)), max(drawn.values()) - min(drawn.values()) <= 2] == [type(values[0]), True]


def test_grid_over_a_range_without_a_step():
    c = one(lambda hp: hp.Float("x", 1e-4, 1e-1, sampling="log"))
    assert c.count is None
    assert c.grid() == pytest.approx([10 ** (-4 + 3 * i / 9) for i in range(10)])
    assert (c.grid()[0], c.grid()[-1]) == (1e-4, 1e-1)
    whole = one(lambda hp: hp.Int("x", 1, 1000, sampling="log"))
    assert whole.count == 1000
    assert len(whole.grid()) == 10
    assert (whole.grid()[0], whole.grid()[-1]) == (1, 1000)


def test_whole_numbers_on_a_log_scale_are_drawn_on_that_scale():
    c = one(lambda hp: hp.Int("x", 1, 1000, sampling="log"))
    drawn = np.array([c.value(code) for code in c.draw(np.linspace(0, 1, 10000, endpoint=False))])
    assert np.mean(drawn < 32) == pytest.approx(0.5, abs=0.01)


@given(st.floats(0, 1), st.sampled_from(["linear", "log", "reverse_log"]))
def test_a_range_of_real_numbers_round_trips(position, scale):
    c = Continuous(1e-4, 0.3, scale)
    value = c.value(position)
    assert 1e-4 <= value <= 0.3
    assert c.code(value) == pytest.approx(position, abs=1e-6)


@given(st.integers(0, 2**32), st.floats(0.001, 3))
def test_neighbours_stay_in_the_space(seed, scale):
    rng = np.random.default_rng(seed)
    columns = [
        Continuous(0.0, 1.0, "linear"),
        Ordered(range(4), np.linspace(0, 1, 4)),
        Category(["a", "b", "c"]),
    ]
    for c in columns:
        codes = c.near(c.draw(rng.random(20)), rng.random(20), rng.normal(scale=scale, size=20))
        features = c.features(codes)
        assert features.shape == (20, c.width)
        assert features.min() >= 0
        assert features.max() <= 1


def test_values_out_of_the_range_have_the_nearest_code():
    c = one(lambda hp: hp.Int("x", 32, 512, step=32))
    assert [c.value(c.code(v)) for v in (1, 40, 600)] == [32, 32, 512]
    assert math.isnan(one(lambda hp: hp.Choice("x", ["a", "b"])).code("c"))


def test_what_is_deeper_than_the_space_has_all_layers_of_the_deepest():
    hp = keras_tuner.HyperParameters()
    layers = hp.Int("layers", 1, 3)
    for index in range(3):
        with hp.conditional_scope("layers", list(range(index + 1, 4))):
            hp.Int(f"units_{index}", 8, 64, step=8)
    space = Space.of_keras_tuner(hp)
    deeper = {"layers": 5, **{f"units_{i}": 16 for i in range(5)}}
    assert space.values(space.codes(deeper)) == {"layers": 3, "units_0": 16, "units_1": 16, "units_2": 16}
    assert space.values(space.codes({**deeper, "layers": layers})) == {"layers": 1, "units_0": 16}


@pytest.mark.parametrize("value", ["small", None, math.nan, [1]])
@pytest.mark.parametrize(
    "define",
    [
        lambda hp: hp.Int("x", 1, 5),
        lambda hp: hp.Choice("x", [1, 2, 4]),
        lambda hp: hp.Float("x", 0.1, 0.5),
        lambda hp: hp.Int("x", 0, 2**31 - 1),
    ],
)
def test_what_is_no_number_has_no_code_in_a_range(define, value):
    assert math.isnan(one(define).code(value))


EVEN = {
    "whole": lambda hp: hp.Int("x", 0, 999),
    "whole, step": lambda hp: hp.Int("x", 32, 992, step=32),
    "real, step": lambda hp: hp.Float("x", 0.0, 50.0, step=0.1),
    "log": lambda hp: hp.Int("x", 1, 1000, sampling="log"),
    "reverse log": lambda hp: hp.Int("x", 1, 1000, sampling="reverse_log"),
}


@pytest.mark.parametrize("kind", EVEN)
def test_values_that_are_computed_are_those_that_would_be_listed(kind, monkeypatch):
    listed = one(EVEN[kind])
    monkeypatch.setattr(_columns, "_MOST_LISTED", 1)
    computed = one(EVEN[kind])
    assert (type(listed), type(computed)) == (Ordered, Spaced)
    rng = np.random.default_rng(0)
    uniform, steps = rng.random(2000), rng.normal(scale=0.3, size=2000)
    codes = listed.draw(uniform)
    np.testing.assert_array_equal(computed.draw(uniform), codes)
    np.testing.assert_allclose(computed.features(codes), listed.features(codes), atol=1e-12)
    np.testing.assert_array_equal(computed.near(codes, uniform, steps), listed.near(codes, uniform, steps))
    np.testing.assert_array_equal(computed.end(uniform), listed.end(uniform))
    assert [computed.value(code) for code in codes] == [listed.value(code) for code in codes]
    assert list(computed.grid()) == list(listed.grid())
    for value in (-5, 1.5, 33, 47.9, 48, 10**7):
        assert computed.code(value) == listed.code(value)


def test_a_range_of_very_many_values_takes_no_memory():
    hp = keras_tuner.HyperParameters()
    hp.Int("seed", 0, 2**31 - 1)
    with hp.conditional_scope("seed", [7]):
        hp.Int("child", 1, 10**9, sampling="log")
    space = Space.of_keras_tuner(hp)
    drawn = [space.values(codes) for codes in space.draw(np.random.default_rng(0).random((100, 2)))]
    assert len({values["seed"] for values in drawn}) == 100
    assert all(type(values["seed"]) is int for values in drawn)
    seeds = [values["seed"] for values in drawn]
    assert space.columns[0].value(space.columns[0].code(seeds[0])) == seeds[0]
    assert space.unused(np.random.default_rng(1), lambda values: values["seed"] in seeds[:60]) is not None
    assert count(space.hyperparameters) == 2**31 - 1 + 10**9
    assert np.isnan(space.codes({"seed": 8, "child": 5})[1])
    assert space.values(space.codes({"seed": 7, "child": 5})) == {"seed": 7, "child": 5}
    grids = [c.grid() for c in space.columns]
    assert next(space.enumerate(grids.__getitem__)) == {"seed": 0}


@pytest.mark.parametrize("sampling", ["linear", "log"])
@pytest.mark.parametrize("highest", [2**53 + 11, 2**60 - 1, sys.maxsize, 2**64])
def test_a_range_may_have_more_values_than_floats_tell_apart_and_len_can_say(highest, sampling):
    hp = keras_tuner.HyperParameters()
    hp.Int("seed", 0 if sampling == "linear" else 1, highest, sampling=sampling)
    space, rng = Space.of_keras_tuner(hp), np.random.default_rng(0)
    uniform = rng.random((50, 1))
    at_ends = space.draw_ends(uniform, rng)
    for codes in (space.draw(uniform), at_ends, space.near(at_ends, rng, 0.5)):
        drawn = [space.values(row)["seed"] for row in codes]
        assert all(type(seed) is int and hp.space[0].min_value <= seed <= highest for seed in drawn)
        assert len(set(drawn)) > 10
    assert max(space.values(row)["seed"] for row in at_ends) > 0.999 * highest
    assert space.unused(rng, lambda values: values["seed"] < 9) is not None
    assert count(space.hyperparameters) == highest + (sampling == "linear")
    assert next(iter(space.columns[0].grid())) == hp.space[0].min_value


def test_configurations_round_trip(loop):
    space = Space.of_keras_tuner(loop.space())
    rng = np.random.default_rng(0)
    for codes in space.draw(rng.random((50, len(space)))):
        np.testing.assert_allclose(space.codes(space.values(codes)), codes, atol=1e-9)


def test_inactive_hyperparameters_make_no_difference(loop):
    space = Space.of_keras_tuner(loop.space())
    base = {"layers": 1, "units_0": 64, "optimizer": "adam", "learning_rate": 0.01, "dropout": 0.1}
    stray = {**base, "units_2": 512, "momentum": 0.99, "unknown": 3}
    first, second = (space.features(space.codes(v)[None, :]) for v in (base, stray))
    np.testing.assert_array_equal(first, second)


def test_neighbours_are_complete_configurations(loop):
    space = Space.of_keras_tuner(loop.space())
    rng = np.random.default_rng(1)
    codes = space.draw(rng.random((200, len(space))))
    changed = 0
    for before, after in zip(codes, space.near(codes, rng, 0.2), strict=True):
        values = space.values(after)
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert [f"units_{i}" in values for i in range(3)] == [i < values["layers"] for i in range(3)]
        changed += values != space.values(before)
    assert changed > 150


def test_a_branch_is_not_drawn_more_often_for_its_many_configurations():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["large", "small"])
    with hp.conditional_scope("kind", ["large"]):
        hp.Int("a", 1, 100)
    space = Space.of_keras_tuner(hp)
    drawn = space.draw(np.random.default_rng(0).random((4000, 2)))
    # 4,000 draws at one half: a deviation of 0.032 is 4 sigma
    assert np.mean(drawn[:, 0]) == pytest.approx(0.5, abs=0.032)


def test_size(loop):
    space, large = Space.of_keras_tuner(loop.small_space()), Space.of_keras_tuner(loop.space())
    assert count(space.hyperparameters) == 11
    assert count(large.hyperparameters) is None
    # (16 + 16**2 + 16**3) layers, (2 + 10) optimizers with momentum, 10 rates, 6 dropouts
    assert ALGORITHMS["grid"].configurations(large.hyperparameters) == 4368 * 12 * 10 * 6
    grids = [c.grid() for c in space.columns]
    assert len(list(space.enumerate(grids.__getitem__))) == 11


def test_a_hyperparameter_of_two_conditions_that_hold_has_one_value():
    kind = Hyperparameter("kind", Choice(("a", "b", "c")))
    scopes = (("a", "b"), ("b", "c"))
    units = [Hyperparameter("units", Range(1, 3, True), (Condition("kind", values),)) for values in scopes]
    space = Space([kind, *units])
    grids = [[c.value(code) for code in range(c.count)] for c in space.columns]
    assert len({tuple(values.items()) for values in space.enumerate(grids.__getitem__)}) == 9


def test_of_two_active_hyperparameters_of_one_name_the_later_one_decides():
    space = Space(
        [
            Hyperparameter("units", Range(1, 2, integer=True)),
            Hyperparameter("kind", Choice(("a", "b"))),
            Hyperparameter("units", Range(8, 9, integer=True), (Condition("kind", ("b",)),)),
        ]
    )
    found = list(space.enumerate(lambda index: space.columns[index].grid()))
    assert {(values["units"], values["kind"]) for values in found} == {(1, "a"), (2, "a"), (8, "b"), (9, "b")}
    drawn = space.draw(np.random.default_rng(0).random((40, 3)))
    assert {tuple(space.values(codes).items()) for codes in drawn} == {tuple(values.items()) for values in found}


def test_small_steps_are_those_of_active_numbers_with_many_values():
    hp = keras_tuner.HyperParameters()
    hp.Int("parent", 1, 20)
    with hp.conditional_scope("parent", list(range(1, 11))):
        hp.Float("child", 0.0, 1.0)
    hp.Choice("kind", ["plain", "wide"])
    hp.Int("few", 1, 10)
    hp.Int("many", 1, 21)
    hp.Fixed("fixed", 1)
    space = Space.of_keras_tuner(hp)
    common = {"kind": "wide", "few": 3, "many": 5, "fixed": 1}
    codes = np.array([space.codes({**common, "parent": 2, "child": 0.5}), space.codes({**common, "parent": 12})])
    # one feature each, two for the kind, none for what is fixed
    np.testing.assert_array_equal(space.fine(codes)[:, [0, 2, 3, 4]], False)
    np.testing.assert_array_equal(space.fine(codes)[:, [1, 5]], [[True, True], [False, True]])
    moved = space.placed(codes, np.full((2, 6), 0.42), space.fine(codes))
    assert space.values(moved[0]) == {**common, "parent": 2, "child": 0.42, "many": 9}
    assert space.values(moved[1]) == {**common, "parent": 12, "many": 9}
    at_end = space.placed(codes, np.ones((2, 6)), space.fine(codes))
    assert space.values(at_end[0]) == {**common, "parent": 2, "child": 1.0, "many": 21}


def test_in_large_spaces_few_hyperparameters_are_sent_to_an_end():
    import keras_tuner

    def at_end(count):
        hp = keras_tuner.HyperParameters()
        for index in range(count):
            hp.Float(f"x{index}", 0.0, 1.0)
        rng = np.random.default_rng(0)
        drawn = Space.of_keras_tuner(hp).draw_ends(rng.random((500, count)), rng)
        return float(np.isin(drawn, (0.0, 1.0)).sum(axis=1).mean())

    # 500 configurations: the standard error is below 0.1
    assert abs(at_end(7) - 3.5) < 0.4
    assert abs(at_end(50) - 3.5) < 0.4


REVERSED = {
    "real": lambda hp: hp.Float("x", 0.5, 0.99, sampling="reverse_log"),
    "whole": lambda hp: hp.Int("x", 1, 100, sampling="reverse_log"),
    "steps": lambda hp: hp.Int("x", 1, 9, step=2, sampling="reverse_log"),
    "real steps": lambda hp: hp.Float("x", 0.1, 0.9, step=2, sampling="reverse_log"),
}


@pytest.mark.parametrize("kind", REVERSED)
def test_a_scale_that_is_finest_at_its_upper_end_is_the_mirror_of_a_log_one(kind):
    hp = keras_tuner.HyperParameters()
    REVERSED[kind](hp)
    range_ = from_keras_tuner(hp.space[0]).dimension
    drawn = [range_.sample(random.Random(seed)) for seed in range(2000)]
    kt = [hp.space[0].random_sample(seed) for seed in range(2000)]
    assert range_.min <= min(drawn)
    assert max(drawn) <= range_.max
    assert np.mean(drawn) == pytest.approx(np.mean(kt), rel=0.05)
    assert all(range_.nearest(value) == pytest.approx(value, rel=1e-6) for value in drawn)
    assert range_.nearest(range_.max + 1) is None
    c = column(range_)
    assert np.mean([c.value(code) for code in c.draw(np.linspace(0, 1, 2000, endpoint=False))]) == pytest.approx(
        np.mean(drawn), rel=0.05
    )
    if range_.values is not None:
        assert sorted(set(drawn)) == list(range_.values) if range_.step else set(drawn) <= set(range_.values)
    assert sum(value > (range_.min + range_.max) / 2 for value in drawn) > 1000


def test_keras_tuner_s_hyperparameters_come_back_as_they_were():
    kinds = [
        Choice(("a", "b")),
        Choice((1, 2, 4)),
        Choice((1, 2, 4), ordered=False),
        Choice((True, False)),
        Choice((True,)),
        Range(1, 9, True, 2),
        Range(1, 9, True),
        Range(1e-4, 1e-1, False, log=True),
        Range(1, 100, True, log=True),
        Range(0.5, 0.9, False, reverse=True),
    ]
    spelt = [Hyperparameter(f"x{number}", kind) for number, kind in enumerate(kinds)]
    spelt.append(Hyperparameter("below", Range(0.0, 1.0, False), (Condition("x0", ("a",)),)))
    assert [from_keras_tuner(hp) for hp in to_keras_tuner(spelt).space] == spelt
    steps = from_keras_tuner(to_keras_tuner([Hyperparameter("x", Range(0.0, 0.3, False, 0.1))]).space[0])
    assert steps.dimension.choices == (0.0, 0.1, 0.2, 0.3)
    assert steps.dimension.in_order


def test_a_grid_over_more_hyperparameters_than_functions_may_call_each_other():
    many = sys.getrecursionlimit() + 100
    space = Space([Hyperparameter(f"x{index}", Choice((0, 1))) for index in range(many)])
    first, second = islice(space.enumerate(lambda _: (0, 1)), 2)
    assert (sum(first.values()), second) == (0, {**first, f"x{many - 1}": 1})


def test_the_values_of_conditions_are_looked_up_once(monkeypatch):
    depths, width = range(1, 41), Range(1, 8, integer=True)
    layers = Hyperparameter("layers", Range(1, 40, integer=True))
    units = [Hyperparameter(f"units_{n}", width, (Condition("layers", (*depths[n:],)),)) for n in range(40)]
    space = Space([layers, *units])
    asked, code = [], space.columns[0].code
    monkeypatch.setattr(space.columns[0], "code", lambda value: asked.append(value) or code(value))
    for seed in range(3):
        drawn = space.draw(np.random.default_rng(seed).random((20, 41)))
        assert (~np.isnan(drawn[:, 1:])).sum(axis=1).tolist() == [depths[int(number)] for number in drawn[:, 0]]
    assert sorted(asked) == [*depths]
