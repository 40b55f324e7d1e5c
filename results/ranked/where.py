"""The language of `--where`: conditions on the columns of a table, parsed here and never given to Python.

    condition  = both { "or" both }
    both       = negated { "and" negated }
    negated    = "not" negated | "(" condition ")" | comparison
    comparison = operand { ("<" | "<=" | ">" | ">=" | "==" | "!=") operand }
               | operand [ "not" ] "in" "(" literal { "," literal } ")"
    operand    = column | literal
    literal    = number | 'text' | "text" | true | false | none

A column whose name is not a plain word is written between backquotes. A lone column holds if its value is true.
A missing value makes every comparison false; `column == none` asks whether it is missing, `column != none` whether
it is there. Text and numbers are unequal, and neither is less.

Read by hand: what Python's own parser says of a mistake is about Python, and has no place in the condition.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from results.errors import OptionError

Condition = Callable[[Mapping[str, Any]], bool]
_Operand = Callable[[Mapping[str, Any]], Any]

MAX_LENGTH = 10_000
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number> [+-]?(?:\d[\d_]*+(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?\d++)?+(?![\w.]))
    | (?P<word>   [^\W\d]\w*(?:\.\w+)*)
    | `(?P<quoted>[^`]+)`
    | (?P<text>   '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
    | (?P<sign>   <=|>=|==|!=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_KEYWORDS = frozenset({"and", "or", "not", "in"})
_NONE = object()
"""The word `none`, which differs from a cell that is None."""
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "none": _NONE, "null": _NONE}


def unknown_column(name: str, columns: Collection[str]) -> str:
    """One sentence saying that there is no such column, with the nearest one that there is."""
    from difflib import get_close_matches

    near = get_close_matches(name, columns, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(columns)}"
    return f"no column {name!r}; {advice}"


def where(text: str, columns: Collection[str]) -> Condition:
    """The condition as a function of a row.

    Args:
        text: For example `layers >= 2 and score > 0.9`; at most 10,000 characters, nested at most 50 deep.
        columns: The names that may occur.

    Raises:
        OptionError: The text is not a condition, or names an unknown column; the message shows the place.
    """
    if len(text) > MAX_LENGTH:
        raise OptionError(f"--where: longer than {MAX_LENGTH:,} characters")
    return _Parser(text, columns).parse()


class _Parser:
    """Recursive descent over the tokens (kind, text, position); the depth is counted so that it cannot run away."""

    def __init__(self, text: str, columns: Collection[str]) -> None:
        self.text = text
        self.columns = columns
        self.tokens = self.split()
        self.next = 0
        self.depth = 0

    def split(self) -> list[tuple[str, str, int]]:
        found = []
        position, end = 0, len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                start = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                odd = self.text[start]
                signed = [name for name in self.columns if odd in name and not odd.isalnum()]
                meant = (name for name in signed if self.text.startswith(name, max(0, start - name.index(odd))))
                named = max(meant, key=len, default=None)
                hint = "" if named is None else f"; `{named}` stands between backquotes"
                hint = "; equality is written ==" if odd == "=" else hint
                self.fail(f"{odd!r} is not understood{hint}", start)
            kind = str(match.lastgroup)
            word = match[kind]
            lowered = word.lower()
            if kind == "word" and (lowered in _KEYWORDS or lowered in _CONSTANTS):
                kind, word = ("keyword" if lowered in _KEYWORDS else "constant"), lowered
            found.append((kind, word, match.start(match.lastgroup or 0)))
            position = match.end()
        return [*found, ("end", "", end)]

    def parse(self) -> Condition:
        condition = self.condition()
        if self.tokens[self.next][0] != "end":
            self.unexpected("and, or, or the end")
        return condition

    def condition(self) -> Condition:
        return self.chain("or", self.both, any)

    def both(self) -> Condition:
        return self.chain("and", self.negated, all)

    def chain(self, word: str, part: Callable[[], Condition], join: Callable[[Any], bool]) -> Condition:
        parts = [part()]
        while self.take("keyword", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else lambda row: join(holds(row) for holds in parts)

    def negated(self) -> Condition:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep", self.tokens[self.next][2])
        try:
            if self.take("keyword", "not"):
                inner = self.negated()
                return lambda row: not inner(row)
            if self.take("sign", "("):
                condition = self.condition()
                self.expect(")")
                return condition
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Condition:
        start = self.tokens[self.next]
        operands = [self.operand()]
        signs: list[str] = []
        while self.tokens[self.next][0] == "sign" and self.tokens[self.next][1] in _COMPARE:
            signs.append(self.tokens[self.next][1])
            self.next += 1
            operands.append(self.operand())
        if signs:
            return _chained(operands, signs)
        value = operands[0]
        if self.tokens[self.next][:2] == ("keyword", "not") and self.tokens[self.next + 1][1] == "in":
            self.next += 2
            members = self.members()
            return lambda row: (found := value(row)) is not None and not _member(found, members)
        if self.take("keyword", "in"):
            members = self.members()
            return lambda row: _member(value(row), members)
        if start[0] not in ("word", "quoted"):
            self.fail("a value alone is no condition", start[2])
        return lambda row: bool(value(row))

    def members(self) -> list[Any]:
        self.expect("(")
        found = [self.literal()]
        while self.take("sign", ","):
            if self.tokens[self.next][1] == ")":
                break
            found.append(self.literal())
        self.expect(")")
        return found

    def operand(self) -> _Operand:
        kind, word, position = self.tokens[self.next]
        if kind not in ("word", "quoted"):
            value = self.literal()
            return lambda row: value
        if word not in self.columns:
            self.fail(f"{unknown_column(word, self.columns)} (text needs quotes)", position)
        self.next += 1
        return lambda row: row.get(word)

    def literal(self) -> Any:
        kind, word, position = self.tokens[self.next]
        if kind not in ("number", "text", "constant"):
            self.unexpected("a column or a value" if kind != "word" else "a number or text in quotes")
        self.next += 1
        if kind == "constant":
            return _CONSTANTS[word]
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
        return self.number(word, position)

    def number(self, word: str, position: int) -> int | float:
        try:
            return int(word) if re.fullmatch(r"[+-]?[\d_]+", word) else float(word)
        except ValueError:
            self.fail(f"{word[:30]!r} is not a number", position)

    def take(self, kind: str, word: str) -> bool:
        if self.tokens[self.next][:2] != (kind, word):
            return False
        self.next += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.take("sign", sign):
            self.unexpected(f"{sign!r}")

    def unexpected(self, wanted: str) -> NoReturn:
        kind, word, position = self.tokens[self.next]
        self.fail(f"expected {wanted}, found {'the end' if kind == 'end' else repr(word)}", position)

    def fail(self, message: str, position: int) -> NoReturn:
        shown = self.text[max(0, position - 30) : position + 30]
        raise OptionError(f"--where: {message}, at character {position + 1} (near {shown!r})")


def _chained(operands: Sequence[_Operand], signs: Sequence[str]) -> Condition:
    def holds(row: Mapping[str, Any]) -> bool:
        values = [operand(row) for operand in operands]
        return all(_compare(a, sign, b) for a, sign, b in zip(values, signs, values[1:], strict=False))

    return holds


def _compare(left: Any, sign: str, right: Any) -> bool:
    if left is _NONE or right is _NONE:
        missing = left in (None, _NONE) and right in (None, _NONE)
        return sign in ("==", "!=") and missing is (sign == "==")
    if left is None or right is None:
        return False
    if isinstance(left, str) is not isinstance(right, str):
        return sign == "!="
    return _COMPARE[sign](left, right)


def _member(value: Any, members: Sequence[Any]) -> bool:
    return any(_compare(value, "==", member) for member in members)
