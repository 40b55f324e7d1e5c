"""Metadata files of strangers: what is damaged in them is named, and nothing of it is used."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results import ResultError
from results.exporting.folder import earlier_bundle, earlier_files
from results.exporting.metadata import read_model_info, widened
from results.exporting.reading.digest import sha256
from results.predicting.predictions import Prediction
from spaces import DataInfo

INFO = DataInfo(
    "tabular", (3,), "float32", "classification", "integer", 2, ("a/b", "größer"), mean=(0.0,) * 3, std=(1.0,) * 3,
    columns=("x", "y"), categories={"y": ("u", "v")},
)  # fmt: skip


def good() -> dict[str, Any]:
    return {
        "format_version": 1,
        "input": INFO.to_json(),
        "output": {"kind": "probabilities", "units": 2, "classes": ["a/b", "größer"]},
        "files": [{"file": "model.keras"}],
    }


def test_a_metadata_file_says_how_to_use_the_model(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps(good()))
    found = read_model_info(tmp_path / "metadata.json")
    assert (found.info, found.output, found.units) == (INFO, "probabilities", 2)


DAMAGE: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda d: d["input"].update(input_shape=[2**30, 2**30]), r"impossible input shape"),
    (lambda d: d["input"].update(input_shape=[True]), r"impossible input shape \(true\)"),
    (lambda d: d["input"].update(input_shape=[3, 3]), r"impossible input shape \(3, 3\) for tabular rows"),
    (lambda d: d["input"].update(input_shape=3), r"impossible input shape 3"),
    (lambda d: d["input"].update(outputs=-1), r"impossible number of outputs -1"),
    (lambda d: d["output"].update(units=1.5), r"impossible number of outputs 1.5"),
    (lambda d: d["input"].update(kind=["image"]), r"unknown kind a list"),
    (lambda d: d["input"].update(kind=[{}]), r"unknown kind a list"),
    (lambda d: d["input"].update(kind={}), r"unknown kind an empty mapping"),
    (lambda d: d["input"].update(target={}), r"not a readable metadata file"),
    (lambda d: d["input"].update(target=[]), r"not a readable metadata file"),
    (lambda d: d["input"].update(target=0), r"not a readable metadata file"),
    (lambda d: d["input"].update(labels={}), r"unknown kind of labels an empty mapping"),
    (lambda d: d["input"].update(scale="x"), r"impossible value of scale 'x'"),
    (lambda d: d["input"].update(white=10**400), r"impossible value of white a number of more than 300 digits"),
    (lambda d: d["input"].update(white=float("nan")), r"NaN is no number in JSON"),
    (lambda d: d["input"].update(mean=["x"]), r"impossible values of mean"),
    (lambda d: d["input"].update(std=[float("inf")]), r"Infinity is no number in JSON"),
    (lambda d: d["input"].update(image_size=[0, 5]), r"impossible image size \(0, 5\)"),
    (lambda d: d["input"].update(resized="yes"), r"impossible value of resized 'yes'"),
    (
        lambda d: d["input"].update(class_names=["a", "b\x1b[2J"]),
        r"the class names hold control characters: 'b\\x1b\[2J'",
    ),
    (lambda d: d["input"].update(class_names=["a", "b\u202e"]), r"the class names hold control characters"),
    (lambda d: d["input"].update(class_names=["a", "a"]), r"the class names are not all different"),
    (lambda d: d["input"].update(columns=["x", 5]), r"the columns are not a list of texts"),
    (lambda d: d["input"].update(categories={"z": ["u"]}), r"the categories are not those of columns"),
    (lambda d: d["input"].update(categories={"y": [5]}), r"the categories are not lists of texts"),
    (lambda d: d["input"].update(written={"separator": ";;", "encoding": "utf-8"}), r"impossible separator ';;'"),
    (lambda d: d["input"].update(written={"separator": 5, "encoding": "utf-8"}), r"impossible separator 5"),
    (lambda d: d["input"].update(written={"separator": ";", "encoding": "zip"}), r"unknown encoding 'zip'"),
    (lambda d: d["input"].update(written={"separator": ";", "encoding": ["x"]}), r"unknown encoding a list"),
    (lambda d: d["input"].update(written={"separator": ";"}), r"not a readable metadata file"),
    (lambda d: d["files"][0].update(file="../../x"), r"names '../../x', which is no file of an export"),
    (lambda d: d["files"][0].update(file={}), r"names an empty mapping, which is no file of an export"),
    (lambda d: d.update(files=7), r"not a readable metadata file"),
    (lambda d: d.update(format_version="\x1b[2J"), r"has format version '\\x1b\[2J', this program reads 1"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE)
def test_damage_is_named(change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path) -> None:
    described = good()
    change(described)
    (tmp_path / "metadata.json").write_text(json.dumps(described))
    with pytest.raises(ResultError, match=f"metadata.json: .*{message}") as caught:
        read_model_info(tmp_path / "metadata.json")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[1]", b'{"a":' * 100_000, b'{"a": "\xe9"}', b"9" * 5000, b" " * (17 * 2**20)]
)
def test_what_is_no_metadata_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_bytes(content)
    with pytest.raises(ResultError, match=r"metadata.json: not a readable metadata file"):
        read_model_info(tmp_path / "metadata.json")
    assert earlier_files(tmp_path, {}, []) == []


def test_a_size_that_is_larger_than_any_number_is_refused(tmp_path: Path) -> None:
    described = good()
    described["input"]["inputs"] = {"pieces": [{"name": "x", "shape": ["huge"], "dtype": "float32"}], "named": True}
    (tmp_path / "metadata.json").write_text(json.dumps(described).replace('"huge"', "1e400"))
    with pytest.raises(ResultError, match=r"metadata.json: not a readable metadata file"):
        read_model_info(tmp_path / "metadata.json")


def test_files_of_the_same_weights_stay_while_the_search_goes_on(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"weights")
    (tmp_path / "serve").mkdir()
    entry = {
        "format": "h5", "file": "model.h5", "bytes": 7, "sha256": sha256(tmp_path / "model.h5"),
        "verification": {"difference": 0.0},
    }  # fmt: skip
    bundle = {
        "folder": "serve", "sha256": sha256(tmp_path / "serve"), "takes": "rows", "outputs": [], "scripts": {},
        "inputs": [], "verification": {"rows": 1},
    }  # fmt: skip
    run = {"trial": "0007", "role": "best so far", "trials": 12}
    before = {**good(), "model": {"weights": "1f"}, "run": run, "files": [entry], "serve": bundle}
    (tmp_path / "metadata.json").write_text(json.dumps(before))
    now = {**before, "run": {**run, "role": "winner", "trials": 13}}
    assert [file["format"] for file in earlier_files(tmp_path, now, ["keras"])] == ["h5"]
    assert earlier_bundle(tmp_path, now) == bundle
    decided = {**now, "output": {**now["output"], "threshold": {"value": 0.3}}}
    assert earlier_files(tmp_path, decided, [])
    assert earlier_bundle(tmp_path, decided) is None, "its scripts decide at one half"
    assert earlier_files(tmp_path, {**now, "model": {"weights": "2e"}}, []) == []
    assert earlier_files(tmp_path, now, ["h5"]) == []


def test_a_pipe_is_no_metadata(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metadata.json")
    with pytest.raises(ResultError, match=r"metadata.json: is not a file but a pipe"):
        read_model_info(tmp_path / "metadata.json")
    assert earlier_files(tmp_path, {}, []) == []


def test_json_for_programs_has_no_bare_nan() -> None:
    values = (float("nan"), 1.0, float("-inf"))
    prediction = Prediction("a.csv", 0, None, None, {}, values, np.zeros(3, np.float32))
    assert prediction.to_json()["values"] == [None, 1.0, None]


def test_a_model_with_outputs_for_more_classes_than_there_are_has_a_name_for_each() -> None:
    info = DataInfo(
        "tabular", (3,), "float32", "classification", "integer", 2, class_names=("3", "8"), label_values=(3, 8)
    )
    wide = widened(info, 10)
    assert (wide.outputs, wide.class_names) == (10, tuple("0123456789"))
    words = dataclasses.replace(info, class_names=("cat", "dog"), label_values=())
    assert widened(words, 4).class_names == ("cat", "dog", "output 2", "output 3")
    assert widened(info, 2) is widened(info, 1) is info
