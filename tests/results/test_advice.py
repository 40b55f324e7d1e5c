"""What a search says about its space, and the space file that follows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
import spaces
from results.verdicts.advice import Advice, Rule, advise_on
from results.verdicts.evidence import Evidence, collect
from results.verdicts.next_night import next_spec as next_spec_of
from results.verdicts.rules import Searched, at_edge, never_won
from search.files.store import RunReader
from search.record import folds
from search.record.configuration import Configuration, configurations
from search.record.trial import Epoch, Stop, TrialKind, TrialState
from spaces.specs.plain import to_plain
from spaces.values.dimensions import Choice, Range
from spaces.values.kinds import Kind
from tests.results.conftest import SPACE
from tests.search.records import trial

MakeRun = Callable[..., Path]
Values = Mapping[str, Any]


def upper_edge(values: Values) -> float:
    """Adam with the largest learning rate wins; nothing else matters."""
    return 0.9 + 0.02 * math.log10(values["learning_rate"]) - (0.1 if values["optimizer"] == "sgd" else 0.0)


def found(advice: list[Advice]) -> dict[tuple[str, str], Any]:
    return {(str(a.rule), a.setting): a.change for a in advice}


def test_edges_and_what_never_won(make_run: MakeRun) -> None:
    run = make_run(configurations=120, promotions=False, score=upper_edge, seed=5)
    advice = found(results.advise(run))
    assert set(advice) == {("never won", "training.learning_rate"), ("edge", "training.learning_rate")}
    assert advice["never won", "training.learning_rate"]["min"] == pytest.approx(1e-3)
    wider = advice["edge", "training.learning_rate"]
    assert wider["max"] > 0.1
    assert wider["log"] is True


def test_that_no_difference_is_seen_fixes_nothing(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, score=lambda values: 0.9)
    assert results.advise(run) == []
    before, after = spaces.load(run / "space.yaml"), next_spec(run)
    assert after.space.hyperparameters == before.space.hyperparameters


@pytest.mark.parametrize("scores", [[0.9], [0.9, 0.8]])
def test_nor_does_it_where_the_smaller_of_equal_ones_comes_first(scores: list[float]) -> None:
    spec = spaces.load(
        {
            "name": "alike",
            "data": {"source": "digits"},
            "model": {"family": "mlp", "layers": 1, "units": {"min": 16, "max": 512, "step": 16}},
            "training": {"optimizer": "adam", "learning_rate": 1e-3, "epochs": 9},
            "search": {"algorithm": "random", "max_trials": 60},
        }
    )
    tried = [
        replace(configuration(i, values, scores[i % len(scores)]), parameters=int(values["units_0"]))
        for i, values in enumerate(spaces.sample(spec, 0, 60))
    ]
    assert advise_on(spec, tried, "val_accuracy", "max") == []


def other_rates(values: Values) -> float:
    """Adam wants small learning rates, sgd large ones, and is a little worse."""
    wanted = -3.5 if values["optimizer"] == "adam" else -1.5
    return 0.95 - 0.05 * (math.log10(values["learning_rate"]) - wanted) ** 2 - 0.2 * (values["optimizer"] == "sgd")


def test_nothing_is_narrowed_across_a_condition(make_run: MakeRun) -> None:
    run = make_run(configurations=120, promotions=False, score=other_rates, seed=5)
    with RunReader(run) as reader:
        best = sorted((c for c in configurations(reader.trials()) if not c.baseline), key=lambda c: -(c.score or 0))[
            :30
        ]
    # All of the best are adam's, at small rates: what sgd wants is not among them.
    assert {c.values["optimizer"] for c in best} == {"adam"}
    assert max(c.values["learning_rate"] for c in best) < 1e-2
    assert [a for a in results.advise(run) if a.rule is Rule.NEVER_WON] == []


@pytest.mark.parametrize(
    "momentum", [None, {"min": 0.8, "max": 0.99}, {"min": 0.8, "max": 0.99, "when": {"optimizer": "sgd"}}]
)
def test_nor_across_one_that_is_not_written(momentum: Any) -> None:
    training = {"optimizer": ["adam", "sgd"], "learning_rate": {"min": 1e-4, "max": 3e-2, "log": True}, "epochs": 9}
    if momentum is not None:
        training["momentum"] = momentum
    spec = spaces.load(
        {
            "name": "both",
            "data": {"source": "digits"},
            "model": {"family": "mlp", "layers": 1, "units": [16, 64, 128]},
            "training": training,
            "search": {"algorithm": "random", "max_trials": 120},
        }
    )
    for seed in range(3):
        tried = [configuration(i, v, other_rates(v)) for i, v in enumerate(spaces.sample(spec, seed, 120))]
        told = [a.setting for a in advise_on(spec, tried, "val_accuracy", "max") if a.rule is Rule.NEVER_WON]
        # Where momentum depends on it, no optimizer is given up either.
        assert told == ([] if momentum else ["training.optimizer"])


def test_values_of_a_fork_may_lie_outside(make_run: MakeRun) -> None:
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    rng = np.random.default_rng(1)
    tried = [configuration(i, v, float(rng.normal(0.9, 0.01))) for i, v in enumerate(spaces.sample(spec, 0, 40))]
    # In the run that was forked the range was a choice, and not logarithmic.
    old = [replace(c, values={**c.values, "learning_rate": 0}, score=0.99 - i / 1000) for i, c in enumerate(tried[:10])]
    told = [a for a in advise_on(spec, [*old, *tried[10:]], "val_accuracy", "max") if a.rule is Rule.EDGE]
    assert [a.setting for a in told] == ["training.learning_rate"]
    assert told[0].message.startswith("4 of 4 values of the best 4 configurations lie at the lower edge")


def test_a_search_that_likes_ends_has_its_best_there_for_that_alone(make_run: MakeRun) -> None:
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    rng = np.random.default_rng(0)
    told = 0
    for seed in range(50):
        tried = []
        for i, values in enumerate(spaces.sample(spec, seed, 40)):
            rate = {"learning_rate": 0.1} if rng.random() < 0.5 else {}
            tried.append(configuration(i, {**values, **rate}, float(rng.normal(0.9, 0.01))))
        told += sum(a.setting == "training.learning_rate" for a in advise_on(spec, tried, "val_accuracy", "max"))
    # At 5 % three of 50 would be wrong; against the share of a tenth of the range nearly all would.
    assert told <= 4


def test_every_message_is_a_sentence_with_its_numbers(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, score=upper_edge, seed=5)
    found = results.advise(run)
    assert found
    for advice in found:
        assert advice.message[0].isdigit() or advice.message[0].islower()
        assert any(character.isdigit() for character in advice.message)


def test_a_best_value_in_the_middle_is_no_edge(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, seed=2)
    advice = results.advise(run)
    assert not [a for a in advice if a.rule is Rule.EDGE and a.setting == "training.learning_rate"]


@pytest.mark.parametrize("configurations", [0, 1, 9])
def test_too_few_configurations_say_nothing(make_run: MakeRun, configurations: int) -> None:
    assert results.advise(make_run(configurations=configurations, score=upper_edge, winner=False, evaluate=False)) == []


def test_below_twenty_only_edges_are_named(make_run: MakeRun) -> None:
    run = make_run(configurations=19, promotions=False, score=upper_edge, seed=5)
    assert {a.rule for a in results.advise(run)} <= {Rule.EDGE}


def test_evidence_leaves_no_configuration_out(make_run: MakeRun) -> None:
    run = make_run(configurations=66, seed=1)
    with RunReader(run) as reader:
        all_of_them = [c for c in configurations(reader.trials()) if not c.baseline]
    evidence = collect(all_of_them, "val_accuracy", "max")
    assert evidence is not None
    # A third is promoted from one epoch to three, a third of these to nine.
    assert (evidence.count, evidence.longest, evidence.shorter) == (66, 9, 66 - 8)
    scores = [score for _, score in evidence.samples]
    assert scores == sorted(scores, reverse=True)


def test_what_was_given_up_gains_what_others_gained_from_there() -> None:
    def curve(index: int, values: list[float]) -> Configuration:
        epochs = tuple(Epoch(i + 1, {"val_accuracy": value}, 1.0, 1.0) for i, value in enumerate(values))
        return replace(configuration(index, {"x": index}, max(values)), epochs=epochs)

    long = [curve(i, [0.5, 0.6, 0.6 + 0.01 * i, 0.7]) for i in range(5)]
    middle = [curve(i, [0.4, 0.5 if i < 8 else 0.4]) for i in range(5, 11)]
    short = [curve(i, [0.3]) for i in range(11, 25)]
    early = replace(curve(25, [0.35]), stopped=Stop.EARLY_STOPPING)
    evidence = collect([*long, *middle, *short, early], "val_accuracy", "max")
    assert evidence is not None
    told = {c.values["x"]: score for c, score in evidence.samples}
    # From one epoch to two the median gain of eleven is 0.1, from two to four that of five is 0.1.
    assert told[0] == 0.7
    assert told[5] == pytest.approx(0.6)
    assert told[11] == pytest.approx(0.5)
    assert told[25] == 0.35, "early stopping has ended it: there was nothing more to gain"
    assert evidence.shorter == 20
    assert evidence.basis.startswith("26 configurations, 20 of them trained for less than 4 epochs and carried on")


def test_evidence_turns_minimised_objectives_around(make_run: MakeRun) -> None:
    run = make_run(configurations=20, promotions=False, task="regression")
    with RunReader(run) as reader:
        all_of_them = [c for c in configurations(reader.trials()) if not c.baseline]
    evidence = collect(all_of_them, "val_loss", "min")
    assert evidence is not None
    assert evidence.samples[0][0].score == min(c.score for c in all_of_them if c.score is not None)


def test_evidence_of_a_cross_validation_is_the_mean_over_its_folds() -> None:
    def folded(index: int, values: list[float], score: float, stopped: Stop = Stop.LENGTH) -> Configuration:
        curve: list[Epoch] = []
        for number, value in enumerate(values, 1):
            curve.append(Epoch(number, folds.joined(curve, {"val_accuracy": value}, 4), 1.0, 1.0))
        return replace(configuration(index, {"x": index}, score), epochs=tuple(curve), stopped=stopped)

    # The first fold is the easy one; what is given up after it has a score that allows for that.
    whole = [folded(i, [0.9, 0.7 + 0.01 * i, 0.8], 0.8 + 0.01 * i / 3) for i in range(15)]
    given_up = [folded(i, [0.86], 0.76, Stop.PAUSED) for i in range(15, 20)]
    evidence = collect([*given_up, *whole], "val_accuracy", "max")
    assert evidence is not None
    assert [c.values["x"] for c, _ in evidence.samples] == [*reversed(range(15)), *range(15, 20)]
    assert [score for _, score in evidence.samples] == pytest.approx([c.score for c, _ in evidence.samples])


def configuration(index: int, values: Values, score: float) -> Configuration:
    name = f"{index:04d}"
    epochs = (Epoch(1, {"val_accuracy": score}, 1.0, 1.0),)
    return Configuration(name, name, False, values, {}, 0, (), epochs, score, 1, 10, 1.0, TrialState.COMPLETED,
                         Stop.LENGTH, None, None)  # fmt: skip


def test_chance_alone_seldom_speaks(make_run: MakeRun) -> None:
    """Nothing matters: 100 searches of 40 configurations in a space of 6 dimensions.

    If every test used its full level, about 100 * 6 * 3 * 0.05 = 90 would speak; the conditions besides the level
    make it far fewer.
    """
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    rng = np.random.default_rng(0)
    wrong = 0
    for seed in range(100):
        values = spaces.sample(spec, seed, 40)
        found = [configuration(i, v, float(rng.normal(0.9, 0.01))) for i, v in enumerate(values)]
        wrong += len(advise_on(spec, found, "val_accuracy", "max"))
    assert wrong <= 15


def test_never_won_needs_more_than_bad_luck() -> None:
    # Of 40, "rare" was tried 4 times and "often" 14 times, neither among the best 10.
    words = ["good"] * 10 + ["often", "good", "rare"] * 4 + ["often"] * 10 + ["good"] * 8
    evidence = Evidence(1, 0, tuple((configuration(i, {"x": w}, 0.9), 0.9 - i) for i, w in enumerate(words)))
    choice = Choice(("good", "often", "rare"))
    searched = Searched("model.x", ("x",), Kind("word", words=choice.choices), choice)
    assert [piece.choice for _, piece in never_won(searched, evidence)] == ["often"]
    # Values per layer share one dimension: nothing is cut for one of them.
    assert never_won(Searched("model.x", ("x", "y"), searched.kind, choice), evidence) == []
    # Nor is a value taken away under which other settings mean something.
    assert never_won(replace(searched, branching=("x",)), evidence) == []


def test_the_outermost_tenth_of_eleven_values_is_two_of_them() -> None:
    searched = Searched("model.x", ("x",), Kind("number"), Range(0.0, 1.0, False, 0.1))
    tried = [configuration(i, {"x": x}, 0.9) for i, x in enumerate([0.0, 0.1, 0.1, *[0.4, 0.5, 0.7, 0.9] * 10])]
    # Two of three fall there by chance once in eleven times, not once in 36.
    assert at_edge(searched, [*tried[:2], tried[-1]], tried, "low") is None
    assert at_edge(replace(searched, dimension=Range(0.0, 1.0, False)), [*tried[:2], tried[-1]], tried, "low")
    assert at_edge(searched, tried[:3], tried, "low")
    # More values than anybody could count one by one.
    assert at_edge(replace(searched, dimension=Range(0, 10**12, True)), tried, tried, "low") is None


def next_spec(run: Path) -> spaces.SearchSpec:
    text = results.next_space(run)
    file = run / "next.yaml"
    file.write_text(text, encoding="utf-8")
    return spaces.load(file)


def test_next_space_is_valid_and_follows_the_advice(make_run: MakeRun) -> None:
    run = make_run(configurations=120, promotions=False, score=upper_edge, seed=5)
    before = spaces.load(run / "space.yaml")
    after = next_spec(run)
    names = {h.name for h in after.space.hyperparameters}
    assert {"optimizer", "momentum"} <= names
    rate = next(h.dimension for h in after.space.hyperparameters if h.name == "learning_rate")
    assert (rate.min, rate.max) == pytest.approx((1e-3, 1.0))
    assert after.search.seed == before.search.seed + 1
    assert after.name == "digits-next"
    assert "# training.learning_rate: the lowest third was tried" in results.next_space(run)


def test_finalists_become_baselines_with_their_values(make_run: MakeRun) -> None:
    run = make_run(configurations=12)
    after = next_spec(run)
    assert after.baselines[0].name == "linear"
    rows = {f"digits-{row['name']}": row for row in results.rows(run) if row["retrained"] is not None}
    added = {b.name: b.values for b in after.baselines[1:]}
    assert set(added) == set(rows)
    for name, values in added.items():
        assert values == {k: rows[name][k] for k in values}
        assert set(values) >= {"layers", "units_0", "dropout", "optimizer", "learning_rate"}
        spaces.configure_baseline(after, next(b for b in after.baselines if b.name == name))


def test_the_best_of_a_function_become_baselines_whatever_it_asks_for(make_run: MakeRun) -> None:
    space = "name: own\ndata: {source: digits}\nmodel: {family: {python: 'mymodel:build'}}\ntraining: {epochs: 9}\n"
    run = make_run(space=space, baselines=(), values=lambda index, rng: {"width": index + 1})
    after = next_spec(run)
    best = [row["width"] for row in results.rows(run) if row["retrained"] is not None]
    assert {baseline.values["width"] for baseline in after.baselines} == {*best}
    assert len(best) == 3


def test_next_space_of_a_run_that_found_nothing(make_run: MakeRun) -> None:
    run = make_run(configurations=0, failures=["nan"], winner=False, evaluate=False)
    before, after = spaces.load(run / "space.yaml"), next_spec(run)
    assert after.space.hyperparameters == before.space.hyperparameters
    assert after.baselines == before.baselines


def test_the_next_night_after_one_of_an_earlier_version_has_no_baseline_that_it_is_refused(make_run: MakeRun) -> None:
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    idle = {"name": "article", "values": {"layers": 0, "optimizer": "adam", "learning_rate": 0.01, "embedding": 4}}
    begun = spaces.load({**to_plain(spec), "baselines": [idle]}, begun=True)
    change = Advice(Rule.EDGE, "training.learning_rate", "1 of 1", 0.02)
    after, notes = next_spec_of(begun, [change], [])
    assert after.baselines[0].values == {"layers": 0, "optimizer": "adam", "learning_rate": 0.01}
    assert len(notes) == 1


def test_the_next_night_after_one_of_an_earlier_version_says_nothing_without_effect() -> None:
    space = {
        "name": "n" * 80, "data": {"source": "digits"},
        "model": {"family": "mlp", "layers": [0, 1], "units": 8},
        "training": {"epochs": 9, "stop_when": {"accuracy": {"above": 7}}},
    }  # fmt: skip
    after, _ = next_spec_of(spaces.load(space, begun=True), [], [])
    assert "stop_when" not in to_plain(after)["training"]
    # One that is told from its run's, and no longer than names may be.
    assert after.name == "n" * 75 + "-next"


def test_no_change_may_alter_a_baseline(make_run: MakeRun) -> None:
    # The baseline takes its learning rate from the space.
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    plain = {
        **to_plain(spec),
        "baselines": [{"name": "article", "values": {"layers": 0, "optimizer": "adam"}}],
    }
    plain["training"]["learning_rate"] = 0.01
    fixed = spaces.load(plain)
    change = Advice(Rule.EDGE, "training.learning_rate", "1 of 1", 0.02)
    after, notes = next_spec_of(fixed, [change], [])
    assert notes == []
    assert after.training.learning_rate == fixed.training.learning_rate


@pytest.mark.parametrize(("left", "made"), [("relu", 1), ("tanh", 0)])
def test_a_choice_may_become_what_a_baseline_has_of_it(left: str, made: int) -> None:
    space = {
        "name": "a", "data": {"source": "digits"},
        "model": {"family": "mlp", "layers": [1, 2], "units": 8, "activation": ["relu", "tanh"]},
        "training": {"epochs": 9}, "baselines": [{"name": "article", "values": {"layers": 1}}],
    }  # fmt: skip
    change = Advice(Rule.NEVER_WON, "model.activation", "1 of 1", left)
    _, notes = next_spec_of(spaces.load(space), [change], [])
    assert len(notes) == made


@pytest.mark.parametrize(
    ("changes", "stated"),
    [
        ({}, {}),
        ({"model.dropout": {"min": 0.0, "max": 0.5}}, {"dropout": 0.2}),
        ({"model.layers": {"min": 1, "max": 3}, "training.batch_size": 64}, {"layers": 2, "batch_size": 32}),
        (
            {"training.optimizer": ["adam", "sgd"], "training.momentum": {"min": 0.8, "max": 0.99}},
            {"optimizer": "adam"},
        ),
        ({"training.loss": "categorical_crossentropy"}, None),
    ],
)
def test_what_a_fork_has_taken_over_becomes_a_baseline_with_what_its_own_space_had_fixed(
    changes: Values, stated: Values | None
) -> None:
    earlier = spaces.load({
        "name": "night", "data": {"source": "digits"},
        "model": {"family": "mlp", "layers": 2, "units": {"shared": [16, 32]}, "dropout": 0.2},
        "training": {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 32, "epochs": 5},
    })  # fmt: skip
    settings = spaces.configure(earlier, {"units": 32})
    one = trial("old-3", TrialKind.EVIDENCE, values=settings.values, settings=settings.to_json())
    (best,) = configurations([one])
    after, _ = next_spec_of(spaces.load(earlier, changes), [], [best])
    assert [baseline.values for baseline in after.baselines] == ([] if stated is None else [{"units": 32, **stated}])
    for baseline in after.baselines:
        made = spaces.configure_baseline(after, baseline)
        assert (made.model, made.training) == (settings.model, settings.training)


def cnn(training: Values, **model: Any) -> spaces.SearchSpec:
    return spaces.load({
        "name": "pictures", "data": {"source": "digits"}, "training": {"epochs": 3, "batch_size": [32, 64], **training},
        "model": {"family": "cnn", "blocks": 1, "filters": 8, "block": ["conv", "residual"], **model},
    })  # fmt: skip


def test_only_the_key_that_has_no_effect_any_more_is_left_out() -> None:
    plain = {"block": "conv"}
    spec = cnn(
        {},
        stem={"filters": 16, "stride": {"value": 2, "when": plain}},
        augmentation={"flip": {"value": "horizontal", "when": plain}, "shift": 0.1, "cutout": [0.0, 0.2]},
    )
    change = Advice(Rule.NEVER_WON, "model.block", "conv never won", "residual")
    after, notes = next_spec_of(spec, [change], [])
    assert notes == ["model.block: conv never won"]
    section = to_plain(after)["model"]
    assert section["block"] == "residual"
    assert section["augmentation"] == {"shift": 0.1, "cutout": [0.0, 0.2]}
    assert section["stem"] == {"filters": 16}


def test_with_its_last_key_a_mapping_is_left_out_too() -> None:
    spec = cnn({}, augmentation={"flip": {"value": "horizontal", "when": {"block": "conv"}}})
    change = Advice(Rule.NEVER_WON, "model.block", "conv never won", "residual")
    gone = Advice(Rule.EDGE, "model.augmentation.flip", "at the edge", "both")
    after, notes = next_spec_of(spec, [change, gone], [])
    assert notes == ["model.block: conv never won"]
    assert to_plain(after)["model"]["augmentation"] == {}


def test_a_condition_goes_on_without_a_value_that_is_left_out() -> None:
    spec = cnn(
        {
            "optimizer": ["adam", "sgd", "adamw"],
            "weight_decay": {"value": 5e-4, "when": {"optimizer": ["sgd", "adamw"]}},
            "gradient_clip": {"value": 1.0, "when": {"optimizer": "adamw"}},
        }
    )
    change = Advice(Rule.NEVER_WON, "training.optimizer", "adamw never won", ["adam", "sgd"])
    after, _ = next_spec_of(spec, [change], [])
    section = to_plain(after)["training"]
    assert section["weight_decay"] == {"value": 5e-4, "when": {"optimizer": "sgd"}}
    assert "gradient_clip" not in section


def test_a_dropout_without_a_place_any_more_is_left_out() -> None:
    spec = cnn(
        {}, dropout=0.2, dropout_position="pooling", downsampling=["pool", "stride"], dense_layers=1, dense_units=8
    )
    after, notes = next_spec_of(spec, [Advice(Rule.NEVER_WON, "model.downsampling", "pool never won", "stride")], [])
    assert notes == ["model.downsampling: pool never won"]
    section = to_plain(after)["model"]
    assert section["downsampling"] == "stride"
    assert "dropout" not in section
    assert "dropout_position" not in section


@pytest.mark.parametrize(
    ("asked", "frozen", "expected"),
    [
        ({"training.precision": "auto"}, "bfloat16", "auto"),
        ({}, "bfloat16", "bfloat16"),
        (
            {"training.precision.value": "auto"},
            "{value: bfloat16, when: {optimizer: sgd}}",
            {"value": "auto", "when": {"optimizer": "sgd"}},
        ),
    ],
)
def test_what_was_left_to_the_machine_is_left_to_that_of_the_next_night(
    make_run: MakeRun, asked: Values, frozen: str, expected: Any
) -> None:
    space = SPACE.replace("batch_size: 32", f"batch_size: 32\n  precision: {frozen}")
    after = next_spec(make_run(space=space, meta={"asked": asked}))
    assert to_plain(after, asked=True)["training"]["precision"] == expected
