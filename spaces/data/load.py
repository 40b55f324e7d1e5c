"""Loading the data of a space: source, checks, labels, parts and preprocessing in one pass."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spaces.basics.errors import CodeError, DataError
from spaces.data import preprocessing
from spaces.data.checks import as_measured, as_weights, check_classes, check_rows
from spaces.data.fingerprint import fingerprint
from spaces.data.keyed_split import Keyed, keyed_partition
from spaces.data.labels import EncodedLabels, encode_labels
from spaces.data.parts import PartName
from spaces.data.readers.builtin import load_builtin
from spaces.data.readers.folder import load_folder
from spaces.data.readers.idx import load_idx
from spaces.data.readers.npz import load_npz
from spaces.data.readers.python import load_python, read_returned
from spaces.data.readers.source import Part, RawData
from spaces.data.split import First, Rows, Size, assign_folds, partition, reduce
from spaces.data.stored.rows import StoredRows
from spaces.data.stored.store import RowStore
from spaces.data.tables import dates
from spaces.data.tables.encoding import ColumnEncoding, fit
from spaces.data.tables.frames import FrameReader
from spaces.data.tables.loading import TableOptions, load_table
from spaces.data.tables.values import Encoder, values
from spaces.data.target import require_positive, require_told_apart, target_scale
from spaces.data.types import AnyRows, Array, DataInfo, Dataset, Kind, Split, Streamed, TargetScale
from spaces.data.understood import preparation, taken_for, understood
from spaces.families import family_of
from spaces.families.augmentation import Augmentation, changes, may_change
from spaces.outside.user_code import contained
from spaces.sections.data_section import DataSection, FirstRows, Folds, KeyedRows, OtherSource, TargetRule
from spaces.sections.sources import OTHER_SOURCES
from spaces.sections.training_section import OF_ONE_CLASS
from spaces.values.dimensions import Value
from spaces.values.packing import Structure

if TYPE_CHECKING:
    from spaces.specs.spec import SearchSpec

_TEST_FRACTION = 0.2
# Losses, and metrics, of squares.
_SQUARED = frozenset(("auto", "mse", "rmse", "r2", "r2_score"))
_IN_ORDER = " (rows are divided in their order; data.split: random draws some of every class)"


def load_data(spec: SearchSpec, begun: DataInfo | None = None, folder: Path | None = None) -> Dataset:
    """Reads, checks and divides the data of a space.

    The same space and files give the same parts, in the same order. TensorFlow is imported only for image
    files and for data sets that Keras downloads.

    A validation part that comes with the data (a `validation` folder beside `train`) is used as it is;
    otherwise `data.validation` is taken from the training rows. `data.test: auto` is the test part that comes
    with the data, or else a fifth of the training rows.

    Args:
        spec: the space.
        begun: what an earlier run found the rows to be: a table is encoded as it was then.
        folder: where files of rows are written that are too many for the memory, if any are, and found again by the
            next call for the same data; None: a temporary place that is empty again when this process ends.

    Raises:
        DataError: data are missing or cannot be used; the message names the file.
    """
    known = () if begun is None else begun.encodings
    store = RowStore(spec.data.stream, folder, spec.limits.disk)
    raw = _kept(_read(spec, begun, store), store)
    if begun is None and store.always and raw.table is not None and not raw.table.stored:
        raise DataError(
            f"data.stream: true has no effect: {raw.train.where} is a DataFrame, which is in memory already; a parquet "
            "file need not be"
        )
    # Their types alone: the rows as they came may be large.
    came = () if raw.table is not None else tuple(part.x.dtype for part in raw.parts)
    if raw.table is None:
        raw = _of_one_kind(check_rows(raw, users_code=family_of(spec.model).users_code), store)
    _check_arrays(spec, raw)
    kind = begun.kind if begun is not None else _kind(spec, raw)
    if kind == "series" and (begun is None or begun.dtype != "uint8"):
        raw = as_measured(raw, came)
    encoded = encode_labels(raw, spec.training.task if raw.targets is None else "regression", spec.training.loss)
    if begun is None:
        _check_one_class(spec, raw, encoded)
    if begun is None and encoded.labels == "number" and raw.targets is None:
        squared = not _SQUARED.isdisjoint((spec.training.loss, *spec.training.metrics))
        require_told_apart(raw.train.y, raw.origin, squared=squared)
    ys = iter(encoded.ys)
    raw = raw.map_parts(lambda part: dataclasses.replace(part, y=next(ys)))
    in_order = _in_order(spec.data, kind)
    if in_order and spec.data.folds is not None:
        raise DataError(
            f"{raw.train.where}: data.validation: folds draw rows at random, but these are divided in their order; "
            "give a fraction, or data.split: random"
        )
    last = _last(spec.data, raw, in_order)
    train, validation, test, folds, drawn = _divide(spec.data, raw, bool(encoded.class_names), last)
    # What is learnt of the rows in folds is learnt of all of them: each trains in most folds, and in the final model.
    known_rows = train if folds is None else train.joined(validation)
    chooses = validation if folds is None else None
    _check_weights({"training": known_rows, "validation": chooses, "test": test}, folds, raw.train.where)
    if encoded.class_names:
        check_classes(known_rows.y, encoded.class_names, raw.train.where + _IN_ORDER * bool(last))
    if raw.table is not None:
        known = known or fit(raw.table.columns, values(raw.table, known_rows.x))
        _require_inputs(known, raw.train.where)
        encoder = Encoder(raw.table, known, store, raw.train.where)
        train, validation, test = encoder(train), encoder(validation), test and encoder(test)
        known_rows = train if folds is None else train.joined(validation)
    info = _describe(spec, raw, encoded, known_rows.x, kind, known)
    info = dataclasses.replace(info, antialias=_antialias(begun) and (raw.resized or info.image_size is not None))
    target = _target(spec, raw, known_rows) if begun is None else begun.target
    came_as = info.label_values if begun is None else begun.label_values
    names = raw.frame_columns if begun is None else begun.frame_columns
    info = dataclasses.replace(
        info, target=target, weighted=train.weight is not None, label_values=came_as, frame_columns=names
    )
    told = understood(info, raw.table, known_rows, validation if folds is None else known_rows, test)
    told |= {"parts": drawn, "prepared": preparation(info, own_pixels=family_of(spec.model).own_pixels)}
    if raw.table is None and raw.train.x.ndim == 3 and raw.white is None:
        told["notes"] += taken_for(info, last)
    if raw.test is not None and _test_size(spec.data, raw) is not None:
        told["notes"].append(
            f"the test part that comes with the data ({len(raw.test.y)} rows) is not used: data.test takes others of "
            "the training rows; `given` takes it"
        )
    if folds is not None:
        told["folds"] = _told_folds(spec.data, folds, bool(encoded.class_names))
    digest = fingerprint(train, validation, test, folds=folds)
    streamed = _streamed((train, validation, test), store)
    return Dataset(
        raw.name, info, train, validation, test, digest, raw.origin, told, folds, streamed, changing=raw.changing
    )


def _require_inputs(encodings: Sequence[ColumnEncoding], where: str) -> None:
    if not any(encoding.inputs for encoding in encodings):
        names = ", ".join(repr(encoding.name) for encoding in encodings)
        raise DataError(
            f"{where}: no input is left: the texts of {names} have no words in common; "
            f"data.columns: {{{encodings[0].name}: category}} takes each as a value of its own"
        )


def _told_folds(data: DataSection, folds: Array, classes: bool) -> str:
    """The cross-validation in words."""
    assert data.folds is not None
    sizes = np.bincount(folds)
    rows = str(sizes.min()) if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    by = f"whole groups of {data.folds.group}" if data.folds.group else "drawn at random"
    if classes and data.folds.group is None and data.stratify is not False:
        by = "of each class in proportion"
    return f"{data.folds.folds} folds of {rows} rows, {by}; a score is the mean over folds"


def _check_one_class(spec: SearchSpec, raw: RawData, encoded: EncodedLabels) -> None:
    """Refuses what is about rows of one class each where they have something else."""
    if encoded.labels == "multi-label":
        these = "these may have several labels"
    elif raw.targets is not None and not _are_classes(raw.train.y, raw.targets):
        these = f"the targets of these are {raw.targets.described()}"
    else:
        return
    for key in OF_ONE_CLASS:
        for place in _said(spec, key):
            raise DataError(f"{raw.train.where}: {place} is for rows of one class each; {these}")


def _are_classes(y: Array, targets: Structure) -> bool:
    """Whether a single target that was given by name or place is a class for each row, as a number or one-hot."""
    first, *others = targets.pieces
    if others or len(first.shape) > 1 or (y < 0).any() or (y != np.floor(y)).any():
        return False
    return y.shape[1] == 1 or bool((y.sum(axis=1) == 1).all())


def _said(spec: SearchSpec, key: str) -> dict[str, tuple[Value, ...]]:
    """The values that a space, and its baselines, ask of a setting of the training, by their places in the file."""
    dimension = getattr(spec.training, key)
    found = {} if dimension is None else {f"training.{key}": dimension.values or ()}
    for index, baseline in enumerate(spec.baselines):
        if key in baseline.asked:
            found[f"baselines.{index}.values.{key}"] = (baseline.asked[key],)
    return found


def _check_arrays(spec: SearchSpec, raw: RawData) -> None:
    """Models of several inputs or outputs are those of the user's functions."""
    if (raw.inputs is not None or raw.targets is not None) and not family_of(spec.model).users_code:
        several = raw.inputs or raw.targets
        assert several is not None
        raise DataError(
            f"{raw.train.where}: holds several arrays ({several.described()}); a model for them is built by a function "
            "of your own, model.family: {python: ...}"
        )


def _kind(spec: SearchSpec, raw: RawData) -> Kind:
    """What the rows are; refuses what the space file asks of other rows."""
    x, where, wanted = raw.train.x, raw.train.where, spec.data.kind
    several = None if raw.inputs is None else f"several arrays ({raw.inputs.described()})"
    if several is not None and wanted != "auto":
        raise DataError(f"data.kind: has no effect: {where} holds {several}, each of which is taken as it is")
    holds = f"{where} holds rows of {'columns' if x.ndim == 2 else f'{x.ndim - 1} axes'}"
    if wanted == "image" and x.ndim == 2:
        raise DataError(f"data.kind: {holds}, no images")
    if wanted == "series" and x.ndim != 3:
        raise DataError(f"data.kind: {holds}; series have shape (rows, steps, features)")
    pictures: Literal["image"] | None = "image" if spec.data.source_kind == "idx" else None
    kind = preprocessing.kind_of(wanted, x, raw.white, family_of(spec.model).rows or pictures)
    if kind != "image":
        what = several or ("rows of columns" if kind == "tabular" else "time series")
        for key in _for_images(spec):
            raise DataError(f"{key}: {where} holds {what}, no images")
        _check_digits(spec, f"{where} holds {what}")
    return kind


def _for_images(spec: SearchSpec) -> Iterator[str]:
    """Places in the file that ask for what only images have."""
    if spec.data.image_size is not None:
        yield "data.image_size"
    if spec.final.tta != "none":
        yield "final.tta"
    augmentation = getattr(spec.model, "augmentation", None)
    if not isinstance(augmentation, Augmentation):
        return
    if may_change(augmentation):
        yield "model.augmentation"
    for index, baseline in enumerate(spec.baselines):
        yield from (f"baselines.{index}.values.{name}" for name in changes(baseline.values))


def _check_digits(spec: SearchSpec, holds: str) -> None:
    """Refuses layers that take the rows in and leave their values two or three digits: those of the user's function."""
    for place, asked in _said(spec, "precision").items() if family_of(spec.model).users_code else ():
        if "bfloat16" in asked:
            raise DataError(
                f"{place}: {holds}, of whose values bfloat16 keeps two or three digits, and the model of a function "
                "computes in it from its first layer on; allowed: float32"
            )


def _in_order(data: DataSection, kind: Kind) -> bool:
    """Whether the rows are divided as they follow each other in time."""
    return data.split == "chronological" or (data.split == "auto" and kind == "series" and not data.stratify)


def _last(data: DataSection, raw: RawData, in_order: bool) -> tuple[PartName, ...]:
    """The parts that are cut from the end of rows in their order, the very last one first."""
    sizes: dict[PartName, Size | Keyed | None] = {
        "test": _test_size(data, raw),
        "validation": _validation_size(data.validation, raw),
    }
    return tuple(part for part, size in sizes.items() if in_order and isinstance(size, int | float))


def _antialias(begun: DataInfo | None) -> bool:
    return begun is None or begun.antialias


def _kept(raw: RawData, store: RowStore) -> RawData:
    """The same rows, where `data.stream: true` wants them; of several types they are written when they have got one."""
    if not store.always or raw.table is not None or len({part.x.dtype for part in raw.parts}) > 1:
        return raw

    def keep(part: Part) -> Part:
        if isinstance(part.x, StoredRows) or part.x.dtype.hasobject or not part.x.ndim:
            return part
        return dataclasses.replace(part, x=store.whole(part.x, part.where))

    return raw.map_parts(keep)


def _of_one_kind(raw: RawData, store: RowStore) -> RawData:
    """The same rows, all in memory or all on the disk in files of one type, so that parts can be put together."""
    stored = [part.x.stored for part in raw.parts if isinstance(part.x, StoredRows)]
    if not (stored or store.always) or (len(stored) == len(raw.parts) and len(set(stored)) == 1):
        return raw

    def keep(part: Part) -> Part:
        if isinstance(part.x, StoredRows) and part.x.stored == part.x.dtype:
            return part
        return dataclasses.replace(part, x=store.whole(part.x, part.where))

    return raw.map_parts(keep)


def _streamed(parts: Sequence[Split | None], store: RowStore) -> Streamed | None:
    stored = [part.x for part in parts if part is not None and isinstance(part.x, StoredRows)]
    return Streamed(sum(x.nbytes for x in stored), store.written, store.place) if stored else None


def _read(spec: SearchSpec, begun: DataInfo | None, store: RowStore) -> RawData:
    data, antialias = spec.data, _antialias(begun)
    known = () if begun is None else begun.encodings
    if isinstance(data.source, str):
        return load_builtin(data.source, data.seed, data.image_size, data.color, data.broken, store, antialias)
    if isinstance(data.source, OtherSource):
        return _read_other(data.source, store, _frames(spec, begun))
    path = Path(data.source.location)
    match data.source.kind:
        case "folder":
            return load_folder(
                path,
                data.seed,
                data.image_size,
                data.color,
                data.broken,
                store,
                antialias,
                parts=data.source.parts,
                begun=begun is not None,
            )
        case "npz":
            return load_npz(path, store)
        case "csv" | "parquet":
            written = None if begun is None else begun.written
            return load_table(path, table_options(data), spec.training.task, known, store, written)
        case "idx":
            return load_idx(path)
        case _:
            return load_python(data.source.location, store, _frames(spec, begun), begun=begun is not None)


def _frames(spec: SearchSpec, begun: DataInfo | None) -> FrameReader:
    known = () if begun is None else begun.encodings
    arrays = begun is not None and not known
    bare = family_of(spec.model).users_code
    return FrameReader(table_options(spec.data), spec.training.task, known, bare=bare, never=arrays)


def _read_other(source: OtherSource, store: RowStore, frames: FrameReader) -> RawData:
    """What a source of an installed package gives; whatever it raises is told with the entry point's name."""
    reader, where = OTHER_SOURCES[source.kind], f"nightshift.sources: {source.kind}"
    try:
        # Standard output may be a table or JSON.
        with contained(), contextlib.redirect_stdout(sys.stderr):
            found = reader.load(source.location)
    except (DataError, CodeError):
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"{where}: {source.location}: {type(error).__name__}: {error}") from error
    if isinstance(found, RawData):
        _require_arrays(found, f"{where}: {source.location}")
        return _with_weights(found)
    if reader.has_columns:
        return dataclasses.replace(read_returned(found, source.location, store, frames), name=source.kind)
    raise DataError(f"{where}: {source.location}: it gave {type(found).__name__}, no RawData")


def _require_arrays(raw: RawData, where: str) -> None:
    """Refuses parts that are no arrays, such as lists: everything after this asks for their types and shapes."""
    for part in raw.parts:
        held: dict[str, Any] = {"x": part.x, "y": part.y}
        held |= {} if part.weight is None else {"weight": part.weight}
        for name, value in held.items():
            if not isinstance(value, np.ndarray | StoredRows):
                raise DataError(f"{where}: its {name} is a {type(value).__name__}, no NumPy array")


def _with_weights(raw: RawData) -> RawData:
    """The same data with weights checked; rows of which nothing is said count 1 where others say how much."""
    if all(part.weight is None for part in raw.parts):
        return raw

    def checked(part: Part) -> Part:
        count = part.x.shape[:1]
        # Those of a package may be on the disk, as rows may.
        given: Any = part.weight[:] if isinstance(part.weight, StoredRows) else part.weight
        weight = np.ones(count, np.float32) if given is None else as_weights(given, part.where)
        if weight.shape != count:
            raise DataError(f"{part.where}: rows of shape {part.x.shape} but {len(weight)} weights")
        return dataclasses.replace(part, weight=weight)

    return raw.map_parts(checked)


def table_options(data: DataSection) -> TableOptions:
    """What a space says about the columns of its table, if it has one."""
    source = data.source
    if isinstance(source, str):
        return TableOptions(data.target_column, data.columns)
    return TableOptions(
        data.target_column,
        {**data.columns, **dict.fromkeys(data.target if isinstance(data.target, tuple) else (), "target")},
        source.separator,
        source.encoding,
        source.decimal,
        groups=data.groups,
        times=tuple(key.time for key in data.keys if key.time is not None),
        labels_apart=data.target.separator if isinstance(data.target, TargetRule) else None,
        parquet=source.kind == "parquet",
    )


def _divide(
    data: DataSection, raw: RawData, classes: bool, last: Sequence[PartName]
) -> tuple[Split, Split, Split | None, Array | None, dict[str, str]]:
    """Training, validation and test part, the folds, and in words how validation and test part came about."""
    if data.test == "given" and raw.test is None:
        raise DataError(f"{raw.origin}: has no test part of its own; set data.test to a fraction or to none")
    if data.validation == "given" and raw.validation is None:
        raise DataError(f"{raw.origin}: has no validation part of its own; set data.validation to a fraction")
    labelled, classes = classes, classes and data.stratify is not False
    if data.folds is not None and raw.validation is not None:
        raise DataError(f"{raw.origin}: has a validation part of its own; set data.validation to given, not to folds")
    test_size = _test_size(data, raw)
    validation_size = _validation_size(data.validation, raw)
    if isinstance(validation_size, Keyed) or isinstance(test_size, Keyed):
        rows = keyed_partition(
            raw.train.y,
            validation_size,
            test_size,
            seed=data.seed,
            classes=classes,
            folds=_folds_of(test_size, data.folds),
        )
    else:
        cut = (raw.shuffled or bool(last)) and not data.stratify
        rows = partition(raw.train.y, validation_size, test_size, seed=data.seed, shuffled=cut, classes=classes)
    chosen = np.arange(len(raw.train.y))[rows.train]
    folds = None
    if data.folds is not None:
        chosen, parts = _into_folds(data, data.folds, raw, chosen, labelled)
        first = parts == 0
        train, validation = _select(raw.train, chosen[~first]), _select(raw.train, chosen[first])
        folds = np.concatenate([parts[~first], parts[first]])
    else:
        kept: Rows = rows.train
        if data.limit is not None:
            kept = chosen[_some_of(data, data.limit, raw.train, chosen, labelled)]
        train = _select(raw.train, kept)
        validation = (
            _select(raw.train, rows.validation) if raw.validation is None else _select(raw.validation, slice(None))
        )
    test = None
    if test_size is not None:
        test = _select(raw.train, rows.test)
    elif data.test != "none" and raw.test is not None:
        test = _select(raw.test, slice(None))
    drawn = _Drawn(raw, classes, last, cut_off=raw.shuffled and not data.stratify)
    told = {}
    if data.folds is None:
        told["validation"] = drawn.told(validation_size, rows.validation, "validation")
    if test is not None:
        told["test"] = drawn.told(test_size, rows.test, "test")
    return train, validation, test, folds, told


@dataclass(frozen=True)
class _Drawn:
    """Says how a part of the rows came about.

    Attributes:
        raw: the rows.
        classes: whether classes are drawn in proportion.
        last: the parts that hold the last rows.
        cut_off: whether they were shuffled before, and the last ones are held out.
    """

    raw: RawData
    classes: bool
    last: Sequence[PartName]
    cut_off: bool

    def told(self, size: Size | Keyed | None, rows: Rows, name: Literal["validation", "test"]) -> str:
        """Its words; `size` None where it comes with the data."""
        if size is None:
            part = self.raw.validation if name == "validation" else self.raw.test
            assert part is not None
            return f"comes with the data ({part.where})"
        if isinstance(size, Keyed):
            held = size.key[rows]
            if size.latest:
                first = held.min()
                moment = dates.written(first) if held.dtype.kind == "M" else f"{first:.15g}"
                divided = (size.key == first).sum() > (held == first).sum()
                others = f" (other rows of {moment} are in the part before)" if divided else ""
                return f"the latest rows by {size.column}, from {moment} on{others}"
            return f"whole groups of {size.column}: {len(np.unique(held))} of {len(np.unique(size.key))}"
        if isinstance(size, First):
            begins = np.arange(len(self.raw.train.y))[rows][0] == 0
            return f"the first rows{'' if begins else ' after those of the test part'}"
        if name in self.last:
            return "the last rows" if name == self.last[0] else "the last rows before those of the test part"
        if self.cut_off:
            return "the last ones of the rows as the seed shuffles them, as Keras's own loader divides them"
        return f"drawn at random{', of each class in proportion' if self.classes else ''}"


def _folds_of(test: Size | Keyed | None, folds: Folds | None) -> int:
    """The number of folds that need groups of the column from which groups test."""
    if folds is None or not isinstance(test, Keyed) or test.column != folds.group:
        return 0
    return folds.folds


def _some_of(
    data: DataSection, limit: int, part: Part, chosen: Array, labelled: bool, apart: Array | None = None
) -> Rows:
    """Which of the chosen rows `data.limit` leaves: every class that they have is among them, and some that count.

    Args:
        data: how rows are drawn.
        limit: how many are left.
        part: the rows.
        chosen: numbers of those that train.
        labelled: whether the labels are classes.
        apart: as for `reduce`.
    """
    y, weight = part.y[chosen], None if part.weight is None else part.weight[chosen]
    draw = functools.partial(reduce, y, limit, seed=data.seed)
    classes = labelled and data.stratify is not False
    kept = draw(classes=classes, apart=apart)
    if labelled and not classes and _classes_in(y[kept]) < _classes_in(y):
        # Drawn at random, as was asked for, a few rows are soon without a rare class.
        classes, kept = True, draw(classes=True, apart=apart)
    if weight is not None and weight.any() and not weight[kept].any():
        kept = draw(classes=classes, apart=weight > 0)
    return kept


def _classes_in(y: Array) -> int:
    """How many classes, or labels, any row has."""
    return int(y.any(axis=0).sum()) if y.ndim == 2 else len(np.unique(y))


def _into_folds(data: DataSection, wanted: Folds, raw: RawData, chosen: Array, labelled: bool) -> tuple[Array, Array]:
    """The training rows, of which `data.limit` leaves some, and the fold of each."""
    classes = labelled and data.stratify is not False
    key = None if wanted.group is None else raw.keys[wanted.group]
    weight = raw.train.weight

    def dealt(rows: Array) -> Array:
        groups = None if key is None else key[rows]
        return assign_folds(raw.train.y[rows], wanted.folds, seed=data.seed, classes=classes, groups=groups)

    if data.limit is None:
        return chosen, dealt(chosen)
    some = functools.partial(_some_of, data, data.limit, raw.train, chosen, labelled)
    if key is None and weight is None:
        chosen = chosen[some()]
        return chosen, dealt(chosen)
    # A few rows of all might be of too few groups for the folds, or count for nothing in one: it is a few of each fold.
    folds = dealt(chosen)
    kept = some(apart=folds if weight is None else 2 * folds + (weight[chosen] > 0))
    return chosen[kept], folds[kept]


def _validation_size(
    wanted: int | float | Literal["given"] | FirstRows | KeyedRows | Folds, raw: RawData
) -> Size | Keyed | None:
    """What is taken from the training rows to validate; None: nothing."""
    return None if raw.validation is not None or isinstance(wanted, str | Folds) else _size(wanted, raw)


def _size(wanted: int | float | FirstRows | KeyedRows, raw: RawData) -> Size | Keyed:
    if isinstance(wanted, KeyedRows):
        return _keyed(wanted, raw)
    return First(wanted.first) if isinstance(wanted, FirstRows) else wanted


def _keyed(rule: KeyedRows, raw: RawData) -> Keyed:
    return Keyed(rule.column, raw.keys[rule.column], rule.time is not None, rule.size)


def _test_size(data: DataSection, raw: RawData) -> Size | Keyed | None:
    """What is taken from the training rows for the test; None: nothing."""
    wanted = data.test
    if wanted == "auto":
        if raw.test is not None:
            return None
        if isinstance(data.validation, KeyedRows):
            return dataclasses.replace(_keyed(data.validation, raw), size=_TEST_FRACTION)
        if data.folds is not None and data.folds.group is not None:
            return Keyed(data.folds.group, raw.keys[data.folds.group], False, _TEST_FRACTION)
        return _TEST_FRACTION
    return None if isinstance(wanted, str) else _size(wanted, raw)


def _select(part: Part | Split, rows: Rows) -> Split:
    return Split(part.x, part.y, part.weight).some(rows)


def _check_weights(parts: Mapping[str, Split | None], folds: Array | None, where: str) -> None:
    for name, part in parts.items():
        if part is not None and part.weight is not None and not part.weight.any():
            raise DataError(f"{where}: all rows of the {name} part have weight 0")
    training = parts["training"]
    if folds is None or training is None or training.weight is None:
        return
    for fold in range(folds.max() + 1):
        if not training.weight[folds == fold].any():
            raise DataError(
                f"{where}: all rows of fold {fold + 1} of {folds.max() + 1} have weight 0; fewer folds, or another "
                "data.seed, may divide them better"
            )


def _target(spec: SearchSpec, raw: RawData, train: Split) -> TargetScale | None:
    if spec.training.task != "regression" or not family_of(spec.model).scales_targets:
        return None
    scale = spec.data.target_scale or "standard"
    if scale == "log":
        for part in raw.parts:
            require_positive(part.y, part.where)
    return target_scale(scale, train.y, raw.train.where)


def _describe(
    spec: SearchSpec,
    raw: RawData,
    encoded: EncodedLabels,
    x: AnyRows,
    kind: Kind,
    table: tuple[ColumnEncoding, ...],
) -> DataInfo:
    indicators = np.array([flag for column in table for flag in column.indicators]) if table else None
    # A function's model gets rows as they are. Bytes of several arrays have no range.
    as_they_are = family_of(spec.model).users_code
    option = "none" if as_they_are or raw.inputs is not None else spec.data.preprocessing
    chosen = preprocessing.choose(option, x, kind, raw.white, indicators, raw.train.where)
    return DataInfo(
        kind=kind,
        input_shape=x.shape[1:],
        dtype=x.dtype.name,
        task=encoded.task,
        labels=encoded.labels,
        outputs=encoded.outputs,
        class_names=encoded.class_names,
        **vars(chosen),
        image_size=None if as_they_are and not raw.resized else spec.data.image_size,
        resized=raw.resized,
        columns=tuple(column.name for column in table),
        categories={column.name: column.values for column in table if column.kind == "category"},
        column_labels=encoded.column,
        label_dtype=encoded.dtype,
        label_values=encoded.values,
        table=table,
        inputs=raw.inputs,
        targets=raw.targets,
        written=raw.table.written if raw.table is not None else None,
    )
