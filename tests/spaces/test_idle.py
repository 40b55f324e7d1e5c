"""What a space file says that has no effect any more beside --set."""

from __future__ import annotations

import pytest

import spaces


def load(source, *overrides):
    said = []
    return spaces.load(source, overrides, said.append), said


def test_what_an_override_leaves_without_effect_is_passed_over_and_said():
    spec, said = load("photos-pretrained", "model.fine_tune=0")
    assert (spec.training.frozen_epochs, spec.training.fine_tune_rate) == (None, None)
    assert said == [
        "training.frozen_epochs is passed over: it has no effect: it needs fine_tune above 0",
        "training.fine_tune_rate is passed over: it has no effect: it needs fine_tune above 0",
    ]
    assert spaces.load({**_plain(spec)}) == spec


def test_what_another_algorithm_has_no_use_for_is_passed_over():
    space = _plain(spaces.load("digits", ["search.warm_start=[a]", "search.stop_when_gain_below=0.001"]))
    spec, said = load(space, "search.algorithm=random")
    assert (spec.search.warm_start, spec.search.stop_when_gain_below) == ((), None)
    assert [line.partition(":")[0] for line in said] == [
        "search.warm_start is passed over",
        "search.stop_when_gain_below is passed over",
    ]


def test_without_an_override_nothing_is_said():
    assert load("photos-pretrained")[1] == []
    assert load("photos-pretrained", "model.fine_tune=0.5")[1] == []


@pytest.mark.parametrize("override", ["training.epochs=3", "training.frozen_epochs=6"])
def test_fine_tuning_that_no_epoch_is_left_for_is_passed_over_with_all_about_it(override):
    spec, said = load("photos-pretrained", override)
    assert (spec.model.fine_tune, spec.training.frozen_epochs, spec.training.fine_tune_rate) == (None, None, None)
    longest = spec.training.epochs.values[-1]
    assert said[0] == f"model.fine_tune is passed over: it has no effect: all {longest} epochs are frozen"
    assert [line.partition(" ")[0] for line in said[1:]] == ["training.frozen_epochs", "training.fine_tune_rate"]


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_set_itself_must_have_an_effect(order):
    with pytest.raises(spaces.SpaceError) as refused:
        load("photos-pretrained", *["model.fine_tune=0", "training.frozen_epochs=2"][::order])
    assert str(refused.value) == "--set training.frozen_epochs: has no effect: it needs fine_tune above 0"


def test_what_has_no_effect_in_the_file_itself_is_a_mistake_whatever_is_set(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(
        "name: a\ndata: {source: digits}\nmodel: {family: mlp, layers: 1, units: 8}\n"
        "training: {optimizer: adam, momentum: 0.9, epochs: 2}\n"
    )
    with pytest.raises(spaces.SpaceError, match=r"space.yaml:4: training.momentum: has no effect"):
        load(file, "training.epochs=3")
    spec, said = load(file, "training.optimizer=sgd")
    assert (spec.training.momentum.value, said) == (0.9, [])


def test_a_condition_that_never_holds_any_more_takes_its_setting_along():
    spec = spaces.load("digits")
    when = {**_plain(spec)["training"], "l": None}
    del when["l"]
    when["learning_rate_decay"] = {"min": 1e-6, "max": 1e-3, "log": True, "when": {"batch_size": 64}}
    when["batch_size"] = [32, 64]
    made = {**_plain(spec), "training": when}
    changed, said = load(made, "training.batch_size=32")
    assert changed.training.learning_rate_decay is None
    assert said == ["training.learning_rate_decay is passed over: its condition never holds: batch_size is always 32"]


def test_what_needs_the_default_that_is_left_then_stays():
    training = {
        "epochs": 2,
        "schedule": ["constant", "cosine"],
        "warmup": {"choices": [0.1, 0.2], "when": {"schedule": "cosine"}},
        "learning_rate_decay": [0.0, 0.1],
    }
    changed, said = load({**_plain(spaces.load("digits")), "training": training}, "training.schedule=constant")
    assert said == ["training.warmup is passed over: its condition never holds: schedule is always 'constant'"]
    assert changed.training.learning_rate_decay.values == (0.0, 0.1)


def test_other_mistakes_are_told_as_ever():
    with pytest.raises(spaces.SpaceError, match="sdg"):
        load("digits", "training.optimizer=sdg")


def _plain(spec):
    from spaces.specs.plain import to_plain

    return to_plain(spec)
