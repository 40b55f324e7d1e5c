"""`metadata.json`: what an exported model is, takes and returns, so that it can be used without its run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from results.errors import ResultError
from results.exporting.formats import FORMATS
from results.exporting.info import info_problem, is_whole
from results.models import TrainedModel
from results.ranked.finalists import finalists
from results.ranked.formats import finite_only
from search.files.store import RunReader
from search.record.configuration import Configuration, configurations
from search.record.folds import spread, values
from search.record.marks import COUNTED
from search.record.trial import TrialKind
from spaces import DataInfo, Settings
from spaces.basics.files import unreadable
from spaces.basics.printable import writable
from spaces.basics.section import shown
from spaces.data.understood import preparation
from spaces.families import family_of_settings
from spaces.models.outputs import OutputKind, class_outputs, output_kind

if TYPE_CHECKING:
    import keras

    from spaces import SearchSpec

Array = np.ndarray[Any, np.dtype[Any]]

FILE = "metadata.json"
VERSION = 1

_LONGEST = 16 * 2**20


@dataclass(frozen=True)
class ModelInfo:
    """What `metadata.json` says about using the model.

    Attributes:
        info: The rows it takes and the classes it knows.
        output: What it returns: probabilities of the classes, logits (a softmax, or for a single output a sigmoid,
            makes them probabilities), or the values of a regression.
        units: Values per prediction. A single one in classification is about the second of two classes.
        threshold: Probability of the second of two classes from which on a row belongs to it; None: the more
            probable class.
    """

    info: DataInfo
    output: OutputKind
    units: int
    threshold: float | None = None


def read_model_info(file: Path) -> ModelInfo:
    """The part of a metadata file that prediction needs.

    Raises:
        ResultError: It cannot be read, or is not a metadata file of this version.
    """
    try:
        content = read_json(file)
        if content["format_version"] != VERSION:
            found = shown(content["format_version"])
            raise ResultError(f"{file}: has format version {found}, this program reads {VERSION}")
        info = DataInfo.from_json(content["input"])
        output, units = content["output"]["kind"], content["output"]["units"]
        threshold = (content["output"].get("threshold") or {}).get("value")
        files = [entry["file"] for entry in content.get("files", ())]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ResultError(f"{file}: not a readable metadata file ({type(error).__name__}: {error})") from error
    if strange := [name for name in files if name not in [known.file for known in FORMATS.values()]]:
        raise ResultError(f"{file}: names {shown(strange[0])}, which is no file of an export")
    if problem := info_problem(info) or _problem(info, output, units, threshold):
        raise ResultError(f"{file}: {problem}")
    return ModelInfo(info, output, units, threshold)


def read_json(file: Path) -> Any:
    """The content of a metadata file, any JSON.

    Raises:
        ResultError: It is no plain file, or too large for one.
        OSError: It cannot be read.
        ValueError: It is not JSON in UTF-8; JSON knows no NaN.
        RecursionError: It is nested too deeply.
    """
    if (reason := unreadable(file)) is not None:
        raise ResultError(f"{file}: {reason}")
    if file.stat().st_size > _LONGEST:
        raise ResultError(f"{file}: not a readable metadata file (it has more than {_LONGEST // 2**20} MiB)")
    return json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number in JSON")


def describe(
    spec: SearchSpec,
    reader: RunReader,
    chosen: TrainedModel,
    info: DataInfo,
    model: keras.Model,
    answers: Array,
    both_ways: Sequence[bool],
) -> dict[str, Any]:
    """Everything of `metadata.json` but the files.

    Args:
        spec: The space file of the run.
        reader: The run.
        chosen: What is exported.
        info: The run's data.
        model: It in memory, compiled.
        answers: What it gives to the rows that files are verified on, shape (n, outputs).
        both_ways: For each of its members whether it averages over an image and its mirror image.
    """
    from spaces.models.averaged import members
    from spaces.specs.configuring import fixed

    trial, objective = chosen.trial, reader.meta("objective")
    data = reader.meta("data")
    networks = members(model) if chosen.others else [model]
    # What mirrors images is nothing that was learnt.
    turned = [network for network, both in zip(networks, both_ways, strict=True) if both]
    mirrors = [int(network.get_layer("mirror").count_params()) for network in turned]
    family = family_of_settings(trial.settings["family"])
    described: dict[str, Any] = {
        "format_version": VERSION,
        "run": {
            "name": reader.meta("name"),
            "folder": writable(reader.directory.resolve().name),
            "trial": trial.id,
            "configuration": trial.configuration,
            "baseline": trial.name or None,
            "role": chosen.role,
            "trained": str(trial.kind),
            "algorithm": reader.meta("algorithm"),
            "seed": reader.meta("seed"),
            "trials": sum(one.kind == TrialKind.SEARCH for one in reader.marks()),
        },
        "model": {
            "family": trial.settings["family"],
            "parameters": int(model.count_params()) - sum(mirrors),
            "frozen_parameters": sum(
                family.frozen_parameters(Settings.from_json(one.trial.settings), info, one.checkpoint.epoch)
                for one in chosen.members
            ),
            "hyperparameters": dict(trial.values),
            "settings": dict(trial.settings),
            "seed": trial.seed,
            "epochs": chosen.checkpoint.epoch,
            "weights": chosen.checkpoint.digest,
            "tta": _turned(all(both_ways)),
            "ensemble": _ensemble(reader, chosen, both_ways),
        },
        "input": info.to_json(),
        "output": {
            "kind": output_kind(Settings.from_json(trial.settings), info, model, answers),
            "units": answers.shape[1],
            "classes": list(info.class_names),
            "parts": [] if info.targets is None else _parts(model),
            "threshold": reader.meta("threshold") if trial.id == reader.meta("winner") else None,
        },
        "preprocessing": [*preparation(info, own_pixels=family.own_pixels), *_of_tables(info)],
        "data": {key: data.get(key) for key in ("name", "fingerprint", "rows", "understood")},
        "metrics": _metrics(reader, chosen, objective),
        "fixed": fixed(spec, Settings.from_json(trial.settings)),
        "versions": reader.meta("versions"),
    }
    plain: dict[str, Any] = finite_only(described)
    return plain


def widened(info: DataInfo, units: int) -> DataInfo:
    """The description for those who know nothing of the run: a class for each output of the model.

    A function of the user's may make a model with outputs for classes that no row has.
    """
    if info.labels != "integer" or units <= max(2, info.outputs):
        return info
    outputs = class_outputs(info, units)
    numbered = info.class_names == tuple(map(str, outputs))
    names = [str(number) if numbered else f"output {number}" for number in range(units)]
    for number, name in zip(outputs, info.class_names, strict=True):
        names[number] = name
    return replace(info, outputs=units, class_names=tuple(names), label_values=())


def _parts(model: keras.Model) -> list[dict[str, Any]]:
    """The outputs of a model of several, in the order in which their values are laid side by side."""
    outputs = getattr(model, "output", None)
    if isinstance(outputs, Mapping):
        return [{"name": name, "values": math.prod(outputs[name].shape[1:])} for name in sorted(outputs)]
    names = getattr(model, "output_names", [])
    several = outputs if isinstance(outputs, list | tuple) else []
    return [{"name": n, "values": math.prod(o.shape[1:])} for n, o in zip(names, several, strict=False)]


def _of_tables(info: DataInfo) -> list[str]:
    """Who makes rows of a table's columns."""
    if not info.encodings:
        return []
    return [
        "No file takes texts, so that all formats answer alike: a .keras file or a SavedModel could look words up "
        "itself, ONNX and LiteRT cannot.",
        f"The {info.input_shape[0]} values of a row are made of {len(info.columns)} columns, in their order, as the "
        "table below and input.table in metadata.json describe; run-search predict does it for a table with these "
        "columns.",
    ]


def _turned(both_ways: bool) -> str:
    return "flip" if both_ways else "none"


def _ensemble(reader: RunReader, chosen: TrainedModel, both_ways: Sequence[bool]) -> dict[str, Any] | None:
    """The models that answer together, and what that brought on the validation rows; None for one by itself."""
    if not chosen.others:
        return None
    found = reader.meta("ensemble")
    return {
        "members": [
            {
                "trial": one.trial.id,
                "configuration": one.trial.configuration,
                "hyperparameters": dict(one.trial.values),
                "epochs": one.checkpoint.epoch,
                "weights": one.checkpoint.digest,
                "tta": _turned(both),
            }
            for one, both in zip(chosen.members, both_ways, strict=True)
        ],
        **{key: found[key] for key in ("measure", "together", "alone", "rows", "times")},
        "rival": found.get("rival", chosen.trial.configuration),
    }


def _metrics(reader: RunReader, chosen: TrainedModel, objective: Mapping[str, str]) -> dict[str, Any]:
    trial = chosen.trial
    marks = reader.marks()
    again = {one.configuration for one in marks if one.kind not in COUNTED}
    trials = reader.some(one.id for one in marks if one.configuration in {*again, trial.configuration})
    searched = next((c for c in configurations(trials) if c.id == trial.configuration), None)
    fresh = next((f for f in finalists(trials, objective["direction"]) if f.configuration == trial.configuration), None)
    evaluation = next((e for e in reader.evaluations() if e.trial == trial.id), None)
    if not chosen.others and reader.answering_with(trial.id):
        # What was measured is the model that it is a part of.
        evaluation = None
    return {
        "objective": dict(objective),
        "search": None if searched is None or searched.score is None else _searched(searched, objective["name"]),
        "retrained": fresh and {"mean": fresh.mean, "spread": fresh.spread, "seeds": fresh.seeds},
        "final": evaluation
        and {
            "part": evaluation.part,
            "rows": evaluation.rows,
            "metrics": dict(evaluation.metrics),
        },
    }


def check_bundle(found: Any) -> None:
    """Refuses what a metadata file says about a serving bundle unless it has the form that this program writes.

    Raises:
        ValueError: It has not.
    """
    texts = [found["takes"], *found["outputs"], *found["scripts"], *found["scripts"].values()]
    texts += [one[key] for one in found["inputs"] for key in ("name", "type")]
    texts += [one["column"] or "" for one in found["inputs"]]
    if found["takes"] not in ("image", "columns", "rows") or not all(isinstance(text, str) for text in texts):
        raise ValueError("not the description of a serving bundle")
    int(found["verification"]["rows"])


def _searched(configuration: Configuration, objective: str) -> dict[str, Any]:
    found: dict[str, Any] = {"score": configuration.score}
    if folds := values(configuration.epochs, objective):
        found |= {"folds": len(folds), "spread": spread(configuration.epochs, objective)}
    return found


def _problem(info: DataInfo, output: Any, units: Any, threshold: Any) -> str | None:
    """What is wrong with what somebody's file says about the output."""
    if output not in ("probabilities", "logits", "values"):
        return f"unknown kind of output {shown(output)}"
    if not is_whole(units):
        return f"impossible number of outputs {shown(units)}"
    if output != "values" and len(info.class_names) not in (0, max(units, 2)):
        return f"{len(info.class_names)} class names for {units} outputs"
    if threshold is not None:
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 <= threshold <= 1
        if not number or output == "values" or info.labels == "multi-label" or max(units, 2) != 2:
            return f"impossible threshold {shown(threshold)}"
    return None
