"""Which package may import which, read from the source: data and imports flow one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spaces", "search", "results")
READ_BY_RESULTS = {"budget", "clock", "errors", "files", "record"}
HEAVY = ("tensorflow", "keras", "keras_tuner", "pandas", "sklearn", "matplotlib", "plotly", "scipy", "tensorboard")


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path, *, at_import: bool = False, for_types: bool = True) -> set[str]:
    """Dotted names of modules that a file imports: anywhere, or only when the file itself is imported.

    `for_types` says whether what only type checkers import counts, where anything does.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    ignored = set() if for_types else _for_types(tree)
    nodes = list(_executed(tree)) if at_import else [node for node in ast.walk(tree) if node not in ignored]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def _executed(node: ast.AST):
    """The statements that run on import: not those in functions, not those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _executed(child)


def _for_types(tree: ast.AST) -> set[ast.AST]:
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }


def offenders(package: str, allowed: tuple[str, ...]) -> list[str]:
    """Imports of the project's own packages that are not allowed."""
    own = (*PACKAGES, "nightshift", "run_search", "tests", "benchmarks", "docs", "examples")
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(package)
        for name in sorted(imported(path))
        if name.split(".")[0] in own and name.split(".")[0] not in allowed
    ]


def test_there_is_something_to_read():
    for package in PACKAGES:
        assert len(sources(package)) > 10
    assert "search.files.store.RunStore" in imported(ROOT / "search/loop/runner.py")


def test_spaces_imports_nothing_of_the_project():
    assert offenders("spaces", ("spaces",)) == []


def test_search_imports_only_spaces():
    assert offenders("search", ("search", "spaces")) == []


def test_results_imports_only_spaces_and_search():
    assert offenders("results", ("results", "search", "spaces")) == []


def test_the_facade_imports_the_packages_and_only_its_command_imports_the_command_line():
    allowed = ("nightshift", *PACKAGES)
    assert offenders("nightshift", allowed) == ["nightshift/__main__.py: run_search.console"]


def test_results_knows_of_search_only_its_records_and_its_store():
    wrong = []
    for path in sources("results"):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "search" and (len(parts) < 2 or parts[1] not in READ_BY_RESULTS):
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def _looked_up_by_name(package: str) -> list[str]:
    """Calls of `import_module`: imports that the statements above do not show."""
    return [
        str(path.relative_to(ROOT))
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__"))
    ]


def test_search_looks_up_by_name_only_what_a_run_hands_its_table_to():
    """`Run.table` and the like are for those who hold a run: they need the reading side when called, never before."""
    assert _looked_up_by_name("search") == ["search/files/rundir.py"]


def _modules_loaded_by(package: str) -> set[str]:
    program = f"import sys, {package}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_imports_nothing_heavy(package):
    loaded = _modules_loaded_by(package)
    assert package in loaded
    assert sorted(name for name in HEAVY if name in loaded) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_that_a_package_loads_has_a_heavy_import_at_its_top(package):
    """The same by reading: it names the file, and does not depend on what else happens to be imported."""
    wrong = []
    for module in sorted(_modules_loaded_by(package)):
        if module.split(".")[0] not in PACKAGES:
            continue
        path = ROOT / Path(*module.split("."))
        path = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        for name in imported(path, at_import=True):
            if name.split(".")[0] in HEAVY:
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def test_nothing_is_imported_in_a_circle_between_modules_of_search():
    graph = {}
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sources("search")}
    for path in sources("search"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        graph[module] = set()
        for name in imported(path, at_import=True):
            for candidate in (name, name.rpartition(".")[0]):
                if candidate in names and candidate != module:
                    graph[module].add(candidate)
                    break

    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


ROOMS = {
    "spaces": (
        "basics",
        "outside",
        "values",
        "layers",
        "backbones",
        "families",
        "models",
        "sections",
        "data",
        "specs",
        "reading",
    ),
    "search": ("oracles", "record", "files", "training", "executors", "cluster", "loop", "times", "phases", "night"),
    "results": ("ranked", "watching", "exporting", "predicting", "tracking", "verdicts", "reporting"),
}


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_downwards_only(package):
    """From a room to those before it in the list; modules beside the rooms either carry all of them or none.

    What is imported for type checkers alone binds nothing in `spaces`: its lower rooms are handed what upper ones make.
    """
    floor = {room: number for number, room in enumerate(ROOMS[package])}
    folders = {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(floor)
    wrong = []
    for path in sources(package):
        room = path.relative_to(ROOT / package).parts[0]
        for name in imported(path, for_types=package != "spaces"):
            parts = name.split(".")
            if room in floor and parts[0] == package and len(parts) > 1 and floor.get(parts[1], -1) > floor[room]:
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


MOST = 12


def modules_in(folder: Path) -> int:
    return sum(path.name != "__init__.py" for path in folder.glob("*.py"))


def test_no_folder_has_more_than_twelve_modules():
    folders = {path.parent for package in PACKAGES for path in sources(package)}
    count = {str(folder.relative_to(ROOT)): modules_in(folder) for folder in folders}
    assert {folder: number for folder, number in count.items() if number > MOST} == {}


def test_where_contributing_has_a_module_added_there_is_room_for_it():
    folders = re.findall(r"`([\w/]+)/NAME\.py`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(folders) >= 5
    assert [folder for folder in folders if not 0 < modules_in(ROOT / folder) < MOST] == []
