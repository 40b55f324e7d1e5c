"""Exported files: what is in the folder, and that each file predicts what the trained model predicts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
from results import ResultError
from results.errors import UnfitError
from results.exporting import exported as exporting
from results.exporting import folder, writing
from results.exporting.folder import publish, require_ours, workspace
from results.exporting.reading.digest import sha256
from results.models import TrainedModel
from search.errors import RunError
from search.files import layout
from search.files.rundir import open_run
from search.record.trial import Checkpoint
from tests.results.export.conftest import shown_code

PROJECT = Path(__file__).resolve().parents[3]


def metadata_of(folder: Path) -> Any:
    return json.loads((folder / "metadata.json").read_text(encoding="utf-8"))


def copied(digits: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(digits.directory, tmp_path / "run"))


_FLIPPED = """\
name: flipped
data: {source: digits, validation: 0.2, test: 0.2}
model: {family: cnn, blocks: 1, filters: [8, 16], augmentation: {flip: [none, horizontal]}}
training: {epochs: 3}
search: {algorithm: random, max_trials: 3}
final: {tta: flip}
"""


def test_settings_that_lack_a_part_are_refused_by_the_file(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(space=_FLIPPED, configurations=1, baselines=(), winner=False, evaluate=False)
    with open_run(run).read() as reader:
        trial = reader.trials()[0]
    model = TrainedModel(trial, Checkpoint("trials/0000/best.npz", 1, "", 1), "best so far")
    monkeypatch.setattr(exporting, "find_model", lambda *_: model)
    with pytest.raises(RunError, match=r"run\.sqlite disagrees with space\.yaml: trial 0000"):
        results.export(run)


def test_every_format_is_written_and_verified(exported: Any) -> None:
    assert exported.verified
    assert [file.format for file in exported.files] == ["keras", "h5", "savedmodel", "onnx", "tflite"]
    for file in exported.files:
        assert file.path is not None
        assert file.path.exists()
        assert file.difference is not None
        assert file.difference <= (1e-3 if file.format == "tflite" else 1e-4)
        assert file.sha256 == sha256(file.path)
    assert (exported.trial, exported.role, exported.rows) == ("winner-0000", "winner", 64)
    names = {path.name for path in exported.directory.iterdir()}
    assert names == {
        "model.keras", "model.h5", "savedmodel", "model.onnx", "model.tflite", "metadata.json", "model_card.md",
    }  # fmt: skip


def test_metadata_says_what_the_model_is(exported: Any, digits: Any) -> None:
    described = metadata_of(exported.directory)
    assert described["output"] == {
        "kind": "probabilities", "units": 10, "classes": [str(i) for i in range(10)], "threshold": None, "parts": [],
    }  # fmt: skip
    assert described["input"]["input_shape"] == [8, 8]
    assert described["input"]["white"] == 16
    assert described["model"]["hyperparameters"] == {"layers": 1}
    assert described["run"]["role"] == "winner"
    assert described["metrics"]["search"] == {"score": 0.97}
    assert described["metrics"]["retrained"]["mean"] == pytest.approx(0.955)
    assert described["metrics"]["final"]["metrics"] == {"accuracy": digits.accuracy}
    assert described["data"]["fingerprint"] == digits.data.fingerprint
    assert [file["format"] for file in described["files"]] == [file.format for file in exported.files]
    assert described["failed"] == []
    # Folders of the machine that trained it are nobody's business.
    assert "private" not in (exported.directory / "metadata.json").read_text(encoding="utf-8")


def test_the_card_separates_the_score_that_chose_from_those_measured(exported: Any, digits: Any) -> None:
    card = (exported.directory / "model_card.md").read_text(encoding="utf-8")
    assert "In the search: val_accuracy 0.9700" in card
    assert "after being trained again with 2 fresh seeds" in card
    assert "0.9550 ± 0.0071 (standard deviation) over 2 fresh seeds" in card
    assert (
        f"On the test part, 359 rows that nothing was chosen by, measured once: accuracy {digits.accuracy:.4f}" in card
    )
    for name in ("model.keras", "model.h5", "savedmodel", "model.onnx", "model.tflite"):
        assert f'"{name}"' in card


def test_the_code_in_the_card_gives_what_the_model_gives(exported: Any, digits: Any) -> None:
    card = (exported.directory / "model_card.md").read_text(encoding="utf-8")
    given = shown_code(card, exported.directory, digits.data.test.x[:5])
    assert len(given) == len(exported.files)
    for file, answers in zip(exported.files, given, strict=True):
        np.testing.assert_allclose(answers, digits.expected[:5], atol=1e-3, err_msg=file.format)


PLAIN_KERAS = """
import json, sys
import keras, numpy as np
rows = np.load("rows.npy")
answers = {}
for name in ("model.keras", "model.h5"):
    model = keras.saving.load_model(name)
    answers[name] = model.predict(rows, verbose=0).tolist()
    answers[name + " called"] = np.asarray(model(rows.astype("float32"))).tolist()
    assert getattr(model, "optimizer", None) is None
assert not {"spaces", "search", "results"} & set(sys.modules)
json.dump(answers, open("answers.json", "w"))
"""


def test_plain_keras_loads_the_files_without_this_project(exported: Any, digits: Any, tmp_path: Path) -> None:
    for name in ("model.keras", "model.h5"):
        shutil.copy(exported.directory / name, tmp_path)
    np.save(tmp_path / "rows.npy", digits.data.test.x)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-P", "-c", PLAIN_KERAS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert len(answers) == 4
    for answer in answers.values():
        np.testing.assert_allclose(answer, digits.expected, atol=1e-5)


def test_a_file_that_predicts_something_else_is_not_left_there(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(model: Any, path: Path) -> None:
        before = model.get_weights()
        model.set_weights([array + 0.01 for array in before])
        model.save(path)
        model.set_weights(before)

    monkeypatch.setitem(writing._WRITERS, "keras", damaged)
    result = results.export(digits.directory, formats=["keras", "h5"], output=tmp_path / "out")
    assert not result.verified
    wrong, right = result.files
    assert wrong.path is None
    assert wrong.failure is not None
    assert wrong.failure.startswith("predicts something else than the model in memory: difference")
    assert right.failure is None
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.h5", "metadata.json", "model_card.md"}
    described = metadata_of(tmp_path / "out")
    assert described["failed"] == [{"format": "keras", "reason": wrong.failure}]


def test_a_missing_package_fails_its_format_alone(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = writing.importlib.util.find_spec
    monkeypatch.setattr(writing.importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else real(name))
    monkeypatch.setattr(exporting, "verify", accept_all)
    result = results.export(digits.directory, formats=["onnx", "h5"], output=tmp_path / "out")
    assert [file["format"] for file in metadata_of(tmp_path / "out")["files"]] == ["h5"]
    assert result.files[0].failure == (
        'onnx needs tf2onnx, which is not installed; pip install "keras-nightshift[onnx]" brings it'
    )


@pytest.mark.parametrize("asked", [False, True])
def test_a_format_that_cannot_hold_the_model_fails_only_where_it_was_asked_for(
    asked: bool, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(digits.directory, tmp_path / "run"))
    space = run / layout.SPACE
    space.write_text(space.read_text().replace("export: {formats: [keras, h5, savedmodel, onnx, tflite]}", ""))

    def write(model: Any, format: Any, path: Path, calibration: Any) -> None:
        if format.name == "tflite":
            raise UnfitError("holds what nobody knows")
        path.write_text("")

    monkeypatch.setattr(writing, "write_model", write)
    monkeypatch.setattr(exporting, "verify", accept_all)
    result = results.export(run, formats=["keras", "tflite"] if asked else None)
    assert result.verified is not asked
    assert result.unfit == (() if asked else (("tflite", "holds what nobody knows"),))
    assert metadata_of(run / "export")["failed"] == [{"format": "tflite", "reason": "holds what nobody knows"}]


def verdicts(tasks: Any) -> Any:
    return {task.name: exporting.Verdict(0.0, None) for task in tasks}


def accept_all(tasks: Any, *rest: Any) -> Any:
    return verdicts(tasks)


def test_if_all_fail_the_folder_stays_as_it_was(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(exporting, "verify", accept_all)
    results.export(digits.directory, formats=["h5"], output=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refuse = exporting.Verdict(None, "no")
    monkeypatch.setattr(exporting, "verify", lambda tasks, *rest: {task.name: refuse for task in tasks})
    result = results.export(digits.directory, formats=["keras"], output=out)
    assert not result.verified
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("model.keras", None),
        ("savedmodel/weights", '{"format_version": 1, "files": [{"file": "model.h5"}]}'),
        ("serve/app.py", '{"files": [{"file": "serve"}]}'),
        ("model_card.md", None),
        ("metadata.json", None),
    ],
)
def test_files_of_somebody_else_are_neither_overwritten_nor_removed(
    tmp_path: Path, name: str, described: str | None
) -> None:
    if described is not None:
        (tmp_path / "metadata.json").write_text(described)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(ResultError, match=f"{name.split('/')[0]}.*not of an export"):
        require_ours(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_files_of_an_export_are_replaced_also_of_one_that_was_cut_off(tmp_path: Path) -> None:
    files = {"model.h5": "", "serve": "", "notes.txt": "mine", "model_card.md": ""}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    listed = {"format_version": 1, "files": [{"file": "model.h5"}], "serve": {"folder": "serve"}}
    (tmp_path / "metadata.json").write_text(json.dumps(listed))
    require_ours(tmp_path)
    (tmp_path / "metadata.json").unlink()
    (tmp_path / ".making-0").mkdir()
    require_ours(tmp_path)


def test_an_export_that_is_cut_off_while_files_get_their_names_may_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off_at(path: Path) -> None:
        if path.name == "model.onnx":
            raise KeyboardInterrupt

    def cut_off(directory: Path) -> None:
        with workspace(directory) as made:
            for name in ("model.h5", "model.onnx"):
                (made / name).write_bytes(b"weights")
            publish(made, directory, ["model.h5", "model.onnx"], {"metadata.json": "{}"})

    monkeypatch.setattr(folder, "_remove", cut_off_at)
    directory = tmp_path / "export"
    with pytest.raises(KeyboardInterrupt):
        cut_off(directory)
    assert (directory / "model.h5").exists()
    require_ours(directory)
    (directory / "model.h5").unlink()
    with workspace(directory):
        pass
    assert not directory.exists(), "nothing is left but its mark"


def test_a_folder_that_is_there_stays_where_nothing_could_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    for directory in (Path(), tmp_path / "mine"):
        with workspace(directory):
            pass
        assert directory.is_dir()
    with workspace(tmp_path / "made"):
        pass
    assert not (tmp_path / "made").exists()


def test_a_folder_that_cannot_be_deleted_hides_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "rmdir", refused)
    with pytest.raises(ResultError, match="not verified"), workspace(tmp_path / "made"):
        raise ResultError("not verified")
    assert (tmp_path / "made").is_dir()


def test_files_of_the_same_model_stay_and_those_of_another_go(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "verify", accept_all)
    out = tmp_path / "out"
    results.export(digits.directory, formats=["keras"], output=out)
    results.export(digits.directory, formats=["h5"], output=out)
    assert [file["format"] for file in metadata_of(out)["files"]] == ["h5", "keras"]
    assert (out / "model.keras").exists()
    (out / "model.keras").write_bytes(b"changed by hand")
    results.export(digits.directory, formats=["h5"], output=out)
    assert [file["format"] for file in metadata_of(out)["files"]] == ["h5"]
    assert not (out / "model.keras").exists()
    results.export(digits.directory, "plain", formats=["keras"], output=out)
    described = metadata_of(out)
    assert described["run"]["baseline"] == "plain"
    assert [file["format"] for file in described["files"]] == ["keras"]
    assert not (out / "model.h5").exists()
    assert "baseline named in the space file" in (out / "model_card.md").read_text(encoding="utf-8")


def test_an_interrupted_export_leaves_nothing_unverified(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        results.export(digits.directory, formats=["keras"], output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_remains_of_a_killed_export_are_removed(digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left_over = tmp_path / "out" / f".making-{killed.pid}"
    left_over.mkdir(parents=True)
    (left_over / "model.keras").write_text("half")
    monkeypatch.setattr(exporting, "verify", accept_all)
    results.export(digits.directory, formats=["keras"], output=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.keras", "metadata.json", "model_card.md"}


def test_by_default_the_formats_of_the_space_go_into_the_run(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(digits, tmp_path)
    space = run / layout.SPACE
    space.write_text(space.read_text().replace("[keras, h5, savedmodel, onnx, tflite]", "[h5]"))
    monkeypatch.setattr(exporting, "verify", accept_all)
    result = results.export(run)
    assert result.directory == run / "export"
    assert [file.path for file in result.files] == [run / "export" / "model.h5"]


def test_each_format_is_written_without_the_others(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tf2onnx")
    monkeypatch.setattr(exporting, "verify", accept_all)
    for name in ("onnx", " savedmodel", "tflite"):
        result = results.export(digits.directory, formats=[name], output=tmp_path / "out" / name)
        assert [file.failure for file in result.files] == [None]


def test_without_kept_rows_random_ones_are_compared(
    digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(digits, tmp_path)
    (run / layout.TEST_ROWS).unlink()
    seen: list[Any] = []
    monkeypatch.setattr(exporting, "verify", lambda tasks, rows, *rest: seen.append(rows) or verdicts(tasks))
    results.export(run, formats=["h5"])
    assert seen[0].shape == (64, 8, 8)
    assert seen[0].dtype == np.uint8
    assert 10 < seen[0].max() <= 16
    assert metadata_of(run / "export")["verification"]["source"].startswith("random rows")


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        (["keras", "pickle"], "unknown export format 'pickle'; known are keras, h5, savedmodel, onnx, tflite"),
        ([], "no export format given"),
    ],
)
def test_unknown_formats_are_refused(digits: Any, formats: list[str], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        results.export(digits.directory, formats=formats)


def test_a_folder_that_cannot_be_made_is_named(digits: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file/out: cannot be written"):
        results.export(digits.directory, formats=["h5"], output=tmp_path / "file" / "out")


def test_damaged_rows_are_named(digits: Any, tmp_path: Path) -> None:
    run = copied(digits, tmp_path)
    (run / layout.TEST_ROWS).write_bytes(b"torn")
    with pytest.raises(ResultError, match=r"rows\.npz: damaged"):
        results.export(run, formats=["h5"])
    np.savez(run / layout.TEST_ROWS, x=np.array(["a", "b"]))
    with pytest.raises(ResultError, match=r"rows\.npz: holds values of type <U1; numbers are expected"):
        results.export(run, formats=["h5"])


def test_importing_the_package_needs_no_tensorflow() -> None:
    code = "import sys, results.exporting.verify; print({'tensorflow', 'keras', 'pydantic'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
