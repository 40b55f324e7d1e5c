"""What all sections of a space file share: strictness, and refusals in whole sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import islice
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from spaces.basics.naming import unfit
from spaces.basics.printable import some_of

MAX_DIGITS = 18
"""Digits of a whole number: stores and arrays keep no longer ones, and Python does not even print the longest."""

_MOST_LISTED = 100
_LONGEST_WORD = 100
_LONGEST_NAME = 180
"""Bytes that leave room for what is put around a name: `candidate-baseline-NAME-1`."""

KeyPath = tuple[str | int, ...]


class Section(BaseModel):
    """A mapping of the space file: unknown keys are errors, nothing is converted, nothing changes later.

    A whole number may be written as 1e6, as in JSON.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """The keys that it may have, for messages."""
        return tuple(cls.model_fields)

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any, field: ValidationInfo) -> Any:
        if isinstance(value, float) and _takes_whole_numbers(cls.model_fields[field.field_name or ""].annotation):
            return as_whole(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _left_out(cls, value: Any, field: ValidationInfo) -> Any:
        usual = cls.model_fields[field.field_name or ""].default
        # As for a rule: `--set` can leave a section of the file out in no other way.
        return usual if value is None and isinstance(usual, Section) else value


def as_whole(value: Any) -> Any:
    """A whole number that is written as 1e6, as in JSON, as one; everything else as it is, also 1e20."""
    fits = isinstance(value, float) and value.is_integer() and is_short(value)
    return int(value) if fits else value


def is_short(number: float) -> bool:
    """Whether a whole number of that size has no more digits than a space file may have."""
    return bool(abs(number) < 10**MAX_DIGITS)


def _takes_whole_numbers(annotation: Any) -> bool:
    """Whether a field of this type takes them and nothing else, but for None."""
    if get_origin(annotation) is Annotated:
        return _takes_whole_numbers(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(_takes_whole_numbers(one) for one in get_args(annotation) if one is not NoneType)
    return annotation is int


class Refusals:
    """Collects what is wrong below one value, so that all of it is reported together."""

    def __init__(self) -> None:
        self.found: list[tuple[KeyPath, str]] = []

    def add(self, message: str, *path: str | int) -> None:
        """Notes a mistake at `path` below the value."""
        self.found.append((path, message))

    def raise_if_any(self) -> None:
        """Raises what pydantic collects further, with all mistakes in it."""
        if self.found:
            # The message travels in the context: pydantic would read braces in it as placeholders.
            raise PydanticCustomError("refused", "refused", {"found": tuple(self.found)})


def refuse(message: str, *path: str | int) -> PydanticCustomError:
    """The error for a single mistake at `path` below the value being validated."""
    return PydanticCustomError("refused", "refused", {"found": ((path, message),)})


def shown(value: Any) -> str:
    """A value as an error message names it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value if len(value) <= 60 else value[:57] + '...'}'"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and abs(value) >= 10**300:  # Python refuses to spell out the longest
        return "a number of more than 300 digits"
    return f"{value:.12g}" if isinstance(value, float) else str(value)[:60]


def listed(words: Iterable[Any]) -> str:
    """`adam, sgd`: allowed values in a message, of very many the first."""
    named = [shown(word) if isinstance(word, bool) else str(word) for word in islice(words, _MOST_LISTED + 1)]
    return some_of(named, _MOST_LISTED)


def suggestion(word: Any, known: Sequence[str]) -> str:
    """` (did you mean 'momentum'?)` where a known word is near, otherwise nothing."""
    written = str(word)[:_LONGEST_WORD]
    # Keras writes some of them in capitals: GELU, SGD.
    found = (difflib.get_close_matches(form, known, n=1, cutoff=0.6) for form in (written, written.lower()))
    near = next(filter(None, found), None)
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown(kind: str, word: Any, known: Sequence[str]) -> str:
    """The sentence for a word that is none of the known ones."""
    return f"unknown {kind} {shown(word)}; allowed: {listed(known)}{suggestion(word, known)}"


def _fit(name: str) -> str:
    if problem := unfit(name, _LONGEST_NAME):
        # As an escape where it cannot be printed: the message goes to a terminal.
        found = shown(name) if name.isprintable() else ascii(name[:60])
        raise refuse(f"found {found}; it names files, and {problem}")
    return name


Name = Annotated[str, Field(min_length=1), AfterValidator(_fit)]
"""A name in a space file that names files too."""
