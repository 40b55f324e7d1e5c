"""Loading a space: a shipped one by name, a file, a mapping, with overrides; always validated."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spaces.basics.errors import CodeError, Problem, SpaceError, problem
from spaces.basics.section import MAX_DIGITS, is_short, shown, suggestion
from spaces.families import family_named, family_of
from spaces.outside import given, references
from spaces.reading.idle import validated, without_idle
from spaces.reading.overrides import Overrides, apply_overrides, as_texts
from spaces.reading.yamlfile import Document, read_file
from spaces.sections.data_section import Source, is_path
from spaces.specs.objects import copied, with_references
from spaces.specs.plain import to_plain
from spaces.specs.spec import SearchSpec
from spaces.values.metrics import is_own
from spaces.values.setting import files_of

_FOLDER = Path(__file__).parents[1] / "library"


def names() -> tuple[str, ...]:
    """Names of the shipped spaces."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def library_file(name: str) -> Path:
    """File of a shipped space.

    Args:
        name: one of `names`.

    Raises:
        SpaceError: there is none of that name.
    """
    if name not in names():
        raise SpaceError([_not_found(name, "no shipped space of that name")])
    return _FOLDER / f"{name}.yaml"


def load(
    source: str | os.PathLike[str] | Mapping[str, Any] | SearchSpec,
    overrides: Overrides = (),
    say: Callable[[str], None] = lambda _: None,
    *,
    begun: bool = False,
) -> SearchSpec:
    """Reads and validates a space.

    Args:
        source: name of a shipped space, path of a space file, a mapping with the same keys, or a spec.
        overrides: `dotted.key=value` each, or one such text, values in YAML 1.2, or a mapping of dotted keys; applied
            in order before validation. A key of the source that has no effect any more beside them is passed over.
        say: is told, a sentence each, which keys were passed over.
        begun: whether a run has begun with it: of what has no effect, such as values of baselines, more is legal then.

    Returns:
        The legal spec, paths in it absolute: those of a file are meant from its folder, or, if nothing is
        there, from the current directory, as those of overrides and mappings are. No code is imported.

    Raises:
        SpaceError: with every mistake, each with its file and line where it has one.
        TypeError: a value of an override is nothing that a space file could hold.
    """
    overrides = as_texts(overrides)
    if isinstance(source, SearchSpec) and not overrides:
        return source
    document, folder = _document(source)
    if not isinstance(document.data, dict):
        found = "nothing" if document.data is None else shown(document.data)
        position = document.position(())
        message = f"found {found}; allowed: a mapping with name, data, model and training"
        found_problem = Problem(position.file, position.line, position.column, "", message)
        raise SpaceError([*document.problems, found_problem])
    as_written = copied(document.data) if overrides else None
    apply_overrides(document, overrides)
    _pin(document, folder)
    problems = list(document.problems)
    spec, wrong = validated(document.data, begun=begun)
    if as_written is not None and not problems and wrong:
        spec, wrong = without_idle(document.data, wrong, as_written, overrides, say, begun=begun)
    # Where the reader refused a value, that something is missing is no further mistake.
    refused = {one.path for one in problems}
    problems += [_placed(one, document) for one in wrong if not _within(one.path, refused)]
    if problems or spec is None:
        raise SpaceError(sorted(problems, key=_order))
    return spec


def placed(
    error: SpaceError, source: str | os.PathLike[str] | Mapping[str, Any] | SearchSpec, overrides: Sequence[str] = ()
) -> SpaceError:
    """The error with the place of each mistake that has none: some are found only when a model's function is called.

    Args:
        error: what was raised when the space was loaded already.
        source, overrides: what it was loaded from.
    """
    if all(one.file is not None for one in error.problems):
        return error
    try:
        document, _ = _document(source)
    except SpaceError:
        # The file is gone by now.
        return error
    apply_overrides(document, overrides)
    found = [_placed(one, document) if one.file is None else one for one in error.problems]
    return SpaceError(sorted(found, key=_order))


def _document(source: str | os.PathLike[str] | Mapping[str, Any] | SearchSpec) -> tuple[Document, Path | None]:
    if isinstance(source, SearchSpec):
        return Document(to_plain(source, asked=True)), None
    if isinstance(source, Mapping):
        data = with_references(source)
        _check_plain(data, ())
        return Document(data), None
    if isinstance(source, str) and source in names():
        return read_file(library_file(source)), None
    path = Path(source)
    if not os.path.exists(path):
        raise SpaceError([_not_found(str(source), "no such file, and no shipped space of that name")])
    return read_file(path), path.absolute().parent


def _not_found(name: str, what: str) -> Problem:
    known = names()
    return Problem(name, None, None, "", f"{what}; shipped: {', '.join(known)}{suggestion(name, known)}")


def _check_plain(value: Any, path: tuple[str | int, ...]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise SpaceError([problem(path, f"found the key {shown(key)}; allowed: words as keys")])
            _check_plain(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, (*path, index))
    elif isinstance(value, int) and not is_short(value):
        # As in a file: what a run keeps of its space could not be read again.
        raise SpaceError(
            [problem(path, f"found {shown(value)}; allowed: whole numbers of at most {MAX_DIGITS} digits")]
        )


def _folders(document: Document, path: tuple[str | int, ...], folder: Path | None) -> tuple[Path, ...]:
    """Where a path that stands at this place is looked for: what was set on the command line is not the file's."""
    overridden = (document.position(path).file or "").startswith("--set")
    return (Path.cwd(),) if folder is None or overridden else (folder, Path.cwd())


def _pin(document: Document, folder: Path | None) -> None:
    """Makes the paths and references of the document absolute, in place."""

    def change(path: tuple[str | int, ...], how: Callable[[Any, tuple[Path, ...]], Any]) -> None:
        holder = _at(document.data, path[:-1])
        if isinstance(holder, dict) and path[-1] in holder:
            holder[path[-1]] = how(holder[path[-1]], _folders(document, path, folder))

    for section, key in (("data", "source"), ("model", "family")):
        given = _at(document.data, (section, key))
        for kind, value in given.items() if isinstance(given, dict) else ():
            if kind == "python":
                change((section, key, kind), _resolved)
            elif section == "data" and value and isinstance(value, str) and is_path(kind):
                change((section, key, kind), _absolute)
    change(("training", "callbacks"), _resolved)
    change(("training", "metrics"), partial(_each, _measure))
    baselines = _at(document.data, ("baselines",))
    holders: list[tuple[str | int, ...]] = [("model",)]
    holders += [("baselines", n, "values") for n in range(len(baselines) if isinstance(baselines, list) else 0)]
    files = _files(_at(document.data, ("model", "family")))
    for holder in holders:
        for key, endings in files.items():
            change((*holder, key), partial(_pinned, endings))
    change(("search", "warm_start"), partial(_each, _absolute))


def _files(family: Any) -> Mapping[str, tuple[str, ...]]:
    """The settings of a family that may be paths; none of one of which validation says what is wrong with it."""
    try:
        return files_of(family_named(family).section)
    except (KeyError, TypeError, CodeError):
        return {}


def _pinned(endings: tuple[str, ...], value: Any, folders: tuple[Path, ...]) -> Any:
    """A dimension with the paths in it, which end so, absolute."""
    if isinstance(value, str):
        return _absolute(value, folders) if value.endswith(endings) else value
    if isinstance(value, list):
        return [_pinned(endings, one, folders) for one in value]
    if isinstance(value, dict):
        return {k: _pinned(endings, one, folders) if k in ("choices", "value") else one for k, one in value.items()}
    return value


def _at(data: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a place; None if nothing does."""
    for key in path:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _each(how: Callable[[Any, tuple[Path, ...]], Any], value: Any, folders: tuple[Path, ...]) -> Any:
    return [how(one, folders) for one in value] if isinstance(value, list) else value


def _measure(name: Any, folders: tuple[Path, ...]) -> Any:
    return references.resolve(name, folders) if isinstance(name, str) and is_own(name) else name


def _resolved(name: Any, folders: tuple[Path, ...]) -> Any:
    return references.resolve(name, folders) if isinstance(name, str) and name else name


def _absolute(path: Any, folders: tuple[Path, ...]) -> Any:
    if not isinstance(path, str) or not path:
        return path
    candidates = [os.path.abspath(folder / os.path.expanduser(path)) for folder in folders]
    return next((candidate for candidate in candidates if os.path.exists(candidate)), candidates[0])


def _placed(one: Problem, document: Document) -> Problem:
    path = one.path
    if path[:2] == ("data", "target") and not any(known[:2] == path[:2] for known in document.positions):
        # The column to predict may stand beside its table.
        path = ("data", "source", *path[1:])
    position = document.position(path)
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
    """What code of others this space runs: each python reference with the file it is in ("" if not found).

    Args:
        spec: the space; nothing of it is imported.
    """
    # What a program gave is run where it is.
    return [(reference, references.file_of(reference)) for reference in code(spec) if not given.is_given(reference)]
