"""A store that says something else than its space file is refused before anything is built on it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import spaces
from search.clock import SystemClock
from search.errors import RunError
from search.files import layout
from search.files.checked.agreement import require_agreement
from search.files.rundir import Run
from search.files.store import RunStore
from search.phases.sources import BaseSource, baseline_trial, candidate_trial
from search.record.configuration import configurations
from search.record.trial import Trial, TrialKind, TrialState
from spaces.families import FAMILIES, Family
from tests.search import simulation
from tests.search.records import trial

VALUES = {"layers": 1, "units_0": 16, "dropout": 0.2, "optimizer": "sgd", "momentum": 0.8, "epochs": 3}
SPEC = simulation.space("random")


def searched(trial_id: str = "0", **changes) -> Trial:
    settings = spaces.configure(SPEC, VALUES).to_json()
    return trial(trial_id, values=VALUES, settings={**settings, **changes})


def agree(folder: Path, *trials: Trial, direction: str = "max", spec: spaces.SearchSpec = SPEC) -> None:
    folder.mkdir()
    (folder / layout.SPACE).write_text(spaces.dump(spec), encoding="utf-8")
    facts = {"objective": {"name": "val_accuracy", "direction": direction}}
    with RunStore.create(folder, facts) as store:
        for one in trials:
            store.begin(one)
        recorded = store.trials()
    require_agreement(Run(folder), recorded)


def test_what_a_run_records_agrees(tmp_path):
    baseline = baseline_trial(SPEC, SPEC.baselines[0], 1.0)
    again = [
        replace(one, id=f"winner-{one.id}", kind=TrialKind.WINNER, state=TrialState.RUNNING)
        for one in (searched(), baseline)
    ]
    agree(tmp_path / "run", searched(), baseline, *again, replace(searched("old-1"), kind=TrialKind.EVIDENCE))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "python:/tmp/evil.py:build"}, "family is 'python:/tmp/evil.py:build', the space file gives 'mlp'"),
        ({"family": "cnn"}, "family is 'cnn'"),
        ({"model": {"layers": 3}}, r"model\.layers is 3"),
        ({"callbacks": ["evil:hook"]}, "callbacks is"),
        ({"training": {}}, "not complete"),
        ({"values": {**VALUES, "units_1": 10**400}}, r"values\.units_1 is 10"),
    ],
)
@pytest.mark.parametrize("kind", [TrialKind.SEARCH, TrialKind.WINNER])
def test_other_settings_are_refused(tmp_path, changes, message, kind):
    with pytest.raises(RunError, match=message):
        agree(tmp_path / "run", replace(searched(**changes), kind=kind))


def test_a_promoted_trial_is_held_to_the_space_too(tmp_path):
    promoted = replace(searched("1", family="python:evil:build"), configuration="0", parent="0")
    with pytest.raises(RunError, match="trial 1: family"):
        agree(tmp_path / "run", searched(), promoted)


def test_another_training_is_refused(tmp_path):
    settings = searched().settings
    changed = {**settings["training"], "loss": "evil:loss"}
    with pytest.raises(RunError, match=r"training\.loss"):
        agree(tmp_path / "run", searched(training=changed))


def test_values_outside_the_space_are_refused(tmp_path):
    with pytest.raises(RunError, match="layers = 9"):
        agree(tmp_path / "run", replace(searched(), values={**VALUES, "layers": 9}))


def test_a_baseline_that_the_space_does_not_name_is_refused(tmp_path):
    baseline = replace(baseline_trial(SPEC, SPEC.baselines[0], 1.0), name="other")
    with pytest.raises(RunError, match="no baseline 'other'"):
        agree(tmp_path / "run", baseline)


def test_evidence_runs_no_code_that_the_space_does_not_name(tmp_path):
    evidence = replace(searched("old-0", family="python:/tmp/evil.py:build"), kind=TrialKind.EVIDENCE)
    with pytest.raises(RunError, match=r"runs /tmp/evil\.py:build, which the space file does not name"):
        agree(tmp_path / "run", evidence)


@pytest.mark.parametrize("loss", ["evil:loss", {"evil": "loss"}, ["evil:loss"]])
def test_evidence_is_not_trained_with_a_loss_of_others(tmp_path, loss):
    evidence = replace(_with_training(searched("old-0"), loss=loss), kind=TrialKind.EVIDENCE)
    with pytest.raises(RunError, match=r"it runs .*evil.*, which the space file does not name"):
        agree(tmp_path / "run", evidence)


@pytest.mark.parametrize("hook", ["", "mine:hook", "__given__:hook_0123abcd"])
def test_evidence_is_trained_with_the_callbacks_of_the_space(tmp_path, hook):
    evidence = replace(_with_training(searched("old-0"), callbacks="/tmp/evil.py:hook"), kind=TrialKind.EVIDENCE)
    spec = spaces.load(SPEC, [f"training.callbacks={hook or 'null'}"])
    agree(tmp_path / "run", evidence, spec=spec)
    (configuration,) = configurations([evidence])
    again = candidate_trial(spec, configuration, 1, 0.0)
    for one in (evidence, again, replace(again, kind=TrialKind.WINNER)):
        assert BaseSource(spec, SystemClock(), lambda: None).job(one).settings["training"]["callbacks"] == hook


def test_another_objective_is_refused(tmp_path):
    with pytest.raises(RunError, match="direction is 'min', the space file says 'max'"):
        agree(tmp_path / "run", searched(), direction="min")


def test_nothing_is_imported_to_find_out(tmp_path):
    (tmp_path / "stranger.py").write_text("raise SystemExit('imported')")
    with pytest.raises(RunError, match="stranger"):
        agree(tmp_path / "run", searched(family=f"python:{tmp_path / 'stranger.py'}:build"))
    assert not any("stranger" in name for name in sys.modules)


@pytest.mark.parametrize(("dropout", "agrees"), [(0.3, True), (0.0, True), (0.4, False)])
@pytest.mark.parametrize("kind", [TrialKind.SEARCH, TrialKind.BASELINE])
def test_a_value_without_an_effect_that_an_earlier_version_recorded_is_no_disagreement(tmp_path, dropout, agrees, kind):
    values = {"dense_layers": 0}
    spec = spaces.load({
        "name": "x", "data": {"source": "digits"}, "training": {"epochs": 1},
        "model": {
            "family": "cnn", "blocks": 1, "filters": 4, "dense_layers": [0, 1], "dense_units": 8, "dropout": [0.1, 0.3],
        },
        "baselines": [{"name": "linear", "values": values}],
    })  # fmt: skip
    today = spaces.configure(spec, values).to_json()
    assert (today["model"]["dropout"], today["values"]) == (0.0, values)
    before = {**values, "dropout": dropout}
    settings = {**today, "model": {**today["model"], "dropout": dropout}, "values": before}
    name = "linear" if kind is TrialKind.BASELINE else ""
    recorded = replace(trial("0", values=before, settings=settings), kind=kind, name=name)
    _judge(tmp_path, spec, recorded, None if agrees else r"model\.dropout is 0\.4, the space file gives 0\.0")


def _judge(tmp_path, spec, recorded, problem):
    if problem is None:
        agree(tmp_path / "run", recorded, spec=spec)
        return
    with pytest.raises(RunError, match=problem):
        agree(tmp_path / "run", recorded, spec=spec)


def _with_training(recorded, **changes):
    training = {**recorded.settings["training"], **changes}
    return replace(recorded, settings={**recorded.settings, "training": training})


def _with_baseline(model, training, values, **how):
    return spaces.load({
        "name": "x", "data": {"source": "digits"}, "model": model, "training": {"epochs": 9, **training},
        "baselines": [{"name": "own", "values": values}],
    }, **how)  # fmt: skip


@pytest.mark.parametrize(("decay", "agrees"), [(5e-4, True), (0.0, True), (1e-3, False)])
def test_a_baseline_of_an_earlier_version_may_have_a_fixed_value_whose_condition_does_not_hold(tmp_path, decay, agrees):
    spec = _with_baseline(
        {"family": "mlp", "layers": 1, "units": 8},
        {"optimizer": ["adam", "sgd"], "weight_decay": {"value": 5e-4, "when": {"optimizer": "sgd"}}},
        {"optimizer": "adam"},
    )
    today = baseline_trial(spec, spec.baselines[0], 1.0)
    assert today.settings["training"]["weight_decay"] == 0.0
    problem = None if agrees else r"weight_decay is 0\.001, the space file gives 0\.0"
    _judge(tmp_path, spec, _with_training(today, weight_decay=decay), problem)


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ({"family": "mlp", "layers": [1, 2], "units": 8}, {"layers": 1, "embedding": 4}),
        ({"family": "cnn", "blocks": [1, 2], "filters": 8}, {"blocks": 1, "dropout": 0.3}),
    ],
)
def test_a_run_of_an_earlier_version_goes_on_with_a_baseline_that_a_new_one_is_refused(tmp_path, model, values):
    spec = _with_baseline(model, {}, values, begun=True)
    agree(tmp_path / "run", baseline_trial(spec, spec.baselines[0], 1.0), spec=spec)
    read = Run(tmp_path / "run").spec
    assert read == spec
    assert spaces.load(read, ["search.max_trials=7"], begun=True).baselines == spec.baselines
    with pytest.raises(spaces.SpaceError, match=r"space\.yaml:\d+: baselines\.0\.values\.\w+: has no effect"):
        spaces.load(tmp_path / "run" / layout.SPACE)


@pytest.mark.parametrize(("frozen", "agrees"), [(0, True), (4, True), (2, False)])
def test_a_baseline_of_an_earlier_version_may_have_no_frozen_epochs(tmp_path, frozen, agrees):
    spec = _with_baseline(
        {"family": "pretrained", "backbone": "mobilenet", "fine_tune": [0.0, 0.25]},
        {"frozen_epochs": 4, "fine_tune_rate": 0.2},
        {"fine_tune": 0.25},
    )
    today = baseline_trial(spec, spec.baselines[0], 1.0)
    recorded = _with_training(today, frozen_epochs=frozen, fine_tune_rate=0.2 if frozen else 1.0)
    _judge(tmp_path, spec, recorded, None if agrees else r"frozen_epochs is 2, the space file gives 4")


def test_evidence_of_a_family_of_another_package_is_held_to_the_code_that_it_runs(tmp_path, monkeypatch):
    class Coded(Family):
        name = "coded"

        def code(self, label):
            return label.removeprefix("coded:")

    class Worded(Family):
        name = "worded"

    monkeypatch.setitem(FAMILIES._found, "coded", Coded())
    monkeypatch.setitem(FAMILIES._found, "worded", Worded())
    evidence = [
        replace(searched(f"old-{label}", family=label), kind=TrialKind.EVIDENCE)
        for label in ("worded:more", "coded:evil:build", "unheard:of")
    ]
    agree(tmp_path / "worded", evidence[0])
    with pytest.raises(RunError, match="it runs evil:build, which the space file does not name"):
        agree(tmp_path / "coded", evidence[1])
    with pytest.raises(RunError, match="its family 'unheard:of' is not known here"):
        agree(tmp_path / "unheard", evidence[2])
