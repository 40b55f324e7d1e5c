"""Failures by reason."""

from __future__ import annotations

from collections import defaultdict

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.document import Item, Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.words import listed, percent, shortened
from results.text import plural
from search.record.trial import Trial, TrialState
from spaces.basics.figures import duration

_MOST_ROWS = 20


def failures(facts: Facts) -> Section:
    """The section; one sentence where nothing failed."""
    failed = [t for t in facts.trials if t.state is TrialState.FAILED and t.outcome and t.outcome.failure]
    if not failed:
        ended = sum(t.finished is not None for t in facts.trials)
        told = f"No failures in {plural(ended, 'finished trial')}." if ended else "No trial has finished yet."
        return Section("failures", "Failures", [Text(told)], "Failures")
    by_reason: dict[str, list[Trial]] = defaultdict(list)
    for trial in failed:
        by_reason[trial.outcome.failure.reason].append(trial)  # type: ignore[union-attr]
    reasons = sorted(by_reason, key=lambda reason: -len(by_reason[reason]))
    bars = Bars(
        reasons,
        [len(by_reason[r]) for r in reasons],
        Tone.BAD,
        texts=[str(len(by_reason[r])) for r in reasons],
    )
    view = View((Panel([bars], Axis("trials", whole=True)),), height=80 + 36 * len(reasons))
    items: list[Item] = [Chart("failures", _caption(facts, by_reason, reasons), (view,)), _table(failed)]
    return Section("failures", "Failures", items, "Failures")


def _table(failed: list[Trial]) -> Table:
    grouped: dict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in failed:
        failure = trial.outcome.failure  # type: ignore[union-attr]
        grouped[failure.reason, shortened(failure.message, 160)].append(trial)  # type: ignore[union-attr]
    order = sorted(grouped, key=lambda key: -len(grouped[key]))[:_MOST_ROWS]
    rows = [
        (
            reason,
            str(len(grouped[reason, message])),
            message,
            listed(t.id for t in grouped[reason, message][:3]),
        )
        for reason, message in order
    ]
    return Table(("reason", "trials", "message", "for example"), rows, (False, True, False, False))


def _caption(facts: Facts, by_reason: dict[str, list[Trial]], reasons: list[str]) -> str:
    total = sum(len(trials) for trials in by_reason.values())
    lost = sum(t.outcome.seconds for trials in by_reason.values() for t in trials if t.outcome)
    ended = sum(t.finished is not None for t in facts.trials)
    of = f"{ended} shown" if facts.sampled else f"{ended}"
    words = f"{plural(total, 'trial')} of {of} ({percent(total / max(1, ended))}) failed and cost {duration(lost)}"
    if len(reasons) == 1:
        return f"{words}, all for one reason: {reasons[0]}."
    return f"{words}; the most frequent reason is “{reasons[0]}”."
