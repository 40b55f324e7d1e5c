"""What the search says about its space, for the next night."""

from __future__ import annotations

from results.reporting.document import Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.words import scalar
from results.verdicts.advice import advise_on

NEXT = "next.yaml"


def advice(facts: Facts) -> Section | None:
    """The section, or None where there is nothing to say."""
    if facts.spec is None:
        return None
    found = advise_on(facts.spec, facts.configurations, facts.objective, facts.direction)
    if not found:
        return None
    rows = [(one.setting, one.message, _change(one.change)) for one in found]
    table = Table(("setting", "what was seen", "next time"), rows, (False, False, False))
    text = (
        f"The file {NEXT} beside this report holds these changes, but for those that would alter a baseline or leave "
        "nothing to choose; comments at its top say which it holds."
    )
    return Section("advice", "For the next night", [Text(text), table], "Advice")


def _change(change: object) -> str:
    if isinstance(change, dict):
        return ", ".join(f"{name}: {_change(value)}" for name, value in change.items())
    if isinstance(change, list | tuple):
        return f"[{', '.join(_change(value) for value in change)}]"
    return scalar(change)
