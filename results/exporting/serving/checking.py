"""The process that checks a serving bundle: its signature and its scripts are asked, and must say what the model says.

It is started with the working folder of an export as its argument, and writes its verdict there.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from results.exporting import metadata
from results.exporting.formats import SERVE
from results.exporting.metadata import ModelInfo
from results.exporting.reading.answers import probabilities, units
from results.exporting.reading.loading import load
from results.exporting.serving import scripts
from results.exporting.serving.samples import Samples, make_samples
from results.exporting.verify import largest_difference

Array = np.ndarray[Any, np.dtype[Any]]

_TOLERANCE = 0.02
"""Largest difference of a probability, or of a value as a multiple of max(unit, |value|): other libraries decode,
resize and add up in their own order."""


def main(folder: Path) -> None:
    """Writes why signature or scripts do not count, by their names, and on how many rows they were asked."""
    from results.exporting.serving.bundle import TASK, VERDICT

    known = metadata.read_model_info(folder / metadata.FILE)
    with np.load(folder / "rows.npz", allow_pickle=False) as stored:
        rows = stored["rows"]
    made = make_samples(folder / "samples", rows, known.info)
    task = json.loads((folder / TASK).read_text(encoding="utf-8"))
    files: Mapping[str, str] = task["files"]
    wanted = {
        file: _told(load(folder / file).predict(made.rows), known) for file in {*files.values(), task["unrounded"]}
    }
    asked = {scripts.script_name(format): file for format, file in files.items()}
    failures: dict[str, str] = {}
    for name, file in {**asked, scripts.SIGNATURE: task["unrounded"]}.items():
        with _reported(name, failures):
            _compare(_ask(folder / SERVE.file / name, made, known), wanted[file], known)
    (folder / VERDICT).write_text(json.dumps({"failures": failures, "rows": len(made.rows)}), encoding="utf-8")


@contextlib.contextmanager
def _reported(name: str, failures: dict[str, str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a script runs somebody's model in some engine
        failures[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _ask(script: Path, made: Samples, known: ModelInfo) -> Array:
    """The answers that a script prints, shape (n, outputs)."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = [str(script), *map(str, made.files)]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv = before
    lines = [json.loads(line) for line in printed.getvalue().splitlines()]
    for line in lines:
        if "class" in line and line["class"] != _chosen(line["probabilities"], known.threshold):
            raise ValueError(f"names {line['class']!r}, which its probabilities do not say")
    return np.array([line["values"] if "values" in line else list(line["probabilities"].values()) for line in lines])


def _chosen(shares: Mapping[str, float], threshold: float | None) -> str:
    names = list(shares)
    return max(names, key=shares.__getitem__) if threshold is None else names[int(shares[names[1]] >= threshold)]


def _told(answers: Array, known: ModelInfo) -> Array:
    if known.output == "values":
        return answers
    return probabilities(answers, known.output, independent=known.info.labels == "multi-label")


def _compare(found: Array, wanted: Array, known: ModelInfo) -> None:
    if found.shape != wanted.shape:
        raise ValueError(f"answers of shape {found.shape} where the model gives {wanted.shape}")
    difference = largest_difference(found, wanted, units(known.info) if known.output == "values" else (1.0,))
    if not difference <= _TOLERANCE:
        raise ValueError(f"answers something else than the model: difference {difference:.3g}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
