"""The files that a module of the user's is made of: its own, and those beside it that it imports. Nothing is run."""

from __future__ import annotations

import ast
import hashlib
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_OURS = tuple(_ROOT / name for name in ("spaces", "search", "results", "nightshift", "run_search.py"))
_LIBRARIES = tuple({Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")})
# Methods of Keras Tuner's `HyperParameters`.
_ASKING = frozenset({"Int", "Float", "Choice", "Boolean", "Fixed", "get", "conditional_scope", "name_scope"})
_INSTALLED = ("site-packages", "dist-packages")


def is_users(file: str) -> bool:
    """Whether a file is neither installed, nor of Python or this program."""
    path = Path(file)
    if not file or file.startswith("<") or any(part in _INSTALLED for part in path.parts):
        return False
    return not any(folder == path or folder in path.parents for folder in (*_OURS, *_LIBRARIES))


def package(file: Path) -> Path | None:
    """The folder of the outermost package that a file is part of; None: of none."""
    found, folder = None, file.parent
    while (folder / "__init__.py").is_file():
        found, folder = folder, folder.parent
    return found


def read(file: str) -> dict[str, str]:
    """The files by their paths, each with a digest of what it says; comments and empty lines do not count.

    What is installed elsewhere is none of them. Without such a file there is nothing.
    """
    return {path: _digest(text) for path, text in _texts(file).items()}


def _texts(file: str) -> dict[str, str]:
    """The same files with their content."""
    found: dict[str, str] = {}
    path, top = Path(file), package(Path(file))
    waiting = [path]
    if top is not None:
        waiting += [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(top)]
    while waiting:
        path = waiting.pop()
        if str(path) not in found and (text := _text(path)) is not None:
            found[str(path)] = text
            waiting += _imported(path, text)
    return found


def asks_in_branches(file: str) -> bool:
    """Whether a branch (`if`, `match`) asks Keras Tuner's `hp` for something, or passes it on; or nobody can tell."""
    texts = _texts(file)
    try:
        return not texts or any(_branches(ast.parse(text)) for text in texts.values())
    except (SyntaxError, ValueError):
        return True


def _branches(tree: ast.AST) -> bool:
    asked = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {
        one.value.id
        for one in asked
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.attr in _ASKING
    }
    parts: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            parts += [*node.body, *node.orelse]
        elif isinstance(node, ast.IfExp):
            parts += [node.body, node.orelse]
        elif isinstance(node, ast.Match):
            parts += [one for case in node.cases for one in case.body]
        elif isinstance(node, ast.BoolOp):
            parts += node.values[1:]
    return any(isinstance(one, ast.Name) and one.id in names for part in parts for one in ast.walk(part))


def again(known: Mapping[str, str]) -> dict[str, str]:
    """The same files with what they say now."""
    return {file: "" if (text := _text(Path(file))) is None else _digest(text) for file in known}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _digest(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _imported(path: Path, text: str) -> Iterator[Path]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    top = package(path)
    roots = [path.parent] if top is None else [path.parent, top.parent]
    for node in ast.walk(tree):
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
            yield from (file for file in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py") if file.is_file())
