"""What `search.run` and `search.resume` are asked for in Python, as a space: of a function, arrays and a few words."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import spaces
from search.errors import RunError
from search.files import layout
from search.files.rundir import Run
from search.record.difference import as_made
from search.training import threads
from spaces import SearchSpec
from spaces.families import family_of
from spaces.outside import given
from spaces.outside.references import take_anew
from spaces.reading.overrides import Overrides, apply_overrides, as_texts, path_of
from spaces.reading.yamlfile import Document
from spaces.sections.data_section import DataSection, Source
from spaces.specs.objects import Known, builder_in, copied, is_builder, with_references
from spaces.specs.plain import to_plain
from spaces.values.metrics import CLASSIFICATION_METRICS, METRICS, REGRESSION_METRICS, USUAL, task_of

# The shortest and the longest training of a function that comes without a space.
_EPOCHS = {"min": 3, "max": 27}
_ROWS_LOOKED_AT = 10_000


def as_spec(
    space: Any,
    *,
    data: Any = None,
    objective: Any = None,
    callbacks: Any = None,
    overrides: Overrides = (),
    max_trials: int | None = None,
    seed: int | None = None,
    directory: str | Path | None = None,
    begun: bool = False,
) -> SearchSpec:
    """The space that is meant; the arguments are those of `search.run`.

    Args:
        directory: A run directory that may exist: what it was given once keeps its names when it is given again.
        begun: Whether the run in that directory goes on: what nobody has said is then what it is there.

    Raises:
        TypeError: It is neither a space nor a function, or a function comes without data.
        SpaceError: The space is not valid.
        CodeError: The function cannot be used.
    """
    take_anew()
    if isinstance(space, SearchSpec):
        space = _with_known_data(space, directory, begun=begun)
    ready = isinstance(space, SearchSpec | str | os.PathLike) and data is None and callbacks is None
    known = Known() if ready else _known(directory)
    if is_builder(space):
        plain: dict[str, Any] = {"name": _name(space), "model": space, "training": {"epochs": dict(_EPOCHS)}}
        if data is None:
            raise TypeError("a function that builds models needs data, such as data=(x, y)")
    elif isinstance(space, SearchSpec | str | os.PathLike | Mapping):
        if ready and objective is None:
            return spaces.load(space, as_overrides(overrides, max_trials, seed), begun=begun)
        plain = dict(space) if isinstance(space, Mapping) else to_plain(spaces.load(space, begun=begun), asked=True)
    else:
        raise TypeError(
            "the first argument must be a function build(hp), a shipped space's name, the path of a space file, a "
            f"SearchSpec or a mapping; received {space!r}"
        )
    if data is not None:
        plain["data"] = {"source": data} if isinstance(data, str | os.PathLike) else data
    if callbacks is not None:
        plain["training"] = _with(plain, "training", callbacks=callbacks)
    plain = with_references(plain, known)
    frozen = Run(Path(directory)).spec.training if begun and directory is not None else None
    changed_to = as_overrides(overrides, max_trials, seed)
    if is_builder(space):
        task = (
            _task(plain, objective, changed_to)
            if frozen is None
            else {"loss": frozen.loss, "metrics": list(frozen.metrics)}
        )
        plain["training"] = {**plain["training"], **task}
    if objective is not None:
        decides = _objective(objective)
        plain["search"] = _with(plain, "search", objective=decides)
        training = to_plain(plain.get("training"), asked=True)
        if isinstance(training, Mapping):
            joined = _measured(training, decides)
            # In earlier versions fewer objectives joined the metrics.
            if frozen is None or list(frozen.metrics) == joined.get("metrics"):
                plain["training"] = joined
    return spaces.load(plain, changed_to, begun=begun)


def goes_on(directory: str | Path | None, fork: str | Path | None) -> bool:
    """Whether a run in this directory goes on, rather than that a new one begins; the arguments are those of `run`."""
    return fork is None and directory is not None and layout.is_run(Path(directory))


def as_begun(spec: SearchSpec, directory: str | Path) -> SearchSpec:
    """The space with which a run goes on: what was left to the machine stays what it was on that which began it."""
    run = Run(Path(directory))
    with run.read() as reader:
        recorded = reader.meta("asked", {})
    return as_made(spec, run.spec, recorded)


def changed(space: Any, directory: str | Path | None) -> tuple[str, ...]:
    """What somebody should know of a function that is given for a run that has begun already, a sentence each."""
    model = builder_in(space.get("model") if isinstance(space, Mapping) else space)
    if model is None or (recorded := _known(directory).model) is None:
        return ()
    return tuple(_changed(given.keep_function(model), recorded))


def given_again(run: Run, model: Any, data: Any, callbacks: Any) -> tuple[str, ...]:
    """Takes what a run was given in another process, under the names that the run has for it.

    Returns:
        What somebody should know of it, a sentence each.

    Raises:
        TypeError: The run was given no such thing, model or callbacks are no function, or data only name some.
        RunError: It is given something else than it needs.
    """
    take_anew()
    if model is None and data is None and callbacks is None:
        return ()
    notes: list[str] = []
    known = _known(run.directory)
    asked = (("model", model, known.model), ("data", data, known.data), ("callbacks", callbacks, known.callbacks))
    for what, value, name in asked:
        if value is not None and name is None:
            raise TypeError(f"{run.directory}: its {what} stands in its space.yaml and is not given again")
    # Each training would fail with what is neither.
    if model is not None and not is_builder(model):
        raise TypeError(f"model must be the function build(hp), or the HyperModel, of the run; received {model!r}")
    if callbacks is not None and not callable(callbacks):
        raise TypeError(f"callbacks must be a function that gives them, such as lambda: [...]; received {callbacks!r}")
    if model is not None and known.model is not None:
        notes += _changed(given.keep_function(model), known.model)
        given.keep_function(model, known.model)
    if data is not None:
        section = with_references({"data": data}, known)["data"]
        source = section.get("source") if isinstance(section, Mapping) else None
        if not isinstance(source, Mapping) or source.get("python") != known.data:
            raise TypeError(f"data must be what the run was given, such as data=(x, y); received {data!r}")
    if callbacks is not None:
        given.keep_function(callbacks, known.callbacks)
    return tuple(notes)


def require_given(spec: SearchSpec, directory: Path) -> None:
    """Refuses a space whose function or data were given in another process and are not given now.

    Args:
        spec: The space.
        directory: The run directory, of a run that goes on or a new one.

    Raises:
        RunError: Says what is missing and how it is given.
    """
    known = references(spec)
    missing = {
        argument: given.spoken(name)
        for argument, name in (
            ("build", known.model),
            ("data=...", known.data),
            ("callbacks=...", known.callbacks),
        )
        if name is not None and not given.is_there(name)
    }
    if missing:
        were = f"{' and '.join(missing.values())} {'were' if len(missing) > 1 else 'was'} given from Python"
        if not layout.is_run(directory):
            raise RunError(
                f"space {spec.name}: {were}, in another process: a new search needs the function and the data "
                "themselves, nightshift.run(build, data=(x, y))"
            )
        raise RunError(
            f"{directory}: {were}; there the run goes on: nightshift.resume({str(directory)!r}, {', '.join(missing)})"
        )


def references(spec: SearchSpec) -> Known:
    """The references of a space that stand for objects."""
    source = spec.data.source
    data = source.python if isinstance(source, Source) else None
    model = family_of(spec.model).code(spec.family)
    names = (model, data, spec.training.callbacks)
    return Known(*(name if name is not None and given.is_given(name) else None for name in names))


def _known(directory: str | Path | None) -> Known:
    if directory is None or not layout.is_run(Path(directory)):
        return Known()
    return references(Run(Path(directory)).spec)


def _with_known_data(spec: SearchSpec, directory: str | Path | None, *, begun: bool) -> SearchSpec:
    """A space whose data were given to it when it was made: in a run that was given data they have the name of its own.

    The name that they have by themselves is another one each time that they are given.
    """
    name = references(spec).data
    if name is None or not given.is_there(name) or (known := _known(directory).data) in (None, name):
        return spec
    given.keep_data(given.find(name), known)
    return spaces.load(spec, f"data.source.python={known}", begun=begun)


def _changed(now: str, recorded: str) -> list[str]:
    if now.rpartition("_")[2] == recorded.rpartition("_")[2]:
        return []
    return [f"{given.spoken(recorded)} is not the function that the run began with: numbers may differ"]


def _with(plain: Mapping[str, Any], name: str, **more: Any) -> Any:
    """A section of a space and what is given besides; what is no section stays, for validation to refuse."""
    there = plain.get(name, {})
    if there is None and not SearchSpec.model_fields[name].is_required():
        there = {}
    section = to_plain(there, asked=True)
    return {**section, **more} if isinstance(section, Mapping) else section


def _name(function: Any) -> str:
    return "-".join(part for part in given.name_of(function).lower().split("_") if part) or "model"


def _task(plain: Mapping[str, Any], objective: Any, changed_to: Sequence[str]) -> dict[str, Any]:
    """Loss and metrics of a space that says nothing of them, from the function, the labels and the objective."""
    from spaces.families.functions.user_model import loss_of_function

    name = plain["model"]["family"]["python"]
    with warnings.catch_warnings():
        # Before the first model is built; where TensorFlow has begun already, the session says what that means.
        warnings.simplefilter("ignore")
        threads.configure(threads.for_family(f"python:{name}"))
    said = _section(plain, changed_to, "training").get("loss", "auto")
    loss, metric = loss_of_function(name), _metric(objective)
    if said != "auto":
        loss = str(said)
    elif loss is None or metric in CLASSIFICATION_METRICS:
        # What decides is a measure of classes, which may be learnt with a loss of regression.
        labels = _first_labels(_section(plain, changed_to, "data"))
        loss = (loss or "mse") if _fractions(labels) else "binary_crossentropy" if _several(labels) else None
    usual = USUAL["regression" if metric in REGRESSION_METRICS else task_of(loss or "auto", None)]
    return {"metrics": [usual], **({"loss": loss} if loss is not None else {})}


def _metric(objective: Any) -> str:
    """What an objective measures, on whichever rows."""
    asked = _objective(objective)
    return str(asked.get("name") if isinstance(asked, Mapping) else asked).removeprefix("val_")


def _measured(training: Mapping[str, Any], objective: Any) -> Mapping[str, Any]:
    """A space's training section with the objective among its metrics, where that is one of its task by name."""
    metric = _metric(objective)
    loss = str(training.get("loss", "auto"))
    metrics = training.get("metrics") or [USUAL[task_of(loss, None)]]
    # Validation says what is wrong with metrics that are no list of words.
    if metric not in METRICS or not isinstance(metrics, list | tuple) or not all(isinstance(m, str) for m in metrics):
        return training
    fits = task_of("auto", (metric,)) == task_of(loss, tuple(metrics))
    return {**training, "metrics": [*metrics, metric]} if fits and metric not in metrics else training


def _section(plain: Mapping[str, Any], changed_to: Sequence[str], name: str) -> Mapping[str, Any]:
    """A section of a space beside what changes it; empty where it is none."""
    document = Document({name: copied(plain[name])})
    apply_overrides(document, [change for change in changed_to if path_of(change)[0] == name])
    section = document.data[name]
    return section if isinstance(section, Mapping) else {}


def _predicted(data: Mapping[str, Any], names: list[str]) -> Sequence[str]:
    """The columns of a table that are predicted; the last one where the section `data` is not legal."""
    from spaces.data.load import table_options
    from spaces.data.tables.loading import targets_of

    try:
        return targets_of(table_options(DataSection.model_validate(data)), names)
    except ValidationError:
        # Validation of the whole space says what is wrong.
        return names[-1:]


def _first_labels(data: Mapping[str, Any]) -> Any:
    """The first labels of the training rows; None where none are at hand. `data` is the section of the space."""
    import numpy as np

    from spaces.data.readers.objects import Held, readable
    from spaces.values.packing import is_structure

    source = data.get("source")
    name = str(source.get("python", "")) if isinstance(source, Mapping) else ""
    held = given.find(name) if given.is_given(name) else None
    labels = held.labels(partial(_predicted, data)) if isinstance(held, Held) else None
    if labels is None or isinstance(labels, Mapping) or is_structure(labels):
        return None
    with readable(given.spoken(name)):
        some = labels[:_ROWS_LOOKED_AT]
        try:
            return np.asarray(some)
        except ValueError:
            # Lists of different lengths, say: whoever reads them says what is wrong.
            return None


def _fractions(labels: Any) -> bool:
    """Whether labels are numbers that can be no classes."""
    return labels is not None and labels.dtype.kind == "f" and bool((labels != labels.round()).any())


def _several(labels: Any) -> bool:
    """Whether labels are rows of 0 and 1 with any number of 1, so that each column is a label by itself."""
    if labels is None or labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return False
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) != 1).any())


def _objective(objective: Any) -> Any:
    """As a space file says it; Keras Tuner's own `Objective` has a name and a direction."""
    if isinstance(objective, str | Mapping) or objective is None:
        return objective
    if isinstance(objective, tuple) and len(objective) == 2:
        return {"name": objective[0], "direction": objective[1]}
    # Keras Tuner makes a `MultiObjective` of a list.
    listed = getattr(objective, "objectives", objective)
    if isinstance(listed, list) and len(listed) == 1:
        return _objective(listed[0])
    if isinstance(listed, list):
        raise TypeError(
            f"objective: found a list of {len(listed)}; one decides which configuration is better, such as "
            "'val_accuracy' or keras_tuner.Objective. All other metrics are in the table too, and what weighs several "
            "is a metric of your own"
        )
    name, direction = getattr(objective, "name", None), getattr(objective, "direction", None)
    if name is None or direction is None:
        raise TypeError(
            f"objective must be a name such as 'val_accuracy', or keras_tuner.Objective; received {objective!r}"
        )
    return {"name": name, "direction": direction}


def as_overrides(overrides: Overrides, max_trials: int | None, seed: int | None = None) -> list[str]:
    """What changes a space, `dotted.key=value` each."""
    changes = as_texts(overrides)
    changes += [f"search.max_trials={max_trials}"] if max_trials is not None else []
    return changes + ([f"search.seed={seed}"] if seed is not None else [])
