"""Adds to the site what is made from the program when it is built; MkDocs calls it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("nightshift", "nightshift.testing", "spaces", "search", "results")
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
}


def on_config(config: Any) -> Any:
    """Lists the decisions in the navigation, so that a new one has to be written in one place only."""
    decisions = [f"decisions/{file.name}" for file in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    for entry in config.nav:
        for inner in entry.values():
            for item in inner if isinstance(inner, list) else ():
                if item == {"Decisions": "decisions/"}:
                    item["Decisions"] = decisions
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that no file of `docs/` holds."""
    # MkDocs runs this file by its path.
    sys.path.insert(0, str(ROOT))
    try:
        for path, text in _pages():
            files.append(File.generated(config, path, content=text))
    finally:
        sys.path.remove(str(ROOT))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Sets the links of a page for the site: in the project they may lead to files that stand elsewhere."""
    from docs.site.links import moved

    here = page.file.src_uri
    source = next((source for source, place in ELSEWHERE.items() if place == here), f"docs/{here}")
    pages = {**{f"docs/{file.src_uri}": file.src_uri for file in files.documentation_pages()}, **ELSEWHERE}
    return moved(markdown, source, here, pages)


def _pages() -> Iterator[tuple[str, str]]:
    import typer.main

    import run_search
    import spaces
    from docs.site.commands import command_page
    from docs.site.python_names import python_page
    from docs.site.space_file import space_file_page

    yield "reference/space-file.md", space_file_page(spaces.json_schema())
    yield "reference/command-line.md", command_page(typer.main.get_command(run_search.app))
    for package in PACKAGES:
        tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
        summary = (ast.get_docstring(tree) or "").partition("\n")[0]
        yield f"reference/{package.rpartition('.')[2]}.md", python_page(package, summary, _public(tree))
    for source, page in ELSEWHERE.items():
        yield page, (ROOT / source).read_text(encoding="utf-8")


def _public(tree: ast.Module) -> list[str]:
    """The names in a module's `__all__`."""
    found = (node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    return list(ast.literal_eval(next(found).value))
