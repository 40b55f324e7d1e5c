"""Reads YAML 1.2 as plain data and remembers where every key stands.

A space file may come from a stranger: only mappings, lists and scalars are taken, tags are refused, and
limits on size, depth and alias expansion keep a hostile file from using up memory or time.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spaces.errors import Problem, SpaceError, dotted

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000

_TAG = "tag:yaml.org,2002:"
_WORDS = {_TAG + "str", _TAG + "timestamp"}


@dataclass(frozen=True)
class Position:
    """Where a key stands: `line` and `column` count from 1, and are None where there is no file."""

    file: str | None
    line: int | None = None
    column: int | None = None


@dataclass
class Document:
    """Plain data and, for every path in it, its position.

    Attributes:
        data: mappings, lists and scalars; None in place of a value that was refused.
        positions: where each key and item stands.
        problems: what was refused. The rest can still be checked.
    """

    data: Any
    positions: dict[tuple[str | int, ...], Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def position(self, path: tuple[str | int, ...]) -> Position:
        """Position of the longest part of `path` that is in the document."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.positions:
                return self.positions[path[:end]]
        return Position(None)


def read_file(path: Path) -> Document:
    """Reads a YAML file.

    Raises:
        SpaceError: the file cannot be read, is not YAML 1.2, or is too large or too deep.
    """
    file = str(path)
    try:
        if not path.is_file():
            raise SpaceError([Problem(file, None, None, "", "is not a file")])
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read: {os.strerror(error.errno or 0)}"
        raise SpaceError([Problem(file, None, None, "", reason)]) from None
    try:
        return read_text(raw.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpaceError([Problem(file, line, 1, "", "is not a text file in UTF-8")]) from None


def read_text(text: str, file: str | None = None) -> Document:
    """Reads YAML text; `file` is what its error messages name. Raises SpaceError as `read_file`."""
    if len(text.encode()) > MAX_BYTES:
        message = f"is too large for a space file; allowed: at most {MAX_BYTES // 1024} KiB"
        raise SpaceError([Problem(file, None, None, "", message)])
    yaml = YAML(typ="rt", pure=True)
    try:
        _check_depth(yaml, text, file)
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise SpaceError([Problem(file, line, column, "", f"is not valid YAML: {reason}")]) from None
    except YAMLError as error:
        reason = str(error).strip().splitlines()[0]
        raise SpaceError([Problem(file, None, None, "", f"is not valid YAML: {reason}")]) from None
    reader = _Reader(file)
    data = None if node is None else reader.value(node, ())
    return Document(data, reader.positions, reader.problems)


def _check_depth(yaml: YAML, text: str, file: str | None) -> None:
    # The composer recurses, so that deep nesting has to be found before it runs.
    depth = 0
    for event in yaml.parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            mark = event.start_mark
            message = f"is nested more than {MAX_DEPTH} levels deep"
            raise SpaceError([Problem(file, mark.line + 1, mark.column + 1, "", message)])


class _Reader:
    """Turns composed nodes into plain data, collecting positions and problems."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.positions: dict[tuple[str | int, ...], Position] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def value(self, node: Node, path: tuple[str | int, ...]) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            # Aliases can make a short text stand for endless data.
            message = f"its aliases and values unfold to too much; allowed: {MAX_VALUES} values"
            raise SpaceError([Problem(self.file, node.start_mark.line + 1, None, "", message)])
        self.positions.setdefault(path, self._position(node))
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        return self._refuse(node, path, _tag_message(node))

    def _mapping(self, node: MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag not in _WORDS:
                found_key = "a merge key (<<)" if key_node.tag == _TAG + "merge" else "a key that is not a word"
                at = self._position(key_node)
                message = f"found {found_key}; allowed: words as keys"
                # Without a path: the keys beside it can still be checked.
                self.problems.append(Problem(at.file, at.line, at.column, dotted(path), message))
                continue
            key = str(key_node.value)
            if key in found:
                first = self.positions[(*path, key)].line
                self._refuse(key_node, (*path, key), f"is given twice, first in line {first}")
                continue
            self.positions[(*path, key)] = self._position(key_node)
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: ScalarNode, path: tuple[str | int, ...]) -> Any:
        text = str(node.value)
        if node.tag in _WORDS:
            return text
        try:
            if node.tag == _TAG + "null":
                return None
            if node.tag == _TAG + "bool":
                return {"true": True, "false": False}[text.lower()]
            if node.tag == _TAG + "int":
                return _integer(text)
            if node.tag == _TAG + "float":
                return self._float(node, text, path)
        except (ValueError, KeyError):
            return self._refuse(node, path, f"found '{text[:40]}', which cannot be read as {_tag_name(node)[2:]}")
        return self._refuse(node, path, _tag_message(node))

    def _float(self, node: ScalarNode, text: str, path: tuple[str | int, ...]) -> float | None:
        # YAML spells infinity and "not a number" with a dot, which float() refuses.
        number = math.inf if text.lstrip("+-").lower() in (".inf", ".nan") else float(text.replace("_", ""))
        if not math.isfinite(number):
            self._refuse(node, path, f"found {text}; allowed: finite numbers")
            return None
        return number

    def _position(self, node: Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _refuse(self, node: Node, path: tuple[str | int, ...], message: str) -> None:
        at = self._position(node)
        self.problems.append(Problem(at.file, at.line, at.column, dotted(path), message, path))


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    sign, body = (-1, digits[1:]) if digits.startswith("-") else (1, digits.lstrip("+"))
    for prefix, base in (("0x", 16), ("0o", 8)):
        if body.startswith(prefix):
            return sign * int(body[2:], base)
    return sign * int(body)


def _tag_name(node: Node) -> str:
    tag = str(node.tag)
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _tag_message(node: Node) -> str:
    return f"found the tag {_tag_name(node)}; allowed: plain data without tags"
