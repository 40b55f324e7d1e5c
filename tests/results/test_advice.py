"""What a search says about its space, and the space file that follows."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
import spaces
from results.verdicts.advice import Advice, Rule, advise_on
from results.verdicts.evidence import Evidence, collect
from results.verdicts.rules import Searched, never_won
from search.files.store import RunReader
from search.record.configuration import Configuration, configurations
from search.record.trial import Epoch, Stop, TrialState
from spaces.values.dimensions import Choice
from spaces.values.kinds import Kind

MakeRun = Callable[..., Path]
Values = Mapping[str, Any]


def upper_edge(values: Values) -> float:
    """Adam with the largest learning rate wins; nothing else matters."""
    return 0.9 + 0.02 * math.log10(values["learning_rate"]) - (0.1 if values["optimizer"] == "sgd" else 0.0)


def found(advice: list[Advice]) -> dict[tuple[str, str], Any]:
    return {(str(a.rule), a.setting): a.change for a in advice}


def test_edge_never_won_and_no_effect(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, score=upper_edge, seed=5)
    advice = found(results.advise(run))
    assert advice["never won", "training.optimizer"] == "adam"
    assert advice["never won", "training.learning_rate"]["min"] == pytest.approx(1e-3)
    wider = advice["edge", "training.learning_rate"]
    assert wider["max"] > 0.1
    assert wider["log"] is True
    assert ("edge", "model.dropout") not in advice
    assert not any(rule == "no effect" and setting.startswith("training.learning_rate") for rule, setting in advice)
    assert any(rule == "no effect" and setting.startswith("model.") for rule, setting in advice)


def test_every_message_is_a_sentence_with_its_numbers(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, score=upper_edge, seed=5)
    for advice in results.advise(run):
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


def test_short_trainings_do_not_speak_for_long_ones(make_run: MakeRun) -> None:
    # One third of 40 is promoted: only 14 have reached three of the nine epochs.
    run = make_run(configurations=40, score=upper_edge, seed=5)
    assert {a.rule for a in results.advise(run)} <= {Rule.EDGE}


def test_evidence_compares_after_equally_many_epochs(make_run: MakeRun) -> None:
    run = make_run(configurations=66, seed=1)
    with RunReader(run) as reader:
        all_of_them = [c for c in configurations(reader.trials()) if not c.baseline]
    evidence = collect(all_of_them, "val_accuracy", "max")
    assert evidence is not None
    assert (evidence.epochs, evidence.count) == (3, 22)
    for configuration, score in evidence.samples:
        assert score == max(epoch.metrics["val_accuracy"] for epoch in configuration.epochs[:3])
    scores = [score for _, score in evidence.samples]
    assert scores == sorted(scores, reverse=True)


def test_evidence_turns_minimised_objectives_around(make_run: MakeRun) -> None:
    run = make_run(configurations=20, promotions=False, task="regression")
    with RunReader(run) as reader:
        all_of_them = [c for c in configurations(reader.trials()) if not c.baseline]
    evidence = collect(all_of_them, "val_loss", "min")
    assert evidence is not None
    assert evidence.samples[0][0].score == min(c.score for c in all_of_them if c.score is not None)


def configuration(index: int, values: Values, score: float) -> Configuration:
    name = f"{index:04d}"
    epochs = (Epoch(1, {"val_accuracy": score}, 1.0, 1.0),)
    return Configuration(name, name, False, values, {}, 0, (), epochs, score, 1, 10, 1.0, TrialState.COMPLETED,
                         Stop.LENGTH, None, None)  # fmt: skip


def test_chance_alone_seldom_speaks(make_run: MakeRun) -> None:
    """Nothing matters: 100 searches of 40 configurations in a space of 6 dimensions.

    If every test used its full level, about 100 * 6 * 3 * 0.05 = 90 would speak; the conditions besides the level
    make it far fewer (12 when this was written). "No effect" speaks at p >= 0.3 and is right here (360 times then).
    """
    spec = spaces.load(make_run(configurations=0, winner=False, evaluate=False) / "space.yaml")
    rng = np.random.default_rng(0)
    wrong = right = 0
    for seed in range(100):
        values = spaces.sample(spec, seed, 40)
        found = [configuration(i, v, float(rng.normal(0.9, 0.01))) for i, v in enumerate(values)]
        advice = advise_on(spec, found, "val_accuracy", "max")
        wrong += sum(a.rule is not Rule.NO_EFFECT for a in advice)
        right += sum(a.rule is Rule.NO_EFFECT for a in advice)
    assert wrong <= 30
    assert right >= 200


def test_never_won_needs_more_than_bad_luck() -> None:
    # Of 40, "rare" was tried 4 times and "often" 14 times, neither among the best 10.
    words = ["good"] * 10 + ["often", "good", "rare"] * 4 + ["often"] * 10 + ["good"] * 8
    evidence = Evidence(1, tuple((configuration(i, {"x": w}, 0.9), 0.9 - i) for i, w in enumerate(words)))
    choice = Choice(("good", "often", "rare"))
    searched = Searched("model.x", ("x",), Kind("word", words=choice.choices), choice)
    assert [piece.choice for _, piece in never_won(searched, evidence)] == ["often"]
    # Values per layer share one dimension: nothing is cut for one of them.
    assert never_won(Searched("model.x", ("x", "y"), searched.kind, choice), evidence) == []


def next_spec(run: Path) -> spaces.SearchSpec:
    text = results.next_space(run)
    file = run / "next.yaml"
    file.write_text(text, encoding="utf-8")
    return spaces.load(file)


def test_next_space_is_valid_and_follows_the_advice(make_run: MakeRun) -> None:
    run = make_run(configurations=60, promotions=False, score=upper_edge, seed=5)
    before = spaces.load(run / "space.yaml")
    after = next_spec(run)
    names = {h.name for h in after.space.hyperparameters}
    # Adam alone is left, so the momentum of sgd has no place any more.
    assert not {"optimizer", "momentum"} & names
    assert after.training.momentum is None
    rate = next(h.dimension for h in after.space.hyperparameters if h.name == "learning_rate")
    assert (rate.min, rate.max) == pytest.approx((1e-3, 1.0))
    assert after.search.seed == before.search.seed + 1
    assert after.name == "digits-next"
    assert "# training.optimizer: sgd was tried" in results.next_space(run)


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


def test_next_space_of_a_run_that_found_nothing(make_run: MakeRun) -> None:
    run = make_run(configurations=0, failures=["nan"], winner=False, evaluate=False)
    before, after = spaces.load(run / "space.yaml"), next_spec(run)
    assert after.space.hyperparameters == before.space.hyperparameters
    assert after.baselines == before.baselines


def test_no_change_may_alter_a_baseline(make_run: MakeRun) -> None:
    # The sgd baseline takes nesterov from the space; with adam alone nesterov would have to go.
    space = """\
name: digits
data: {source: digits}
model: {family: mlp, layers: 1, units: {min: 16, max: 128, step: 16}}
training:
  optimizer: [adam, sgd]
  learning_rate: {min: 1e-4, max: 1e-1, log: true}
  momentum: 0.9
  nesterov: true
  epochs: 9
search: {algorithm: random, max_trials: 60}
baselines: [{name: article, values: {units_0: 32, optimizer: sgd, learning_rate: 0.01}}]
"""

    def values(index: int, rng: np.random.Generator) -> Values:
        return {"units_0": int(16 * rng.integers(1, 9)), "optimizer": str(rng.choice(["adam", "sgd"])),
                "learning_rate": float(10 ** rng.uniform(-4, -1))}  # fmt: skip

    run = make_run(space=space, values=values, configurations=60, promotions=False, score=upper_edge, seed=5)
    before, after = spaces.load(run / "space.yaml"), next_spec(run)
    assert any(a.setting == "training.optimizer" for a in results.advise(run))
    article = spaces.configure_baseline(after, after.baselines[0])
    assert article.training == spaces.configure_baseline(before, before.baselines[0]).training
    assert article.training.nesterov
