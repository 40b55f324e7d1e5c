"""Whether a node has what the trainings of a space are made of: the family, code of the user's, files, weights.

A node that lacks something is refused by its name before it gets a trial: every configuration would fail there.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spaces import CodeError, DataError, DataInfo, SearchSpec
from spaces.backbones.names import digest
from spaces.families import FAMILIES, family_of
from spaces.outside import given, references, sources
from spaces.reading.library import run_in_trials

_ALONG = "of code of your own, only the file that the space names is sent along; install the rest on every machine"


class Unfit(Exception):
    """A node lacks something; the message says what, and what to do."""


def packages(spec: SearchSpec) -> tuple[str, ...]:
    """What has to be installed on a node besides this program, in the same version: the package of a family."""
    package = FAMILIES.distribution(spec.model.family_name)
    return () if package is None else (package,)


def told(spec: SearchSpec, info: DataInfo) -> dict[str, Any]:
    """What a node has to be told for the functions below, as plain data.

    Returns:
        `family` (its name), `spec` (pickled), `info` of the data, `files` (that models are made of, with their digests,
        which have to lie at the same paths), `code` (files of the user's with their content), `names` (paths of those
        that are imported by name, by that), `beside` (by a file of `code`: the files beside it that it imports, with
        the modules or packages that they belong to), `given` (functions that a program gave).
    """
    code: dict[str, bytes] = {}
    names: dict[str, str] = {}
    for reference in run_in_trials(spec):
        module, file = reference.rpartition(":")[0], references.file_of(reference)
        by_name = Path(file).name == f"{module}.py" and sources.is_users(file)
        if module == file or by_name:
            code[file] = Path(file).read_bytes()
        if by_name:
            names[module] = file
    return {
        "family": spec.model.family_name,
        "spec": pickle.dumps(spec),
        "info": info.to_json(),
        "files": family_of(spec.model).files(spec),
        "code": code,
        "names": names,
        "beside": {file: {one: _top(one) for one in sorted(sources.read(file).keys() - {file})} for file in code},
        "given": given.packed(run_in_trials(spec), elsewhere=True),
    }


def require_installed(told: Mapping[str, Any]) -> None:
    """What can be looked for before the data are there and TensorFlow is loaded: the family, and files.

    Raises:
        Unfit: One of them is missing, or another one than where the search runs.
    """
    family = told["family"]
    if family not in FAMILIES:
        raise Unfit(f"no package that is installed there has the family {family}: install it on every machine")
    try:
        _ = FAMILIES[family]
    except CodeError as error:
        raise Unfit(str(error)) from error
    for file, expected in told["files"].items():
        if not os.path.isfile(file):
            raise Unfit(f"{file} is not there; models are made of it: copy it to the same path")
        if digest(file) != expected:
            raise Unfit(f"{file} is not the file that it is where the search runs; models are made of that")


def require_usable(told: Mapping[str, Any]) -> None:
    """Imports every function that trainings call, and loads what models are made of, such as weights.

    TensorFlow is loaded, and what was sent along has been taken, see `importing.ship` and `given.unpack`.

    Raises:
        Unfit: One of them cannot be used.
    """
    for file, beside in told["beside"].items():
        if missing := [one for one, name in beside.items() if not (os.path.isfile(one) or find_spec(name))]:
            raise Unfit(f"{file} imports {', '.join(missing)}, not to be found there; {_ALONG}")
    spec: SearchSpec = pickle.loads(told["spec"])
    for reference in run_in_trials(spec):
        if given.is_given(reference) and reference not in told["given"]:
            raise Unfit(f"{given.spoken(reference)} cannot be sent to another machine")
        if (why := given.why_not_unpacked(reference)) is not None:
            raise Unfit(f"{why}; install what it is made of on every machine")
        try:
            references.load_attribute(reference)
        except CodeError as error:
            absent = error.__cause__ is None or isinstance(error.__cause__, ImportError)
            raise Unfit(f"{error}; {_ALONG}" if absent else str(error)) from error
    try:
        family_of(spec.model).require(spec, DataInfo.from_json(told["info"]))
    except DataError as error:
        raise Unfit(str(error)) from error


def _top(file: str) -> str:
    """The module that a file is, or the package that it is part of, by its name."""
    path = Path(file)
    return (sources.package(path) or path).stem
