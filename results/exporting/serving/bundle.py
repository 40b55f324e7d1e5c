"""Makes the serving bundle of an exported model, and has it checked in a fresh process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import ResultError
from results.exporting import metadata
from results.exporting.formats import FORMATS, SERVE
from results.exporting.serving import scripts
from results.exporting.serving.inputs import served_inputs, takes
from results.exporting.verify import in_fresh_process
from spaces import DataInfo
from spaces.outside.backend import engines_silent

if TYPE_CHECKING:
    import keras

TASK, VERDICT = "serving.json", "served.json"
_UNROUNDED = "unrounded"


def make_bundle(model: keras.Model, info: DataInfo, described: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Writes `serve/` into the working folder beside the model files that are there, and checks all of it.

    Args:
        model: What `inference_model` gave.
        info: The rows it takes.
        described: The content of `metadata.json` so far, with the formats whose files are in the folder.
        folder: The working folder, with the rows that the files were verified on.

    Returns:
        What `metadata.json` says about the bundle, but its size and digest.

    Raises:
        ResultError: It cannot be written, or answers otherwise than the model.
    """
    if info.inputs is not None or info.targets is not None:
        raise ResultError("is written for models of one input and one output only")
    from results.exporting.serving.signature import write_bundle

    output, units = described["output"]["kind"], described["output"]["units"]
    threshold = (described["output"].get("threshold") or {}).get("value")
    place = folder / SERVE.file
    try:
        with engines_silent():
            write_bundle(model, info, output, place, threshold)
    except (Exception, SystemExit) as error:  # TensorFlow raises whatever it likes while it traces a user's model
        reason = " ".join(str(error).split())[:300]
        raise ResultError(f"cannot be written: {type(error).__name__}: {reason}") from error
    formats = [entry["format"] for entry in described["files"] if (folder / entry["file"]).exists()]
    dtype = model.inputs[0].dtype
    texts = {scripts.script_name(name): scripts.script(name, info, output, units, threshold, dtype) for name in formats}
    texts[scripts.SIGNATURE] = scripts.signature_script(info, output, threshold)
    if takes(info) == "columns":
        texts[scripts.TABLE] = json.dumps(scripts.table(info), indent=1, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        (place / name).write_text(text, encoding="utf-8")
    (folder / metadata.FILE).write_text(json.dumps(dict(described)), encoding="utf-8")
    count = _check(formats, _unrounded(model, formats, folder), folder)
    decided = ["labels"] if info.labels == "multi-label" else ["class", "confidence"]
    answers = ["values"] if output == "values" else [*decided, "classes", "probabilities"]
    return {
        "folder": SERVE.file,
        "takes": takes(info),
        "inputs": [{"name": i.name, "type": i.dtype, "column": i.column or None} for i in served_inputs(info)],
        "outputs": answers,
        "scripts": {name: scripts.script_name(name) for name in formats} | {"signature": scripts.SIGNATURE},
        "verification": {"rows": count},
    }


def _unrounded(model: keras.Model, formats: Sequence[str], folder: Path) -> str:
    """Name of a file that answers as the signature has to, whose weights are not rounded; written where there is none.

    Raises:
        ResultError: It cannot be written.
    """
    exact = next((name for name in formats if not FORMATS[name].rounds), None)
    if exact is not None:
        return FORMATS[exact].file
    from results.exporting.writing import write_model

    write_model(model, FORMATS["savedmodel"], folder / _UNROUNDED)
    return _UNROUNDED


def _check(formats: Sequence[str], unrounded: str, folder: Path) -> int:
    """Runs signature and scripts in a fresh process; returns on how many rows.

    Args:
        formats: Those whose scripts are run.
        unrounded: Name of the file that the signature has to agree with.
        folder: The working folder.

    Raises:
        ResultError: One of them gives something else than the model.
    """
    files = {name: FORMATS[name].file for name in formats}
    (folder / TASK).write_text(json.dumps({"files": files, "unrounded": unrounded}), encoding="utf-8")
    ended = in_fresh_process("results.exporting.serving.checking", folder)
    try:
        verdict = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    except OSError:
        raise ResultError(f"its check did not come to its end ({ended})") from None
    if verdict["failures"]:
        raise ResultError("; ".join(f"{name}: {reason}" for name, reason in verdict["failures"].items()))
    return int(verdict["rows"])
