"""Sections of the report that installed packages declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from results.reporting.document import Mood, Section, Text
from results.reporting.facts import Facts
from spaces.basics.registry import Registry

_SECTIONS: Registry[Callable[[Facts], Section | None]] = Registry("nightshift.sections", {}, Callable)


def others(facts: Facts) -> Iterator[Section | None]:
    """What each entry point `nightshift.sections`, a function of `Facts`, says about a run; None: nothing.

    One that raises is a section that says so: it must not cost the report.
    """
    for name in _SECTIONS.names():
        try:
            yield _SECTIONS[name](facts)
        except Exception as error:
            text = f"The package that adds this section failed: {type(error).__name__}: {error}"
            yield Section(f"other-{name}", name, [Text(text, Mood.NOTE)], name)
