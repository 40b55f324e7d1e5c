"""The reference of the Python packages: the names; mkdocstrings writes what stands in their docstrings."""

from __future__ import annotations

from collections.abc import Sequence


def python_page(package: str, summary: str, names: Sequence[str]) -> str:
    """The page of a package, in Markdown.

    Args:
        package: Its name.
        summary: What it is for, the first sentence of its docstring.
        names: Its public names.
    """
    shown = sorted((name for name in names if not name.startswith("_")), key=str.lower)
    return "\n".join([f"# {package}\n", f"{summary}\n", *(f"::: {package}.{name}\n" for name in shown)])
