"""Sections of the report that installed packages declare."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from results.reporting.chart import Chart, ParallelLines
from results.reporting.document import Mood, Pictures, RankedTable, Section, Text
from results.reporting.facts import Facts
from results.reporting.write.markdown import section_markdown
from results.reporting.write.page import ANCHORS, section_page
from spaces.basics.naming import unfit
from spaces.basics.registry import Registry

_LONGEST_KEY = 100
"""Bytes that leave room for the name of a view behind it."""

_SECTIONS: Registry[Callable[[Facts], Section | None]] = Registry("nightshift.sections", {}, Callable)


def others(facts: Facts, ours: Iterable[Section]) -> Iterator[Section]:
    """What each entry point `nightshift.sections`, a function of `Facts`, says about a run, where it says something.

    One that raises, or that cannot be written, is a section that says so: it must not cost the report.

    Args:
        facts: Of the run.
        ours: The report's own sections.
    """
    anchors, charts = set(ANCHORS), set[str]()
    for section in ours:
        anchors.add(section.key)
        charts.update(_charts(section))
    for name in _SECTIONS.names():
        try:
            found = _SECTIONS[name](facts)
            if found is None:
                continue
            _require_readable(found)
            _require_place(found, anchors, charts)
        except (Exception, SystemExit) as error:
            text = f"The package that adds this section failed: {type(error).__name__}: {error}"
            found = Section(f"other-{name}", name, [Text(text, Mood.NOTE)], name)
        anchors.add(found.key)
        charts.update(_charts(found))
        yield found


def _require_readable(found: object) -> None:
    """Writes it, as the report will: whatever is wrong with it shows here, and not where the whole is written."""
    if not isinstance(found, Section):
        raise TypeError(f"it gave {type(found).__name__}, no results.reporting.document.Section")
    page = section_page(found)
    for text in (page, *section_markdown(found, {})):
        text.encode()
    if section_page(found) != page:
        raise TypeError("something in it can be gone through once only, as what `map` or `zip` gives; use a list")


def _require_place(found: Section, anchors: Collection[str], charts: Collection[str]) -> None:
    """Refuses what would stand in the place of something else in the report."""
    if found.key in anchors:
        raise ValueError(f"its key {found.key!r} is that of another section; choose another one")
    if any(isinstance(item, RankedTable) for item in found.items):
        raise ValueError("it has a RankedTable, of which a report has one; use a Table")
    keys = _charts(found)
    for place, key in enumerate(keys):
        if (problem := unfit(key, _LONGEST_KEY)) is not None:
            raise ValueError(f"the key {key!r} of its chart names files, and {problem}")
        if key in charts or key in keys[:place]:
            raise ValueError(f"the key {key!r} of its chart is that of another chart; choose another one")


def _charts(section: Section) -> list[str]:
    """The keys under which the page has the section's charts, and their files have their names."""
    return [item.key for item in section.items if isinstance(item, Chart | ParallelLines | Pictures)]
