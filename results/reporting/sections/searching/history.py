"""Search history: the best score so far against time and against epochs spent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from results.reporting.chart import Axis, Chart, Dots, Line, Mark, Panel, Symbol, Tone, View
from results.reporting.document import Item, Section, Text
from results.reporting.facts import Facts
from results.reporting.sections.common import focus, hover, outside
from results.reporting.sections.searching.thinning import drawn_words, thinned
from results.reporting.words import number
from results.text import plural
from search.record.trial import Trial, TrialKind, TrialState
from spaces.basics.figures import duration

_MOST_BASELINES = 6


def history(facts: Facts) -> Section:
    """The section; a sentence alone where nothing has finished yet."""
    ended = ended_trials(facts)
    scored = any(_score(trial) is not None for trial in ended)
    items: list[Item] = [Text("No configuration of the search has finished.")]
    if ended:
        items = [_chart(facts, ended) if scored else Text(_caption(facts, ended, epochs_spent(ended), None, ()))]
    return Section("history", "Search history", items, "History")


def _chart(facts: Facts, ended: Sequence[Trial]) -> Chart:
    clock = facts.clock.seconds
    longest = max(clock(trial.finished or 0.0) for trial in ended)
    unit, seconds = time_unit(longest)
    spent = epochs_spent(ended)
    times = [clock(trial.finished or 0.0) / seconds for trial in ended]
    scores = [score for trial in ended if (score := _score(trial)) is not None]
    span = focus(scores, facts.maximize, [b.score for b in facts.baselines[:_MOST_BASELINES] if b.score is not None])
    views = [View((_panel(facts, ended, times, f"search time ({unit})", span),), "by time", height=400)]
    if not facts.sampled:
        views.append(View((_panel(facts, ended, spent, "epochs trained", span),), "by epochs", height=400))
    caption = _caption(facts, ended, spent, span, scores)
    caption += drawn_words(len(thinned(facts.searched)), len(facts.searched))
    return Chart("history", caption, tuple(views))


def ended_trials(facts: Facts) -> list[Trial]:
    """The trials of the search that have ended, in the order of their ends."""
    found = (t for t in facts.trials if t.kind is TrialKind.SEARCH and t.finished is not None)
    return sorted(found, key=lambda trial: trial.finished or 0.0)


def time_unit(longest: float) -> tuple[str, float]:
    """The unit for an axis that ends at so many seconds, and its length in seconds."""
    return ("hours", 3600.0) if longest > 5400 else ("minutes", 60.0) if longest > 90 else ("seconds", 1.0)


def epochs_spent(ended: Sequence[Trial]) -> list[int]:
    """Epochs of the search up to the end of each trial."""
    return list(accumulate(len(t.outcome.epochs) if t.outcome else 0 for t in ended))


def _panel(
    facts: Facts, ended: Sequence[Trial], at: Sequence[float], title: str, span: tuple[float, float] | None
) -> Panel:
    final = {trial.configuration: i for i, trial in enumerate(ended)}
    dots = [(at[final[c.id]], c) for c in thinned(facts.searched) if c.id in final]
    failed = [(at[final[c.id]], c) for c in facts.configurations if c.failure and not c.baseline and c.id in final]
    scores = [c.score for _, c in dots if c.score is not None]
    low, high = span or (min(scores, default=0.0), max(scores, default=1.0))
    marks: list[Mark] = [
        Dots([x for x, _ in dots], [c.score or 0.0 for _, c in dots], Tone.SOFT, "configuration",
             [hover(facts, c) for _, c in dots])
    ]  # fmt: skip
    for i, baseline in enumerate([b for b in facts.baselines if b.score is not None][:_MOST_BASELINES]):
        marks.append(
            Line(
                [0.0, max(at)],
                [baseline.score or 0.0] * 2,
                Tone.BASELINE,
                baseline.name,
                dash=i,
                hover="baseline",
            )
        )
    if failed:
        bottom = low if facts.maximize else high
        marks.append(
            Dots([x for x, _ in failed], [bottom] * len(failed), Tone.BAD, "failed",
                 [f"{c.name}\nfailed: {c.failure.reason if c.failure else ''}" for _, c in failed], Symbol.CROSS, 8)
        )  # fmt: skip
    xs, ys = best_so_far(facts, ended, at)
    if xs:
        marks.append(Line(xs, ys, Tone.ACCENT, "best so far", step=True, width=2.5))
    return Panel(marks, Axis(title, span=(0.0, 1.03 * max(at) or 1.0)), Axis(facts.objective, span=span))


def best_so_far(facts: Facts, ended: Sequence[Trial], at: Sequence[float]) -> tuple[list[float], list[float]]:
    """Where the best score improved and what it was then, with the last trial as the end.

    Of a cross-validation a configuration counts with its last mean over folds, as in the table: that of its first fold,
    which may be an easy one, says little.

    Args:
        facts: The run.
        ended: Trials in the order of their ends.
        at: Position of each on the horizontal axis.
    """
    xs: list[float] = []
    ys: list[float] = []
    scores = [(x, trial, score) for x, trial in zip(at, ended, strict=True) if (score := _score(trial)) is not None]
    last = {trial.configuration: trial.id for _, trial, _ in scores}
    for x, trial, score in scores:
        if facts.unit == "fold" and trial.id != last[trial.configuration]:
            continue
        if not ys or facts.better(score, ys[-1]):
            xs.append(x)
            ys.append(score)
    if xs:
        xs.append(at[-1])
        ys.append(ys[-1])
    return xs, ys


def _score(trial: Trial) -> float | None:
    return trial.outcome.score if trial.outcome else None


def _caption(
    facts: Facts,
    ended: Sequence[Trial],
    spent: Sequence[int],
    span: tuple[float, float] | None,
    scores: Sequence[float],
) -> str:
    failed = sum(one.state == TrialState.FAILED for one in facts.ended)
    took = plural(len(facts.ended), "trial")
    if not facts.sampled:
        took += f" and {plural(spent[-1], 'epoch')}"
    took += f" in {duration(facts.clock.seconds(facts.ended[-1].finished or 0))}"
    _, ys = best_so_far(facts, ended, spent)
    if not ys:
        return f"{took}: none gave a score."
    improved = next(i for i, one in enumerate(facts.ended) if one.score == ys[-1])
    text = f"{took}: the best {facts.objective}, {number(ys[-1])}, was reached by trial {improved + 1}"
    after = len(facts.ended) - improved - 1
    text += f", and the {plural(after, 'trial')} after it did not improve on it" if after else ", the last one"
    if failed:
        text += f"; {plural(failed, 'trial')} failed"
    left_out = outside(scores, span)
    if left_out:
        text += f". {plural(left_out, 'worse score lies', 'worse scores lie')} outside the picture"
    return text + "."
