"""Whole nights with pretrained networks, as a user has them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests import backbones

pytestmark = pytest.mark.night
ROOT = Path(__file__).parents[1]
FORMATS = ["keras", "h5", "savedmodel", *(["onnx"] if find_spec("tf2onnx") else []), "tflite"]


def command(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "run_search.py"), *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def space(tmp_path, tensorflow):
    made = backbones.space(tmp_path, export={"formats": FORMATS})
    path = tmp_path / "space.yaml"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def test_a_night_ends_with_one_whole_network_that_takes_photographs(space, tmp_path):
    run = tmp_path / "run"
    done = command("run", space, "--run-dir", run, "--workers", "0")
    assert done.returncode == 0, done.stderr
    assert not (run / "features").exists()
    described = json.loads((run / "export" / "metadata.json").read_text(encoding="utf-8"))
    assert {file["format"] for file in described["files"]} == set(FORMATS)
    assert 0 < described["model"]["frozen_parameters"] < described["model"]["parameters"]
    assert "as they were before this training" in (run / "export" / "model_card.md").read_text(encoding="utf-8")
    table = command("table", run, "--format", "json")
    (first, *_) = [row for row in json.loads(table.stdout) if row["rank"] == 1]
    assert 0 < first["frozen_parameters"] < first["parameters"]
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert "of them trained" in page
    assert "features of frozen networks" in page
    rows = tmp_path / "rows.npy"
    np.save(rows, np.load(tmp_path / "photographs.npz")["x_train"][:3])
    predicted = command("predict", run, rows, "--format", "json")
    assert predicted.returncode == 0, predicted.stderr
    assert len(json.loads(predicted.stdout)) == 3


def scores(run):
    table = command("table", run, "--format", "json")
    return {row["name"]: (row["score"], row["epochs"]) for row in json.loads(table.stdout)}


def test_workers_share_the_features_and_a_configuration_of_both_phases_is_reproduced(space, tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert command("run", space, "--run-dir", alone, "--workers", "0").returncode == 0
    done = command("run", space, "--run-dir", shared, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert scores(shared) == scores(alone)
    for name, (score, epochs) in scores(alone).items():
        assert epochs == 4
        again = command("reproduce", alone, name, "--format", "json")
        assert again.returncode == 0, again.stderr
        found = json.loads(again.stdout)
        assert (found["recorded_score"], found["score"], found["difference"]) == (score, score, 0.0)


def test_a_network_without_weights_is_trained_from_scratch(space, tmp_path):
    run = tmp_path / "run"
    options = ("--set", "model.weights=none", "--run-dir", run, "--workers", "0")
    done = command("run", space, *options)
    assert done.returncode == 0, done.stderr
    assert "model.fine_tune is passed over: it has no effect: it needs weights other than none" in done.stderr
    described = json.loads((run / "export" / "metadata.json").read_text(encoding="utf-8"))
    assert described["model"]["frozen_parameters"] == 0
    assert not (run / "features").exists()


def test_three_heads_answer_together(space, tmp_path):
    run = tmp_path / "run"
    options = ("--set", "final.ensemble=3", "--set", "search.max_trials=4", "--run-dir", run, "--workers", "0")
    done = command("run", space, "--set", "model.dense_units=[4, 8]", *options)
    assert done.returncode == 0, done.stderr
    assert "3 models together: accuracy" in done.stderr


def test_another_file_under_the_backbones_name_is_refused(space, tmp_path):
    run = tmp_path / "run"
    assert command("run", space, "--run-dir", run, "--workers", "0").returncode == 0
    row = next(iter(scores(run)))
    changed = backbones.network()
    changed.get_layer("convolution_0").kernel.assign_add(np.float32(0.1) * np.ones((3, 3, 3, 6), np.float32))
    changed.save(tmp_path / "small.keras")
    commands = (("resume", run), ("export", run, "--output", tmp_path / "again"), ("reproduce", run, row))
    for done in (command(*one) for one in commands):
        assert done.returncode == 2
        assert "is not the file that this run began with" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["check", "run"])
def test_a_backbone_that_cannot_be_used_is_told_before_the_night(space, tmp_path, what):
    (tmp_path / "small.keras").write_text("no network", encoding="utf-8")
    where = ("--run-dir", tmp_path / "run") if what == "run" else ()
    done = command(what, space, *where)
    assert done.returncode == 2
    assert "small.keras: is no Keras model: it is no zip archive" in done.stderr
    assert not (tmp_path / "run").exists()


@backbones.needs_efficientnet
def test_the_real_backbone_can_be_cut_and_keeps_its_numbers(tensorflow):
    from keras import Model

    from spaces.backbones import cutting, loading

    backbone = loading.load(str(backbones.EFFICIENTNET), "imagenet", (64, 64))
    cut = cutting.best_cut(backbone, 0.25, 10**6)
    rows = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype(np.float32)
    through = Model(cut.tensor, backbone.output)(Model(backbone.input, cut.tensor)(rows))
    np.testing.assert_allclose(through, backbone(rows), atol=1e-4)
    assert backbone.count_params() == 3_413_024
