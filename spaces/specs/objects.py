"""Functions and data that stand in a mapping themselves: each gives place to a reference, and a space stays text."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FunctionType
from typing import Any

from pydantic import BaseModel

from spaces.basics.errors import DataError, SpaceError, problem
from spaces.outside import given
from spaces.outside.references import take_anew


@dataclass(frozen=True)
class Known:
    """References that a run has for what it was given, which is given again now; None: for nothing of the kind."""

    model: str | None = None
    data: str | None = None
    callbacks: str | None = None


def with_references(plain: Mapping[str, Any], known: Known = Known()) -> dict[str, Any]:
    """The mapping of a space file with references for functions and data.

    Functions may stand at `model.family` and `training.callbacks`, data at `data.source`; or where that has `python`.

    A function of a module file becomes a reference to the file; everything else is kept by `spaces.outside.given`.
    Paths, and the numbers and arrays of NumPy, become what a space file has for them.

    Raises:
        SpaceError: A Keras model stands where a function that makes models belongs, or the data are of no known form.
    """
    found = dict(plain)
    if "model" in found:
        found["model"] = _model(found["model"], known.model)
    if "data" in found:
        found["data"] = _data(found["data"], known.data)
    training = found.get("training")
    if isinstance(training, Mapping) and callable(training.get("callbacks")):
        found["training"] = {**training, "callbacks": _function(training["callbacks"], known.callbacks)}
    return {key: copied(value) for key, value in found.items()}


def spelt(value: Any) -> Any:
    """What a space file has for a path, or for a number or an array of NumPy; everything else as it is."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if hasattr(value, "tolist") and not isinstance(value, type) else value


def copied(value: Any) -> Any:
    """Mappings, lists and tuples anew, and what is in them as `spelt` has it.

    What no space file can hold stays as it is, for validation to name: some of it, as a generator, has no copy.
    """
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return tuple(map(copied, value)) if isinstance(value, tuple) else spelt(value)


def is_builder(value: Any) -> bool:
    """Whether it may make models: a function, a class, or an object with a `build` of its own.

    A tuner of Keras Tuner counts too: where models are made of it, it is said what to give instead.
    """
    return not isinstance(value, str | os.PathLike | Mapping | BaseModel) and (
        callable(value) or any(callable(getattr(value, name, None)) for name in ("build", "run_trial"))
    )


def builder_in(section: Any) -> Any:
    """What makes the models of a space, where it stands itself in, or as, its section `model`; None: it does not."""
    if isinstance(section, Mapping):
        family = section.get("family")
        section = family.get("python") if isinstance(family, Mapping) else family
    return section if is_builder(section) else None


def _model(section: Any, known: str | None) -> Any:
    builder = builder_in(section)
    if builder is None:
        return section
    family = {"python": _function(builder, known)}
    return {**section, "family": family} if isinstance(section, Mapping) else {"family": family}


def _data(section: Any, known: str | None) -> Any:
    if not isinstance(section, Mapping) or _holds_parts(section):
        return section if _is_said(section) else {"source": _as_source(section, known)}
    source = section.get("source")
    if isinstance(source, Mapping) and ("python" in source or not _holds_parts(source)):
        value = source.get("python")
        return section if _is_said(value) else {**section, "source": {**source, **_as_source(value, known)}}
    return section if _is_said(source) else {**section, "source": _as_source(source, known)}


def _is_said(value: Any) -> bool:
    """Whether a space file may say it, so that it needs no reference."""
    if isinstance(value, Mapping) and _holds_parts(value):
        return False
    # No path says by itself what it leads to: validation names the kinds of files.
    return _is_text(value) or isinstance(value, BaseModel | os.PathLike)


def _is_text(value: Any) -> bool:
    """Whether a space file may hold it: words, numbers, lists and mappings of them."""
    if isinstance(value, list):
        return all(map(_is_text, value))
    if isinstance(value, Mapping):
        return all(map(_is_text, value.values()))
    return value is None or isinstance(value, str | int | float | date)


def _as_source(value: Any, known: str | None) -> dict[str, str]:
    if not isinstance(value, FunctionType):
        return {"python": _rows(value, known)}
    take_anew()
    return {"python": _in_a_file(value, known) or given.keep_data(value, known or given.reference_for(value))}


def _holds_parts(mapping: Mapping[str, Any]) -> bool:
    """Whether it holds rows and labels by their names, or data sets by those of the parts."""
    values = mapping.values()
    if "source" in mapping or not values:
        return False
    if any(map(is_rows, values)):
        return True
    if all(isinstance(value, list | tuple) for value in values):
        from spaces.data.parts import are_arrays

        return are_arrays(mapping)
    if _is_text(mapping):
        return False
    from spaces.data.readers.datasets import is_dataset

    return all(map(is_dataset, values))


def is_rows(value: Any) -> bool:
    """Whether it is an array, or several for a model of several inputs or outputs."""
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
    return any(hasattr(part, "shape") for part in parts)


def _rows(data: Any, known: str | None) -> str:
    from spaces.data.readers.objects import loader

    try:
        return given.keep_data(loader(data), known)
    except DataError as error:
        raise SpaceError([problem(("data", "source"), str(error).removeprefix("data: "))]) from error


def _function(function: Any, known: str | None) -> str:
    lineage = function.__mro__ if isinstance(function, type) else type(function).__mro__
    if any(cls.__name__ == "Layer" and cls.__module__.startswith("keras.") for cls in lineage):
        message = (
            "found a Keras model, with which there is nothing to choose; allowed: a function build(hp) that makes one"
        )
        raise SpaceError([problem(("model", "family"), message)])
    take_anew()
    return _in_a_file(function, known) or given.keep_function(function, known)


def _in_a_file(function: Any, known: str | None) -> str | None:
    """The reference to a function or class at the top level of a module file that stands by itself.

    None for what a run was given, under the reference `known`: it goes on with what is given again, wherever that is
    written by now.
    """
    if known is not None:
        return None
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None) or ""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    alone = module != "__main__" and "." not in module and file.endswith(".py") and Path(file).is_file()
    if not alone or not isinstance(function, FunctionType | type) or not name.isidentifier():
        return None
    return f"{os.path.abspath(file)}:{name}" if getattr(sys.modules[module], name, None) is function else None
