"""What stands under a name: of this program, or of an installed package that declares an entry point."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module, metadata
from typing import Any, Generic, TypeVar

from spaces.basics.errors import CodeError

Named = TypeVar("Named")


class Registry(Generic[Named]):
    """Objects under their names. A name of this program's own is never taken by another package.

    Args:
        group: The entry points' group, e.g. `nightshift.families`.
        ours: `module:attribute` of each of this program's own, under its name.
        base: The type that every one is an instance of.
    """

    def __init__(self, group: str, ours: Mapping[str, str], base: Any) -> None:
        self._group = group
        self._ours = ours
        self._base = base
        self._found: dict[str, Named] = {}

    def names(self) -> tuple[str, ...]:
        """All names, this program's own first; nothing is imported for it."""
        return (*self._ours, *(name for name in sorted(self._others) if name not in self._ours))

    @property
    def _others(self) -> dict[str, tuple[metadata.EntryPoint, ...]]:
        return _declared_in(self._group, tuple(sys.path))

    def __contains__(self, name: object) -> bool:
        return name in self._ours or name in self._others

    def __getitem__(self, name: str) -> Named:
        """What stands under a name.

        Raises:
            KeyError: Nothing does.
            CodeError: The package that declares it cannot be imported, or declares something else; or two declare it.
        """
        if name not in self._found:
            self._found[name] = self._own(name) if name in self._ours else self._declared(name)
        return self._found[name]

    def distribution(self, name: str) -> str | None:
        """The installed package that declares a name; None for this program's own, and where none is known."""
        entries = () if name in self._ours else self._others.get(name, ())
        return next((entry.dist.name for entry in entries if entry.dist is not None), None)

    def _own(self, name: str) -> Named:
        module, _, attribute = self._ours[name].partition(":")
        found: Named = getattr(import_module(module), attribute)
        return found

    def _declared(self, name: str) -> Named:
        entry, *more = self._others[name]
        where = f"{self._group}: {name} = {entry.value}"
        if more:
            # Which one was meant nobody knows, and a run records the name alone.
            others = ", ".join(f"{one.value} of {one.dist.name}" if one.dist else one.value for one in more)
            raise CodeError(f"{where}: another package has this name too: {others}; remove one")
        try:
            # Standard output may be a table or JSON.
            with redirect_stdout(sys.stderr):
                found: Any = entry.load()
        except (Exception, SystemExit) as error:
            raise CodeError(f"{where}: {type(error).__name__}: {error}") from error
        if isinstance(found, type) and self._base is not Callable and issubclass(found, self._base):
            raise CodeError(f"{where}: it is a class; what is declared is an object of it, {found.__name__}()")
        if not isinstance(found, self._base):
            raise CodeError(f"{where}: it is no {self._base.__name__}")
        # Runs record what it calls itself, and are read under that name.
        if "name" in getattr(self._base, "__annotations__", ()) and (own := getattr(found, "name", None)) != name:
            raise CodeError(f"{where}: it calls itself {own!r}; both must be the same")
        made: Named = found
        return made


@cache
def _declared_in(group: str, path: tuple[str, ...]) -> dict[str, tuple[metadata.EntryPoint, ...]]:
    # Looking through all packages takes some milliseconds; what is installed changes with the path only.
    found: dict[str, tuple[metadata.EntryPoint, ...]] = {}
    for entry in metadata.entry_points(group=group):
        known = found.get(entry.name, ())
        # A package that has got another name may have left its old one behind.
        found[entry.name] = known if entry.value in {one.value for one in known} else (*known, entry)
    return found
