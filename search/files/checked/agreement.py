"""Whether a run's store says what its space file says: that file alone decides what is built and which code runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import spaces
from search.errors import RunError
from search.files import layout
from search.files.rundir import Run
from search.record import jsondata
from search.record.trial import Trial, TrialKind
from spaces import SearchSpec, Settings
from spaces.basics.errors import CodeError
from spaces.families import family_of_settings
from spaces.reading.library import code
from spaces.values.dimensions import Fixed

_NOTHING = "nothing"
# Follows from the name of the monitor, of which an earlier version may have known less.
_DERIVED = "training.early_stopping.mode"
# What earlier versions gave baselines, whatever the space file says of them.
_UNPHASED = {"frozen_epochs": 0, "fine_tune_rate": 1.0}


def require_agreement(run: Run, trials: Iterable[Trial]) -> None:
    """Refuses to build on trials whose settings the space file of their run does not give.

    Args:
        run: The run.
        trials: Those of its trials that are to be trained or rebuilt.

    Raises:
        RunError: A trial's settings, or the objective, are not those of the space file.
        SpaceError: The space file cannot be read.
    """
    spec = run.spec
    asked = list(trials)
    with run.read() as reader:
        objective = reader.meta("objective")
        known = {trial.id: trial for trial in asked}
        origins = {trial.configuration for trial in asked} - known.keys()
        known.update((trial.id, trial) for trial in reader.some(origins))
    for key, ours in (("name", spec.objective.name), ("direction", spec.objective.direction)):
        if objective[key] != ours:
            raise _refusal(run, f"the objective's {key} is {objective[key]!r}, the space file says {ours!r}")
    agreed: dict[str, Mapping[str, Any]] = {}
    for trial in asked:
        if agreed.get(trial.configuration) == trial.settings:
            continue
        if problem := _disagreement(spec, known.get(trial.configuration, trial), trial.settings):
            raise _refusal(run, f"trial {trial.id}: {problem}")
        agreed[trial.configuration] = trial.settings


def _refusal(run: Run, problem: str) -> RunError:
    return RunError(f"{run.directory}: {layout.STORE} disagrees with {layout.SPACE}: {problem}; nothing was run")


def _disagreement(spec: SearchSpec, origin: Trial, settings: Mapping[str, Any]) -> str | None:
    """What the settings have that the space file does not give; `origin` is the configuration's first trial."""
    if origin.kind is TrialKind.EVIDENCE:
        return incomplete(settings) or foreign_code(spec, settings)
    try:
        expected = _expected(spec, origin)
    except ValueError as error:
        return incomplete(settings) or str(error)
    if settings.get("training", {}).get("fold_bars"):
        # Decided while the search was running, by what other configurations had reached.
        settings = {**settings, "training": {**settings["training"], "fold_bars": [], "fold_offsets": []}}
    # So it is in all of a long run: what follows takes ten times longer.
    if settings == expected:
        return None
    if problem := incomplete(settings):
        return problem
    given = _with_idle(spec, settings, expected)
    if origin.kind is TrialKind.BASELINE:
        _resolve_as_before(spec, settings, given)
    return _difference("", settings, given)


def _with_idle(spec: SearchSpec, settings: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """What the space file gives, with the values of hyperparameters that have no effect: earlier versions had some."""
    given: dict[str, Any] = jsondata.loads(jsondata.dumps(expected))
    recorded = dict(settings["values"])
    for setting in spec.space.settings:
        name, dimension = setting.name, setting.dimension
        value = recorded.get(name)
        if isinstance(dimension, Fixed | None) or name in given["values"] or value is None:
            continue
        if value == setting.default or dimension.nearest(value) is not None:
            given["values"][name] = value
            for part in (given["model"], given["training"]):
                part.update({name: value} if name in part else {})
    return given


def _resolve_as_before(spec: SearchSpec, settings: Mapping[str, Any], given: dict[str, Any]) -> None:
    """Puts in what earlier versions gave baselines: fixed values whatever their condition is, and no frozen epochs."""
    fixed = {
        one.name: one.dimension.value
        for one in spec.space.settings
        if isinstance(one.dimension, Fixed) and one.dimension.when
    }
    for part in ("model", "training"):
        for name, value in {**fixed, **_UNPHASED}.items():
            if name in given[part] and settings[part].get(name) == value:
                given[part][name] = value


def incomplete(settings: Mapping[str, Any]) -> str | None:
    """What is wrong with settings that nothing can be made of, in words; None: there are such."""
    label = settings.get("family")
    try:
        if isinstance(label, str):
            family_of_settings(label)
    except (KeyError, CodeError):
        return f"its family {label!r} is not known here"
    try:
        Settings.from_json(settings)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"its settings are not complete ({type(error).__name__}: {error})"
    return None


def _expected(spec: SearchSpec, origin: Trial) -> dict[str, Any]:
    """What the space file gives.

    Raises:
        ValueError: It has no such configuration.
    """
    if origin.kind is not TrialKind.BASELINE:
        return spaces.configure(spec, origin.values).to_json()
    baseline = next((b for b in spec.baselines if b.name == origin.name), None)
    if baseline is None:
        raise ValueError(f"the space file has no baseline {origin.name!r}")
    return spaces.configure_baseline(spec, baseline).to_json()


def foreign_code(spec: SearchSpec, settings: Mapping[str, Any]) -> str | None:
    """Code that a training with complete settings would run and the space does not name, in words; None: there is none.

    What was learnt in a run of another space may have other settings. Its callbacks are never run: every training has
    those of the space file.
    """
    label, training = settings["family"], settings["training"]
    builder, allowed = family_of_settings(label).code(label), {*code(spec)}
    for word in map(str, (builder, training["loss"], *training["metrics"])):
        if ":" in word and word not in allowed:
            return f"it runs {word}, which the space file does not name"
    return None


def _difference(path: str, found: Any, expected: Any) -> str | None:
    if path == _DERIVED:
        return None
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key, value in found.items():
            # A key that an earlier version did not record has its default.
            if problem := _difference(f"{path}.{key}" if path else key, value, expected.get(key, _NOTHING)):
                return problem
        return None
    return None if found == expected else f"{path} is {found!r}, the space file gives {expected!r}"
