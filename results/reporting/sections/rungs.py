"""Trainings in several pieces as a funnel: how many configurations reached which length."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.document import Section
from results.reporting.facts import Facts
from results.reporting.words import listed, plural
from search.trial import Trial, TrialKind, TrialState

_ON, _ENDED, _FAILED, _RUNNING = "went on or reached the end", "ended here", "failed", "running"


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
    lengths = sorted({t.epochs_to for t in trials})
    # Only Hyperband compares configurations among those that started with the same length.
    funnels = [("", trials)]
    if facts.meta["algorithm"] == "hyperband" and len(brackets) > 1:
        funnels = [(f"started with {plural(start, 'epoch')}", brackets[start]) for start in sorted(brackets)]
    # All of them show all lengths, so that equal lengths stand side by side.
    panels = tuple(_panel(started, continued, lengths, title) for title, started in funnels)
    view = View(panels, columns=min(2, len(panels)), height=90 + 40 * len(lengths))
    return Section("rungs", "Rungs", [Chart("rungs", _caption(brackets), (view,))], "Rungs")


def _panel(trials: Sequence[Trial], continued: set[str], lengths: Sequence[int], title: str) -> Panel:
    def bars(fate: str, tone: Tone) -> Bars:
        tally = Counter(t.epochs_to for t in trials if _fate(t, continued, t.epochs_to == lengths[-1]) == fate)
        reached = sorted(tally)
        return Bars([plural(length, "epoch") for length in reached], [tally[length] for length in reached], tone, fate)

    kinds = [(_ON, Tone.ACCENT), (_ENDED, Tone.SOFT), (_FAILED, Tone.BAD), (_RUNNING, Tone.FAINT)]
    shown = [one for one in (bars(*kind) for kind in kinds) if one.values]
    labels = tuple(plural(length, "epoch") for length in lengths)
    return Panel(shown, Axis("configurations", whole=True), Axis(categories=labels), title)


def _fate(trial: Trial, continued: set[str], last: bool) -> str:
    if trial.state is TrialState.FAILED:
        return _FAILED
    if trial.state is TrialState.RUNNING:
        return _RUNNING
    return _ON if trial.id in continued or last else _ENDED


def _caption(brackets: dict[int, list[Trial]]) -> str:
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
