"""`"module:function"` references: finding the file that they mean, and importing it when it is needed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from spaces.basics.errors import CodeError
from spaces.basics.section import refuse, shown
from spaces.outside import given, importing, keras_names, sources
from spaces.outside.user_code import place, running

_REFERENCE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")
_FILE = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")


def is_reference(text: str) -> bool:
    """Whether it has the form of a reference."""
    return bool(_REFERENCE.fullmatch(text) or _FILE.fullmatch(text))


def _pinned(reference: str) -> str:
    if not is_reference(reference):
        raise refuse(f"found {shown(reference)}; allowed: 'module:function' or 'path/file.py:function'")
    return resolve(reference, (Path.cwd(),))


# A reference as a field of a section, pinned to its file in the current directory if it is there.
Reference = Annotated[str, AfterValidator(_pinned)]


def resolve(reference: str, folders: tuple[Path, ...]) -> str:
    """Pins a reference to the file it means.

    Args:
        reference: `module:function` or `path/file.py:function`.
        folders: where to look for the module, in this order.

    Returns:
        `/absolute/path/file.py:function`; a module that none of the folders has stays as it is and must be
        installed. Nothing is imported.
    """
    if given.is_given(reference):
        return reference
    by_file = _FILE.fullmatch(reference)
    by_module = _REFERENCE.fullmatch(reference)
    if by_file:
        files = [folder / os.path.expanduser(by_file["file"]) for folder in folders]
        found = next(filter(os.path.isfile, files), files[0])
        return f"{found.absolute()}:{by_file['function']}"
    if by_module:
        stems = [folder.joinpath(*by_module["module"].split(".")) for folder in folders]
        files = [file for stem in stems for file in (stem.with_name(stem.name + ".py"), stem / "__init__.py")]
        for file in files:
            if os.path.isfile(file):
                return f"{file.absolute()}:{by_module['function']}"
    return reference


def file_of(reference: str) -> str:
    """The file that a reference runs code from, found without importing it; "" where there is none."""
    if given.is_given(reference):
        return given.file_of(reference)
    by_file = _FILE.fullmatch(reference)
    if by_file:
        return by_file["file"]
    package, *inner = reference.partition(":")[0].split(".")
    try:
        # Only the top package may be asked for: find_spec imports the parents of all others.
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return ""
    if spec is None:
        return ""
    if not inner:
        return spec.origin or ""
    for root in spec.submodule_search_locations or ():
        resolved = resolve(f"{'.'.join(inner)}:_", (Path(root),))
        if _FILE.fullmatch(resolved):
            return resolved.rpartition(":")[0]
    return ""


def load_function(reference: str) -> Callable[..., Any]:
    """Imports the function that a reference names. This runs the module's code.

    Raises:
        CodeError: there is no such module or function, it is not callable, or importing it raised something.
    """
    found = load_attribute(reference)
    if not callable(found):
        raise _missing(reference)
    return found  # type: ignore[no-any-return]


def load_attribute(reference: str) -> Any:
    """As `load_function`, for anything that the module holds under this name, or that a program gave."""
    if given.is_given(reference):
        return given.find(reference)
    name = reference.rpartition(":")[2]
    module = _module(reference)
    if not hasattr(module, name):
        raise _missing(reference)
    return getattr(module, name)


def call(reference: str, function: Callable[..., Any], *arguments: Any, what: str = "") -> Any:
    """What a function of the user's returns; `what` is said before an error of its own.

    Raises:
        CodeError: with its line, for whatever it raised except `KeyboardInterrupt`.
    """
    with running(reference, file_of(reference), what, function), beside(reference):
        return function(*arguments)


def beside(reference: str) -> contextlib.AbstractContextManager[None]:
    """Lets code that a reference has led to import what lies beside its file."""
    by_file = _FILE.fullmatch(reference)
    return importing.importable(by_file["file"], last=True) if by_file else contextlib.nullcontext()


def line_of(reference: str, error: BaseException) -> str | None:
    """Function and line of the user's nearest to an error, see `user_code.place`; None if there is none."""
    where = place(reference, file_of(reference), error)
    return None if where == reference else where


def sources_of(reference: str) -> dict[str, str]:
    """The user's files that a reference runs code from, each with a digest of what it says.

    Of a module that is imported already they are as they were then. Of what is installed, or was given as an object,
    there are none.
    """
    return dict(importing.read(file_of(reference))) if _FILE.fullmatch(reference) else {}


def take_anew() -> None:
    """Lets what the user's files say now count, and what a notebook has defined, not what they said before."""
    global _taken_anew
    _taken_anew += 1
    importing.forget_changed()


def generation() -> int:
    """How often references have been taken anew: what was found out about them before may no longer hold."""
    return _taken_anew


def names_given(reference: str) -> Mapping[str, int]:
    """The names that Keras gave out while the module was imported."""
    return _NAMES_GIVEN.get(_module_name(reference), {})


# By name of the module, which is imported once.
_NAMES_GIVEN: dict[str, Mapping[str, int]] = {}
_taken_anew = 0


def _missing(reference: str) -> CodeError:
    module, _, name = reference.rpartition(":")
    hint = "; what a notebook or script defined is gone with it" if module == "__main__" else ""
    return CodeError(f"{reference}: {module} has no function {name}{hint}")


def _module(reference: str) -> Any:
    name = _module_name(reference)
    if name in sys.modules:
        return sys.modules[name]
    file = file_of(reference)
    if _FILE.fullmatch(reference) and (found := sources.searching(file)) is not None:
        where, line = found
        raise CodeError(
            f"{reference}: importing it would run a search ({where}, line {line}); what a script alone shall do stands "
            'under if __name__ == "__main__":'
        )
    with running(reference, file, "importing it raised "), keras_names.counting_from({}):
        module = importing.module_of(file) if _FILE.fullmatch(reference) else _installed(reference, name)
        _NAMES_GIVEN[name] = keras_names.current()
    return module


def _module_name(reference: str) -> str:
    module = reference.rpartition(":")[0]
    return importing.name_of(module) if _FILE.fullmatch(reference) else module


def _installed(reference: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise CodeError(f"{reference}: there is no module {error.name}") from None
