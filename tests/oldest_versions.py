"""Prints the oldest versions that pyproject.toml allows, one requirement a line, for `make test-oldest`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_EXTRAS = ("onnx", "parquet", "dev")
# What checks the text of the program does not run with it.
_CHECKERS = ("mypy", "ruff")


def oldest(project: dict[str, object]) -> list[str]:
    """`name==version` for every `name>=version`, those of the extras that the tests need included."""
    listed = project["project"]
    assert isinstance(listed, dict)
    wanted = [*listed["dependencies"], *(line for extra in _EXTRAS for line in listed["optional-dependencies"][extra])]
    wanted = [line for line in wanted if not line.startswith(_CHECKERS)]
    found = [re.match(r"([A-Za-z0-9_.-]+(?:\[[a-z,]+\])?)>=([0-9.]+)", line) for line in wanted]
    return [f"{match[1]}=={match[2]}" if match else line for match, line in zip(found, wanted, strict=True)]


if __name__ == "__main__":
    print("\n".join(oldest(tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text()))))
