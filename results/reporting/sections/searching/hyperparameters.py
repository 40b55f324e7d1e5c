"""What the hyperparameters do: importance, all configurations as lines, and the score against each of them."""

from __future__ import annotations

from results.reporting.chart import Axis, Chart, Dots, Panel, ParallelAxis, ParallelLines, Tone, View
from results.reporting.comparison.columns import Column, columns, marks_between
from results.reporting.document import Item, Section, Text
from results.reporting.facts import Facts
from results.reporting.sections.common import focus, hover, outside
from results.reporting.sections.searching.importance import importance_chart, importances
from results.reporting.sections.searching.thinning import thinned
from results.reporting.words import listed, number, scalar
from results.text import plural
from results.verdicts.evidence import MIN_SAMPLES, at_equal_length, collect
from search.record.configuration import Configuration

_MOST_LINES = 3000
_MOST_SLICES = 24
_MOST_AXES = 60


def hyperparameters(facts: Facts) -> list[Section]:
    """Up to three sections; none where fewer than two configurations or no differing hyperparameters are known."""
    found = columns(facts)
    if not found or len(facts.searched) < 2:
        return []
    evidence = collect(facts.searched, facts.objective, facts.direction)
    shares = importances(found, evidence) if evidence is not None else []
    few = f"Fewer than {MIN_SAMPLES} configurations have a score: too few to say which hyperparameters matter."
    single = f"Importance is a share: it takes two hyperparameters or more that {MIN_SAMPLES} configurations have."
    items: list[Item] = [Text(few if evidence is None else single)]
    if shares and evidence is not None:
        items = [importance_chart(shares, evidence)]
    order = {one.name: i for i, one in enumerate(shares)}
    by_importance = sorted(found, key=lambda column: order.get(column.name, len(order)))
    foremost = {column.name for column in by_importance[:_MOST_AXES]}
    parallel = _parallel(facts, [column for column in found if column.name in foremost], len(found))
    return [
        Section("importance", "What mattered", items, "Importance"),
        Section("parallel", "All configurations", [parallel], "All"),
        Section("slices", "Score against each hyperparameter", [_slices(facts, by_importance)], "Slices"),
    ]


def _parallel(facts: Facts, found: list[Column], every: int) -> ParallelLines:
    """The lines over some hyperparameters, of `every` that differ."""
    drawn = thinned(facts.searched, _MOST_LINES)
    scores = [c.score or 0.0 for c in drawn]
    span = focus(scores, facts.maximize) or (min(scores), max(scores))
    low, high = span
    axes = []
    for column in found:
        inactive = len(column.values) < len(facts.searched)
        axes.append(ParallelAxis(column.name, (*column.ticks(), *(((-0.12, "unused"),) if inactive else ()))))

    def position(score: float) -> float:
        return 0.5 if high <= low else min(max((score - low) / (high - low), 0.0), 1.0)

    marks = marks_between(low, high) if high > low else [low]
    ticks = tuple((position(mark), number(mark)) for mark in marks)
    axes.append(ParallelAxis(facts.objective, ticks))
    last = max(1, len(drawn) - 1)
    return ParallelLines(
        "parallel",
        _parallel_caption(facts, found, len(drawn), every),
        tuple(axes),
        tuple(c.name for c in drawn),
        tuple(
            (*(column.position(column.values[c.id]) if c.id in column.values else -0.12 for column in found),
             position(c.score or 0.0))
            for c in drawn
        ),
        tuple(1 - i / last for i in range(len(drawn))),
        _stressed(len(drawn)),
    )  # fmt: skip


def _stressed(lines: int) -> int:
    """How many of the lines stand out: a tenth, as long as they can be told apart."""
    return min(20, max(1, round(lines / 10)))


def _parallel_caption(facts: Facts, found: list[Column], drawn: int, hyperparameters: int) -> str:
    best = facts.searched[0]
    values = listed(f"{c.name} {scalar(best.values[c.name])}" for c in found if c.name in best.values)
    every = len(facts.searched)
    lines = f"{plural(every, 'configuration')} as lines"
    if drawn < every:
        lines = f"{drawn:,} of {every:,} configurations as lines, the best ones all"
    if len(found) < hyperparameters:
        lines += f", over {len(found)} of {hyperparameters:,} hyperparameters"
    first = "the best" if _stressed(drawn) == 1 else f"the best {_stressed(drawn)}"
    return f"{lines}, {first} in the accent colour; the best of all, {best.name}, has {values}."


def _slices(facts: Facts, found: list[Column]) -> Chart:
    scored = [(c, c.score or 0.0) for c in facts.searched]
    lengths = {len(c.epochs) for c, _ in scored}
    views = [_slice_view(facts, found, scored, "score of the search" if len(lengths) > 1 else "")]
    if len(lengths) > 1 and (equal := at_equal_length(facts.searched, facts.objective, facts.direction)) is not None:
        epochs, scores = equal
        views.append(_slice_view(facts, found, scores, f"after {plural(epochs, 'epoch')} each"))
    return Chart("slices", _slices_caption(facts, found), tuple(views))


def _slice_view(facts: Facts, found: list[Column], scored: list[tuple[Configuration, float]], name: str) -> View:
    span = focus([score for _, score in scored], facts.maximize)
    best = {c.id for c, _ in scored[: max(1, round(len(scored) / 10))]}
    panels = tuple(_slice(facts, column, scored, best, span) for column in found[:_MOST_SLICES])
    return View(panels, name, columns=min(3, len(panels)), height=230, shared_y=True)


def _slice(
    facts: Facts,
    column: Column,
    scored: list[tuple[Configuration, float]],
    best: set[str],
    span: tuple[float, float] | None,
) -> Panel:
    score = {c.id: value for c, value in scored}
    active = thinned([c for c, _ in scored if c.id in column.values], 600)

    def dots(inside: bool, tone: Tone, words: str) -> Dots:
        shown = [c for c in active if (c.id in best) is inside]
        xs = [scalar(v) if column.categories else float(v) for v in (column.values[c.id] for c in shown)]
        told = [hover(facts, c, column.name) for c in shown]
        return Dots(xs, [score[c.id] for c in shown], tone, words, told, size=5.5)

    marks = [one for one in (dots(False, Tone.SOFT, "others"), dots(True, Tone.ACCENT, "best tenth")) if one.x]
    names = tuple(scalar(value) for value in column.categories) or None
    return Panel(
        marks,
        Axis(log=column.log, categories=names, whole=column.whole and not column.log),
        Axis(span=span),
        column.name,
    )


def _slices_caption(facts: Facts, found: list[Column]) -> str:
    text = []
    top = facts.searched[: max(3, round(len(facts.searched) / 10))]
    for column in found[:2]:
        values = [column.values[c.id] for c in top if c.id in column.values]
        if values and column.categories:
            common = max(column.categories, key=values.count)
            text.append(f"{column.name} is {scalar(common)} in {values.count(common)} of them")
        elif values:
            low, high = min(values, key=float), max(values, key=float)
            text.append(
                f"{column.name} is {scalar(low)} to {scalar(high)}"
                if low != high
                else f"{column.name} is {scalar(low)}"
            )
    left_out = outside(
        [c.score or 0.0 for c in facts.searched],
        focus([c.score or 0.0 for c in facts.searched], facts.maximize),
    )
    caption = f"In the best {len(top)} configurations {listed(text)}." if text else "One panel for each hyperparameter."
    if left_out:
        caption += f" {plural(left_out, 'worse score lies', 'worse scores lie')} outside the picture."
    return caption
