"""Sections of the report that installed packages declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from results.reporting.document import Mood, Section, Text
from results.reporting.facts import Facts
from results.reporting.write.markdown import section_markdown
from results.reporting.write.page import section_page
from spaces.basics.registry import Registry

_SECTIONS: Registry[Callable[[Facts], Section | None]] = Registry("nightshift.sections", {}, Callable)


def others(facts: Facts) -> Iterator[Section | None]:
    """What each entry point `nightshift.sections`, a function of `Facts`, says about a run; None: nothing.

    One that raises, or that cannot be written, is a section that says so: it must not cost the report.
    """
    for name in _SECTIONS.names():
        try:
            found = _SECTIONS[name](facts)
            if found is not None:
                _require_readable(found)
            yield found
        except (Exception, SystemExit) as error:
            text = f"The package that adds this section failed: {type(error).__name__}: {error}"
            yield Section(f"other-{name}", name, [Text(text, Mood.NOTE)], name)


def _require_readable(found: object) -> None:
    """Writes it once: whatever is wrong with it shows here, and not where the whole report is written."""
    if not isinstance(found, Section):
        raise TypeError(f"it gave {type(found).__name__}, no results.reporting.document.Section")
    for text in (section_page(found), *section_markdown(found, {})):
        text.encode()
