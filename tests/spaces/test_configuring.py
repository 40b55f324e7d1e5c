"""Configurations of a space, without TensorFlow: conditions, counting, sampling, settings, baselines."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spaces
from spaces.families.augmentation import OFF
from spaces.sections.baseline import Baseline
from spaces.specs.configuring import fixed, hyperparameters_of
from spaces.specs.plain import to_plain
from spaces.values.dimensions import Choice, Range
from spaces.values.space import Condition, Hyperparameter, count, holds

Values = Mapping[str, Any]


def space(
    model: dict[str, Any] | None = None, training: dict[str, Any] | None = None, **more: Any
) -> spaces.SearchSpec:
    return spaces.load(
        {
            "name": "x",
            "data": {"source": "digits"},
            "model": {"family": "mlp", "layers": 1, "units": 8, **(model or {})},
            "training": {"epochs": 3, **(training or {})},
            **more,
        }
    )


def conditions(spec: spaces.SearchSpec) -> dict[str, dict[str, tuple[Any, ...]]]:
    return {h.name: {c.name: c.values for c in h.conditions} for h in hyperparameters_of(spec)}


def enumerated(hyperparameters: tuple[Hyperparameter, ...]) -> set[tuple[tuple[str, Any], ...]]:
    """All configurations, by trying every combination of values: slow and obviously right."""
    names = [h.name for h in hyperparameters]
    found = set()
    for values in itertools.product(*(h.dimension.values or () for h in hyperparameters)):
        active: dict[str, Any] = {}
        for hyperparameter, value in zip(hyperparameters, values, strict=True):
            if holds(hyperparameter.conditions, active):
                active[hyperparameter.name] = value
        found.add(tuple((name, active[name]) for name in names if name in active))
    return found


class TestConditions:
    def test_layers_beyond_the_depth_are_inactive(self) -> None:
        assert conditions(space({"layers": {"min": 1, "max": 3}, "units": [8, 16]})) == {
            "layers": {},
            "units_0": {},
            "units_1": {"layers": (2, 3)},
            "units_2": {"layers": (3,)},
        }

    def test_without_hidden_layers_nothing_about_them_is_active(self) -> None:
        found = conditions(space({"layers": [0, 2], "units": {"shared": [8, 16]}, "dropout": [0.1, 0.2]}))
        assert found == {"layers": {}, "units": {"layers": (2,)}, "dropout": {"layers": (2,)}}

    def test_momentum_belongs_to_sgd_and_nesterov_to_momentum(self) -> None:
        training = {"optimizer": ["adam", "sgd"], "momentum": [0.0, 0.9], "nesterov": [True, False]}
        assert conditions(space(training=training)) == {
            "optimizer": {},
            "momentum": {"optimizer": ("sgd",)},
            "nesterov": {"optimizer": ("sgd",), "momentum": (0.9,)},
        }

    def test_where_the_condition_always_holds_there_is_none(self) -> None:
        assert conditions(space(training={"optimizer": "sgd", "momentum": [0.5, 0.9]})) == {"momentum": {}}

    def test_stated_and_natural_conditions_combine_and_are_inherited(self) -> None:
        spec = space(
            {"layers": [1, 2], "units": [8, 16]},
            {
                "optimizer": ["adam", "sgd", "rmsprop"],
                "momentum": {"choices": [0.5, 0.9], "when": {"units_1": 16}},
                "learning_rate_decay": {"choices": [0.1, 0.2], "when": {"momentum": 0.9}},
            },
        )
        found = conditions(spec)
        assert found["momentum"] == {"layers": (2,), "units_1": (16,), "optimizer": ("sgd",)}
        assert found["learning_rate_decay"] == {**found["momentum"], "momentum": (0.9,)}

    @pytest.mark.parametrize(
        ("training", "name", "expected"),
        [
            (
                {
                    "schedule": ["constant", "cosine", "one-cycle"],
                    "warmup": {"min": 0.05, "max": 0.3, "when": {"schedule": ["cosine", "one-cycle"]}},
                    "learning_rate_decay": [0.0, 0.1],
                },
                "learning_rate_decay",
                {"schedule": ("constant",)},
            ),
            (
                {
                    "schedule": ["constant", "cosine"],
                    "warmup": {"choices": [0.0, 0.1], "when": {"schedule": "cosine"}},
                    "learning_rate_decay": [0.0, 0.1],
                },
                "learning_rate_decay",
                {"schedule": ("constant",)},
            ),
            (
                {
                    "optimizer": ["adam", "sgd"],
                    "schedule": {"value": "cosine", "when": {"optimizer": "sgd"}},
                    "learning_rate_decay": [0.0, 0.1],
                },
                "learning_rate_decay",
                {"optimizer": ("adam",)},
            ),
        ],
    )
    def test_what_is_needed_may_be_the_default_where_a_condition_does_not_hold(
        self, training: dict[str, Any], name: str, expected: dict[str, Any]
    ) -> None:
        spec = space(training=training)
        assert conditions(spec)[name] == expected
        made = [spaces.configure(spec, values).training for values in spaces.sample(spec, 0, 30)]
        assert {one.learning_rate_decay for one in made} == {0.0, 0.1}
        assert not any(one.learning_rate_decay and (one.warmup or one.schedule != "constant") for one in made)

    def test_needs_that_are_never_met_at_once_are_told(self) -> None:
        training = {
            "schedule": ["constant", "cosine"],
            "warmup": {"choices": [0.1, 0.2], "when": {"schedule": "constant"}},
            "learning_rate_decay": [0.0, 0.1],
        }
        with pytest.raises(
            spaces.SpaceError, match="has no effect: it needs schedule constant and warmup 0, which exclude each other"
        ):
            space(training=training)
        run = spaces.load({**to_plain(space()), "training": {"epochs": 3, **training}}, begun=True)
        assert "learning_rate_decay" not in conditions(run)

    def test_what_needs_a_setting_of_which_the_conditions_exclude_each_other_is_no_further_mistake(self) -> None:
        momentum = {"choices": [0.8, 0.9], "when": {"optimizer": "adam"}}
        with pytest.raises(spaces.SpaceError) as refused:
            space(training={"optimizer": ["adam", "sgd"], "momentum": momentum, "nesterov": True})
        assert str(refused.value) == "training.momentum.when: its conditions exclude each other"

    def test_a_fixed_value_can_have_a_condition(self) -> None:
        spec = space({"dropout": {"value": 0.5, "when": {"optimizer": "sgd"}}}, {"optimizer": ["adam", "sgd"]})
        assert [h.name for h in hyperparameters_of(spec)] == ["optimizer"]
        assert spaces.configure(spec, {"optimizer": "sgd"}).model["dropout"] == 0.5
        assert spaces.configure(spec, {"optimizer": "adam"}).model["dropout"] == 0.0

    @pytest.mark.parametrize(
        ("training", "when"),
        [
            ({}, {"warmup": 0}),
            ({"schedule": "one-cycle"}, {"warmup": 0.25}),
            ({"schedule": ["constant", "cosine"]}, {"warmup": 0}),
            ({"optimizer": "sgd"}, {"learning_rate": 0.01}),
        ],
    )
    def test_a_condition_may_be_about_a_default_that_follows_from_a_word(
        self, training: dict[str, Any], when: dict[str, Any]
    ) -> None:
        spec = space(training={**training, "ema": {"choices": [0.9, 0.99], "when": when}})
        assert conditions(spec)["ema"] == {}

    @pytest.mark.parametrize(
        ("training", "message"),
        [
            ({"schedule": "one-cycle"}, "never holds: warmup is always 0.25"),
            (
                {"schedule": ["constant", "one-cycle"]},
                "warmup has a default that depends on schedule: give it a value to condition on it",
            ),
            (
                {"optimizer": ["adam", "sgd"], "schedule": {"value": "one-cycle", "when": {"optimizer": "sgd"}}},
                "warmup has a default that depends on schedule: give it a value to condition on it",
            ),
        ],
    )
    def test_a_default_that_is_another_or_not_the_same_everywhere(self, training: dict[str, Any], message: str) -> None:
        with pytest.raises(spaces.SpaceError) as refused:
            space(training={**training, "ema": {"value": 0.9, "when": {"warmup": 0}}})
        assert str(refused.value) == f"training.ema.when.warmup: {message}"

    def test_a_condition_may_name_what_comes_later_in_the_file(self) -> None:
        spec = space({"l2": {"choices": [0.1, 0.2], "when": {"batch_size": 64}}}, {"batch_size": [32, 64]})
        assert [h.name for h in hyperparameters_of(spec)] == ["batch_size", "l2"]

    def test_nothing_fixed_is_a_hyperparameter(self) -> None:
        assert hyperparameters_of(space()) == ()
        assert spaces.size(space()) == 1
        assert spaces.sample(space(), 0, 2) == [{}, {}]


class TestEpochs:
    @pytest.mark.parametrize(
        ("algorithm", "epochs", "shortest", "longest", "hyperparameter"),
        [
            ("hyperband", {"min": 3, "max": 27}, 3, 27, False),
            ("freeze-thaw", {"min": 3, "max": 27}, 3, 27, False),
            ("hyperband", 27, 1, 27, False),
            ("random", {"min": 3, "max": 27}, 3, 27, True),
            ("bayesian", [5, 9], 5, 9, True),
            ("grid", 5, 5, 5, False),
        ],
    )
    def test_limits_and_whether_it_is_searched(
        self, algorithm: str, epochs: Any, shortest: int, longest: int, hyperparameter: bool
    ) -> None:
        spec = space(training={"epochs": epochs}, search={"algorithm": algorithm})
        assert (spec.min_epochs, spec.max_epochs) == (shortest, longest)
        assert ("epochs" in conditions(spec)) == hyperparameter
        values = spaces.extremes(spec)[0]
        assert spaces.configure(spec, values).training.epochs == (shortest if hyperparameter else longest)


class TestObjective:
    @pytest.mark.parametrize(
        ("training", "objective", "expected"),
        [
            ({}, None, ("val_accuracy", "max")),
            ({"loss": "mse"}, None, ("val_loss", "min")),
            ({}, "val_loss", ("val_loss", "min")),
            ({"metrics": ["mae"]}, "val_mae", ("val_mae", "min")),
            ({"loss": "mse", "metrics": ["r2_score"]}, "val_r2_score", ("val_r2_score", "max")),
            ({}, {"name": "val_accuracy", "direction": "min"}, ("val_accuracy", "min")),
        ],
    )
    def test_direction_follows_the_name(
        self, training: dict[str, Any], objective: Any, expected: tuple[str, str]
    ) -> None:
        spec = space(training=training, search={"objective": objective} if objective else {})
        assert spec.objective == spaces.Objective(*expected)  # type: ignore[arg-type]


class TestSize:
    @pytest.mark.parametrize(
        ("model", "training"),
        [
            ({"layers": [0, 1, 3], "units": [8, 16]}, {}),
            ({"layers": {"min": 1, "max": 4}, "units": {"shared": [8, 16, 32]}}, {"optimizer": ["adam", "sgd"]}),
            (
                {"layers": [0, 2], "units": [8, 9], "dropout": [0, 0.1]},
                {"optimizer": ["adam", "sgd"], "momentum": [0.1, 0.2]},
            ),
            (
                {"layers": [1, 2], "units": [8, 9, 10]},
                {
                    "optimizer": ["adam", "sgd"],
                    "momentum": {"choices": [0.0, 0.5, 0.9], "when": {"units_1": [8, 10]}},
                    "nesterov": [True, False],
                },
            ),
        ],
    )
    def test_counts_what_enumeration_finds(self, model: dict[str, Any], training: dict[str, Any]) -> None:
        spec = space(model, training)
        everything = enumerated(hyperparameters_of(spec))
        assert spaces.size(spec) == len(everything)
        order = [h.name for h in hyperparameters_of(spec)]
        drawn = {tuple((n, v[n]) for n in order if n in v) for v in spaces.sample(spec, 0, 60 * len(everything))}
        assert drawn == everything

    def test_a_continuous_range_has_no_count(self) -> None:
        rate = {"min": 1e-4, "max": 1e-2, "log": True}
        assert spaces.size(space(training={"learning_rate": rate})) is None
        assert spaces.size(space(training={"learning_rate": {**rate, "step": 10}})) == 3

    def test_large_spaces_are_counted_at_once(self) -> None:
        spec = space({"layers": {"min": 1, "max": 50}, "units": {"min": 1, "max": 1000}})
        assert spaces.size(spec) == sum(1000**depth for depth in range(1, 51))

    def test_so_are_many_conditions_that_know_nothing_of_each_other(self) -> None:
        on = [Hyperparameter(f"on_{i}", Choice((False, True))) for i in range(40)]
        size = [Hyperparameter(f"size_{i}", Choice((1, 2, 3)), (Condition(f"on_{i}", (True,)),)) for i in range(40)]
        assert count((*on, *size)) == 4**40

    def test_a_condition_on_a_continuous_range_has_no_count_either(self) -> None:
        rate = Hyperparameter("rate", Range(0.1, 0.9, integer=False))
        assert count((rate, Hyperparameter("more", Choice((1, 2)), (Condition("rate", (0.5,)),)))) is None


class TestSampleAndExtremes:
    def test_the_seed_decides(self) -> None:
        spec = spaces.load("digits")
        assert spaces.sample(spec, 0, 20) == spaces.sample(spec, 0, 20)
        assert spaces.sample(spec, 0, 20) != spaces.sample(spec, 1, 20)

    def test_extremes_of_a_convolutional_space(self) -> None:
        model = [
            "model.blocks={min: 3, max: 5}",
            "model.filters=[16, 32, 64]",
            "model.global_pooling=[average, flatten]",
        ]
        smallest, largest = spaces.extremes(spaces.load("flowers-cnn", model))
        assert smallest["blocks"] == 3
        assert smallest["global_pooling"] == "average"
        assert "filters_4" not in smallest
        assert largest["blocks"] == 5
        assert largest["filters_4"] == 64
        assert largest["global_pooling"] == "flatten"

    @pytest.mark.parametrize("name", spaces.names())
    def test_extremes_are_configurations(self, name: str) -> None:
        spec = spaces.load(name)
        for values in spaces.extremes(spec):
            assert spaces.configure(spec, values).values == values


class TestConfigure:
    def test_every_setting_is_there_fixed_ones_included(self) -> None:
        spec = space({"layers": [1, 2], "units": [8, 16], "dropout": 0.25}, {"learning_rate": [0.1, 0.2]})
        made = spaces.configure(spec, {"layers": 2, "units_0": 16, "units_1": 8, "learning_rate": 0.1})
        assert made.family == "mlp"
        assert made.model == {
            "layers": 2,
            "units": (16, 8),
            "block": "dense",
            "embedding": 0,
            "dropout": 0.25,
            "activation": "relu",
            "batch_normalization": False,
            "l2": 0.0,
            **OFF,
            "output": "probabilities",
        }
        assert made.training == spaces.TrainingSettings(
            "adam", 0.1, 0.0, False, 0.0, 0.0, 32, 3, "auto", ("accuracy",), None, ()
        )

    @pytest.mark.parametrize(
        ("optimizer", "rate", "decay"), [("adam", 1e-3, 0.0), ("adamw", 1e-3, 0.004), ("sgd", 1e-2, 0.0)]
    )
    def test_defaults_are_those_of_keras_for_the_optimizer(self, optimizer: str, rate: float, decay: float) -> None:
        made = spaces.configure(space(training={"optimizer": ["adam", "adamw", "sgd"]}), {"optimizer": optimizer})
        assert (made.training.learning_rate, made.training.weight_decay) == (rate, decay)

    def test_what_is_fixed_and_no_default_is_told_beside_the_values(self) -> None:
        model = {"layers": [1, 2], "units": [8, 16], "dropout": 0.25, "l2": 0.0}
        training = {"optimizer": "adamw", "learning_rate": [0.1, 0.2], "weight_decay": 0.004, "ema": 0.9}
        spec = space(model, training, baselines=[{"name": "b", "values": {"layers": 1, "units": 4, "ema": 0}}])
        made = spaces.configure(spec, spaces.sample(spec, 0, 1)[0])
        assert fixed(spec, made) == {"dropout": 0.25, "optimizer": "adamw", "ema": 0.9, "epochs": 3}
        one = spaces.configure_baseline(spec, spec.baselines[0])
        assert fixed(spec, one) == {"dropout": 0.25, "optimizer": "adamw", "epochs": 3}

    def test_numbers_of_numpy_such_as_a_row_of_the_table_has_are_numbers(self) -> None:
        spec = space({"layers": [1, 2], "units": [8, 16], "batch_normalization": [False, True], "dropout": [0.1, 0.2]})
        (values,) = spaces.sample(spec, np.int64(3), 1)
        row = {name: np.asarray(value)[()] for name, value in values.items()}
        assert not any(type(value) in (int, bool) for value in row.values())
        settings = spaces.configure(spec, {**row, "rank": np.int64(1), "verdict": None, "momentum": math.nan})
        assert settings == spaces.configure(spec, values)
        json.dumps(settings.to_json())

    def test_inactive_and_foreign_values_are_passed_over(self) -> None:
        spec = space({"layers": [1, 2], "units": [8, 16]})
        values = {"layers": 1, "units_0": 8, "units_1": 16, "tuner/epochs": 3}
        assert spaces.configure(spec, values).values == {"layers": 1, "units_0": 8}

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"layers": 2, "units_0": 8}, "no value for units_1"),
            ({"layers": 1, "units_0": 9}, "units_0 = 9, which is not in the space"),
            ({"layers": 1.5, "units_0": 8}, "layers = 1.5"),
        ],
    )
    def test_what_is_no_configuration_is_refused(self, values: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            spaces.configure(space({"layers": [1, 2], "units": [8, 16]}), values)

    def test_early_stopping_and_targets(self) -> None:
        training = {
            "early_stopping": {"monitor": "val_accuracy", "patience": 2, "min_delta": 0.01},
            "stop_when": {"loss": {"below": 0.4}, "val_accuracy": {"above": 0.9}},
        }
        made = spaces.configure(space(training=training), {}).training
        assert made.early_stopping == spaces.EarlyStopping("val_accuracy", 2, 0.01, "max")
        assert made.stop_when == (spaces.Target("loss", 0.4, None), spaces.Target("val_accuracy", None, 0.9))
        below, above = made.stop_when
        assert below.reached({"loss": 0.39})
        assert not below.reached({"loss": 0.4})
        assert not below.reached({"val_loss": 0.1})
        assert above.reached({"val_accuracy": 0.91})
        assert not above.reached({"val_accuracy": float("nan")})

    @pytest.mark.parametrize("name", spaces.names())
    def test_settings_survive_json(self, name: str) -> None:
        spec = spaces.load(name)
        all_settings = [spaces.configure(spec, values) for values in spaces.sample(spec, 0, 20)]
        all_settings += [spaces.configure_baseline(spec, baseline) for baseline in spec.baselines]
        for made in all_settings:
            assert spaces.Settings.from_json(json.loads(json.dumps(made.to_json()))) == made


class TestBaselines:
    def resolve(self, spec: spaces.SearchSpec, **baseline: Any) -> spaces.Settings:
        return spaces.configure_baseline(spec, Baseline.model_validate({"name": "b", **baseline}))

    def test_own_values_then_fixed_ones_then_defaults(self) -> None:
        spec = space(
            {"layers": [1, 2], "units": [8, 16], "activation": "tanh"},
            {"optimizer": ["adam", "sgd"], "batch_size": [64, 128], "early_stopping": {"patience": 3}},
        )
        made = self.resolve(spec, values={"layers": 3, "units": 100, "units_2": 50, "optimizer": "sgd"})
        assert made.model["units"] == (100, 100, 50)
        assert made.model["activation"] == "tanh"
        assert (made.training.optimizer, made.training.learning_rate, made.training.batch_size) == ("sgd", 0.01, 32)
        assert made.training.epochs == 3
        assert made.training.early_stopping == spaces.EarlyStopping("val_loss", 3, 0.0, "min")
        assert made.values == {
            "layers": 3, "units_0": 100, "units_1": 100, "units_2": 50, "optimizer": "sgd", "batch_size": 32,
        }  # fmt: skip

    def test_its_own_protocol(self) -> None:
        spec = space(training={"early_stopping": {"patience": 3}, "batch_size": 64})
        made = self.resolve(spec, epochs=60, batch_size=8, early_stopping=None)
        assert (made.training.epochs, made.training.batch_size, made.training.early_stopping) == (60, 8, None)
        own = self.resolve(spec, early_stopping={"monitor": "loss", "patience": 1})
        assert own.training.early_stopping == spaces.EarlyStopping("loss", 1, 0.0, "min")

    def test_its_depth_may_be_written_as_any_whole_number(self) -> None:
        made = self.resolve(space({"layers": 1, "units": [8, 16]}), values={"layers": 3.0, "units": 8e0})
        assert made.model["units"] == (8, 8, 8)
        assert made.values["layers"] == 3

    def test_a_shared_width_is_shown_under_its_name(self) -> None:
        spec = space({"layers": [1, 2], "units": {"shared": [8, 16]}})
        assert self.resolve(spec, values={"layers": 2, "units": 9}).values == {"layers": 2, "units": 9}
        both = self.resolve(spec, values={"layers": 2, "units_0": 9, "units_1": 7})
        assert both.model["units"] == (9, 7)

    def test_no_hidden_layer_at_all(self) -> None:
        made = self.resolve(space({"layers": [1, 2], "units": [8, 16], "dropout": [0.1, 0.2]}), values={"layers": 0})
        assert made.model["units"] == ()
        assert made.values == {"layers": 0}

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"optimizer": "adam"}, (0.0, 0.0, 0.0)),
            ({"optimizer": "sgd"}, (0.5, 5e-4, 0.0)),
            ({"optimizer": "sgd", "momentum": 0.5}, (0.5, 5e-4, 0.9)),
            ({"optimizer": "rmsprop", "momentum": 0.5}, None),
            # A value of its own needs no condition.
            ({"optimizer": "adam", "weight_decay": 1e-3}, (0.0, 1e-3, 0.0)),
        ],
    )
    def test_a_fixed_value_holds_under_its_condition_only(self, values: Values, expected: Any) -> None:
        spec = space(
            {"dropout": {"value": 0.5, "when": {"optimizer": "sgd"}}},
            {
                "optimizer": ["adam", "sgd"],
                "momentum": [0.0, 0.5],
                "weight_decay": {"value": 5e-4, "when": {"optimizer": "sgd"}},
                "ema": {"value": 0.9, "when": {"momentum": 0.5}},
            },
        )
        if expected is None:
            with pytest.raises(spaces.SpaceError, match="momentum: has no effect: it needs optimizer sgd"):
                self.resolve(spec, values=values)
            return
        made = self.resolve(spec, values=values)
        assert (made.model["dropout"], made.training.weight_decay, made.training.ema) == expected

    def test_what_does_not_count_itself_fulfils_no_condition(self) -> None:
        spec = space(
            {"dropout": {"value": 0.5, "when": {"l2": 0}}},
            {
                "optimizer": ["adam", "sgd"],
                "ema": {"value": 0.9, "when": {"momentum": 0.0}},
                "momentum": [0.0, 0.5],
            },
        )
        for optimizer, ema in (("adam", 0.0), ("sgd", 0.9)):
            made = self.resolve(spec, values={"optimizer": optimizer})
            # What the space leaves at its default counts.
            assert (made.model["dropout"], made.training.ema) == (0.5, ema)

    def test_a_condition_on_the_width_of_all_layers(self) -> None:
        spec = space(
            {"layers": [1, 2], "units": {"shared": [8, 16]}, "dropout": {"value": 0.5, "when": {"units": 16}}},
        )
        for units, dropout in ((16, 0.5), (8, 0.0)):
            assert self.resolve(spec, values={"layers": 2, "units": units}).model["dropout"] == dropout

    def test_a_condition_on_what_the_space_fixes_and_the_baseline_does_not(self) -> None:
        spec = space(training={"optimizer": "sgd", "ema": {"value": 0.9, "when": {"optimizer": "sgd"}}})
        assert self.resolve(spec).training.ema == 0.9
        assert self.resolve(spec, values={"optimizer": "adam"}).training.ema == 0.0

    @pytest.mark.parametrize("model", [{}, {"fine_tune": 0.25}, {"weights": ["imagenet", "none"]}])
    def test_one_of_family_pretrained_is_trained_in_two_phases(self, model: dict[str, Any]) -> None:
        spec = spaces.load(
            {
                "name": "x",
                "data": {"source": "digits"},
                "model": {"family": "pretrained", "backbone": "mobilenet", "fine_tune": [0.0, 0.25], **model},
                "training": {"epochs": 9, "frozen_epochs": [2, 4], "fine_tune_rate": 0.2},
            }
        )
        tuned: Values = {} if "fine_tune" in model else {"fine_tune": 0.25}
        made = self.resolve(spec, values={**tuned, "frozen_epochs": 4})
        assert (made.training.frozen_epochs, made.training.fine_tune_rate) == (4, 0.2)
        if "weights" in model:
            with pytest.raises(spaces.SpaceError, match="frozen_epochs: has no effect: it needs fine_tune above 0"):
                self.resolve(spec, values={"weights": "none", "frozen_epochs": 4})

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(spaces.SpaceError, match=r"baselines\.b\.values\.width: unknown hyperparameter 'width'"):
            self.resolve(space(), values={"width": 3})

    def test_the_article_with_decay_and_early_stopping(self) -> None:
        spec = spaces.load("fashion-mnist-mlp")
        made = spaces.configure_baseline(spec, spec.baselines[2])
        assert made.model["units"] == (500, 250, 100)
        assert made.model["dropout"] == 0.0
        assert made.training == spaces.TrainingSettings(
            "sgd", 0.01, 0.9, True, 0.0, 1e-6, 32, 60, "auto", ("accuracy",),
            spaces.EarlyStopping("val_loss", 3, 0.0, "min"), (),
        )  # fmt: skip
        assert spec.data.validation.first == 5000  # type: ignore[union-attr]


CONDITIONAL: dict[str, Any] = {
    "name": "conditional",
    "data": {"source": "digits"},
    "model": {
        "family": "cnn",
        "block": ["conv", "residual"],
        "blocks": [1, 2],
        "filters": [4, 8],
        "padding": "same",
        "batch_normalization": {"value": True, "when": {"block": "residual"}},
        "dense_layers": [0, 1],
        "dense_units": {"shared": [8, 16]},
        "activation": {"value": "elu", "when": {"dense_units": 16}},
        "l2": {"value": 0.1, "when": {"optimizer": ["sgd", "adamw"]}},
        "augmentation": {"flip": {"value": "horizontal", "when": {"momentum": 0.5}}},
    },
    "training": {
        "optimizer": ["adam", "adamw", "sgd"],
        "momentum": {"choices": [0.0, 0.5], "when": {"blocks": 2}},
        "weight_decay": {"value": 5e-4, "when": {"optimizer": "sgd"}},
        "schedule": ["constant", "cosine"],
        "ema": {"value": 0.9, "when": {"momentum": 0.0, "warmup": 0}},
        "epochs": 3,
    },
}


@pytest.mark.parametrize("source", [*spaces.names(), CONDITIONAL], ids=lambda s: s if isinstance(s, str) else s["name"])
def test_the_values_of_a_configuration_make_the_same_of_a_baseline(source: Any) -> None:
    spec = spaces.load(source)
    for values in spaces.sample(spec, 0, 20):
        made = spaces.configure(spec, values)
        again = spaces.configure_baseline(spec, Baseline.model_validate({"name": "again", "values": values}))
        assert (again.model, again.training) == (made.model, made.training)


names = st.sampled_from(spaces.names())


@settings(max_examples=100, deadline=None)
@given(names, st.integers(0, 2**32 - 1))
def test_every_sample_is_legal_and_holds_the_active_hyperparameters_only(name: str, seed: int) -> None:
    spec = spaces.load(name)
    (values,) = spaces.sample(spec, seed, 1)
    for hyperparameter in hyperparameters_of(spec):
        assert (hyperparameter.name in values) == holds(hyperparameter.conditions, values)
        if hyperparameter.name in values:
            assert hyperparameter.dimension.nearest(values[hyperparameter.name]) == values[hyperparameter.name]
    made = spaces.configure(spec, values)
    assert made.values == values
    if spec.family == "mlp":
        assert len(made.model["units"]) == made.model["layers"]
        assert ("momentum" in values) == (made.training.optimizer == "sgd")
    elif spec.family == "cnn":
        assert len(made.model["filters"]) == made.model["blocks"]


def test_random_state_of_the_caller_is_left_alone() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    spaces.sample(spaces.load("digits"), 0, 3)
    assert random.random() == expected


_DENSE: dict[str, Any] = {"family": "mlp", "layers": 1, "units": 4}
_CONVOLUTIONS: dict[str, Any] = {"family": "cnn", "blocks": 1, "filters": 4}
_NO_CLASSES = "has no effect: the loss is one of regression, which has no classes"
_PRETRAINED: dict[str, Any] = {"family": "pretrained", "backbone": "efficientnet-b0"}
_IN_THE_HEAD = "has no effect: it is in the head, after dense layers, and there are none; give dense_layers, or "


@pytest.mark.parametrize(
    ("model", "training", "source", "values", "message"),
    [
        (_DENSE, {"loss": "mse"}, "digits", {"augmentation_mixup": 0.2}, "has no effect: it mixes classes"),
        (_DENSE, {"loss": "mse"}, "digits", {"oversample": True}, _NO_CLASSES),
        (_DENSE, {"loss": "mse"}, "digits", {"class_weight": "balanced"}, _NO_CLASSES),
        (_DENSE, {"loss": "mse"}, "digits", {"label_smoothing": 0.1}, _NO_CLASSES),
        (_DENSE, {"loss": "mse"}, "digits", {"focal_gamma": 2}, _NO_CLASSES),
        (_DENSE, {}, {"csv": "a.csv"}, {"augmentation_shift": 0.1}, "has no effect: it changes images"),
        (_DENSE, {}, "digits", {"embedding": 4}, "has no effect: it is about the categories of a table"),
        (_CONVOLUTIONS, {}, "digits", {"dropout": 0.3}, _IN_THE_HEAD),
        ({**_CONVOLUTIONS, "dense_layers": [0, 1], "dense_units": 8}, {}, "digits", {"dense_layers": 0, "dropout": 0.3},
         _IN_THE_HEAD),
        ({**_CONVOLUTIONS, "pooling": ["none", "max"], "dropout_position": "pooling", "dropout": [0.1, 0.2]}, {},
         "digits", {"pooling": "none", "dropout": 0.3}, "has no effect: it is after every pooling, and there is none"),
        (_PRETRAINED, {}, "flowers", {"fine_tune": 0.3}, "has no effect: all 2 epochs are frozen"),
        (_PRETRAINED, {}, "flowers", {"augmentation_copies": 8}, "has no effect: it needs augmentation"),
    ],
)  # fmt: skip
def test_a_baseline_is_refused_what_a_space_is_refused(
    model: dict[str, Any], training: dict[str, Any], source: Any, values: dict[str, Any], message: str
) -> None:
    space = {"name": "x", "data": {"source": source}, "model": model, "training": {"epochs": 2, **training}}
    spaces.load(space)
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load({**space, "baselines": [{"name": "own", "values": values}]})
    (problem,) = caught.value.problems
    assert problem.key == f"baselines.0.values.{list(values)[-1]}"
    assert problem.message.startswith(message)


def test_a_baseline_may_fine_tune_and_have_copies_where_they_have_an_effect() -> None:
    space = {"name": "x", "data": {"source": "flowers"}, "model": _PRETRAINED, "training": {"epochs": 2}}
    tuned = {"name": "tuned", "epochs": 4, "values": {"fine_tune": 0.3}}
    early = {"name": "early", "values": {"fine_tune": 0.3, "frozen_epochs": 1}}
    copied = {"name": "copied", "values": {"augmentation_copies": 8, "augmentation_flip": "horizontal"}}
    assert len(spaces.load({**space, "baselines": [tuned, early, copied]}).baselines) == 3
    # What the search may do, whatever has an effect there.
    searched = {**_PRETRAINED, "augmentation": {"flip": ["none", "both"]}, "augmentation_copies": [2, 4]}
    searched |= {"fine_tune": [0.1, 0.3]}
    again = {"name": "again", "values": {"fine_tune": 0.3, "frozen_epochs": 2, "augmentation_copies": 4}}
    again["values"] |= {"augmentation_flip": "none"}
    space |= {"model": searched, "training": {"epochs": 2, "frozen_epochs": [1, 2]}}
    assert len(spaces.load({**space, "baselines": [again]}).baselines) == 1


def test_a_baseline_may_say_that_there_is_none_of_what_could_have_no_effect() -> None:
    off = {"label_smoothing": 0, "class_weight": "none", "oversample": False, "augmentation_mixup": 0, "embedding": 0}
    space = {"name": "x", "data": {"source": "digits"}, "model": _DENSE, "training": {"epochs": 2, "loss": "mse"}}
    assert spaces.load({**space, "baselines": [{"name": "plain", "values": off}]}).baselines


def test_values_of_a_baseline_that_no_space_file_can_hold_are_told_once() -> None:
    space = {"name": "x", "data": {"source": "digits"}, "model": _DENSE, "training": {"epochs": 2}}
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load({**space, "baselines": [{"name": "own", "values": {"learning_rate": math.nan}}]})
    assert str(caught.value) == "baselines.0.values.learning_rate: found nan; allowed: finite numbers"


def test_a_baseline_without_the_dense_layers_of_a_space_has_no_dropout_either() -> None:
    model = {**_CONVOLUTIONS, "dense_layers": [0, 1], "dense_units": 8, "dropout": 0.3}
    space = {"name": "x", "data": {"source": "digits"}, "model": model, "training": {"epochs": 2}}
    assert spaces.load({**space, "baselines": [{"name": "bare", "values": {"dense_layers": 0}}]}).baselines
