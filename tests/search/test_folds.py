"""A cross-validation is a curve whose epochs are folds: what it reports, when it is paused, how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from search.phases.retraining import best_length
from search.record import folds
from search.record.configuration import configurations
from search.record.trial import Epoch, Stop, TrialKind
from search.training import stopping
from search.training.trainer import untrained
from spaces import Settings, Target
from tests.search import small
from tests.search.records import completed, failed, outcome, settings


def curve(*values: float, length: int = 4) -> list[Epoch]:
    made: list[Epoch] = []
    for number, value in enumerate(values, 1):
        made.append(Epoch(number, folds.joined(made, {"val_f1": value, "f1": 1.0}, length + number), 1.0, 1.0))
    return made


def test_a_fold_reports_the_mean_so_far_and_its_own_value() -> None:
    found = curve(0.8, 0.6, 0.7)
    assert [epoch.metrics["val_f1"] for epoch in found] == pytest.approx([0.8, 0.7, 0.7])
    assert folds.values(found, "val_f1") == [0.8, 0.6, 0.7]
    assert folds.spread(found, "val_f1") == pytest.approx(0.1)
    assert folds.spread(found[:1], "val_f1") is None
    assert folds.mean_length(found) == 6
    assert folds.values([Epoch(1, {"val_f1": 0.3}, 1.0, 1.0)], "val_f1") == []


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_the_bar_is_the_best_over_the_same_folds_less_what_others_may_make_up(direction: str, sign: int) -> None:
    bars = folds.Bars("val_f1", direction, 4)
    assert bars.targets() == ()
    bars.take(curve(sign * 0.99, sign * 0.99))  # not all folds: no measure for others
    assert bars.targets() == ()
    best = [sign * value for value in (0.9, 0.8, 0.85, 0.85)]
    bars.take(curve(*best))
    bars.take(curve(*(value - sign * 0.1 for value in best)))
    first, second, third = bars.targets()
    assert bars.offsets() == pytest.approx([-sign * 0.05, 0.0, 0.0])
    deviation = (0.005 / 3) ** 0.5
    assert (first.below if sign > 0 else first.above) == pytest.approx(sign * (0.9 - deviation * (1 - 1 / 4) ** 0.5))
    assert (third.below if sign > 0 else third.above) == pytest.approx(sign * (0.85 - deviation * (1 / 12) ** 0.5))
    assert second.reached({"val_f1": sign * 0.5})
    assert not second.reached({"val_f1": sign * 0.9})


def test_a_poor_configuration_is_paused_after_its_first_fold_and_a_good_one_is_not() -> None:
    training = Settings.from_json(small.settings(small.VALUES["adam with dropout"])).training
    bars = (Target("val_f1", 0.7, None), Target("val_f1", 0.75, None))
    folded = replace(training, folds=3, epochs=3, fold_epochs=9, fold_bars=bars)
    assert stopping.ended(folded, curve(0.6)) is Stop.PAUSED
    assert stopping.ended(folded, curve(0.71)) is None
    assert stopping.ended(folded, curve(0.71, 0.72)) is Stop.PAUSED
    assert stopping.ended(folded, curve(0.8, 0.7, 0.1)) is Stop.LENGTH
    assert stopping.ended(replace(folded, fold_bars=()), curve(0.1)) is None
    assert Settings.from_json(_with(folded)).training == folded


def _with(training):
    plain = Settings.from_json(small.settings(small.VALUES["adam with dropout"]))
    return replace(plain, training=training).to_json()


def test_folds_are_what_the_search_counts() -> None:
    from spaces import configure

    spec = small.spec(data={"validation": {"folds": 4}})
    assert (spec.min_epochs, spec.max_epochs) == (1, 4)
    training = configure(spec, small.VALUES["adam with dropout"]).training
    assert (training.folds, training.epochs, training.fold_epochs) == (4, 4, 3)
    spec = small.spec(data={"validation": {"folds": 4}}, search={"algorithm": "random"})
    values = {**small.VALUES["adam with dropout"], "epochs": 2}
    assert (spec.min_epochs, configure(spec, values).training.fold_epochs) == (4, 2)


def test_what_time_cuts_short_makes_the_final_training_no_shorter() -> None:
    made = settings(epochs=3, folds=3, fold_epochs=20)

    def again(number: int, ended: Any) -> Any:
        name = f"candidate-a-{number}"
        return completed(name, [], kind=TrialKind.CANDIDATE, configuration="a", settings=made, outcome=ended)

    searched = outcome([], epochs=tuple(curve(0.8, 0.6, 0.7, length=10)))
    (chosen,) = configurations([completed("a", [], settings=made, outcome=searched)])
    cut = again(1, outcome([], epochs=tuple(curve(0.8, length=0)), stopped=Stop.DEADLINE))
    never = again(2, outcome([], stopped=Stop.DEADLINE))
    assert best_length([cut, never, again(3, failed())], chosen) == 12
    whole = again(4, outcome([], epochs=tuple(curve(0.8, 0.6, 0.7))))
    assert best_length([cut, never, whole], chosen) == 6


def test_what_waits_until_the_time_is_up_has_the_mean_over_its_folds_and_not_the_best_on_the_way() -> None:
    waits = small.job(settings={"training": {"folds": 3}}, objective="val_f1", history=tuple(curve(0.9, 0.5)))
    found = untrained(waits, Stop.DEADLINE)
    assert (found.best_epoch, found.score) == (2, pytest.approx(0.7))
