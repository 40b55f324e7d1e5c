"""Importing a module of the user's by its file: once, as part of its package, with what lies beside it."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from spaces.basics.errors import CodeError
from spaces.outside import sources

# The path is part of the name: two spaces may each have a model.py.
_PREFIX = "nightshift_user_"

# By path, on the machine that they came from.
_SHIPPED: dict[str, bytes] = {}
# Paths of those that are imported by their names.
_NAMED: dict[str, str] = {}
# By name of the module: what its files said when it was imported, and which of them somebody else had imported.
_READ: dict[str, Mapping[str, str]] = {}
_THERE: dict[str, frozenset[str]] = {}


def ship(files: Mapping[str, bytes], names: Mapping[str, str] | None = None) -> None:
    """Takes modules of the user's that were sent from another machine: they stand for the files of these paths.

    Args:
        files: Absolute path of each file where it came from, and its content.
        names: Path of each of them that was found there by its name, on the module search path, under that name.
    """
    _SHIPPED.update(files)
    _NAMED.update(names or {})
    if _NAMED and _SentByName not in sys.meta_path:
        # What was sent goes before a file of that name here, as it does for paths.
        sys.meta_path.insert(0, _SentByName)


def name_of(file: str) -> str:
    """What the module of a file is called here; in a package as part of it."""
    path = Path(file)
    top = sources.package(path)
    if top is None:
        return _called(path.with_suffix(""))
    inner = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return ".".join((_called(top), *inner.relative_to(top).parts))


def module_of(file: str) -> Any:
    """The module of a file, imported if it is not yet. This runs its code.

    Raises:
        CodeError: There is no such file.
    """
    name = name_of(file)
    if name in sys.modules:
        return sys.modules[name]
    path, top = Path(file), sources.package(Path(file))
    if file not in _SHIPPED and not os.path.isfile(path):
        raise CodeError(f"{file} is not a file")
    read = sources.read(file)
    there = _made_of(read)
    with importable(file):
        if top is None:
            _load(path, name)
        else:
            if _called(top) not in sys.modules:
                _load(top / "__init__.py", _called(top))
            importlib.import_module(name)
    _READ[name], _THERE[name] = read, there
    return sys.modules[name]


def read(file: str) -> Mapping[str, str]:
    """What `sources.read` told when the module was imported; what it tells now, where it is not."""
    return _READ.get(name_of(file)) or sources.read(file)


def forget_changed() -> None:
    """Lets go of every module whose file, or one beside it that it imports, has changed since it was imported."""
    importlib.invalidate_caches()
    for name, known in list(_READ.items()):
        if sources.again(known) != known:
            for one in _made_of(known) - _THERE.pop(name):
                del sys.modules[one]
            del _READ[name]


@contextmanager
def importable(file: str, *, last: bool = False) -> Iterator[None]:
    """Lets a module import its neighbours, as a script can, and its package by its name.

    Args:
        file: The module's.
        last: Whether what is installed goes before. While a function runs, others import too: a search.py of the
            user's would stand in the way of ours.
    """
    path = Path(file)
    top = sources.package(path)
    near = [str(path.parent)] if top is None else [str(top.parent), str(path.parent)]
    # Of a package without an __init__.py nobody knows where it begins.
    far = [str(path.parent.parent)] if top is None else []
    sys.path[:] = [*sys.path, *near, *far] if last else [*near, *sys.path, *far]
    try:
        yield
    finally:
        ours = {id(folder) for folder in (*near, *far)}
        sys.path[:] = [folder for folder in sys.path if id(folder) not in ours]


class _Sent(importlib.abc.SourceLoader):
    """Loads a module from what was sent; its lines are told with the path that it has at home."""

    def __init__(self, file: str) -> None:
        self._file = file

    def get_filename(self, fullname: str) -> str:
        return self._file

    def get_data(self, path: Any) -> bytes:
        # Asked for compiled code, which nobody sends, too.
        if path != self._file:
            raise OSError(path)
        return _SHIPPED[self._file]


class _SentByName:
    """Finds a module that was sent by its name."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        file = _NAMED.get(name)
        return None if file is None else importlib.util.spec_from_file_location(name, file, loader=_Sent(file))


def _called(path: Path) -> str:
    return _PREFIX + re.sub(r"\W", "_", str(path))


def _made_of(files: Mapping[str, str]) -> frozenset[str]:
    """The names of the modules that were imported from these files."""
    return frozenset(name for name, one in list(sys.modules.items()) if getattr(one, "__file__", None) in files)


def _load(file: Path, name: str) -> None:
    sent = _Sent(str(file)) if str(file) in _SHIPPED else None
    inside = [str(file.parent)] if file.name == "__init__.py" and sent is None else None
    spec = importlib.util.spec_from_file_location(name, file, loader=sent, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise CodeError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
