"""The `data:` section: where the rows come from and how they are split."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from spaces.basics.errors import CodeError
from spaces.basics.printable import printable
from spaces.basics.section import Refusals, Section, as_whole, listed, refuse, shown, suggestion, unknown
from spaces.outside.references import Reference
from spaces.sections.sources import OTHER_SOURCES

NAMED_SOURCES = ("digits", "fashion-mnist", "mnist", "cifar10", "cifar100", "flowers")
IMAGE_FILES = ("folder", "flowers")
"""What is read from files of one image each."""
TABLES = ("csv", "parquet")
COLUMNS = (*TABLES, "python")
"""What may have columns: a function may return a DataFrame."""

PATH_SOURCES = ("folder", "npz", *TABLES, "idx")
SOURCES = (*PATH_SOURCES, "python")
ROLES = ("number", "boolean", "category", "text", "date", "target", "weight", "drop")


def is_path(kind: str) -> bool:
    """Whether a kind of source is a path; False of one whose package cannot be used, which validation tells."""
    try:
        return kind in PATH_SOURCES or (kind in OTHER_SOURCES and OTHER_SOURCES[kind].is_path)
    except CodeError:
        return False


def source_kinds() -> tuple[str, ...]:
    """The keys of which `data.source` has one, those of installed packages included."""
    return (*SOURCES, *(name for name in OTHER_SOURCES.names() if name not in SOURCES))


def has_columns(kind: object) -> bool:
    """Whether data under such a key may have columns; those of another package, if it says so."""
    if kind in COLUMNS:
        return True
    try:
        return isinstance(kind, str) and OTHER_SOURCES[kind].has_columns
    except (KeyError, CodeError):
        # What cannot be imported is refused where it is read.
        return False


def _absolute(path: str) -> str:
    if not path:
        raise refuse("found an empty path; allowed: a file or folder")
    # Not resolve(): a link stays the name that its owner chose.
    return os.path.abspath(os.path.expanduser(path))


AbsolutePath = Annotated[str, AfterValidator(_absolute)]


ColumnName = Annotated[str, AfterValidator(printable)]
"""As tables have it, where what stands in a name without being seen, such as a joiner, is spelt as an escape."""


def _separator(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise refuse(f"found {shown(text)}; allowed: one character")
    return text


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError, TypeError):
        raise refuse(f"found {shown(name)}; allowed: an encoding such as utf-8, latin-1, cp1252, utf-16") from None
    return name


class Source(Section):
    """The user's own data: exactly one of the keys."""

    folder: AbsolutePath | None = Field(default=None, description="Folder with one folder of images per class.")
    npz: AbsolutePath | None = Field(
        default=None,
        description="NumPy archive, or folder of .npy files, with x_train and y_train, or x and y, and, if wanted, a "
        "validation and a test part.",
    )
    csv: AbsolutePath | None = Field(default=None, description="Table with a header line.")
    parquet: AbsolutePath | None = Field(default=None, description="Parquet table; needs the extra [parquet].")
    idx: AbsolutePath | None = Field(default=None, description="Folder with files in the format of MNIST.")
    python: Reference | None = Field(default=None, description='"module:function" that returns arrays or a DataFrame.')
    separator: Annotated[str, AfterValidator(_separator)] | None = Field(
        default=None, description="Between the cells of a csv; default found from its first lines."
    )
    encoding: Annotated[str, AfterValidator(_encoding)] | None = Field(
        default=None, description="Of a csv, such as utf-8, latin-1, utf-16; default found from its bytes."
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description="Sign of decimals in a csv; default found from its cells."
    )
    parts: Literal["none"] | None = Field(
        default=None,
        description="none: every folder of images is a class, whatever its name and what it holds; default: folders "
        "named train, validation and test are parts.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        self._require_one()
        return self

    def _require_one(self) -> None:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "no source"
            raise refuse(f"found {found}; allowed: exactly one of {listed(source_kinds())}")
        self._require_effect()

    def _require_effect(self) -> None:
        refusals = Refusals()
        for name in ("separator", "encoding", "decimal"):
            if self.csv is None and getattr(self, name) is not None:
                refusals.add("has no effect: only a csv source is text", name)
        if self.folder is None and self.parts is not None:
            refusals.add("has no effect: only a folder of images has parts that are told by names", "parts")
        refusals.raise_if_any()

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """Those of installed packages too."""
        return tuple(dict.fromkeys((*cls.model_fields, *source_kinds())))

    @property
    def kind(self) -> str:
        """Which of the keys is given."""
        return next(name for name in SOURCES if getattr(self, name) is not None)

    @property
    def location(self) -> str:
        """The absolute path, or the reference of a function."""
        return str(getattr(self, self.kind))


class OtherSource(Source):
    """Data of a kind that an installed package declares, under its name."""

    model_config = ConfigDict(extra="allow")

    def _require_one(self) -> None:
        given = self.__pydantic_extra__ or {}
        if len(given) != 1:
            raise refuse(f"found {' and '.join(map(str, given))}; allowed: exactly one of {listed(source_kinds())}")
        try:
            is_path = OTHER_SOURCES[self.kind].is_path
        except CodeError as error:
            raise refuse(str(error)) from error
        if not isinstance(self.location, str) or not self.location:
            allowed = "a file or folder" if is_path else "a text"
            raise refuse(f"found {shown(self.location)}; allowed: {allowed}", self.kind)
        if is_path:
            given[self.kind] = _absolute(self.location)
        self._require_effect()

    @property
    def kind(self) -> str:
        """The name that the package declares."""
        return next(iter(self.__pydantic_extra__ or {}))

    @property
    def location(self) -> str:
        """The absolute path, or a text."""
        found: str = (self.__pydantic_extra__ or {})[self.kind]
        return found


def _source(raw: Any) -> Any:
    if isinstance(raw, Source):
        return raw
    if isinstance(raw, dict):
        given = [name for name in source_kinds() if name in raw]
        others = [name for name in given if name not in SOURCES]
        if others and len(given) > 1:
            raise refuse(f"found {' and '.join(given)}; allowed: exactly one of {listed(source_kinds())}")
        return (OtherSource if others else Source).model_validate(raw)
    if raw not in NAMED_SOURCES:
        hint = suggestion(raw, NAMED_SOURCES) if isinstance(raw, str) else ""
        known = f"{', '.join(NAMED_SOURCES)}, or one of {', '.join(f'{{{name}: ...}}' for name in source_kinds())}"
        raise refuse(f"found {shown(raw)}; allowed: {known}{hint}")
    return raw


def _number_of_rows(raw: Any, allowed: str) -> int | float:
    if isinstance(raw, float) and raw == 1:
        raise refuse(f"found 1.0, which may be one row or all of them; allowed: {allowed}")
    found = as_whole(raw)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise refuse(f"found {shown(found)}; allowed: {allowed}")
    if (isinstance(found, int) and found < 1) or (isinstance(found, float) and not 0 < found < 1):
        raise refuse(f"found {shown(found)}; allowed: {allowed}")
    return found


_NO_COLUMNS = "has no effect: only a csv or parquet source, or a DataFrame from Python, has columns"

_ROWS = "a count of at least 1 or a fraction between 0 and 1"


class FirstRows(Section):
    """The first rows of the training part."""

    first: Annotated[int, Field(ge=1)] = Field(description="Number of rows.")


_ROWS_SCHEMA: list[JsonValue] = [
    {"type": "integer", "minimum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
]


def _size(raw: Any) -> Any:
    return _number_of_rows(raw, _ROWS)


class KeyedRows(Section):
    """Rows that a column of a table holds out: whole groups of rows that belong together, or the latest rows."""

    group: ColumnName | None = Field(default=None, description="Column that says which rows belong together.")
    time: ColumnName | None = Field(default=None, description="Column of times; the latest rows are held out.")
    size: Annotated[int | float, BeforeValidator(_size)] = Field(
        default=0.2, description="How many rows: a count or a fraction.", json_schema_extra={"anyOf": [*_ROWS_SCHEMA]}
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.group is None) == (self.time is None):
            found = "neither group nor time" if self.group is None else "group and time"
            raise refuse(f"found {found}; allowed: exactly one of group and time, the name of a column")
        return self

    @property
    def column(self) -> str:
        """The column that decides."""
        return self.group or self.time or ""


class Folds(Section):
    """Cross-validation: a configuration is trained on all parts but one, part after part, and scored by the mean."""

    folds: Annotated[int, Field(ge=2, le=50)] = Field(description="Number of parts.")
    group: ColumnName | None = Field(
        default=None, description="Column that says which rows belong together, in one part."
    )
    pause: bool = Field(
        default=True,
        description="Whether a configuration whose first folds are much worse than those of the best so far is not "
        "trained on the others; hyperband and freeze-thaw decide that themselves.",
    )


ROWS_BESIDE: dict[str, tuple[str, ...]] = {
    "first": (),
    "group": ("size",),
    "time": ("size",),
    "folds": ("group", "pause"),
}
"""What a mapping for validation or test rows may have beside the key that says which rows these are."""

_TEST_FORMS: dict[str, type[Section]] = {"group": KeyedRows, "time": KeyedRows, "first": FirstRows}
_VALIDATION_FORMS: dict[str, type[Section]] = {"folds": Folds, **_TEST_FORMS}
"""What a mapping with such a key is; the first that is there decides."""


def _held_out(raw: dict[str, Any], forms: Mapping[str, type[Section]], allowed: str) -> Section:
    """The rows that a mapping stands for. Its keys are those of the form that it has; without one, of all."""
    form = next((forms[key] for key in forms if key in raw), None)
    known = [key for one in (forms.values() if form is None else (form,)) for key in one.known_keys()]
    refusals = Refusals()
    for key in raw:
        if key not in known:
            refusals.add(unknown("key", key, tuple(dict.fromkeys(known))), key)
    if form is None and not refusals.found:
        refusals.add(f"found a mapping without {listed(forms)}; allowed: {allowed}")
    refusals.raise_if_any()
    assert form is not None
    return form.model_validate(raw)


def _validation(raw: Any) -> Any:
    allowed = f"{_ROWS}, given, {{first: count}}, {{group: column}}, {{time: column}} or {{folds: count}}"
    if isinstance(raw, FirstRows | KeyedRows | Folds):
        return raw
    if isinstance(raw, dict):
        return _held_out(raw, _VALIDATION_FORMS, allowed)
    if isinstance(raw, str):
        if raw != "given":
            raise refuse(f"found {shown(raw)}; allowed: {allowed}{suggestion(raw, ('given',))}")
        return raw
    return _number_of_rows(raw, allowed)


def _test(raw: Any) -> Any:
    words = ("auto", "given", "none")
    allowed = f"{', '.join(words)}, {_ROWS}, {{first: count}}, {{group: column}} or {{time: column}}"
    if isinstance(raw, FirstRows | KeyedRows):
        return raw
    if isinstance(raw, dict):
        return _held_out(raw, _TEST_FORMS, allowed)
    if isinstance(raw, str):
        if raw not in words:
            raise refuse(f"found {shown(raw)}; allowed: {allowed}{suggestion(raw, words)}")
        return raw
    return _number_of_rows(raw, allowed)


class TargetRule(Section):
    """What is predicted, and on which scale it is learnt."""

    column: ColumnName | None = Field(default=None, description="Column to predict, of a table; default the last one.")
    scale: Literal["none", "standard", "log"] | None = Field(
        default=None,
        description="Scale that a regression is learnt on, inside the model: as it is, mean 0 and deviation 1, or that "
        "of the logarithm; default standard. Scores and predictions are in the target's own unit.",
    )
    separator: Annotated[str, Field(min_length=1, max_length=10)] | None = Field(
        default=None, description="Between the labels of a row, where it may have several in one cell, such as ';'."
    )


TargetColumns = Annotated[tuple[ColumnName, ...], Field(json_schema_extra={"minItems": 2, "uniqueItems": True})]


def _target(raw: Any) -> Any:
    if isinstance(raw, dict):
        return TargetRule.model_validate(raw)
    if isinstance(raw, list | tuple):
        if len(raw) < 2 or not all(isinstance(name, str) for name in raw) or len(set(raw)) < len(raw):
            raise refuse(f"found {shown(list(raw))}; allowed: the names of at least two different columns")
        return tuple(raw)
    if raw is not None and not isinstance(raw, str | TargetRule):
        allowed = "the name of a column, in quotes if it is a number, or {column: name, scale: standard}"
        raise refuse(f"found {shown(raw)}; allowed: {allowed}")
    return raw


def _stream(raw: Any) -> Any:
    if raw is not True and raw is not False and raw != "auto":
        raise refuse(f"found {shown(raw)}; allowed: auto, true or false{suggestion(raw, ('auto',))}")
    return raw


def _columns(raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise refuse(f"found {shown(raw)}; allowed: a mapping such as {{price: target, id: drop}}")
    refusals = Refusals()
    for name, role in raw.items():
        if not isinstance(name, str):
            refusals.add(f"found {shown(name)}; allowed: the name of a column, in quotes", str(name))
        elif not isinstance(role, str) or role not in ROLES:
            refusals.add(unknown("role", role, ROLES), name)
    refusals.raise_if_any()
    return raw


def _image_size(raw: Any) -> tuple[int, int] | None:
    if raw is None:
        return None
    sides = [as_whole(side) for side in raw] if isinstance(raw, list | tuple) else (as_whole(raw), as_whole(raw))
    if len(sides) != 2 or any(isinstance(side, bool) or not isinstance(side, int) or side < 1 for side in sides):
        raise refuse(f"found {shown(raw)}; allowed: a number of pixels, or [height, width]")
    return (sides[0], sides[1])


_KEYED_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "group": {"type": "string", "description": "Column that says which rows belong together."},
        "time": {"type": "string", "description": "Column of times; the latest rows are held out."},
        "size": {"anyOf": [*_ROWS_SCHEMA], "description": "How many rows: a count or a fraction; default 0.2."},
    },
    "oneOf": [{"required": ["group"]}, {"required": ["time"]}],
    "additionalProperties": False,
}
_FIRST_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"first": {"type": "integer", "minimum": 1, "description": "The first rows."}},
    "required": ["first"],
    "additionalProperties": False,
}
_FOLDS_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "folds": {"type": "integer", "minimum": 2, "maximum": 50, "description": "Parts of a cross-validation."},
        "group": {"type": "string", "description": "Column that says which rows belong together, in one part."},
        "pause": {"type": "boolean", "description": "Whether poor configurations are paused; default true."},
    },
    "required": ["folds"],
    "additionalProperties": False,
}
_PIXELS: dict[str, JsonValue] = {"type": "integer", "minimum": 1}


class DataSection(Section):
    """Where the rows come from, and which of them validate and test."""

    source: Annotated[Literal[NAMED_SOURCES] | Source, BeforeValidator(_source)] = Field(  # type: ignore[valid-type]
        description="A named data set, or {folder: path} and the like for data of your own."
    )
    validation: Annotated[
        int | float | Literal["given"] | FirstRows | KeyedRows | Folds, BeforeValidator(_validation)
    ] = Field(
        default=0.2,
        description="Rows that choose between configurations: a count, a fraction, {first: count}, whole groups of "
        "rows ({group: column}), the latest ({time: column}), given, or {folds: count} for cross-validation. "
        "A part that comes with the data is used whatever stands here, except that folds are refused beside it; given "
        "is an error where there is none.",
        json_schema_extra={"anyOf": [*_ROWS_SCHEMA, {"enum": ["given"]}, _FIRST_SCHEMA, _KEYED_SCHEMA, _FOLDS_SCHEMA]},
    )
    test: Annotated[int | float | Literal["auto", "given", "none"] | FirstRows | KeyedRows, BeforeValidator(_test)] = (
        Field(
            default="auto",
            description="Rows for the final evaluation: the part given with the data, none, a count, a fraction, "
            "{first: count}, {group: column} or {time: column}; auto takes the given part, or 0.2 where there is none, "
            "by the same column as the validation.",
            json_schema_extra={
                "anyOf": [{"enum": ["auto", "given", "none"]}, *_ROWS_SCHEMA, _FIRST_SCHEMA, _KEYED_SCHEMA]
            },
        )
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(default=0, description="Seed of the split.")
    stratify: bool | None = Field(
        default=None,
        description="Whether parts are drawn of each class in proportion; default true where the labels are classes. "
        "Groups and the latest rows are not. Of rows that come shuffled, as those of image folders, the parts are cut "
        "from the end instead, unless it is true.",
    )
    image_size: Annotated[tuple[int, int] | None, BeforeValidator(_image_size)] = Field(
        default=None,
        description="Size in pixels that images are brought to: one number, or [height, width].",
        json_schema_extra={
            "anyOf": [_PIXELS, {"type": "array", "items": _PIXELS, "minItems": 2, "maxItems": 2}, {"type": "null"}]
        },
    )
    color: Literal["auto", "rgb", "grayscale"] = Field(
        default="auto", description="Channels that image files are read with."
    )
    broken: Literal["refuse", "skip"] = Field(
        default="refuse", description="What is done with image files that cannot be read."
    )
    target: Annotated[ColumnName | TargetColumns | TargetRule | None, BeforeValidator(_target)] = Field(
        default=None,
        description="Column to predict, of a csv, parquet file or DataFrame, default the last one; a list of columns: "
        "of 0 and 1, labels of which a row may have several, or numbers; or {column: name, scale: log}, {column: name, "
        "separator: ';'} for labels in one cell.",
    )
    columns: Annotated[dict[ColumnName, str], BeforeValidator(_columns)] = Field(
        default_factory=dict,
        description="What columns of a table are, where that is not found out rightly: "
        "{price: target, id: drop, joined: date, size: number}; weight: how much each row counts, in losses and "
        "measures.",
        json_schema_extra={"additionalProperties": {"enum": list(ROLES)}},
    )
    preprocessing: Literal["auto", "rescale", "standardize", "none"] = Field(
        default="auto",
        description="What the model does to raw values: pixels to 0..1, columns to mean 0 and deviation 1.",
    )
    stream: Annotated[bool | Literal["auto"], BeforeValidator(_stream)] = Field(
        default="auto",
        description="Whether rows stay on the disk and are read as they are used, for data larger than the memory; "
        "auto: those that would take more than a quarter of it.",
        json_schema_extra={"anyOf": [{"type": "boolean"}, {"enum": ["auto"]}]},
    )
    kind: Literal["auto", "image", "series"] = Field(
        default="auto",
        description="What rows of two axes are: grey images (height, width), or time series (steps, features), scaled "
        "feature by feature; auto goes by the family, their shape and their values, and check tells what it found.",
    )
    split: Literal["auto", "random", "chronological"] = Field(
        default="auto",
        description="How validation and test rows are taken: drawn at random, of each class in proportion, or the last "
        "ones of the file; auto: chronological for time series, otherwise random.",
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Use only so many training rows, for trying things out."
    )

    @model_validator(mode="before")
    @classmethod
    def _target_beside_the_file(cls, data: Any) -> Any:
        source = data.get("source") if isinstance(data, dict) else None
        if not isinstance(source, dict) or "target" not in source or not any(map(has_columns, source)):
            return data
        inner = {key: value for key, value in source.items() if key != "target"}
        target, rule = source["target"], data.get("target")
        if isinstance(rule, dict) and "column" not in rule:
            target = {**rule, "column": target}
        elif "target" in data:
            raise refuse("is given twice, here and in data.source", "target")
        return {**data, "source": inner, "target": target}

    @model_validator(mode="after")
    def _keys_fit_the_source(self) -> Self:
        kind = self.source_kind
        columned = isinstance(self.source, Source) and has_columns(kind)
        refusals = Refusals()
        if (isinstance(self.target, tuple) or self._labels_apart) and not columned:
            refusals.add(_NO_COLUMNS, "target")
        for name in self.target if isinstance(self.target, tuple) else ():
            if self.columns.get(name, "target") != "target":
                refusals.add(f"found target {shown(name)}, which is predicted", "columns", name)
        if self.target_column is not None and not columned:
            refusals.add(_NO_COLUMNS, "target")
        for part in ("validation", "test"):
            if isinstance(getattr(self, part), KeyedRows) and not columned:
                refusals.add(_NO_COLUMNS, part)
        if isinstance(self.validation, Folds) and self.split == "chronological":
            refusals.add("folds take rows from all times; allowed with them: random", "split")
        if isinstance(self.validation, Folds) and self.validation.group is not None and not columned:
            refusals.add(_NO_COLUMNS, "validation", "group")
        by_column = isinstance(self.validation, KeyedRows) or (self.folds is not None and self.folds.group is not None)
        drawn = (
            isinstance(self.validation, int | float)
            or isinstance(self.test, int | float)
            # Of these two, the column of the validation decides on both.
            or ((self.folds is not None or self.test == "auto") and not by_column)
            or self.limit is not None
        )
        if self.stratify is not None and not drawn:
            refusals.add("has no effect: neither part is drawn at random", "stratify")
        if self.columns and not columned:
            refusals.add(_NO_COLUMNS, "columns")
        named = [name for name, role in self.columns.items() if role == "target"]
        if named and self.target_column is not None and self.target_column not in named:
            refusals.add(f"found {shown(self.target_column)}, but data.columns names {listed(named)}", "target")
        if self.target_column is not None and self.columns.get(self.target_column, "target") != "target":
            refusals.add(f"found target {shown(self.target_column)}, which is predicted", "columns", self.target_column)
        weights = [name for name, role in self.columns.items() if role == "weight"]
        if len(weights) > 1:
            refusals.add(f"found {listed(weights)} as weights; allowed: one column", "columns", weights[1])
        if kind in TABLES and self.image_size is not None:
            refusals.add(f"has no effect: a {kind} source has no images", "image_size")
        if self.color != "auto" and kind not in IMAGE_FILES:
            refusals.add("has no effect: only image files are read in colour or grey", "color")
        if self.stream is True and kind == "csv":
            refusals.add("has no effect: a csv table is read as a whole; a parquet file need not be", "stream")
        if self.kind != "auto" and kind in (*TABLES, *IMAGE_FILES):
            refusals.add("has no effect: only arrays may be images or series", "kind")
        if self.split != "auto" and kind in IMAGE_FILES:
            refusals.add("has no effect: image files have no order of their own and are in a random one", "split")
        if self.split == "chronological" and self.stratify:
            refusals.add("has no effect: the last rows are taken, whatever their classes", "stratify")
        if self.split != "auto" and self.keys:
            refusals.add("has no effect: a column decides which rows are held out", "split")
        if self.broken != "refuse" and kind not in IMAGE_FILES:
            refusals.add("has no effect: only image files are read one by one", "broken")
        refusals.raise_if_any()
        return self

    @property
    def source_kind(self) -> str:
        """The name of the source, or the key that says what it is read from."""
        return self.source if isinstance(self.source, str) else self.source.kind

    @property
    def folds(self) -> Folds | None:
        """The cross-validation; None where some rows validate once and for all."""
        return self.validation if isinstance(self.validation, Folds) else None

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns that say which rows belong together."""
        found = [key.group for key in self.keys if key.group is not None]
        if self.folds is not None and self.folds.group is not None:
            found.append(self.folds.group)
        return tuple(dict.fromkeys(found))

    @property
    def keys(self) -> tuple[KeyedRows, ...]:
        """The columns that decide which rows are held out."""
        return tuple(part for part in (self.test, self.validation) if isinstance(part, KeyedRows))

    @property
    def _labels_apart(self) -> bool:
        return isinstance(self.target, TargetRule) and self.target.separator is not None

    @property
    def target_column(self) -> str | None:
        """The column to predict, where `target` names one."""
        if isinstance(self.target, TargetRule):
            return self.target.column
        return self.target if isinstance(self.target, str) else None

    @property
    def target_scale(self) -> Literal["none", "standard", "log"] | None:
        """The scale that a regression is learnt on, where the file names one."""
        return self.target.scale if isinstance(self.target, TargetRule) else None
