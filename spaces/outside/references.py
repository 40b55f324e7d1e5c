"""`"module:function"` references: finding the file that they mean, and importing it when it is needed."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from spaces.basics.errors import CodeError
from spaces.basics.section import refuse, shown
from spaces.outside import given, keras_names
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
        files = [folder / Path(by_file["file"]).expanduser() for folder in folders]
        found = next((file for file in files if file.is_file()), files[0])
        return f"{found.absolute()}:{by_file['function']}"
    if by_module:
        stems = [folder.joinpath(*by_module["module"].split(".")) for folder in folders]
        files = [file for stem in stems for file in (stem.with_name(stem.name + ".py"), stem / "__init__.py")]
        for file in files:
            if file.is_file():
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
    with running(reference, file_of(reference), what, function):
        return function(*arguments)


def line_of(reference: str, error: BaseException) -> str | None:
    """Function and line of the user's nearest to an error, see `user_code.place`; None if there is none."""
    where = place(reference, file_of(reference), error)
    return None if where == reference else where


def ship(files: Mapping[str, bytes]) -> None:
    """Takes modules of the user's that were sent from another machine: they stand for the files of these paths.

    Args:
        files: Absolute path of each file where it came from, and its content.
    """
    _SHIPPED.update(files)


def names_given(reference: str) -> Mapping[str, int]:
    """The names that Keras gave out while the module was imported."""
    return _NAMES_GIVEN.get(_module_name(reference), {})


# By name of the module, which is imported once.
_NAMES_GIVEN: dict[str, Mapping[str, int]] = {}
# By path, on the machine that they came from.
_SHIPPED: dict[str, bytes] = {}


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


def _missing(reference: str) -> CodeError:
    module, _, name = reference.rpartition(":")
    hint = "; what a notebook or script defined is gone with it" if module == "__main__" else ""
    return CodeError(f"{reference}: {module} has no function {name}{hint}")


def _module(reference: str) -> Any:
    name = _module_name(reference)
    if name in sys.modules:
        return sys.modules[name]
    file = file_of(reference)
    with running(reference, file, "importing it raised "), keras_names.counting_from({}):
        module = _module_from(Path(file), name) if _FILE.fullmatch(reference) else _installed(reference, name)
        _NAMES_GIVEN[name] = keras_names.current()
    return module


def _module_name(reference: str) -> str:
    module = reference.rpartition(":")[0]
    if not _FILE.fullmatch(reference):
        return module
    # The path is part of the name: two spaces may each have a model.py.
    return "nightshift_user_" + re.sub(r"\W", "_", str(Path(module).with_suffix("")))


def _installed(reference: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise CodeError(f"{reference}: there is no module {error.name}") from None


def _module_from(file: Path, name: str) -> Any:
    sent = _Sent(str(file)) if str(file) in _SHIPPED else None
    if sent is None and not file.is_file():
        raise CodeError(f"{file} is not a file")
    spec = importlib.util.spec_from_file_location(name, file, loader=sent)
    if spec is None or spec.loader is None:
        raise CodeError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importable(file.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Lets a module import its neighbours, as a script can."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
