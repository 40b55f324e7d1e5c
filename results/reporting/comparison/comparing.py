"""Several runs on one page: best score against time and epochs, winners side by side, what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results.reporting.chart import Axis, Chart, Line, Panel, Tone, View
from results.reporting.document import Code, Document, Headline, Item, Pairs, Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.sections.searching.history import best_so_far, ended_trials, epochs_spent, time_unit
from results.reporting.words import DASH, alike, count, listed, number, scalar
from results.text import plural
from results.verdicts.comparison import compare, winner_or_best
from results.verdicts.pairs import Pair, best_of, pairs
from search.files.rundir import Run
from spaces.basics.figures import duration

_NAMES = {
    "score": "best of the search", "retrained": "winner retrained, mean", "spread": "spread over seeds",
    "test": "winner on the test rows", "parameters": "parameters of the winner", "hours": "time",
}  # fmt: skip
_TONES = (Tone.ACCENT, Tone.BASELINE, Tone.INK, Tone.SOFT)


def compare_document(runs: Mapping[str, Facts], opened: Sequence[Run]) -> Document:
    """The page of several runs.

    Args:
        runs: Label of each run to what it recorded, at least two.
        opened: The same runs in the same order.
    """
    table = compare(opened)
    rows: list[dict[str, Any]] = [dict(row) for row in table.rows]
    against = pairs(opened, [str(row["run"]) for row in rows])
    finished = all(facts.finished for facts in runs.values())
    sections = [
        Section("history", "Best score so far", _history(runs), "History"),
        Section("pairs", "On the same test rows", [Text(f"{pair}.") for pair in against], "Pairs"),
        Section("runs", "The runs", [_facts_table(rows)], "Runs"),
        Section("winners", "The winners", [_winners(runs, rows, table.hyperparameters)], "Winners"),
        Section(
            "commands", "How they were made", [item for pair in runs.items() for item in _command(*pair)], "Commands"
        ),
    ]
    return Document(
        title=f"Comparison of {plural(len(runs), 'run')}",
        status="all finished" if finished else "not all finished",
        finished=finished,
        summary=sorted({str(row["space"]) for row in rows}),
        headline=_headline(rows, against),
        sections=sections,
    )


def _headline(rows: Sequence[Mapping[str, Any]], against: Sequence[Pair]) -> Headline:
    if len({(row["objective"], row["direction"]) for row in rows}) > 1:
        names = listed(sorted({f"{row['objective']}" for row in rows}))
        return Headline("result", "Different objectives", "", f"These runs optimise {names}: no order among them.")
    # What was measured on rows kept back says more than the score that chose.
    column = next((c for c in ("test", "retrained", "score") if all(row[c] is not None for row in rows)), None)
    if column is None:
        return Headline("result", "No common score", "", "Not every run has a score yet.")
    facts = [(str(row["run"]), number(row[column])) for row in rows]
    best = best_of(against, [str(row["run"]) for row in rows])
    if best is not None:
        told = ". ".join(str(pair) for pair in against if best in (pair.first, pair.second))
        return Headline("better than every other, row by row on the test rows", best, "", f"{told}.", facts=facts)
    apart = [pair for pair in against if not pair.why_not]
    text = "No run can be told to be better than all others." if apart else "These scores are not of the same rows."
    return Headline(_NAMES[column], "no order", "", text, facts=facts)


def _history(runs: Mapping[str, Facts]) -> list[Item]:
    objectives = list(dict.fromkeys(facts.objective for facts in runs.values()))
    with_score = {label: facts for label, facts in runs.items() if facts.searched and ended_trials(facts)}
    if not with_score:
        return [Text("No run has a score yet.")]
    unit, seconds = time_unit(
        max(f.clock.seconds(t.finished or 0.0) for f in with_score.values() for t in ended_trials(f))
    )

    def panel(objective: str, by_time: bool) -> Panel:
        marks = []
        for i, (label, facts) in enumerate(with_score.items()):
            ended = ended_trials(facts)
            at = [facts.clock.seconds(t.finished or 0.0) / seconds for t in ended] if by_time else epochs_spent(ended)
            xs, ys = best_so_far(facts, ended, at)
            if facts.objective == objective and xs:
                dash = None if i < len(_TONES) else i // len(_TONES) - 1
                marks.append(Line(xs, ys, _TONES[i % len(_TONES)], label, dash=dash, step=True, width=2.2))
        title = f"search time ({unit})" if by_time else "epochs trained"
        end = max((float(line.x[-1]) for line in marks), default=1.0)
        return Panel(marks, Axis(title, span=(0.0, 1.03 * end or 1.0)), Axis(objective))

    # Of a long run not all trials are at hand, whose epochs would have to be counted.
    sampled = any(facts.sampled for facts in with_score.values())
    views = tuple(
        View(
            tuple(p for p in (panel(o, by_time) for o in objectives) if p.marks),
            name,
            columns=min(2, len(objectives)),
            height=400,
        )
        for name, by_time in (("by time", True), ("by epochs", False))
        if by_time or not sampled
    )
    return [Chart("history", _caption(with_score), views)]


def _caption(runs: Mapping[str, Facts]) -> str:
    told = []
    for label, facts in runs.items():
        # What was taken over from another run cost nothing here, and the line does not show it.
        ended = ended_trials(facts)
        times, scores = best_so_far(facts, ended, [trial.finished or 0.0 for trial in ended])
        if scores:
            # Behind the last improvement comes the end of the line.
            told.append(f"{label} reached {number(scores[-1])} after {duration(facts.clock.seconds(times[-2]))}")
    return f"{listed(told)}." if told else ""


def _facts_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = ("space", "algorithm", "objective", "trials", "configurations", "failed", "epochs", "hours", "score",
             "retrained", "spread", "test", "parameters")  # fmt: skip
    lines = []
    for name in names:
        cells = [_cell(row, name) for row in rows]
        if any(cell != DASH for cell in cells):
            lines.append((_NAMES.get(name, name), *cells))
    return Table(("", *(str(row["run"]) for row in rows)), lines, (False, *(True for _ in rows)))


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None:
        return DASH
    if name == "hours":
        return duration(3600 * value)
    if name == "spread":
        return alike(value, row["retrained"])
    if name in ("score", "retrained", "test"):
        return number(value)
    return count(value) if isinstance(value, int) else scalar(value)


def _winners(runs: Mapping[str, Facts], rows: Sequence[Mapping[str, Any]], common: Sequence[str]) -> Table:
    """The winners' hyperparameters, those that all of them have first."""
    found = [
        winner_or_best(facts.configurations, facts.winner.configuration if facts.winner else None)
        for facts in runs.values()
    ]
    values = [one.values if one else {} for one in found]
    names = list(dict.fromkeys(n for v in values for n in v))
    names.sort(key=lambda name: name not in common)
    lines = [(name, *(scalar(v[name]) if name in v else DASH for v in values)) for name in names]
    head = ("", *(f"{row['run']}: {row['winner'] or DASH}" for row in rows))
    return Table(head, lines, (False, *(True for _ in rows)), frozenset(range(sum(n in common for n in names))))


def _command(label: str, facts: Facts) -> list[Item]:
    import shlex

    versions = ", ".join(f"{name.replace('_', '-')} {v}" for name, v in (facts.meta["versions"] or {}).items())
    pairs = [("seed", str(facts.meta["seed"])), ("versions", versions)]
    return [Text(label), Code(shlex.join(str(word) for word in facts.meta["command"] or [])), Pairs(pairs)]
