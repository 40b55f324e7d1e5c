"""Every layer that a space file can ask for predicts the same in every format."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import results
import spaces
from search.record.trial import TrialKind

NETWORKS: dict[str, dict[str, Any]] = {
    "residual, strides, squeeze and excitation, normalized, gelu": {
        "family": "cnn", "stem": {"filters": 6, "stride": 2}, "block": "residual", "blocks": 2, "filters": 8,
        "convolutions": 3, "downsampling": "stride", "squeeze_excitation": True, "batch_normalization": True,
        "activation": "gelu", "global_pooling": "average",
    },
    "separable, pooled, silu": {
        "family": "cnn", "block": "separable", "blocks": 2, "filters": 8, "convolutions": 2, "padding": "same",
        "squeeze_excitation": True, "activation": "silu", "global_pooling": "max",
    },
    "residual rows, gelu": {
        "family": "mlp", "layers": 2, "units": {"shared": 8}, "block": "residual", "dropout": 0.1, "activation": "gelu",
    },
    "dense, leaky": {"family": "mlp", "layers": 2, "units": 8, "activation": "leaky_relu", "batch_normalization": True},
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name if name.startswith("dense") else pytest.param(name, marks=pytest.mark.night) for name in NETWORKS]
)
def test_every_new_layer_predicts_the_same_in_all_five_formats(name: str, write_run: Any) -> None:
    pytest.importorskip("tf2onnx")
    space = {
        "name": "recipes", "data": {"source": "digits", "validation": 0.2, "test": 0.2}, "model": NETWORKS[name],
        "training": {"epochs": 1, "batch_size": [32]}, "search": {"algorithm": "random"},
    }  # fmt: skip
    spec = spaces.load(space)
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {"batch_size": 32})
    model = spaces.build_model(settings, data.info, seed=4)
    # Moving averages and scales of the normalizations that are none of the initial ones.
    model.fit(data.train.x[:320], data.train.y[:320], epochs=3, verbose=0)
    run = write_run(yaml.safe_dump(space), data)
    run.trial("0000", TrialKind.SEARCH, settings, 0.5, best=run.weights("0000", model.get_weights()))
    assert data.test is not None
    run.rows(data.test.x, data.test.y)
    result = results.export(run.directory, formats=["keras", "h5", "savedmodel", "onnx", "tflite"])
    assert [file.failure for file in result.files] == [None] * 5
    assert all(file.difference is not None and file.difference < 1e-4 for file in result.files)
