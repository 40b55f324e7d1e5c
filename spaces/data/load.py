"""Loading the data of a space: source, checks, labels, parts and preprocessing in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from spaces.basics.errors import DataError
from spaces.data import preprocessing
from spaces.data.checks import check_classes, check_rows
from spaces.data.fingerprint import fingerprint
from spaces.data.keyed_split import Keyed, keyed_partition
from spaces.data.labels import EncodedLabels, encode_labels
from spaces.data.readers.builtin import load_builtin
from spaces.data.readers.folder import load_folder
from spaces.data.readers.idx import load_idx
from spaces.data.readers.npz import load_npz
from spaces.data.readers.python import load_python
from spaces.data.readers.source import Part, RawData
from spaces.data.split import First, Rows, Size, partition, reduce
from spaces.data.tables.columns import Column
from spaces.data.tables.encoding import ColumnEncoding, encode, fit
from spaces.data.tables.loading import TableOptions, load_table
from spaces.data.target import require_positive, target_scale
from spaces.data.types import Array, DataInfo, Dataset, Split, TargetScale
from spaces.data.understood import understood
from spaces.families import family_of
from spaces.sections.data_section import DataSection, FirstRows, KeyedRows, OtherSource
from spaces.sections.sources import OTHER_SOURCES

if TYPE_CHECKING:
    from spaces.specs.spec import SearchSpec

_TEST_FRACTION = 0.2


def load_data(spec: SearchSpec, begun: DataInfo | None = None) -> Dataset:
    """Reads, checks and divides the data of a space.

    The same space and files give the same parts, in the same order. TensorFlow is imported only for image
    files and for data sets that Keras downloads.

    A validation part that comes with the data (a `validation` folder beside `train`) is used as it is;
    otherwise `data.validation` is taken from the training rows. `data.test: auto` is the test part that comes
    with the data, or else a fifth of the training rows.

    Args:
        spec: the space.
        begun: what an earlier run found the rows to be: a table is encoded as it was then.

    Raises:
        DataError: data are missing or cannot be used; the message names the file.
    """
    known = () if begun is None else begun.encodings
    raw = _read(spec, known)
    if raw.table is None:
        raw = check_rows(raw)
    if spec.data.image_size is not None and raw.train.x.ndim == 2:
        raise DataError(f"data.image_size: {raw.train.where} holds rows of columns, no images")
    if spec.final.tta != "none" and raw.train.x.ndim == 2:
        raise DataError(f"final.tta: {raw.train.where} holds rows of columns, no images")
    _check_several(spec, raw)
    encoded = encode_labels(raw, spec.training.task if raw.targets is None else "regression", spec.training.loss)
    ys = iter(encoded.ys)
    raw = raw.map_parts(lambda part: dataclasses.replace(part, y=next(ys)))
    train, validation, test = _divide(spec.data, raw, bool(encoded.class_names))
    if encoded.class_names:
        check_classes(train.y, encoded.class_names, raw.train.where)
    if raw.table is not None:
        columns = raw.table.columns
        known = known or fit(columns, train.x)
        train, validation = _encoded(train, known, columns), _encoded(validation, known, columns)
        test = test and _encoded(test, known, columns)
    info = _describe(spec.data, raw, encoded, train.x, known)
    target = _target(spec, raw, train) if begun is None else begun.target
    info = dataclasses.replace(info, target=target)
    told = understood(info, raw.table, train, validation, test)
    return Dataset(raw.name, info, train, validation, test, fingerprint(train, validation, test), raw.origin, told)


def _check_several(spec: SearchSpec, raw: RawData) -> None:
    """Models of several inputs or outputs are those of the user's functions."""
    if (raw.inputs is not None or raw.targets is not None) and not family_of(spec.model).users_code:
        several = raw.inputs or raw.targets
        assert several is not None
        raise DataError(
            f"{raw.train.where}: holds several arrays ({several.described()}); a model for them is built by a function "
            "of your own, model.family: {python: ...}"
        )


def _read(spec: SearchSpec, known: Sequence[ColumnEncoding]) -> RawData:
    data = spec.data
    if isinstance(data.source, str):
        return load_builtin(data.source, data.seed, data.image_size, data.color, data.broken)
    if isinstance(data.source, OtherSource):
        return OTHER_SOURCES[data.source.kind].load(data.source.location)
    path = Path(data.source.location)
    match data.source.kind:
        case "folder":
            return load_folder(path, data.seed, data.image_size, data.color, data.broken)
        case "npz":
            return load_npz(path)
        case "csv" | "parquet":
            return load_table(path, _table_options(data), spec.training.task, known)
        case "idx":
            return load_idx(path)
        case _:
            return load_python(data.source.location)


def _table_options(data: DataSection) -> TableOptions:
    source = data.source
    if isinstance(source, str):
        return TableOptions(data.target_column, data.columns)
    return TableOptions(
        data.target_column,
        data.columns,
        source.separator,
        source.encoding,
        source.decimal,
        groups=tuple(key.group for key in data.keys if key.group is not None),
        times=tuple(key.time for key in data.keys if key.time is not None),
    )


def _divide(data: DataSection, raw: RawData, classes: bool) -> tuple[Split, Split, Split | None]:
    if data.test == "given" and raw.test is None:
        raise DataError(f"{raw.origin}: has no test part of its own; set data.test to a fraction or to none")
    if data.validation == "given" and raw.validation is None:
        raise DataError(f"{raw.origin}: has no validation part of its own; set data.validation to a fraction")
    test_size = _test_size(data, raw)
    validation_size = None if raw.validation is not None else _validation_size(data.validation, raw)
    if isinstance(validation_size, Keyed) or isinstance(test_size, Keyed):
        rows = keyed_partition(raw.train.y, validation_size, test_size, seed=data.seed, classes=classes)
    else:
        rows = partition(
            raw.train.y, validation_size, test_size, seed=data.seed, shuffled=raw.shuffled, classes=classes
        )
    train = _select(raw.train, rows.train)
    if data.limit is not None:
        train = _select(train, reduce(train.y, data.limit, seed=data.seed, classes=classes))
    if raw.validation is not None:
        validation = Split(raw.validation.x, raw.validation.y)
    else:
        validation = _select(raw.train, rows.validation)
    if test_size is not None:
        return train, validation, _select(raw.train, rows.test)
    if data.test == "none" or raw.test is None:
        return train, validation, None
    return train, validation, Split(raw.test.x, raw.test.y)


def _validation_size(
    wanted: int | float | Literal["given"] | FirstRows | KeyedRows, raw: RawData
) -> Size | Keyed | None:
    if isinstance(wanted, str):
        return None
    if isinstance(wanted, KeyedRows):
        return _keyed(wanted, raw)
    return wanted if isinstance(wanted, int | float) else First(wanted.first)


def _keyed(rule: KeyedRows, raw: RawData) -> Keyed:
    return Keyed(rule.column, raw.keys[rule.column], rule.time is not None, rule.size)


def _test_size(data: DataSection, raw: RawData) -> int | float | Keyed | None:
    """What is taken from the training rows for the test; None: nothing."""
    wanted = data.test
    if wanted == "auto":
        if isinstance(data.validation, KeyedRows):
            return dataclasses.replace(_keyed(data.validation, raw), size=_TEST_FRACTION)
        return None if raw.test is not None else _TEST_FRACTION
    if isinstance(wanted, KeyedRows):
        return _keyed(wanted, raw)
    return None if isinstance(wanted, str) else wanted


def _select(part: Part | Split, rows: Rows) -> Split:
    return Split(part.x[rows], part.y[rows])


def _target(spec: SearchSpec, raw: RawData, train: Split) -> TargetScale | None:
    if spec.training.task != "regression" or not family_of(spec.model).scales_targets:
        return None
    scale = spec.data.target_scale or "standard"
    if scale == "log":
        for part in raw.parts:
            require_positive(part.y, part.where)
    return target_scale(scale, train.y, raw.train.where)


def _encoded(part: Split, encodings: Sequence[ColumnEncoding], columns: Sequence[Column]) -> Split:
    return Split(encode(encodings, columns, part.x), part.y)


def _describe(
    data: DataSection, raw: RawData, encoded: EncodedLabels, x: Array, table: tuple[ColumnEncoding, ...]
) -> DataInfo:
    image = x.ndim > 2
    indicators = np.array([flag for column in table for flag in column.indicators]) if table else None
    # Bytes of several arrays have no range.
    option = data.preprocessing if raw.inputs is None else "none"
    chosen = preprocessing.choose(option, x, raw.white, indicators, raw.train.where)
    return DataInfo(
        kind="image" if image else "tabular",
        input_shape=x.shape[1:],
        dtype=x.dtype.name,
        task=encoded.task,
        labels=encoded.labels,
        outputs=encoded.outputs,
        class_names=encoded.class_names,
        scale=chosen.scale,
        mean=chosen.mean,
        std=chosen.std,
        image_size=data.image_size,
        resized=raw.resized,
        white=chosen.white,
        columns=tuple(column.name for column in table),
        categories={column.name: column.values for column in table if column.kind == "category"},
        column_labels=encoded.column,
        label_dtype=encoded.dtype,
        table=table,
        inputs=raw.inputs,
        targets=raw.targets,
    )
