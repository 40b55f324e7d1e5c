"""What a Python program gives as objects: functions and data, under references as those to a file have.

A space is plain text, in memory as on the disk. So an object stands in it by a name, `__given__:build_3fa9c1d2`, and is
kept here for as long as the process lives; whoever goes on in another process gives it again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import secrets
import sys
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from spaces.basics.errors import CodeError
from spaces.outside.sources import is_users

_MODULE = "__given__"
_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_TOLD = (
    *_PLAIN, tuple, list, dict, set, frozenset,
    types.FunctionType, functools.partial, staticmethod, classmethod, property,
)  # fmt: skip
"""Types of attributes that say what an object does; of others only their type is told."""
_DEEPEST = 8
_LONGEST = 100
"""Items of a list, or the like, of a module that say what a function does; more are data."""
_NOTHING = object()

_functions: dict[str, Any] = {}
_data: dict[str, Callable[[], Any]] = {}
_times: Counter[str] = Counter()


def is_given(reference: str) -> bool:
    """Whether a reference stands for an object that a program gave."""
    return reference.startswith(f"{_MODULE}:")


def is_there(reference: str) -> bool:
    """Whether what a reference stands for was given in this process; also for all other references."""
    return not is_given(reference) or reference in _functions or reference in _data


def spoken(reference: str) -> str:
    """The reference as a message names it: an object by its own name."""
    return reference.removeprefix(f"{_MODULE}:").rpartition("_")[0] if is_given(reference) else reference


def keep_function(function: Any, reference: str | None = None) -> str:
    """Keeps a function, or anything else that builds, for this process and its workers.

    Args:
        function: A function, class or object.
        reference: The one that a run has for it; None: one that follows from its name and code.

    Returns:
        The reference.
    """
    reference = reference or reference_for(function)
    _functions[reference] = function
    return reference


def keep_data(load: Callable[[], Any], reference: str | None = None) -> str:
    """Keeps what gives the data, for this process; worker processes get the rows in another way. As `keep_function`."""
    if reference is None:
        reference = f"{_MODULE}:data_{secrets.token_hex(4)}"
    _data[reference] = load
    _times[reference] += 1
    return reference


def times(reference: str) -> int:
    """How often data were given under a reference: what a function makes them of may have changed in between."""
    return _times[reference]


def find(reference: str) -> Any:
    """What a reference stands for.

    Raises:
        CodeError: It was given in another process.
    """
    if reference in _functions:
        return _functions[reference]
    if reference in _data:
        return _data[reference]
    raise CodeError(
        f"{spoken(reference)} was given from Python, in another process: go on there where it is, with "
        "nightshift.resume(RUN, build, data=...)"
    )


def name_of(function: Any) -> str:
    """A name for a function, class or object that can stand in a reference."""
    while isinstance(function, functools.partial):
        function = function.func
    named = getattr(function, "__name__", None) or type(function).__name__
    return "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in named).strip("_") or "function"


def reference_for(function: Any) -> str:
    """The reference that follows from a function's name and code."""
    code = hashlib.sha256(repr(_code(function)).encode()).hexdigest()[:8]
    return f"{_MODULE}:{name_of(function)}_{code}"


def file_of(reference: str) -> str:
    """The file, or cell of a notebook, that a function was written in; "" where nobody knows."""
    code = getattr(_entry(_functions.get(reference, _data.get(reference))), "__code__", None)
    return getattr(code, "co_filename", "")


def packed(references: Collection[str] | None = None, *, elsewhere: bool = False) -> dict[str, bytes]:
    """The functions for a worker process. One that cannot be sent is left out, see `why_not_packed`.

    Args:
        references: Those that it needs: what a long session has given may hold gigabytes. None: all.
        elsewhere: Whether for another machine, which has not the modules of the user's: what a function takes from them
            goes along. Where that cannot be sent, they have to be found there.
    """
    found = {}
    for reference, function in _functions.items():
        if references is not None and reference not in references:
            continue
        bytes_or_error = _packed(function, elsewhere)
        if elsewhere and not isinstance(bytes_or_error, bytes):
            bytes_or_error = _packed(function)
        if isinstance(bytes_or_error, bytes):
            found[reference] = bytes_or_error
    return found


def unpack(functions: Mapping[str, bytes]) -> None:
    """Keeps what `packed` gave in the process that started this one."""
    if not functions:
        return
    import cloudpickle

    for reference, content in functions.items():
        try:
            _functions[reference] = cloudpickle.loads(content)
        except Exception as error:
            _functions[reference] = _Broken(reference, error)


def why_not_packed(reference: str) -> str | None:
    """Why a function cannot be sent to worker processes; None if it can."""
    found = _packed(_functions[reference])
    return None if isinstance(found, bytes) else f"{type(found).__name__}: {found}"


def why_not_unpacked(reference: str) -> str | None:
    """Why a function that was sent to this process could not be taken; None: nothing is known against it."""
    found = _functions.get(reference)
    return found.message if isinstance(found, _Broken) else None


class _Broken:
    """Stands for a function that a worker process could not take."""

    def __init__(self, reference: str, error: Exception) -> None:
        self.message = f"{spoken(reference)} cannot be taken by a worker process ({type(error).__name__}: {error})"

    def __call__(self, *arguments: Any) -> Any:
        raise CodeError(self.message)


def _packed(function: Any, whole: bool = False) -> bytes | Exception:
    import cloudpickle

    try:
        with _by_value() if whole else contextlib.nullcontext():
            return bytes(cloudpickle.dumps(function))
    except Exception as error:
        # Whatever an object of the user's may raise while it is taken apart.
        return error


@contextlib.contextmanager
def _by_value() -> Iterator[None]:
    """Inside, what comes from modules of the user's is packed as it is, not as the name of what can be imported."""
    import cloudpickle

    known = cloudpickle.list_registry_pickle_by_value()
    modules = [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, types.ModuleType)
        and name == module.__name__
        and name not in (*known, "__main__")
        and is_users(getattr(module, "__file__", None) or "")
    ]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _entry(function: Any) -> Any:
    """The function itself, or of a class or object with a `build` the first that was written for it."""
    if isinstance(function, types.FunctionType):
        return function
    # A `keras_tuner.HyperModel` calls its class's from a method of Keras Tuner, which it keeps under the same name.
    cls = function if isinstance(function, type) else type(function)
    build = getattr(cls, "build", None)
    if build is None:
        return getattr(function, "build", function)
    # A class that inherits `build` from another file may change there what this calls.
    written = (part for one in cls.__mro__ for part in vars(one).values() if isinstance(part, types.FunctionType))
    return next(written, build)


def _code(found: Any, depth: int = 0, seen: set[int] | None = None) -> Any:
    """What a function does, without where it stands: equal for a cell of a notebook that is run again."""
    seen = set() if seen is None else seen
    if isinstance(found, _PLAIN) or depth > _DEEPEST:
        return found if isinstance(found, _PLAIN) else type(found).__name__
    parts: Iterable[Any]
    if isinstance(found, types.CodeType):
        parts = (found.co_code, found.co_names, found.co_consts)
    elif isinstance(found, types.FunctionType | type) and id(found) in seen:
        return found.__name__
    elif isinstance(found, types.FunctionType):
        seen.add(id(found))
        contents = map(_content, found.__closure__ or ())
        parts = (found.__code__, found.__defaults__, found.__kwdefaults__, _used(found), *contents)
    elif isinstance(found, types.MethodType):
        parts = (found.__func__, found.__self__)
    elif isinstance(found, functools.partial):
        parts = (found.func, found.args, found.keywords)
    elif isinstance(found, staticmethod | classmethod):
        parts = (found.__func__,)
    elif isinstance(found, property):
        parts = (found.fget,)
    elif isinstance(found, tuple | list):
        parts = found
    elif isinstance(found, set | frozenset):
        parts = sorted(map(repr, found))
    elif isinstance(found, dict):
        parts = (part for pair in found.items() for part in pair)
    elif isinstance(found, type):
        seen.add(id(found))
        own = {name: part for name, part in vars(found).items() if _is_meant(name, part)}
        parts = (found.__name__, own, [base for base in found.__bases__ if base.__module__ == found.__module__])
    else:
        own = vars(found) if hasattr(found, "__dict__") else {}
        parts = (type(found), {name: part for name, part in own.items() if isinstance(part, _TOLD)})
    return [_code(part, depth + 1, seen) for part in parts]


def _is_meant(name: str, part: Any) -> bool:
    """Whether an attribute of a class was written by a person; Python adds some, such as the line that it begins in."""
    return isinstance(part, types.FunctionType) or (isinstance(part, _TOLD) and not name.startswith("__"))


def _used(function: types.FunctionType) -> dict[str, Any]:
    """What a function takes from its own module: values, a few in a list, functions and classes written beside it."""
    there = {name: function.__globals__.get(name, _NOTHING) for name in _names(function.__code__)}
    found = {
        name: part
        for name, part in there.items()
        if isinstance(part, _PLAIN)
        or (isinstance(part, types.FunctionType | type) and part.__module__ == function.__module__)
        or _is_short(part)
    }
    # Each function is looked at once, from where it is reached first: through a class it would be deeper down.
    return dict(sorted(found.items(), key=lambda item: isinstance(item[1], type)))


def _is_short(part: Any) -> bool:
    """Whether it is a list, tuple, set or dict of few plain values."""
    if not isinstance(part, tuple | list | dict | set | frozenset) or len(part) > _LONGEST:
        return False
    values: Iterable[Any] = part.values() if isinstance(part, dict) else part
    return all(isinstance(value, _PLAIN) for value in values)


def _names(code: types.CodeType) -> Iterator[str]:
    """The names that code asks its module for, also in what stands inside of it: comprehensions, lambdas, functions."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _names(part)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # A function that names itself, while it is made.
        return None
