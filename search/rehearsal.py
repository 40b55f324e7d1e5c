"""`check`: what a search would do, found out before the night: data loaded, models built and counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import spaces
from search.oracles import PlannedTrials, planned_trials
from search.training import memory
from search.training.failures import classify
from spaces import Dataset, SearchSpec, Settings
from spaces.backend import load_tensorflow

_SAMPLES = 5
_BYTES = 4
# Weights and the optimizer's slots in a checkpoint to continue from, and the best weights beside it.
_CHECKPOINT_COPIES = 4


@dataclass(frozen=True)
class CheckedModel:
    """A configuration that was built.

    Attributes:
        name: `smallest`, `largest`, `sample 1`, ..., or `baseline <name>`.
        values: Its hyperparameter values.
        parameters: Of the model, trainable or not; None if it cannot be built.
        problem: Why it would not be trained, or None.
    """

    name: str
    values: Mapping[str, Any]
    parameters: int | None
    problem: str | None


@dataclass(frozen=True)
class Rehearsal:
    """What `check` found out.

    Attributes:
        space: Name of the space.
        data: The data set's name, origin and rows.
        models: The models that were built.
        configurations: Size of the space; None where a continuous range makes it infinite.
        planned: Trainings of the search, if nothing fails.
        trials: Their number; None if only time ends the search.
        epochs: Their epochs together, without early stopping; None as `trials`.
        memory_bytes: For the parameters of the largest model, with gradients and optimizer.
        disk_bytes: For the checkpoints that are kept and one that is being continued.
        imports: References to Python code that the space file runs, with the file of each.
    """

    space: str
    data: Mapping[str, Any]
    models: tuple[CheckedModel, ...]
    configurations: int | None
    planned: tuple[PlannedTrials, ...]
    trials: int | None
    epochs: int | None
    memory_bytes: int
    disk_bytes: int
    imports: tuple[tuple[str, str], ...] = field(default=())

    @property
    def fails(self) -> bool:
        """Whether the search would fail: a baseline, the smallest model or all the samples cannot be trained."""
        samples = [model for model in self.models if not model.name.startswith("baseline ") and model.name != "largest"]
        required = [m for m in self.models if m.name.startswith("baseline ")]
        return any(m.problem for m in required) or all(m.problem for m in samples)

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {
            "space": self.space,
            "data": dict(self.data),
            "models": [{**vars(model), "values": dict(model.values)} for model in self.models],
            "configurations": self.configurations,
            "planned": [vars(group) for group in self.planned],
            "trials": self.trials,
            "epochs": self.epochs,
            "memory_bytes": self.memory_bytes,
            "disk_bytes": self.disk_bytes,
            "imports": [{"reference": reference, "file": file} for reference, file in self.imports],
            "ok": not self.fails,
        }


def rehearse(spec: SearchSpec) -> Rehearsal:
    """Loads the data and builds the smallest, the largest, some sampled configurations and every baseline.

    Raises:
        DataError: The data cannot be used.
    """
    load_tensorflow()
    data = spaces.load_data(spec)
    smallest, largest = spaces.extremes(spec)
    wanted = [("smallest", smallest), ("largest", largest)]
    wanted += [(f"sample {i}", values) for i, values in enumerate(spaces.sample(spec, spec.search.seed, _SAMPLES), 1)]
    models = [_checked(spec, data, name, values, spaces.configure(spec, values)) for name, values in wanted]
    for baseline in spec.baselines:
        settings = spaces.configure_baseline(spec, baseline)
        models.append(_checked(spec, data, f"baseline {baseline.name}", settings.values, settings))
    configurations = spaces.size(spec)
    planned = planned_trials(
        spec.search.algorithm,
        min_epochs=spec.min_epochs,
        max_epochs=spec.max_epochs,
        max_trials=spec.search.max_trials,
        configurations=configurations,
    )
    biggest = max((m.parameters for m in models if m.parameters is not None and not m.problem), default=0)
    bounded = all(group.count is not None for group in planned)
    return Rehearsal(
        space=spec.name,
        data={"name": data.name, "origin": data.origin, "rows": _rows(data)},
        models=tuple(models),
        configurations=configurations,
        planned=tuple(planned),
        trials=sum(group.count or 0 for group in planned) if bounded else None,
        epochs=sum((g.count or 0) * (g.epochs_to - g.epochs_from) for g in planned) if bounded else None,
        memory_bytes=memory.needed(biggest),
        disk_bytes=biggest * _BYTES * (_CHECKPOINT_COPIES + spec.keep_checkpoints.best),
        imports=tuple(spaces.imports(spec)),
    )


def _rows(data: Dataset) -> dict[str, int]:
    return {
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test) if data.test is not None else 0,
    }


def _checked(spec: SearchSpec, data: Dataset, name: str, values: Mapping[str, Any], settings: Settings) -> CheckedModel:
    try:
        parameters = spaces.count_parameters(settings, data.info)
    except Exception as error:
        return CheckedModel(name, dict(values), None, classify(error).message)
    limit = spec.constraints.parameters
    oversized = limit is not None and parameters > limit and not name.startswith("baseline ")
    problem = f"over the limit of {limit} parameters: never trained" if oversized else None
    return CheckedModel(name, dict(values), parameters, problem)
