"""Space files with mistakes: what is reported, and where."""
# ruff: noqa: E501 - every case is one line, the whole message in it

from __future__ import annotations

import os
from pathlib import Path

import pytest

import spaces

GOOD = """\
name: pictures
data:
  source: digits
  validation: 0.2
model:
  family: mlp
  layers: {min: 1, max: 3}
  units: [32, 64]
  dropout: 0.1
training:
  optimizer: [adam, sgd]
  learning_rate: {min: 1e-4, max: 1e-1, log: true}
  batch_size: 32
  epochs: {min: 1, max: 9}
search:
  algorithm: hyperband
  seed: 1
baselines:
  - name: small
    values: {layers: 1, units: 16, optimizer: sgd}
final: {seeds: 2}
"""

CNN = """\
name: pictures
data: {source: digits}
model:
  family: cnn
  blocks: 2
  filters: [8, 16]
training: {epochs: 3}
"""


def problems(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "space.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load(file)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


# What is replaced in GOOD, what by, and the whole report: line, key, message.
CASES = [
    # Keys
    ("final:", "finale:", ["21: finale: unknown key 'finale'; allowed: name, data, model, training, search, constraints, limits, keep_checkpoints, baselines, final, export (did you mean 'final'?)"]),
    ("  dropout: 0.1", "  drpout: 0.1", ["9: model.drpout: unknown key 'drpout'; allowed: family, layers, units, dropout, block, embedding, activation, batch_normalization, l2, augmentation, output (did you mean 'dropout'?)"]),
    ("  dropout: 0.1", "  kernel_size: 3", ["9: model.kernel_size: unknown key 'kernel_size'; allowed: family, layers, units, dropout, block, embedding, activation, batch_normalization, l2, augmentation, output"]),
    ("  seed: 1", "  stop_when_gain_below: 0.001", ["17: search.stop_when_gain_below: has no effect: hyperband expects nothing; it belongs to bayesian and freeze-thaw"]),
    ("  seed: 1", "  warm_start: [a]\n  stop_when_gain_below: 0.1", ["17: search.warm_start: has no effect: it belongs to freeze-thaw, not to hyperband", "18: search.stop_when_gain_below: has no effect: hyperband expects nothing; it belongs to bayesian and freeze-thaw"]),
    ("  seed: 1", "  sed: 1", ["17: search.sed: unknown key 'sed'; allowed: algorithm, objective, max_trials, seed, warm_start, stop_when_gain_below, order (did you mean 'seed'?)"]),
    ("  seed: 1", "  seed: 1\n  seed: 2", ["18: search.seed: is given twice, first in line 17"]),
    ("name: pictures\n", "", ["1: name: is missing"]),
    ("  epochs: {min: 1, max: 9}\n", "", ["10: training.epochs: is missing"]),
    ("  layers: {min: 1, max: 3}\n", "  layers: 2\n  3: x\n", ["8: model: found the key 3, which is a word in quotes only; allowed: words as keys"]),
    # Names and words
    ("name: pictures", "name: my pictures", ["1: name: found 'my pictures'; allowed: letters, digits, '.', '_' and '-', at most 80, the first a letter or digit"]),
    ("name: pictures", "name: 7", ["1: name: found 7; allowed: a word or text"]),
    ("family: mlp", "family: mpl", ["6: model.family: unknown family 'mpl'; allowed: mlp, cnn, conv1d, pretrained, {python: ...} (did you mean 'mlp'?)"]),
    ("  family: mlp\n", "", ["5: model.family: is missing"]),
    ("[adam, sgd]", "[adam, sdg]", ["11: training.optimizer.1: found 'sdg'; allowed: adam, adamw, lion, muon, nadam, rmsprop, sgd (did you mean 'sgd'?)"]),
    ("[adam, sgd]", "[adam, adam]", ["11: training.optimizer.1: 'adam' is listed twice"]),
    ("[adam, sgd]", "[]", ["11: training.optimizer: found an empty list; allowed: at least one value"]),
    ("[adam, sgd]", "{min: 1, max: 2}", ["11: training.optimizer: found a mapping; allowed: adam, adamw, lion, muon, nadam, rmsprop, sgd, or a list of them"]),
    ("hyperband", "hyperbad", ["16: search.algorithm: found 'hyperbad'; allowed: hyperband, bayesian, random, grid, freeze-thaw (did you mean 'hyperband'?)"]),
    ("  dropout: 0.1", "  activation: rleu", ["9: model.activation: found 'rleu'; allowed: relu, relu6, leaky_relu, elu, selu, gelu, silu, swish, mish, tanh, sigmoid, hard_sigmoid, softplus, softsign, exponential, linear (did you mean 'relu'?)"]),
    ("  dropout: 0.1", "  activation: GELU", ["9: model.activation: found 'GELU'; allowed: relu, relu6, leaky_relu, elu, selu, gelu, silu, swish, mish, tanh, sigmoid, hard_sigmoid, softplus, softsign, exponential, linear (did you mean 'gelu'?)"]),
    # Numbers
    ("{min: 1, max: 3}", "2.5", ["7: model.layers: found 2.5; allowed: a whole number of at least 0 and at most 100"]),
    ("{min: 1, max: 3}", "-1", ["7: model.layers: found -1; allowed: a whole number of at least 0 and at most 100"]),
    ("{min: 1, max: 3}", "'2'", ["7: model.layers: found '2'; allowed: a whole number of at least 0 and at most 100"]),
    ("{min: 1, max: 3}", "true", ["7: model.layers: found true; allowed: a whole number of at least 0 and at most 100"]),
    ("{min: 1, max: 3}", "{min: 3, max: 1}", ["7: model.layers: min 3 is greater than max 1"]),
    ("{min: 1, max: 3}", "{min: 1}", ["7: model.layers: 'max' is missing; a range has min and max"]),
    ("{min: 1, max: 3}", "{min: 1, max: 3, stp: 1}", ["7: model.layers.stp: unknown key 'stp'; allowed: min, max, step, log, when (did you mean 'step'?)"]),
    ("{min: 1, max: 3}", "{min: 1, max: 3, step: 0.5}", ["7: model.layers.step: found 0.5; allowed: a whole number above 0"]),
    ("{min: 1, max: 3}", "{min: 1, max: 3, step: 5}", ["7: model.layers.step: found 5: no second value fits between min and max"]),
    ("[32, 64]", "{shared: {min: 8, max: 4}}", ["8: model.units.shared: min 8 is greater than max 4"]),
    ("[32, 64]", "[32, sixty]", ["8: model.units.1: found 'sixty'; allowed: a whole number of at least 1 and at most 1000000"]),
    ("  units: [32, 64]\n", "", ["5: model.units: is missing"]),
    ("dropout: 0.1", "dropout: 1.0", ["9: model.dropout: found 1; allowed: a number of at least 0 and below 1"]),
    ("dropout: 0.1", "dropout: .nan", ["9: model.dropout: found .nan; allowed: finite numbers"]),
    ("dropout: 0.1", "dropout:", ["9: model.dropout: found nothing; allowed: a number of at least 0 and below 1"]),
    ("min: 1e-4, max: 1e-1, log", "min: 0, max: 1e-1, log", ["12: training.learning_rate.min: found 0; allowed: a number above 0"]),
    ("log: true", "log: yes", ["12: training.learning_rate.log: found 'yes'; allowed: true or false"]),
    ("log: true", "step: 1.0e-9", ["12: training.learning_rate.step: found 1e-09: makes too many values; allowed: at most 100000, or no step for every number between min and max"]),
    ("log: true", "log: true, step: 1.000000001", ["12: training.learning_rate.step: found 1.000000001: makes too many values; allowed: at most 100000, or no step for every number between min and max"]),
    ("batch_size: 32", "batch_size: {min: 1, max: 1000001}", ["13: training.batch_size: holds too many whole numbers; allowed: at most 1000000"]),
    ("log: true", "log: true, step: 1", ["12: training.learning_rate.step: found 1; allowed: a number above 1, the ratio of neighbours, where log is true"]),
    ("max: 1e-1", "max: .inf", ["12: training.learning_rate.max: found .inf; allowed: finite numbers"]),
    ("batch_size: 32", "batch_size: 0", ["13: training.batch_size: found 0; allowed: a whole number of at least 1"]),
    ("epochs: {min: 1, max: 9}", "epochs: {min: 9, max: 1}", ["14: training.epochs: min 9 is greater than max 1"]),
    ("epochs: {min: 1, max: 9}", "epochs: [1, 9]", ["14: training.epochs: found a list; allowed: a number or a range with hyperband, which decides how long each training is"]),
    ("  seed: 1", "  max_trials: 0", ["17: search.max_trials: found 0; allowed: at least 1"]),
    ("  seed: 1", "  seed: 1.5", ["17: search.seed: found 1.5; allowed: a whole number"]),
    ("final: {seeds: 2}", "final: {seeds: true}", ["21: final.seeds: found true; allowed: a whole number"]),
    ("final: {seeds: 2}", f"limits: {{disk: {'9' * 400}GB}}", [f"21: limits.disk: found '{'9' * 57}...'; allowed: a size such as 500MB or 20GB, or a number of bytes"]),
    ("final: {seeds: 2}", "limits: {disk: 20 gigs}", ["21: limits.disk: found '20 gigs'; allowed: a size such as 500MB or 20GB, or a number of bytes"]),
    ("final: {seeds: 2}", "export: {formats: [keras, hdf5]}", ["21: export.formats.1: found 'hdf5'; allowed: keras, h5, savedmodel, onnx, tflite, tflite-float16, tflite-int8 (did you mean 'h5'?)"]),
    ("final: {seeds: 2}", "export: {formats: [h5, h5]}", ["21: export.formats.1: 'h5' is listed twice"]),
    ("final: {seeds: 2}", "export: {formats: []}", ["21: export.formats: found an empty list; allowed: at least one value"]),
    # Data
    ("source: digits", "source: digit", ["3: data.source: found 'digit'; allowed: digits, fashion-mnist, mnist, cifar10, cifar100, flowers, or one of {folder: ...}, {npz: ...}, {csv: ...}, {parquet: ...}, {idx: ...}, {python: ...} (did you mean 'digits'?)"]),
    ("source: digits", "source: {folder: a, npz: b}", ["3: data.source: found folder and npz; allowed: exactly one of folder, npz, csv, parquet, idx, python"]),
    ("source: digits", "source: {foldr: a}", ["3: data.source.foldr: unknown key 'foldr'; allowed: folder, npz, csv, parquet, idx, python, separator, encoding, decimal, parts (did you mean 'folder'?)"]),
    ("source: digits", "source: {python: data.load}", ["3: data.source.python: found 'data.load'; allowed: 'module:function' or 'path/file.py:function'"]),
    ("source: digits", "source: digits\n  target: price", ["4: data.target: has no effect: only a csv or parquet source, or a DataFrame from Python, has columns"]),
    ("source: digits", "source:\n    csv: a.csv\n    target: 3", ["5: data.target: found 3; allowed: the name of a column, in quotes if it is a number, or {column: name, scale: standard}"]),
    ("source: digits", "source: {csv: a.csv, target: x}\n  target: y", ["4: data.target: is given twice, here and in data.source"]),
    ("source: digits", "source: {csv: a.csv}\n  image_size: 3", ["4: data.image_size: has no effect: a csv source has no images"]),
    ("validation: 0.2", "validation: 1.2", ["4: data.validation: found 1.2; allowed: a count of at least 1 or a fraction between 0 and 1, given, {first: count}, {group: column}, {time: column} or {folds: count}"]),
    ("validation: 0.2", "validation: 1.0", ["4: data.validation: found 1.0, which may be one row or all of them; allowed: a count of at least 1 or a fraction between 0 and 1, given, {first: count}, {group: column}, {time: column} or {folds: count}"]),
    ("validation: 0.2", "validation: {last: 3}", ["4: data.validation.last: unknown key 'last'; allowed: folds, group, pause, time, size, first"]),
    ("validation: 0.2", "validation: {fold: 5}", ["4: data.validation.fold: unknown key 'fold'; allowed: folds, group, pause, time, size, first (did you mean 'folds'?)"]),
    ("validation: 0.2", "validation: {folds: 5, grup: a}", ["4: data.validation.grup: unknown key 'grup'; allowed: folds, group, pause (did you mean 'group'?)"]),
    ("validation: 0.2", "validation: {folds: 5, first: 9}", ["4: data.validation.first: unknown key 'first'; allowed: folds, group, pause"]),
    ("validation: 0.2", "test: {group: a, siz: 0.1}", ["4: data.test.siz: unknown key 'siz'; allowed: group, time, size (did you mean 'size'?)"]),
    ("validation: 0.2", "test: {size: 9}", ["4: data.test: found a mapping without group, time, first; allowed: auto, given, none, a count of at least 1 or a fraction between 0 and 1, {first: count}, {group: column} or {time: column}"]),
    ("validation: 0.2", "test: never", ["4: data.test: found 'never'; allowed: auto, given, none, a count of at least 1 or a fraction between 0 and 1, {first: count}, {group: column} or {time: column}"]),
    ("validation: 0.2", "image_size: [3]", ["4: data.image_size: found a list; allowed: a number of pixels, or [height, width]"]),
    # Keys without effect
    ("optimizer: [adam, sgd]", "optimizer: adam\n  momentum: 0.9", ["12: training.momentum: has no effect: it needs optimizer sgd"]),
    ("batch_size: 32", "nesterov: true", ["13: training.nesterov: has no effect: it needs momentum above 0"]),
    ("  layers: {min: 1, max: 3}", "  layers: 0", ["8: model.units: has no effect: it needs layers above 0", "9: model.dropout: has no effect: it needs layers above 0"]),
    # Conditions
    ("dropout: 0.1", "dropout: {value: 0.1, when: {layrs: 2}}", ["9: model.dropout.when: unknown hyperparameter 'layrs'; allowed: layers, units_0, units_1, units_2, optimizer, learning_rate (did you mean 'layers'?)"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: {layers: 4}}", ["9: model.dropout.when.layers: layers is never 4; allowed: 1 to 3"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: {batch_size: 64}}", ["9: model.dropout.when.batch_size: never holds: batch_size is always 32"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: {learning_rate: 0.01}}", ["9: model.dropout.when.learning_rate: learning_rate is a continuous range; allowed: a choice or a range with a step"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: {l2: 0}}\n  l2: {min: 1e-10, max: 1, log: true, step: 10}", ["9: model.dropout.when.l2: l2 is never 0; allowed: 1e-10 to 1 in steps of 10"]),
    ("batch_size: 32", "momentum: {min: 0.8, max: 0.9, when: {optimizer: adam}}", ["13: training.momentum.when: its conditions exclude each other"]),
    ("layers: {min: 1, max: 3}", "layers: {min: 1, max: 3, when: {optimizer: sgd}}", ["7: model.layers.when: takes no condition, since it has no value where that does not hold"]),
    ("dropout: 0.1", "dropout: {choices: [0.1, 0.2], when: {l2: 0.1}}\n  l2: {choices: [0.1, 0.2], when: {dropout: 0.1}}", ["9: model.dropout.when: conditions go in a circle: dropout needs l2 needs dropout"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: []}", ["9: model.dropout.when: found a list; allowed: a mapping from hyperparameters to values"]),
    ("dropout: 0.1", "dropout: {value: 0.1, when: {layers: {min: 2}, optimizer: []}}", ["9: model.dropout.when.layers: found a mapping; allowed: a value or a list of values", "9: model.dropout.when.optimizer: found an empty list; allowed: a value or a list of values"]),
    # What no value reaches
    ("  batch_size: 32", "  stop_when: {val_accuracy: {above: 95}, loss: {below: 0}}", ["13: training.stop_when.val_accuracy.above: has no effect: val_accuracy is at most 1"]),
    ("  batch_size: 32", "  metrics: [mae]\n  stop_when: {mae: {below: -1, above: 2}}", ["14: training.stop_when.mae.below: has no effect: mae is at least 0"]),
    # Values that nothing computes
    ("  batch_size: 32", "  early_stopping: {monitor: val_acc, patience: 3}", ["13: training.early_stopping.monitor: 'val_acc' is never computed; allowed: loss, accuracy, val_loss, val_accuracy (did you mean 'val_accuracy'?)"]),
    ("  batch_size: 32", "  early_stopping: {monitor: val_loss}", ["13: training.early_stopping.patience: is missing"]),
    ("  batch_size: 32", "  stop_when: {los: {below: 0.4}}", ["13: training.stop_when.los: 'los' is never computed; allowed: loss, accuracy, val_loss, val_accuracy (did you mean 'loss'?)"]),
    ("  batch_size: 32", "  stop_when: {}", ["13: training.stop_when: found an empty mapping; allowed: a mapping such as {loss: {below: 0.4}}"]),
    ("  batch_size: 32", "  stop_when: {loss: {under: 0.4}}", ["13: training.stop_when.loss.under: unknown key 'under'; allowed: below, above"]),
    ("  seed: 1", "  objective: val_auc", ["17: search.objective: 'val_auc' is never computed; allowed: loss, accuracy, val_loss, val_accuracy; add auc to training.metrics"]),
    ("  seed: 1", "  objective: val_rmse", ["17: search.objective: 'val_rmse' is never computed; allowed: loss, accuracy, val_loss, val_accuracy; rmse is a measure of regression: set training.loss, such as loss: mse, and metrics: [rmse]"]),
    ("  seed: 1", "  objective: {name: val_loss, direction: up}", ["17: search.objective.direction: found 'up'; allowed: min, max"]),
    ("  batch_size: 32", "  loss: mse\n  metrics: [accuracy]", ["14: training.metrics.0: found 'accuracy', no metric of regression, which the loss is for"]),
    ("  batch_size: 32", "  loss: mean", ["13: training.loss: unknown loss 'mean'; allowed: auto, sparse_categorical_crossentropy, categorical_crossentropy, binary_crossentropy, focal, mse, mae, huber, log_cosh"]),
    # Baselines
    ("units: 16", "unit: 16", ["20: baselines.0.values: has no value for units_0, which the space does not fix", "20: baselines.0.values.unit: unknown hyperparameter 'unit'; allowed: activation, augmentation_brightness, augmentation_contrast, augmentation_cutout, augmentation_flip, augmentation_mixup, augmentation_rotation, augmentation_shift, augmentation_zoom, batch_normalization, batch_size, block, class_weight, dropout, ema, embedding, epochs, focal_gamma, gradient_clip, l2, label_smoothing, layers, learning_rate, learning_rate_decay, momentum, nesterov, optimizer, oversample, precision, schedule, units, units_0, warmup, weight_decay (did you mean 'units'?)"]),
    ("units: 16", "units: many", ["20: baselines.0.values.units: found 'many'; allowed: a whole number of at least 1 and at most 1000000"]),
    ("units: 16", "units: 16, units_1: 8", ["20: baselines.0.values.units_1: has no effect: this baseline has layers 1"]),
    ("optimizer: sgd}", "optimizer: adam, momentum: 0.9}", ["20: baselines.0.values.momentum: has no effect: it needs optimizer sgd"]),
    ("optimizer: sgd}", "batch_size: 8}\n    batch_size: 16", ["20: baselines.0.values.batch_size: is given twice, here and as batch_size of the baseline"]),
    ("optimizer: sgd}", "optimizer: sgd}\n    early_stopping: 3", ["21: baselines.0.early_stopping: found 3; allowed: space, null for none, or a mapping with patience"]),
    ("optimizer: sgd}", "optimizer: [sgd]}", ["20: baselines.0.values.optimizer: found a list; allowed: one value"]),
    ("  - name: small", "  - name: ../../small", ["19: baselines.0.name: found '../../small'; it names files, and it has a path separator"]),
    ("  - name: small", "  - name: .small", ["19: baselines.0.name: found '.small'; it names files, and it begins with a dot"]),
    ("  - name: small", '  - name: "a\\e[2Jb"', [r"19: baselines.0.name: found 'a\x1b[2Jb'; it names files, and it has a character that cannot be printed"]),
    ("  - name: small", f"  - name: {'x' * 181}", [f"19: baselines.0.name: found '{'x' * 57}...'; it names files, and it is longer than 180 bytes"]),
    ("final:", "  - {name: small, values: {layers: 1, units: 8}}\nfinal:", ["21: baselines.1.name: 'small' is the name of two baselines"]),
    ("baselines:\n  - name: small\n    values: {layers: 1, units: 16, optimizer: sgd}", "baselines: small", ["18: baselines: found 'small'; allowed: a list"]),
    # Several at once, in the order of the file
    ("  validation: 0.2\nmodel:", "  validation: 0\nmodle:", ["1: model: is missing", "4: data.validation: found 0; allowed: a count of at least 1 or a fraction between 0 and 1, given, {first: count}, {group: column}, {time: column} or {folds: count}", "5: modle: unknown key 'modle'; allowed: name, data, model, training, search, constraints, limits, keep_checkpoints, baselines, final, export (did you mean 'model'?)"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_a_mistake_is_named_with_its_place(old: str, new: str, expected: list[str], tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    assert problems(GOOD.replace(old, new), tmp_path) == expected


CNN_CASES = [
    ("blocks: 2", "blocks: 0", ["5: model.blocks: found 0; allowed: a whole number of at least 1 and at most 100"]),
    ("blocks: 2", "blocks: 2\n  dropout_position: head", ["6: model.dropout_position: has no effect: it needs dropout above 0"]),
    ("blocks: 2", "blocks: 2\n  dropout: 0.5", ["6: model.dropout: has no effect: it is in the head, after dense layers, and there are none; give dense_layers, or dropout_position pooling or features"]),
    ("blocks: 2", "blocks: 2\n  dropout: 0.5\n  pooling: none\n  dropout_position: pooling", ["6: model.dropout: has no effect: it is after every pooling, and there is none; give dropout_position features or head"]),
    ("blocks: 2", "blocks: 2\n  dense_units: 8", ["6: model.dense_units: has no effect: it needs dense_layers above 0"]),
    ("blocks: 2", "blocks: 2\n  dense_layers: 1", ["3: model.dense_units: is missing"]),
    ("blocks: 2", "blocks: 2\n  augmentation: {flips: both}", ["6: model.augmentation.flips: unknown key 'flips'; allowed: flip, rotation, zoom, shift, cutout, brightness, contrast, mixup (did you mean 'flip'?)"]),
    ("blocks: 2", "blocks: 2\n  augmentation: {flip: [none, sideways]}", ["6: model.augmentation.flip.1: found 'sideways'; allowed: none, horizontal, vertical, both"]),
    ("blocks: 2", "blocks: 2\n  units: 16", ["6: model.units: unknown key 'units'; allowed: family, stem, block, blocks, filters, growth, convolutions, kernel_size, padding, downsampling, pooling, squeeze_excitation, batch_normalization, global_pooling, dense_layers, dense_units, dropout, dropout_position, activation, l2, augmentation, output (did you mean 'dense_units'?)"]),
    ("  filters: [8, 16]\n", "", ["3: model.filters: is missing"]),
    ("training: {epochs: 3}", "training: {epochs: 3, loss: mse}\nsearch: {objective: val_accuracy}", ["8: search.objective: 'val_accuracy' is never computed; allowed: loss, mae, val_loss, val_mae; accuracy is a measure of classes, and training.loss and metrics are those of regression"]),
    ("blocks: 2", "blocks: 2\n  output: logit", ["6: model.output: found 'logit'; allowed: probabilities, logits (did you mean 'logits'?)"]),
    ("family: cnn", "family: {python: build}", ["4: model.family.python: found 'build'; allowed: 'module:function' or 'path/file.py:function'", "5: model.blocks: unknown key 'blocks'; allowed: family", "6: model.filters: unknown key 'filters'; allowed: family"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CNN_CASES)
def test_mistakes_of_convolutional_spaces(old: str, new: str, expected: list[str], tmp_path: Path) -> None:
    assert CNN.count(old) == 1
    assert problems(CNN.replace(old, new), tmp_path) == expected


YAML_CASES = [
    ("", "1: found nothing; allowed: a mapping with name, data, model and training"),
    ("# only\n\n# comments\n", "1: found nothing; allowed: a mapping with name, data, model and training"),
    ('a: 1\nb: "\\U00110000"\n', "2: is not valid YAML: an escape or a word in it means nothing (chr() arg not in range(0x110000))"),
    ('a: 1\nb: "\\uD800"\n', "2: b: found '\\ud800'; allowed: text without zero bytes and surrogates"),
    ('a: 1\n"\\0": 2\n', "2: found the key '\\x00'; allowed: words as keys"),
    ("a: 1\nb: x\0y\n", "2: is not valid YAML: found the control character '\\x00'"),
    ("a: 1\nb: \x1b[2J\n", "2: is not valid YAML: found the control character '\\x1b'"),
    ("a: 0x" + "f" * 4000 + "\n", "1: a: found 0x" + "f" * 38 + "; allowed: whole numbers of at most 18 digits"),
    ("a: " + "9" * 5000 + "\n", "1: a: found " + "9" * 40 + "; allowed: whole numbers of at most 18 digits"),
    ("%YAML 1.1\n---\na: 1:30\n", "3: a: found '1:30', which cannot be read as int"),
    ("- a\n" * 50_000, "40001: its aliases and values unfold to too much; allowed: 20000 values"),
    ("- a\n- b\n", "1: found a list; allowed: a mapping with name, data, model and training"),
    ("digits\n", "1: found 'digits'; allowed: a mapping with name, data, model and training"),
    ("name: [1, 2\n", "2: is not valid YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
    ("name: 'x\n", "2: is not valid YAML: while scanning a quoted scalar found unexpected end of stream"),
    ("a: 1\n\tb: 2\n", "2: is not valid YAML: while scanning for the next token found character '\\t' that cannot start any token"),
    ("name: !!python/object/apply:os.system ['true']\n", "1: name: found the tag !!python/object/apply:os.system; allowed: plain data without tags"),
    ("name: !secret x\n", "1: name: found the tag !secret; allowed: plain data without tags"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", "3: c: found a merge key (<<); allowed: words as keys"),
    ("name: !!int twelve\n", "1: name: found 'twelve', which cannot be read as int"),
    ("? [a]\n: 1\n", "1: found a key that is not a word; allowed: words as keys"),
    ("a: &a [*a]\n", "1: its aliases and values unfold to too much; allowed: 20000 values"),
    ("a: " + "[" * 60 + "]" * 60 + "\n", "1: is nested more than 20 levels deep"),
    ("a: b\n---\nc: d\n", "2: is not valid YAML: expected a single document in the stream but found another document"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), YAML_CASES)
def test_what_is_not_plain_yaml_is_refused(text: str, expected: str, tmp_path: Path) -> None:
    assert expected in problems(text, tmp_path)


def test_what_the_reader_refuses_does_not_hide_other_mistakes(tmp_path: Path) -> None:
    text = GOOD.replace("name: pictures", "name: !secret x").replace("dropout: 0.1", "dropout: .inf")
    text = text.replace("batch_size: 32", "batch_size: 0\n  [1]: 2").replace("seed: 1", "seed: 1\n  seed: -1")
    assert problems(text, tmp_path) == [
        "1: name: found the tag !secret; allowed: plain data without tags",
        "9: model.dropout: found .inf; allowed: finite numbers",
        "13: training.batch_size: found 0; allowed: a whole number of at least 1",
        "14: training: found a key that is not a word; allowed: words as keys",
        "19: search.seed: is given twice, first in line 18",
    ]


def test_words_of_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    text = GOOD.replace("name: pictures", 'name: "\\e[31mred\\n"').replace("final:", '"\\e[2J": 1\nfinal:')
    name, key = problems(text, tmp_path)
    assert name.startswith("1: name: found '\\x1b[31mred\\n'; allowed: ")
    assert key.startswith("21: \\x1b[2J: unknown key '\\x1b[2J'; allowed: ")


def test_aliases_cannot_unfold_without_end(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (found,) = problems("\n".join(lines), tmp_path)
    assert found.endswith("its aliases and values unfold to too much; allowed: 20000 values")


def test_of_very_many_mistakes_fifty_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(GOOD + "".join(f"k{i}: 1\n" for i in range(70)))
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load(file)
    lines = str(caught.value).split("\n")
    assert len(caught.value.problems) == 70
    assert len(lines) == 51
    assert lines[-1] == "… and 20 more mistakes"


def test_an_endless_word_is_not_repeated(tmp_path: Path) -> None:
    (found,) = problems(GOOD + f'? "{"x" * 100_000}"\n: 1\n', tmp_path)
    assert len(found) < 600


OVERRIDES = [
    ("a=b=c", "--set a: unknown key 'a'; allowed: "),
    ("name", "--set name: is not of the form key=value"),
    ('name="\\U00110000"', "--set name: is not valid YAML: an escape or a word in it means nothing"),
    ("training.epochs=0x" + "f" * 4000, "--set training.epochs: found 0xfff"),
    ("training.epochs=1e999", "--set training.epochs: found 1e999; allowed: finite numbers"),
    ("\x1b[2J=1", "--set \\x1b[2J: unknown key '\\x1b[2J'; allowed: "),
    ("name=\x1b[2J", "--set name: is not valid YAML: found the control character '\\x1b'"),
    ("baselines.\u00b2=1", "--set baselines.\u00b2: found '\u00b2' as the position in a list; allowed: 0 to 0"),
    ("baselines." + "9" * 5000 + "=1", "--set baselines.999"),
    ("a." * 30 + "b=1", "has more than 20 parts"),
    (
        "name=#rooms",
        "--set name: found '#rooms', in which # begins a comment; allowed: such a value in quotes",
    ),
    (
        "name=room #1",
        "--set name: found 'room #1', in which # begins a comment; allowed: such a value in quotes",
    ),
    ("training.learning_rate={min: 0.1, max: 1, step: 1e-9}", "learning_rate.step: found 1e-09: makes too many values"),
]


@pytest.mark.parametrize(("override", "expected"), OVERRIDES)
def test_a_broken_override_is_named(override: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(GOOD)
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load(file, [override])
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_pipe_is_not_waited_for_and_a_device_not_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, what in ((tmp_path / "pipe.yaml", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(spaces.SpaceError, match=f"{path}: is not a file but {what}"):
            spaces.load(path)


def test_a_byte_order_mark_is_passed_over_and_utf_16_named(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_bytes(GOOD.encode("utf-8-sig"))
    assert spaces.load(file).name == "pictures"
    file.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(spaces.SpaceError, match=r":1: is not a text file in UTF-8 \(but in UTF-16; save it as UTF-8\)"):
        spaces.load(file)


def test_the_resolved_space_shows_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(CNN.replace("{source: digits}", '{source: {folder: "/tmp/größe\\u202egnp"}}'))
    text = spaces.dump(spaces.load(file))
    assert text.replace("\n", "").isprintable()
    file.write_text(text)
    assert spaces.load(file).data.source.location == "/tmp/größe\u202egnp"  # type: ignore[union-attr]


def test_files_that_are_no_space_files_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "picture.yaml"
    binary.write_bytes(b"name: x\n\xff\xd8\xff")
    large = tmp_path / "large.yaml"
    large.write_text("# " + "x" * 300_000)
    for source, expected in [
        (binary, f"{binary}:2: is not a text file in UTF-8"),
        (large, f"{large}: is too large for a space file; allowed: at most 256 KiB"),
        (tmp_path, f"{tmp_path}: is not a file"),
        (tmp_path / "nothing.yaml", f"{tmp_path / 'nothing.yaml'}: no such file, and no shipped space of that name"),
        ("digts", "(did you mean 'digits'?)"),
    ]:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load(source)
        assert expected in str(caught.value)


def test_the_good_files_are_good(tmp_path: Path) -> None:
    for text in (GOOD, CNN):
        (tmp_path / "space.yaml").write_text(text)
        assert spaces.load(tmp_path / "space.yaml").name == "pictures"
