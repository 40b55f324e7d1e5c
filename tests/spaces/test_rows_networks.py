"""Dense networks for tables: residual blocks, and learnt vectors of categories."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import spaces
from spaces.basics.errors import SpaceError
from spaces.data.tables.encoding import ColumnEncoding
from spaces.data.types import DataInfo

TOWNS = ColumnEncoding("town", "category", values=tuple(f"town {n}" for n in range(12)), other=True)
TABLE = (
    ColumnEncoding("age", "number", "."),
    TOWNS,
    ColumnEncoding("open", "boolean", values=("no", "yes")),
    ColumnEncoding("kind", "category", values=("a", "b")),
)
INFO = DataInfo(
    "tabular", (17,), "float32", "classification", "integer", 3, columns=tuple(c.name for c in TABLE), table=TABLE,
    mean=(40.0,) + (0.0,) * 16, std=(10.0,) + (1.0,) * 16,
)  # fmt: skip


def spec(source: Any = None, **model: Any) -> spaces.SearchSpec:
    return spaces.load({
        "name": "rows",
        "data": {"source": source or {"csv": "people.csv"}},
        "model": {"family": "mlp", "layers": 3, "units": {"shared": 8}, **model},
        "training": {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 8, "epochs": 2},
    })  # fmt: skip


def build(**model: Any) -> keras.Model:
    made = spec(**model)
    settings = spaces.configure(made, {})
    network = spaces.build_model(settings, INFO, seed=1)
    assert spaces.count_parameters(settings, INFO) == network.count_params()
    return network


@pytest.mark.parametrize("batches", [False, True], ids=["layers", "batches"])
def test_a_residual_block_adds_two_layers_to_what_comes_in(batches: bool) -> None:
    network = build(block="residual", dropout=0.2, batch_normalization=batches)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("Add") == 3
    assert kinds.count("BatchNormalization" if batches else "LayerNormalization") == 4
    assert kinds.count("Dense") == 1 + 2 * 3 + 1
    assert kinds.count("Dropout") == 6
    for layer in network.layers:
        if layer.name.startswith("residual_") and isinstance(layer, keras.layers.Dense):
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    values = np.random.default_rng(0).normal(size=(5, 17)).astype(np.float32)
    first = keras.Model(network.inputs, network.get_layer("width_0").output)
    last = keras.Model(network.inputs, network.get_layer("residual_2").output)
    np.testing.assert_allclose(first(values), last(values), err_msg="blocks that add nothing change nothing")


def test_where_the_width_changes_a_layer_brings_the_rows_to_it() -> None:
    network = spaces.build_model(
        spaces.configure(spec(block="residual", units=[8, 16], layers=3), {"units_0": 8, "units_1": 16, "units_2": 16}),
        INFO,
    )
    names = [layer.name for layer in network.layers if layer.name.startswith("width")]
    assert names == ["width_0", "width_1"]


def test_a_category_with_many_values_becomes_a_vector_and_all_else_stays() -> None:
    network = build(embedding=4)
    vectors = [layer for layer in network.layers if layer.name.startswith("embedding")]
    assert [layer.kernel.shape for layer in vectors] == [(13, 4)]
    rows = np.zeros((1, 17), np.float32)
    rows[0, :] = [50, *np.eye(13)[5], 1, 0, 1]
    columns = keras.Model(network.inputs, network.get_layer("columns").output)
    expected = [1.0, *vectors[0].kernel.numpy()[5], 1, 0, 1]
    np.testing.assert_allclose(np.asarray(columns(rows))[0], expected, rtol=1e-5)


def test_a_column_without_an_input_takes_no_part() -> None:
    from dataclasses import replace

    empty = ColumnEncoding("note", "text")
    for table in ((empty, *TABLE), (*TABLE[:2], empty, *TABLE[2:]), (*TABLE, empty)):
        info = replace(INFO, columns=tuple(c.name for c in table), table=table)
        network = spaces.build_model(spaces.configure(spec(embedding=4), {}), info, seed=1)
        assert [layer.name for layer in network.layers] == [layer.name for layer in build(embedding=4).layers]


def test_columns_with_few_values_need_no_vectors() -> None:
    assert not any(layer.name.startswith("embedding") for layer in build(embedding=16).layers)


def test_where_there_are_no_columns_vectors_have_no_effect() -> None:
    with pytest.raises(SpaceError, match=r"model\.embedding: has no effect"):
        spec("digits", embedding=4)


def test_models_of_earlier_runs_have_neither() -> None:
    plain = spaces.configure(spec(), {}).to_json()
    for name in ("block", "embedding"):
        del plain["model"][name]
    assert spaces.build_model(spaces.Settings.from_json(plain), INFO).count_params() == build().count_params()


@pytest.mark.night
def test_compiled_functions_are_shared_between_networks_of_the_same_widths(tmp_path) -> None:
    from dataclasses import replace

    from search.clock import SystemClock
    from search.training.trainer import Trainer
    from spaces import Dataset, Split
    from tests.search import small

    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 17)).astype(np.float32), random.integers(0, 3, 60).astype(np.int32)
    data = Dataset("rows", INFO, Split(x, y), Split(x[:20], y[:20]), None, "", "")

    def trained(trainer: Trainer, rate: float, dropout: float) -> list[Any]:
        made = spaces.configure(spec(block="residual", embedding=4, dropout=dropout), {})
        made = replace(made, training=replace(made.training, learning_rate=rate))
        outcome = trainer.train(small.job(settings=made.to_json(), epochs_to=2))
        assert outcome.failure is None
        return small.curve(outcome)

    together = Trainer(tmp_path, data, SystemClock())
    found = [trained(together, rate, dropout) for rate, dropout in ((0.01, 0.1), (0.03, 0.3))]
    assert found[0] != found[1]
    assert found[1] == trained(Trainer(tmp_path, data, SystemClock()), 0.03, 0.3)
