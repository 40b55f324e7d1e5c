"""Checks that need more than one section of a space file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from spaces.basics.errors import Problem, problem
from spaces.basics.section import KeyPath, listed, shown, suggestion
from spaces.families import ModelSection, family_of
from spaces.families.augmentation import OFF, said_of
from spaces.families.layered import Layered
from spaces.sections.algorithms import ALGORITHMS
from spaces.sections.baseline import Baseline
from spaces.sections.data_section import IMAGE_FILES, TABLES, DataSection, TargetRule, has_columns
from spaces.sections.search_section import Export, Final, KeepCheckpoints, ObjectiveRule, SearchSection
from spaces.sections.training_section import NO_CLASSES, OF_CLASSES, TrainingSection, epoch_limits, fewest_frozen
from spaces.specs.baseline_settings import baseline_settings
from spaces.specs.resolve import all_settings
from spaces.values.dimensions import Choice, Range, Value
from spaces.values.metrics import METRICS, bounds_of, direction_of, is_own, reported_name, task_of
from spaces.values.space import compile_space

LONGEST_NAME = 80
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


def check(parts: Mapping[str, Any], *, begun: bool) -> list[Problem]:
    """Finds what is wrong between sections.

    Args:
        parts: every section that is legal by itself, under its key. Where one is missing, the checks that
            need it are left out, so that no mistake is reported twice.
        begun: whether a run has begun with them, maybe in a version in which more could stand there without an effect.
    """
    found: list[Problem] = []
    model: ModelSection | None = parts.get("model")
    training: TrainingSection | None = parts.get("training")
    search: SearchSection | None = parts.get("search")
    if "name" in parts:
        found += _name(parts["name"])
    found += _settings(model, training, search, begun=begun)
    if training is not None and search is not None:
        found += _epochs(training, search)
    if "data" in parts and training is not None:
        found += _target_scale(parts["data"], model, training) + _callbacks(parts["data"], training)
        if parts["data"].stratify and training.task == "regression":
            found.append(problem(("data", "stratify"), "has no effect: the loss is one of regression, without classes"))
    if training is not None and model is not None:
        precisions = None if training.precision is None else training.precision.values
        found += _phases(model, training) + _precision(model, precisions, ("training", "precision"))
    if model is not None and training is not None:
        found += _monitors(model, training, search, ("training",), training.early_stopping)
        found += [] if begun else _out_of_reach(model, training)
        found += _output(model, training) + _mixup(_said(model), training)
        if search is not None:
            found += _objective(model, training, search)
    if model is not None and "data" in parts:
        # Runs of earlier versions began with what had no effect.
        found += [] if begun else _preparation(model, parts["data"])
        found += _augmentation(_said(model), parts["data"])
        found += _embedding(_said(model), parts["data"])
    if model is not None and "final" in parts:
        found += _both_ways(model, parts.get("data"), parts["final"])
        found += _ensemble(model, parts.get("data"), parts["final"], parts.get("keep_checkpoints"))
    if "export" in parts and not begun:
        found += _formats(parts["export"])
    if "data" in parts and "final" in parts:
        found += _all_rows(parts["data"], parts["final"])
    for index, baseline in enumerate(parts.get("baselines", ())):
        path = ("baselines", index)
        found += _baseline(model, training, search, baseline, path)
        if not begun:
            found += _idle_values(model, training, parts.get("data"), baseline, path)
    return found + _unique_names(parts.get("baselines", ()))


def _name(name: str) -> list[Problem]:
    if NAME.fullmatch(name):
        return []
    allowed = f"letters, digits, '.', '_' and '-', at most {LONGEST_NAME}, the first a letter or digit"
    return [problem(("name",), f"found {shown(name)}; allowed: {allowed}")]


def _settings(
    model: ModelSection | None, training: TrainingSection | None, search: SearchSection | None, *, begun: bool
) -> list[Problem]:
    epochs = search is not None and not ALGORITHMS[search.algorithm].multi_fidelity
    _, found = compile_space(all_settings(model, training, epochs=epochs), begun=begun)
    if model is None or training is None or search is None:
        # A condition may name a hyperparameter of the section that could not be read.
        found = [one for one in found if "when" not in one.path]
    return found


def _epochs(training: TrainingSection, search: SearchSection) -> list[Problem]:
    if not ALGORITHMS[search.algorithm].multi_fidelity or not isinstance(training.epochs, Choice):
        return []
    allowed = f"a number or a range with {search.algorithm}, which decides how long each training is"
    return [problem(("training", "epochs"), f"found a list; allowed: {allowed}")]


def _phases(model: ModelSection, training: TrainingSection) -> list[Problem]:
    family = family_of(model)
    if family.two_phases:
        found = []
        if training.callbacks is not None:
            message = "a model of family pretrained is trained in parts, which no callback could follow"
            found.append(problem(("training", "callbacks"), message))
        epochs = epoch_limits(training.epochs)[1]
        if family.becomes_dearer(model) and fewest_frozen(training) >= epochs:
            found.append(problem(("model", "fine_tune"), _all_frozen(epochs)))
        return found
    return [
        problem(("training", key), "has no effect: it needs family pretrained")
        for key in ("frozen_epochs", "fine_tune_rate")
        if getattr(training, key) is not None
    ]


def _all_frozen(epochs: int) -> str:
    return f"has no effect: {'the only epoch is' if epochs == 1 else f'all {epochs} epochs are'} frozen"


def _precision(model: ModelSection, asked: Sequence[Value] | None, path: tuple[str | int, ...]) -> list[Problem]:
    if not family_of(model).float32_only or "bfloat16" not in (asked or ()):
        return []
    return [problem(path, "has no effect: the backbone computes in float32")]


def _monitors(
    model: ModelSection,
    training: TrainingSection,
    search: SearchSection | None,
    path: tuple[str | int, ...],
    rule: Any,
) -> list[Problem]:
    if family_of(model).users_code:
        # The user's function may compile its model with metrics of its own; see `require_directions`.
        return []
    found = []
    if rule is not None and not isinstance(rule, str):
        place = (*path, "early_stopping", "monitor")
        found += _reported(rule.monitor, training, place)
        if not found and search is not None and search.direction_of(rule.monitor) is None:
            found.append(problem(place, undirected(rule.monitor)))
    if path == ("training",):
        for target in training.stop_when:
            found += _reported(target.metric, training, (*path, "stop_when", target.metric))
    return found


def _out_of_reach(model: ModelSection, training: TrainingSection) -> list[Problem]:
    """Targets that no value of their metric reaches, such as an accuracy above 95."""
    found: list[Problem] = []
    # What a function's model reports under the name of a metric may be something else.
    for target in () if family_of(model).users_code else training.stop_when:
        base = target.metric.removeprefix("val_")
        least, most = bounds_of(base) if base in METRICS else (-math.inf, math.inf)
        path = ("training", "stop_when", target.metric)
        if target.above is not None and target.above > most:
            found.append(problem((*path, "above"), f"has no effect: {target.metric} is at most {shown(most)}"))
        if target.below is not None and target.below < least:
            found.append(problem((*path, "below"), f"has no effect: {target.metric} is at least {shown(least)}"))
    return found


def undirected(name: str) -> str:
    """What is wrong with a monitor of which nobody knows which way it improves."""
    return (
        f"the direction of {shown(name)} is not known; monitor another value, or make it the objective: "
        f"search.objective: {{name: {name}, direction: min}} or max"
    )


def _reported(name: str, training: TrainingSection, path: tuple[str | int, ...]) -> list[Problem]:
    if name in training.reported:
        return []
    message = f"{shown(name)} is never computed; allowed: {listed(training.reported)}{_instead(name, training)}"
    return [problem(path, message)]


def _instead(name: str, training: TrainingSection) -> str:
    """What makes a value be computed, or which one may be meant."""
    base = name.removeprefix("val_")
    if base not in METRICS:
        return suggestion(name, training.reported)
    task = task_of("auto", (base,))
    if task == training.task:
        return f"; add {base} to training.metrics"
    if task == "regression":
        return f"; {base} is a measure of regression: set training.loss, such as loss: mse, and metrics: [{base}]"
    return f"; {base} is a measure of classes, and training.loss and metrics are those of regression"


def _output(model: ModelSection, training: TrainingSection) -> list[Problem]:
    if getattr(model, "output", None) != "logits" or training.task != "regression":
        return []
    return [problem(("model", "output"), "has no effect: the loss is one of regression, which has no classes")]


def _said(model: ModelSection) -> dict[str, KeyPath]:
    """What the section says of images and of columns: the settings, each with its place in the file."""
    augmentation = getattr(model, "augmentation", None)
    said: dict[str, KeyPath] = {} if augmentation is None else {**said_of(augmentation)}
    if getattr(model, "embedding", None) is not None:
        said["embedding"] = ("model", "embedding")
    return said


def _mixup(said: Mapping[str, KeyPath], training: TrainingSection) -> list[Problem]:
    if "augmentation_mixup" not in said or training.task != "regression":
        return []
    message = "has no effect: it mixes classes, and the loss is of regression"
    return [problem(said["augmentation_mixup"], message)]


def _augmentation(said: Mapping[str, KeyPath], data: DataSection) -> list[Problem]:
    if data.source_kind not in TABLES:
        return []
    message = f"has no effect: it changes images, and a {data.source_kind} source has none"
    return [problem(path, message) for name, path in said.items() if name in OFF]


def _preparation(model: ModelSection, data: DataSection) -> list[Problem]:
    """What is to be done to rows that the model of a function gets as they are."""
    if not family_of(model).users_code:
        return []
    message = "has no effect: the model of a function gets the rows as they are; its first layers may prepare them"
    said = {
        "preprocessing": data.preprocessing not in ("auto", "none"),
        # Files are brought to one size before they are rows.
        "image_size": data.image_size is not None and data.source_kind not in IMAGE_FILES,
    }
    return [problem(("data", key), message) for key, idle in said.items() if idle]


def _embedding(said: Mapping[str, KeyPath], data: DataSection) -> list[Problem]:
    if "embedding" not in said or has_columns(data.source_kind):
        return []
    message = (
        "has no effect: it is about the categories of a table, and only a csv or parquet source, or a DataFrame from "
        "Python, has any"
    )
    return [problem(said["embedding"], message)]


def _both_ways(model: ModelSection, data: DataSection | None, final: Final) -> list[Problem]:
    if final.tta == "none":
        return []
    if not isinstance(family_of(model), Layered):
        message = "needs a family of layers; a function may average what its own model answers"
        return [problem(("final", "tta"), message)]
    if data is not None and data.source_kind in TABLES:
        message = f"has no effect: it mirrors images, and a {data.source_kind} source has none"
        return [problem(("final", "tta"), message)]
    return []


def _ensemble(
    model: ModelSection, data: DataSection | None, final: Final, kept: KeepCheckpoints | None
) -> list[Problem]:
    path = ("final", "ensemble")
    if final.ensemble == 1:
        return []
    if not isinstance(family_of(model), Layered):
        return [problem(path, "needs a family of layers; a function may average several models itself")]
    if data is not None and data.folds is not None:
        return [problem(path, "has no effect: after a cross-validation there are no rows that no model has seen")]
    if kept is not None and final.ensemble > kept.best:
        message = f"found {final.ensemble}; allowed: at most {kept.best}, as many as keep_checkpoints.best keeps"
        return [problem(path, message)]
    return []


def _all_rows(data: DataSection, final: Final) -> list[Problem]:
    if data.folds is None or final.train_on_validation:
        return []
    message = "has no effect: after a cross-validation the winner is trained on all rows but those of the test"
    return [problem(("final", "train_on_validation"), message)]


def _formats(export: Export) -> list[Problem]:
    if export.formats:
        return []
    return [problem(("export", "formats"), "found an empty list; allowed: at least one value")]


def _callbacks(data: DataSection, training: TrainingSection) -> list[Problem]:
    if training.callbacks is None or data.folds is None:
        return []
    return [problem(("training", "callbacks"), "is not for a training in folds, which is several trainings")]


def _target_scale(data: DataSection, model: ModelSection | None, training: TrainingSection) -> list[Problem]:
    if training.task == "regression" and isinstance(data.target, TargetRule) and data.target.separator is not None:
        return [
            problem(("data", "target", "separator"), "has no effect: the loss is one of regression, without labels")
        ]
    if data.target_scale is None:
        return []
    path = ("data", "target", "scale")
    if training.task != "regression":
        return [problem(path, "has no effect: the loss is one of classification; set training.loss, such as loss: mse")]
    if model is not None and not family_of(model).scales_targets and data.target_scale != "none":
        return [problem(path, f"has no effect: family {model.family_name} learns the targets as they are")]
    return []


def _objective(model: ModelSection, training: TrainingSection, search: SearchSection) -> list[Problem]:
    objective, path = search.objective, ("search", "objective")
    if objective is None:
        return []
    name = reported_name(objective.name if isinstance(objective, ObjectiveRule) else objective)
    own = name in (f"val_{reported_name(metric)}" for metric in training.metrics if is_own(metric))
    if family_of(model).users_code or own:
        if isinstance(objective, str) and direction_of(name) is None:
            message = f"the direction of {shown(name)} is not known; write {{name: {name}, direction: min}} or max"
            return [problem(path, message)]
        return []
    if isinstance(objective, ObjectiveRule):
        return _reported(name, training, (*path, "name"))
    return _reported(name, training, path)


def _baseline(
    model: ModelSection | None,
    training: TrainingSection | None,
    search: SearchSection | None,
    baseline: Baseline,
    path: KeyPath,
) -> list[Problem]:
    if model is None or training is None:
        return []
    _, found = baseline_settings(model, training, baseline, path)
    found += _precision(model, (baseline.values.get("precision", "float32"),), (*path, "values", "precision"))
    return found + _monitors(model, training, search, path, baseline.early_stopping)


def _idle_values(
    model: ModelSection | None,
    training: TrainingSection | None,
    data: DataSection | None,
    baseline: Baseline,
    path: KeyPath,
) -> list[Problem]:
    """Values of a legal baseline that have no effect beside what else the space says."""
    if model is None or training is None:
        return []
    settings, _ = baseline_settings(model, training, baseline, path)
    if settings is None:
        return []
    family = family_of(model)
    # Of a function's hyperparameters nobody knows what they are about, whatever their names.
    own = {} if family.users_code else baseline.asked
    said: dict[str, KeyPath] = {name: (*path, "values", name) for name in own}
    found = _mixup(said, training)
    if training.task == "regression":
        found += [problem((*path, "values", key), NO_CLASSES) for key in OF_CLASSES if key in baseline.asked]
    if data is not None:
        found += _augmentation(said, data) + _embedding(said, data)
    idle = dict(family.without_effect(settings.model))
    phases, epochs = family.phases(settings), settings.training.epochs
    if phases is not None and phases.tuned and phases.frozen >= epochs:
        idle["fine_tune"] = _all_frozen(epochs)
    if family.two_phases:
        # A configuration of the search may stand here with all of its values.
        searched = {name for name in idle if isinstance(getattr(model, name, None), Choice | Range)}
        idle = {name: message for name, message in idle.items() if name not in searched}
    return found + [problem(said[name], message) for name, message in idle.items() if name in said]


def _unique_names(baselines: Sequence[Baseline]) -> list[Problem]:
    names = [baseline.name for baseline in baselines]
    return [
        problem(("baselines", index, "name"), f"{shown(name)} is the name of two baselines")
        for index, name in enumerate(names)
        if name in names[:index]
    ]
