"""Packages as other people would have installed them: files of `examples/extensions`, each with its entry points."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPACE = """
name: outside
data: {source: digits, validation: 0.2}
model: {family: mlp, layers: 1, units: [4, 8]}
training: {epochs: 1, batch_size: 32}
search: {algorithm: random, max_trials: 2}
final: {candidates: 1, seeds: 0}
export: {formats: [keras]}
"""
DECLARED = {
    "maxout": [("nightshift.families", "maxout", "maxout:MAXOUT")],
    "climbing": [("nightshift.oracles", "climbing", "climbing:CLIMBING")],
    "columns": [("nightshift.sources", "columns", "columns:COLUMNS")],
    "longest": [
        ("nightshift.sections", "longest", "longest:longest"),
        ("nightshift.trackers", "longest", "longest:Follower"),
    ],
    "one_by_one": [],
    "counted": [("nightshift.engines", "counted", "counted:COUNTED")],
}
DAMAGED = {
    "gone": [
        ("nightshift.families", "gone", "no_such_module:there"),
        ("nightshift.oracles", "gone", "os:sep"),
        ("nightshift.sources", "gone", "os:gone"),
        ("nightshift.sections", "gone", "no_such_module:there"),
        ("nightshift.trackers", "gone", "no_such_module:there"),
        ("nightshift.trackers", "plain", "builtins:str"),
        ("nightshift.families", "renamed", "maxout:MAXOUT"),
        ("nightshift.sources", "careless", "careless:CARELESS"),
        ("nightshift.sources", "frames", "careless:FRAMES"),
        ("nightshift.sections", "listing", "careless:listing"),
        ("nightshift.sections", "unwritable", "careless:unwritable"),
    ]
}


# What comes from the entry points above and cannot be used.
CARELESS = """
from spaces.data.readers.source import Part, RawData
from spaces.sections.sources import DataSource


class Careless(DataSource):
    name = "careless"

    def load(self, location):
        if location.endswith("tuple"):
            return [[1.0], [2.0]], [0, 1]
        if location.endswith("lists"):
            return RawData("careless", location, Part([[1.0], [2.0]], [0, 1], location))
        raise ValueError("no such thing")


class Frames(DataSource):
    name = "frames"
    has_columns = True

    def load(self, location):
        import pandas

        return pandas.DataFrame({"width": range(60), "kind": ["a", "b", "c"] * 20, "note": ["x"] * 60})


CARELESS, FRAMES = Careless(), Frames()


def listing(facts):
    return ["no section"]


def unwritable(facts):
    from results.reporting.document import Section, Text

    return Section("unwritable", "Unwritable", [Text(3)])
"""


class Outside:
    """A folder with a space file, and with packages that are found as installed ones are."""

    def __init__(self, folder: Path, declared: dict[str, list[tuple[str, str, str]]]) -> None:
        self.folder = folder
        self._site = folder / "site"
        self._site.mkdir()
        self.space = folder / "space.yaml"
        self.space.write_text(SPACE)
        for module, entry_points in declared.items():
            file = ROOT / f"examples/extensions/{module}.py"
            if file.exists():
                shutil.copy(file, self._site)
            metadata = self._site / f"{module}-1.0.dist-info"
            metadata.mkdir()
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
            if module == "gone":
                (self._site / "careless.py").write_text(CARELESS)
            lines = [f"[{group}]\n{name} = {value}\n" for group, name, value in entry_points]
            (metadata / "entry_points.txt").write_text("\n".join(lines))

    def nightshift(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Calls the command line there; it has to end with `code`."""
        return self._called(ROOT / "run_search.py", *arguments, code=code)

    def python(self, program: str) -> str:
        """What a Python program prints there."""
        return self._called("-c", program, code=0).stdout

    def _called(self, *arguments: str | Path, code: int) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join([str(self._site), str(ROOT)])
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """With every example installed, and one package that is damaged in every way."""
    return Outside(tmp_path_factory.mktemp("outside"), DECLARED | DAMAGED)
