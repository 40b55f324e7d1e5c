"""Hyperband's rungs as a funnel: how many configurations reached which length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from results.report.chart import Axis, Bars, Chart, Panel, Tone, View
from results.report.document import Section
from results.report.facts import Facts
from results.report.words import listed, plural
from search.trial import Trial, TrialKind, TrialState


def rungs(facts: Facts) -> Section | None:
    """The section, or None where no configuration was trained in several pieces."""
    trials = [t for t in facts.trials if t.kind is TrialKind.SEARCH]
    if not any(t.parent for t in trials):
        return None
    first = {t.id: t.epochs_to for t in trials if t.parent is None}
    brackets: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials:
        brackets[first.get(trial.configuration, trial.epochs_to)].append(trial)
    continued = {t.parent for t in trials if t.parent}
    order = sorted(brackets)
    panels = tuple(_panel(brackets[start], continued, start, len(order)) for start in order)
    view = View(panels, columns=min(2, len(panels)), height=90 + 42 * max(len(_lengths(brackets[s])) for s in order))
    return Section("rungs", "Rungs", [Chart("rungs", _caption(brackets, continued), (view,))], "Rungs")


def _lengths(trials: Sequence[Trial]) -> list[int]:
    return sorted({t.epochs_to for t in trials})


def _panel(trials: Sequence[Trial], continued: set[str], start: int, brackets: int) -> Panel:
    lengths = _lengths(trials)
    labels = [plural(length, "epoch") for length in lengths]
    rung = {length: [t for t in trials if t.epochs_to == length] for length in lengths}

    def tally(length: int, kind: str) -> int:
        return sum(_fate(t, continued, length == lengths[-1]) == kind for t in rung[length])

    bars = [
        Bars(labels, [tally(length, kind) for length in lengths], tone, kind)
        for kind, tone in (
            ("went on", Tone.ACCENT), ("ended here", Tone.SOFT), ("failed", Tone.BAD), ("running", Tone.FAINT),
        )
    ]  # fmt: skip
    shown = [bar for bar in bars if any(bar.values)]
    return Panel(
        shown,
        Axis("configurations", whole=True),
        Axis(),
        f"started with {plural(start, 'epoch')}" if brackets > 1 else "",
    )


def _fate(trial: Trial, continued: set[str], last: bool) -> str:
    if trial.state is TrialState.FAILED:
        return "failed"
    if trial.state is TrialState.RUNNING:
        return "running"
    return "went on" if trial.id in continued or last else "ended here"


def _caption(brackets: dict[int, list[Trial]], continued: set[str]) -> str:
    every = [t for trials in brackets.values() for t in trials]
    started = sum(t.parent is None for t in every)
    longest = max(t.epochs_to for t in every)
    full = sum(t.epochs_to == longest and t.state is TrialState.COMPLETED for t in every)
    epochs = sum(len(t.outcome.epochs) for t in every if t.outcome)
    if not epochs:
        return f"{plural(started, 'configuration')} started."
    saved = 1 - epochs / (started * longest)
    starts = listed(str(start) for start in sorted(brackets)) + (" epoch" if set(brackets) == {1} else " epochs")
    return (
        f"{plural(started, 'configuration')} started with {starts} and {full} reached all {longest}: "
        f"{100 * saved:.0f} % fewer epochs than training every one of them to the end."
    )
