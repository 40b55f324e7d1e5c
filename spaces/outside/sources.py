"""The files that a module of the user's is made of: its own, and those beside it that it imports. Nothing is run."""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from spaces.basics.files import unreadable

_ROOT = Path(__file__).parents[2]
_OURS = tuple(_ROOT / name for name in ("spaces", "search", "results", "nightshift", "run_search.py"))
_LIBRARIES = tuple({Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})
_INSTALLED = ("site-packages", "dist-packages")
_KERAS_TUNER = ("keras_tuner", "kerastuner")
# What runs a search of this program, by the package that has it.
_SEARCHES = {"nightshift": ("run", "resume", "check"), "search": ("run", "resume")}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# What a condition asks about that does not hold where a module is imported.
_NOT_IMPORTED = ("__name__", "TYPE_CHECKING")


def is_users(file: str) -> bool:
    """Whether a file is neither installed, nor of Python or this program."""
    path = Path(file)
    if not file or file.startswith("<") or any(part in _INSTALLED for part in path.parts):
        return False
    return not any(folder == path or folder in path.parents for folder in (*_OURS, *_LIBRARIES))


def package(file: Path) -> Path | None:
    """The folder of the outermost package that a file is part of; None: of none."""
    found, folder = None, file.parent
    # A relative path, or none, ends where it begins.
    while os.path.isfile(folder / "__init__.py") and found != folder:
        found, folder = folder, folder.parent
    return found


def read(file: str) -> dict[str, str]:
    """The files by their paths, each with a digest of what it says; comments and empty lines do not count.

    What is installed elsewhere is none of them. Without such a file there is nothing.
    """
    return {path: _digest(text) for path, text in texts(file).items()}


def texts(file: str) -> dict[str, str]:
    """The same files with their content."""
    return _texts(file, ast.walk)


def _texts(file: str, nodes: Callable[[ast.Module], Iterable[ast.AST]]) -> dict[str, str]:
    """A file, and those that it imports in what `nodes` gives of each."""
    found: dict[str, str] = {}
    path, top = Path(file), package(Path(file))
    waiting = [path]
    if top is not None:
        waiting += [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(top)]
    while waiting:
        path = waiting.pop()
        if str(path) not in found and (text := _text(path)) is not None:
            found[str(path)] = text
            waiting += _imported(path, text, nodes)
    return found


def searching(file: str) -> tuple[str, int] | None:
    """The file and line that would run a search, this program's or a tuner's, where these files are imported."""
    for path, text in _texts(file, _run_by_import).items():
        tree = parsed(text)
        line = None if tree is None else _search_in(tree)
        if line is not None:
            return path, line
    return None


def parsed(text: str) -> ast.Module | None:
    """What a file says; None where Python cannot read it, which importing it tells."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what is nested too deeply is one of the last two
        return None


def _search_in(tree: ast.Module) -> int | None:
    kinds = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).partition(".")[0] in _KERAS_TUNER
    }
    tuners: set[str] = set()
    ours = {*_our_searches(tree)}
    for node in _run_by_import(tree):
        if isinstance(node, ast.ClassDef) and any(_first_name(base) in kinds for base in node.bases):
            kinds.add(node.name)
        elif isinstance(node, _FUNCTIONS):
            kinds |= {node.name for one in _returned(node) if _first_name(one) in kinds}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            if _first_name(node.value) in kinds:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                tuners |= {target.id for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Call) and _called(node.func) in ours:
            return node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "search":
            owner = node.func.value
            if _first_name(owner) in (kinds if isinstance(owner, ast.Call) else tuners):
                return node.lineno
    return None


def _our_searches(tree: ast.Module) -> Iterator[str]:
    """What runs a search of this program, as the file calls it: `ns.run`, or `run` alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (f"{alias.asname or alias.name}.{what}" for what in _SEARCHES.get(alias.name, ()))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known = _SEARCHES.get(node.module or "", ())
            yield from (alias.asname or alias.name for alias in node.names if alias.name in known)


def _returned(function: ast.AST) -> list[ast.Call]:
    """The calls whose value a function returns, by themselves or under a name that it has given it."""
    nodes = [*ast.walk(function)]
    named = {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    returns = [node.value for node in nodes if isinstance(node, ast.Return)]
    values = [named.get(value.id) if isinstance(value, ast.Name) else value for value in returns]
    return [value for value in values if isinstance(value, ast.Call)]


def _run_by_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What importing a module does, in order: not what is for a script or type checkers alone.

    Of functions those of the module that it calls by their name, such as `main()`, once each.
    """
    waiting: list[ast.AST] = list(reversed(tree.body))
    uncalled: dict[str, list[ast.stmt]] = {}
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, _FUNCTIONS):
            uncalled[node.name] = node.body
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        inside: list[ast.AST] = [*ast.iter_child_nodes(node)]
        if isinstance(node, ast.Call):
            inside += uncalled.pop(_called(node.func), [])
        if isinstance(node, ast.If) and any(
            getattr(one, "id", getattr(one, "attr", "")) in _NOT_IMPORTED for one in ast.walk(node.test)
        ):
            inside = [*node.orelse]
        waiting += inside[::-1]


def _called(function: ast.AST) -> str:
    """`ns.run` of `ns.run(...)`; "" where it is no name, nor one of a module."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def _first_name(node: ast.AST) -> str:
    """`kt` of `kt.tuners.RandomSearch(...)`; "" where it begins with no name."""
    while not isinstance(node, ast.Name):
        if not isinstance(node, ast.Call | ast.Attribute):
            return ""
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id


def again(known: Mapping[str, str]) -> dict[str, str]:
    """The same files with what they say now."""
    return {file: "" if (text := _text(Path(file))) is None else _digest(text) for file in known}


def _text(path: Path) -> str | None:
    if unreadable(path) is not None:
        return None
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _digest(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _imported(path: Path, text: str, nodes: Callable[[ast.Module], Iterable[ast.AST]]) -> Iterator[Path]:
    tree = parsed(text)
    if tree is None:
        return
    top = package(path)
    roots = [path.parent] if top is None else [path.parent, top.parent]
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(roots, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = [path.parents[node.level - 1]] if 0 < node.level <= len(path.parents) else roots
            module = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _files(base, [*module, alias.name])


def _files(roots: Iterable[Path], parts: list[str]) -> Iterator[Path]:
    """The files that `a.b.c` may mean, each of its packages among them."""
    for root in roots:
        for count in range(1, len(parts) + 1):
            stem = root.joinpath(*parts[:count])
            yield from filter(os.path.isfile, (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"))
