"""Reads YAML 1.2 as plain data and remembers where every key stands.

A space file may come from a stranger: only mappings, lists and scalars are taken, tags are refused, and
limits on size, depth and alias expansion keep a hostile file from using up memory or time.
"""

from __future__ import annotations

import codecs
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, ScalarEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import Reader, ReaderError

from spaces.basics.errors import Problem, SpaceError, dotted
from spaces.basics.files import unreadable
from spaces.basics.section import MAX_DIGITS, is_short, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000

_TOO_MUCH = f"its aliases and values unfold to too much; allowed: {MAX_VALUES} values"

# What no file name and no file in UTF-8 can hold; an escape can spell it.
_UNWRITABLE = re.compile(r"[\0\ud800-\udfff]")

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
    """Reads a YAML file in UTF-8. Nothing but a plain file is opened: a pipe may stay silent for ever.

    Raises:
        SpaceError: the file cannot be read, is not YAML 1.2, or is too large or too deep.
    """
    file = str(path)
    if (reason := unreadable(path)) is not None:
        raise SpaceError([Problem(file, None, None, "", reason)])
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot be read: {os.strerror(error.errno or 0)}"
        raise SpaceError([Problem(file, None, None, "", reason)]) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        hint = (
            " (but in UTF-16; save it as UTF-8)" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ""
        )
        raise SpaceError([Problem(file, line, 1, "", f"is not a text file in UTF-8{hint}")]) from None
    return read_text(text, file)


def read_text(text: str, file: str | None = None) -> Document:
    """Reads YAML text; `file` is what its error messages name. Raises SpaceError as `read_file`."""
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        message = f"is too large for a space file; allowed: at most {MAX_BYTES // 1024} KiB"
        raise SpaceError([Problem(file, None, None, "", message)])
    with _refusing(text, file) as yaml:
        _check_events(yaml, text, file)
    with _refusing(text, file) as yaml:
        node = yaml.compose(text)
    reader = _Reader(file)
    if node is None:
        return Document(None, {(): Position(file, None if file is None else 1)})
    return Document(reader.value(node, ()), reader.positions, reader.problems)


@contextmanager
def _refusing(text: str, file: str | None) -> Iterator[YAML]:
    """A reader of YAML whose errors are SpaceErrors."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Reader = _PlacedReader
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of, such as a name given twice to an anchor, harms nobody
            yield yaml
    except SpaceError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise SpaceError([Problem(file, line, column, "", f"is not valid YAML: {reason}")]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"is not valid YAML: found the control character {text[error.position]!r}"
        raise SpaceError([Problem(file, line, None, "", message)]) from None
    except Exception as error:  # ruamel.yaml lets some of Python's own errors through, as for an impossible escape
        own = isinstance(error, YAMLError)
        reason = str(error).strip().partition("\n")[0] if own else f"an escape or a word in it means nothing ({error})"
        raise SpaceError([Problem(file, yaml.reader.reached + 1, None, "", f"is not valid YAML: {reason}")]) from None


class _PlacedReader(Reader):
    """Remembers the line that it had come to when reading ended."""

    def reset_reader(self) -> None:
        self.reached = getattr(self, "line", 0)
        super().reset_reader()


def _check_events(yaml: YAML, text: str, file: str | None) -> None:
    # The composer recurses and keeps everything, so that what is too deep or too much has to be found before it runs.
    depth = scalars = 0
    for event in yaml.parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        scalars += isinstance(event, ScalarEvent)
        if depth > MAX_DEPTH or scalars > 2 * MAX_VALUES:
            mark = event.start_mark
            much = f"is nested more than {MAX_DEPTH} levels deep" if depth > MAX_DEPTH else _TOO_MUCH
            raise SpaceError([Problem(file, mark.line + 1, mark.column + 1, "", much)])


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
            raise SpaceError([Problem(self.file, node.start_mark.line + 1, None, "", _TOO_MUCH)])
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
                at = self._position(key_node)
                message = f"found {_no_word(key_node)}; allowed: words as keys"
                # Without a path: the keys beside it can still be checked.
                self.problems.append(Problem(at.file, at.line, at.column, dotted(path), message))
                continue
            key = str(key_node.value)
            if _UNWRITABLE.search(key):
                self._refuse(key_node, path, f"found the key {shown(key)}; allowed: words as keys")
                continue
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
            if _UNWRITABLE.search(text):
                return self._refuse(node, path, f"found {shown(text)}; allowed: text without zero bytes and surrogates")
            return text
        try:
            if node.tag == _TAG + "null":
                return None
            if node.tag == _TAG + "bool":
                return {"true": True, "false": False}[text.lower()]
            if node.tag == _TAG + "int":
                return self._integer(node, text, path)
            if node.tag == _TAG + "float":
                return self._float(node, text, path)
        except (ValueError, KeyError):
            return self._refuse(node, path, f"found '{text[:40]}', which cannot be read as {_tag_name(node)[2:]}")
        return self._refuse(node, path, _tag_message(node))

    def _integer(self, node: ScalarNode, text: str, path: tuple[str | int, ...]) -> int | None:
        # Even in base 8 three times as many digits are more than allowed.
        number = _integer(text) if len(text) <= 4 * MAX_DIGITS else 10**MAX_DIGITS
        if is_short(number):
            return number
        self._refuse(node, path, f"found {text[:40]}; allowed: whole numbers of at most {MAX_DIGITS} digits")
        return None

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


def _no_word(key: Node) -> str:
    if key.tag == _TAG + "merge":
        return "a merge key (<<)"
    # A column of a table may be called 2019, yes or null.
    written = str(key.value) if isinstance(key, ScalarNode) and str(key.tag).startswith(_TAG) else ""
    return f"the key {written[:40]}, which is a word in quotes only" if written else "a key that is not a word"


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
