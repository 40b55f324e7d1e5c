"""Trainings in several pieces as a funnel: how many configurations reached which length."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.document import Section
from results.reporting.facts import Facts
from results.reporting.words import listed
from results.text import plural
from search.record.trial import ENDED_EARLY, Stop, Trial, TrialKind, TrialState
from spaces.sections.algorithms import compares_equal_starts

_MOST_BARS = 8
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
    labels = _labels(sorted({t.epochs_to for t in trials}), facts.unit)
    funnels = [("", trials)]
    if compares_equal_starts(facts.meta["algorithm"]) and len(brackets) > 1:
        funnels = [(f"started with {plural(start, facts.unit)}", brackets[start]) for start in sorted(brackets)]
    # All of them show all lengths, so that equal lengths stand side by side.
    panels = tuple(_panel(started, continued, labels, title) for title, started in funnels)
    view = View(panels, columns=min(2, len(panels)), height=90 + 40 * len(set(labels.values())))
    return Section("rungs", "Rungs", [Chart("rungs", _caption(brackets, facts.sampled), (view,))], "Rungs")


def _labels(lengths: Sequence[int], unit: str) -> dict[int, str]:
    """What each length is called: neighbouring ones by a common name, where there are too many for one bar each."""
    if len(lengths) <= _MOST_BARS:
        return {length: plural(length, unit) for length in lengths}
    *shorter, longest = lengths
    step = math.log(longest / shorter[0]) / (_MOST_BARS - 1)
    groups: dict[int, list[int]] = defaultdict(list)
    for length in shorter:
        groups[int(math.log(length / shorter[0]) / step)].append(length)
    groups[_MOST_BARS] = [longest]
    return {length: _spread(group) for group in groups.values() for length in group}


def _spread(lengths: Sequence[int]) -> str:
    return plural(lengths[0], "epoch") if len(lengths) == 1 else f"{lengths[0]} to {plural(lengths[-1], 'epoch')}"


def _panel(trials: Sequence[Trial], continued: set[str], labels: Mapping[int, str], title: str) -> Panel:
    longest = max(labels)

    def bars(fate: str, tone: Tone) -> Bars:
        tally = Counter(labels[t.epochs_to] for t in trials if _fate(t, continued, longest) == fate)
        return Bars(list(tally), list(tally.values()), tone, fate)

    kinds = [(_ON, Tone.ACCENT), (_ENDED, Tone.SOFT), (_FAILED, Tone.BAD), (_RUNNING, Tone.FAINT)]
    shown = [one for one in (bars(*kind) for kind in kinds) if one.values]
    categories = tuple(dict.fromkeys(labels.values()))
    return Panel(shown, Axis("configurations", whole=True), Axis(categories=categories), title)


def _fate(trial: Trial, continued: set[str], longest: int) -> str:
    if trial.state is TrialState.FAILED:
        return _FAILED
    if trial.state is TrialState.RUNNING:
        return _RUNNING
    return _ON if trial.id in continued or _is_whole(trial, longest) else _ENDED


def _is_whole(trial: Trial, longest: int) -> bool:
    """Whether the trial took its configuration to the end: the longest training, or what ends a training early."""
    if trial.state is not TrialState.COMPLETED or trial.outcome is None:
        return False
    stopped = trial.outcome.stopped
    return stopped in ENDED_EARLY or (stopped is Stop.LENGTH and trial.epochs_to == longest)


def _caption(brackets: Mapping[int, Sequence[Trial]], sampled: bool) -> str:
    every = [t for trials in brackets.values() for t in trials]
    started = sum(t.parent is None for t in every)
    shown = "shown " if sampled else ""
    longest = max(t.epochs_to for t in every)
    epochs = sum(len(t.outcome.epochs) for t in every if t.outcome)
    if not epochs:
        return f"{plural(started, 'configuration')} started."
    whole = {t.configuration for t in every if _is_whole(t, longest)}
    early = len({t.configuration for t in every if t.outcome and t.outcome.stopped in ENDED_EARLY})
    end = f"reached all {longest}"
    if early:
        end = "went to the end, " + ("" if early == len(whole) else f"{early} of them ") + "by stopping early"
    saved = 1 - epochs / (started * longest)
    return (
        f"{plural(started, 'configuration')} {shown}started with {_starts(sorted(brackets))} and {len(whole)} {end}: "
        f"{100 * saved:.0f} % fewer epochs than {longest} for every one of them."
    )


def _starts(lengths: Sequence[int]) -> str:
    if len(lengths) > _MOST_BARS:
        return _spread(lengths)
    return listed(str(length) for length in lengths) + (" epoch" if list(lengths) == [1] else " epochs")
