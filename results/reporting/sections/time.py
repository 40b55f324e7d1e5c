"""Where the time went: by what it was for, and by what the machine did."""

from __future__ import annotations

from collections.abc import Mapping

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.document import Section
from results.reporting.facts import Facts
from results.reporting.sections.searching.history import time_unit
from results.reporting.words import number, percent
from results.watching.ledger import Account, Entry
from results.watching.ledger import time_spent as ledger
from search.files.rundir import Run
from search.record.trial import TrialKind
from spaces.basics.figures import duration

_LOST = (Account.FAILED, Account.TOO_LONG, Account.DUPLICATE)
_NOT_TRAINING = (Account.DATA, Account.EVALUATION, Account.EXPORT, Account.REPORT, Account.ORDER, Account.WAITING)


def time_spent(facts: Facts, run: Run) -> Section | None:
    """The section, or None before the first trial has ended."""
    entries = [entry for entry in ledger(run, facts.now) if entry.seconds > 0]
    if not any(entry.trials for entry in entries):
        return None
    purposes = {str(entry.account): entry.seconds for entry in sorted(entries, key=lambda entry: -entry.seconds)}
    views = [_view(purposes, "by purpose", {str(account) for account in _LOST})]
    if not facts.sampled:
        views.append(_view(_activities(facts, entries), "by activity", set()))
    with run.read() as reader:
        features = reader.meta("feature_bytes", 0)
    chart = Chart("time", _caption(facts, entries) + _on_disk(features), tuple(views))
    return Section("time", "Where the time went", [chart], "Time")


def _view(spent: Mapping[str, float], name: str, lost: set[str]) -> View:
    total, largest = sum(spent.values()), max(spent.values())
    unit, seconds = time_unit(largest)
    bars = []
    for inside, tone in ((False, Tone.SOFT), (True, Tone.BAD)):
        shown = {label: value for label, value in spent.items() if (label in lost) is inside}
        texts = [f"{duration(value)} · {percent(value / total)}" for value in shown.values()]
        bars.append(Bars(list(shown), [value / seconds for value in shown.values()], tone, texts=texts))
    return View((Panel(bars, Axis(unit), Axis(categories=tuple(spent))),), name, height=80 + 30 * len(spent))


def _activities(facts: Facts, entries: list[Entry]) -> dict[str, float]:
    # What was taken over from another run cost time there, not here.
    own = (trial for trial in facts.trials if trial.kind is not TrialKind.EVIDENCE)
    outcomes = [trial.outcome for trial in own if trial.outcome is not None]
    epochs = [epoch for outcome in outcomes for epoch in outcome.epochs]
    training = sum(epoch.train_seconds for epoch in epochs)
    validation = sum(max(0.0, epoch.seconds - epoch.train_seconds) for epoch in epochs)
    start = sum(min(outcome.build_seconds, outcome.seconds) for outcome in outcomes)
    found = {
        "training steps": training,
        "validation": validation,
        "start-up and building": start,
        "checkpoints and other work of trials": max(
            0.0, sum(outcome.seconds for outcome in outcomes) - training - validation - start
        ),
        **{str(entry.account): entry.seconds for entry in entries if entry.account in _NOT_TRAINING},
    }
    return {name: seconds for name, seconds in found.items() if seconds > 0}


def _on_disk(features: int) -> str:
    if not features:
        return ""
    return f" What frozen backbones make of the rows took {features / 1e6:.1f} MB on the disk until the run was done."


def _caption(facts: Facts, entries: list[Entry]) -> str:
    wall = facts.clock.total
    first = max(entries, key=lambda entry: entry.seconds)
    text = f"The run took {duration(wall)}; the largest part, {percent(first.share)}, is {first.account}"
    lost = sum(entry.seconds for entry in entries if entry.account in _LOST)
    share = sum(entry.share for entry in entries if entry.account in _LOST)
    if lost:
        text += f"; {duration(lost)} ({percent(share)}) went into failed, too long or duplicate trials."
    else:
        text += "; nothing was lost on failed, too long or duplicate trials."
    gain = facts.meta["hourly_gain"]
    if gain is not None:
        text += f" By the search's own model another hour would have made {facts.objective} better by {number(gain)}."
    if not any(entry.account is Account.REPORT for entry in entries):
        text += " The time that writing this report takes is not in it."
    return text
