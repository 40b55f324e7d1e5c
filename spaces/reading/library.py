"""Loading a space: a shipped one by name, a file, a mapping, with overrides; always validated."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spaces.backbones.names import FILES as BACKBONE_FILES
from spaces.basics.errors import Problem, SpaceError, problem
from spaces.basics.section import shown, suggestion
from spaces.families import family_of
from spaces.outside import given, references
from spaces.reading.idle import validated, without_idle
from spaces.reading.overrides import apply_overrides
from spaces.reading.yamlfile import Document, read_file
from spaces.sections.data_section import Source, is_path
from spaces.specs.objects import with_references
from spaces.specs.plain import to_plain
from spaces.specs.spec import SearchSpec
from spaces.values.metrics import is_own

_FOLDER = Path(__file__).parents[1] / "library"


def names() -> tuple[str, ...]:
    """Names of the shipped spaces."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def library_file(name: str) -> Path:
    """File of a shipped space.

    Raises:
        SpaceError: there is none of that name.
    """
    if name not in names():
        raise SpaceError([_not_found(name)])
    return _FOLDER / f"{name}.yaml"


def load(
    source: str | os.PathLike[str] | Mapping[str, Any] | SearchSpec,
    overrides: str | Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> SearchSpec:
    """Reads and validates a space.

    Args:
        source: name of a shipped space, path of a space file, a mapping with the same keys, or a spec.
        overrides: `dotted.key=value` each, or one such text, values in YAML 1.2; applied in order before validation. A
            key of the source that has no effect any more beside them is passed over.
        say: is told, a sentence each, which keys were passed over.

    Returns:
        The legal spec, paths in it absolute: those of a file are meant from its folder, or, if nothing is
        there, from the current directory, as those of overrides and mappings are. No code is imported.

    Raises:
        SpaceError: with every mistake, each with its file and line where it has one.
    """
    overrides = [overrides] if isinstance(overrides, str) else overrides
    if isinstance(source, SearchSpec) and not overrides:
        return source
    document, folder = _document(source)
    if not isinstance(document.data, dict):
        found = "nothing" if document.data is None else shown(document.data)
        position = document.position(())
        message = f"found {found}; allowed: a mapping with name, data, model and training"
        found_problem = Problem(position.file, position.line, position.column, "", message)
        raise SpaceError([*document.problems, found_problem])
    as_written = copy.deepcopy(document.data) if overrides else None
    apply_overrides(document, overrides)
    _pin_paths(document, folder)
    _pin_callbacks(document, folder)
    _pin_measures(document, folder)
    _pin_backbones(document, folder)
    _pin_runs(document, folder)
    problems = list(document.problems)
    spec, wrong = validated(document.data)
    if as_written is not None and not problems and wrong:
        spec, wrong = without_idle(document.data, wrong, as_written, overrides, say)
    # Where the reader refused a value, that something is missing is no further mistake.
    refused = {one.path for one in problems}
    problems += [_placed(one, document) for one in wrong if not _within(one.path, refused)]
    if problems or spec is None:
        raise SpaceError(sorted(problems, key=_order))
    return spec


def _document(source: str | os.PathLike[str] | Mapping[str, Any] | SearchSpec) -> tuple[Document, Path | None]:
    if isinstance(source, SearchSpec):
        return Document(to_plain(source, asked=True)), None
    if isinstance(source, Mapping):
        data = copy.deepcopy(with_references(source))
        _check_keys(data, ())
        return Document(data), None
    if isinstance(source, str) and source in names():
        return read_file(library_file(source)), None
    path = Path(source)
    if not os.path.exists(path):
        raise SpaceError([_not_found(str(source))])
    return read_file(path), path.absolute().parent


def _not_found(name: str) -> Problem:
    known = names()
    message = f"no such file, and no shipped space of that name; shipped: {', '.join(known)}{suggestion(name, known)}"
    return Problem(name, None, None, "", message)


def _check_keys(value: Any, path: tuple[str | int, ...]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise SpaceError([problem(path, f"found the key {shown(key)}; allowed: words as keys")])
            _check_keys(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_keys(item, (*path, index))


def _folders(document: Document, path: tuple[str | int, ...], folder: Path | None) -> tuple[Path, ...]:
    """Where a path that stands at this place is looked for: what was set on the command line is not the file's."""
    overridden = (document.position(path).file or "").startswith("--set")
    return (Path.cwd(),) if folder is None or overridden else (folder, Path.cwd())


def _pin_paths(document: Document, folder: Path | None) -> None:
    """Makes the paths and references of the document absolute, in place."""
    for section, key in (("data", "source"), ("model", "family")):
        holder = document.data.get(section)
        mapping = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(mapping, dict):
            continue
        for kind, value in mapping.items():
            path = (section, key, kind)
            if not isinstance(value, str) or not value:
                continue
            folders = _folders(document, path, folder)
            if kind == "python":
                mapping[kind] = references.resolve(value, folders)
            elif section == "data" and is_path(kind):
                mapping[kind] = _absolute(value, folders)


def _pin_callbacks(document: Document, folder: Path | None) -> None:
    """Makes the reference to a function that gives callbacks absolute, in place."""
    training = document.data.get("training")
    name = training.get("callbacks") if isinstance(training, dict) else None
    if isinstance(training, dict) and isinstance(name, str) and name:
        folders = _folders(document, ("training", "callbacks"), folder)
        training["callbacks"] = references.resolve(name, folders)


def _pin_measures(document: Document, folder: Path | None) -> None:
    """Makes the references of measures absolute, in place."""
    training = document.data.get("training")
    metrics = training.get("metrics") if isinstance(training, dict) else None
    if not isinstance(training, dict) or not isinstance(metrics, list):
        return
    folders = _folders(document, ("training", "metrics"), folder)
    training["metrics"] = [
        references.resolve(one, folders) if isinstance(one, str) and is_own(one) else one for one in metrics
    ]


def _pin_backbones(document: Document, folder: Path | None) -> None:
    """Makes the paths of backbones and their weights absolute, in place: those of the model and of the baselines."""
    baselines = document.data.get("baselines")
    holders: list[tuple[Any, tuple[str | int, ...]]] = [(document.data.get("model"), ("model",))]
    for index, baseline in enumerate(baselines if isinstance(baselines, list) else ()):
        values = baseline.get("values") if isinstance(baseline, dict) else None
        holders.append((values, ("baselines", index, "values")))
    for holder, path in holders:
        for key in ("backbone", "weights") if isinstance(holder, dict) else ():
            if key in holder:
                folders = _folders(document, (*path, key), folder)
                holder[key] = _pinned(holder[key], folders)


def _pinned(value: Any, folders: tuple[Path, ...]) -> Any:
    """A dimension with the paths in it absolute."""
    if isinstance(value, str):
        return _absolute(value, folders) if value.endswith(BACKBONE_FILES) else value
    if isinstance(value, list):
        return [_pinned(one, folders) for one in value]
    if isinstance(value, dict):
        return {key: _pinned(one, folders) if key in ("choices", "value") else one for key, one in value.items()}
    return value


def _pin_runs(document: Document, folder: Path | None) -> None:
    """Makes the run directories that the search begins with absolute, in place."""
    search = document.data.get("search")
    runs = search.get("warm_start") if isinstance(search, dict) else None
    if not isinstance(search, dict) or not isinstance(runs, list):
        return
    folders = _folders(document, ("search", "warm_start"), folder)
    search["warm_start"] = [_absolute(run, folders) if isinstance(run, str) and run else run for run in runs]


def _absolute(path: str, folders: tuple[Path, ...]) -> str:
    candidates = [os.path.abspath(folder / Path(path).expanduser()) for folder in folders]
    return next((candidate for candidate in candidates if os.path.exists(candidate)), candidates[0])


def _placed(one: Problem, document: Document) -> Problem:
    position = document.position(one.path)
    return replace(one, file=position.file, line=position.line, column=position.column)


def _within(path: tuple[str | int, ...], refused: set[tuple[str | int, ...]]) -> bool:
    return any(path[:end] in refused for end in range(1, len(path) + 1))


def _order(one: Problem) -> tuple[int, int]:
    return (one.line or 0, one.column or 0)


def code(spec: SearchSpec) -> list[str]:
    """The references of all code of others that this space runs, what a program gave as objects among them."""
    found = []
    if isinstance(spec.data.source, Source) and spec.data.source.python is not None:
        found.append(spec.data.source.python)
    return found + run_in_trials(spec)


def run_in_trials(spec: SearchSpec) -> list[str]:
    """References to the code of others that every training of this space runs: callbacks, model, measures."""
    found = [] if spec.training.callbacks is None else [spec.training.callbacks]
    if (builder := family_of(spec.model).code(spec.family)) is not None:
        found.append(builder)
    return found + [metric for metric in spec.training.metrics if is_own(metric)]


def imports(spec: SearchSpec) -> list[tuple[str, str]]:
    """What code of others this space runs: each python reference with the file it is in ("" if not found)."""
    # What a program gave is run where it is.
    return [(reference, references.file_of(reference)) for reference in code(spec) if not given.is_given(reference)]
