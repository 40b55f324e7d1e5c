"""Whole nights with pretrained networks, as a user has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import backbones

pytestmark = pytest.mark.night
ROOT = Path(__file__).parents[1]


def command(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "run_search.py"), *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def space(tmp_path, tensorflow):
    made = backbones.space(tmp_path, export={"formats": ["keras", "h5", "savedmodel", "tflite"]})
    path = tmp_path / "space.yaml"
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def test_a_night_ends_with_one_whole_network_that_takes_photographs(space, tmp_path):
    run = tmp_path / "run"
    done = command("run", space, "--run-dir", run, "--workers", "0")
    assert done.returncode == 0, done.stderr
    assert not (run / "features").exists()
    described = json.loads((run / "export" / "metadata.json").read_text(encoding="utf-8"))
    assert {file["format"] for file in described["files"]} == {"keras", "h5", "savedmodel", "tflite"}
    assert 0 < described["model"]["frozen_parameters"] < described["model"]["parameters"]
    assert "as they were before this training" in (run / "export" / "model_card.md").read_text(encoding="utf-8")
    rows = tmp_path / "rows.npy"
    np.save(rows, np.load(tmp_path / "photographs.npz")["x_train"][:3])
    predicted = command("predict", run, rows, "--format", "json")
    assert predicted.returncode == 0, predicted.stderr
    assert len(json.loads(predicted.stdout)) == 3


def test_another_file_under_the_backbones_name_is_refused(space, tmp_path):
    run = tmp_path / "run"
    assert command("run", space, "--run-dir", run, "--workers", "0").returncode == 0
    changed = backbones.network()
    changed.get_layer("convolution_0").kernel.assign_add(np.float32(0.1) * np.ones((3, 3, 3, 6), np.float32))
    changed.save(tmp_path / "small.keras")
    for done in (command("resume", run), command("export", run, "--output", tmp_path / "again")):
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
