"""Learning curves, and what the winner's own says about over- and underfitting."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from results.reporting.chart import Axis, Chart, Dots, Line, Mark, Panel, Symbol, Tone, View
from results.reporting.document import Item, Section, Text
from results.reporting.facts import Facts
from results.reporting.sections.common import title
from results.reporting.words import listed, number, signed
from results.text import plural
from search.record.configuration import Configuration

_TOP = 10
_MOST_BASELINES = 6


def curves(facts: Facts) -> Section:
    """Curves of the best ten and of the baselines; a sentence alone before the first epoch."""
    top = [c for c in facts.searched if c.epochs][:_TOP]
    baselines = [c for c in facts.baselines if c.epochs][:_MOST_BASELINES]
    if not top and not baselines:
        return Section("curves", "Learning curves", [Text("No epoch has been finished yet.")], "Curves")
    names = [facts.metric]
    names += [n for n in ("loss", "accuracy") if n not in names and any(_has(c, n) for c in [*top, *baselines])]
    views = tuple(_view(facts, top, baselines, name) for name in names)
    return Section("curves", "Learning curves", [Chart("curves", _caption(facts, top, baselines), views)], "Curves")


def _has(configuration: Configuration, metric: str) -> bool:
    return any(metric in epoch.metrics for epoch in configuration.epochs)


def _view(facts: Facts, top: list[Configuration], baselines: list[Configuration], metric: str) -> View:
    panels = tuple(
        Panel(
            _lines(facts, top, baselines, name),
            Axis("epoch", whole=True),
            Axis(metric if side == "training" else "", span=_span(facts, [*top, *baselines], metric)),
            f"{side} rows",
        )
        for side, name in (("training", metric), ("validation", f"val_{metric}"))
    )
    return View(panels, metric, columns=2, height=380, shared_y=True)


def _lines(facts: Facts, top: list[Configuration], baselines: list[Configuration], name: str) -> list[Mark]:
    leader = facts.leader
    marks: list[Mark] = []
    for i, configuration in reversed(list(enumerate(top))):
        if leader is not None and configuration.id == leader.id:
            continue
        legend = "other top configurations" if i == len(top) - 1 else ""
        marks.append(_line(configuration, name, Tone.SOFT, legend, 1.2))
    for i, baseline in enumerate(baselines):
        marks.append(_line(baseline, name, Tone.BASELINE, baseline.name, 1.8, dash=i))
    if leader is not None and not leader.baseline and leader.epochs:
        marks.append(_line(leader, name, Tone.ACCENT, title(facts, leader), 2.8))
    return marks


def _line(
    configuration: Configuration, name: str, tone: Tone, legend: str, width: float, dash: int | None = None
) -> Mark:
    points = [(epoch.number, epoch.metrics[name]) for epoch in configuration.epochs if name in epoch.metrics]
    xs, ys = [float(x) for x, _ in points], [y for _, y in points]
    if len(points) == 1:  # A line of one point cannot be seen.
        return Dots(xs, ys, tone, legend, [configuration.name])
    return Line(xs, ys, tone, legend, dash=dash, width=width, hover=configuration.name)


def _span(facts: Facts, found: list[Configuration], metric: str) -> tuple[float, float] | None:
    """The upper end of a diverging loss is cut off; everything else is shown whole."""
    values = [e.metrics[n] for c in found for e in c.epochs for n in (metric, f"val_{metric}") if n in e.metrics]
    maximize = facts.maximize if metric == facts.metric else metric != "loss"
    if maximize or not values:
        return None
    usual = 1.5 * float(np.quantile(values, 0.9))
    return (min(values) - 0.05 * usual, usual) if max(values) > 2 * usual > 0 else None


def _caption(facts: Facts, top: list[Configuration], baselines: list[Configuration]) -> str:
    lengths = sorted({c.epochs[-1].number for c in top})
    parts = []
    if top:
        run = f"{lengths[0]} to " * (len(lengths) > 1) + plural(lengths[-1], facts.unit)
        whom = f"The best {len(top)} configurations ran" if len(top) > 1 else "The one configuration ran"
        parts.append(f"{whom} for {run}")
    if baselines:
        each = [f"{b.name} for {b.epochs[-1].number}" for b in baselines]
        parts.append(f"{'the baseline' if len(each) == 1 else 'the baselines'} {listed(each)}")
    text = "; ".join(parts) + "."
    if facts.unit == "fold":
        return text[0].upper() + text[1:]
    rising = [c for c in top if c.best_epoch == c.epochs[-1].number and len(c.epochs) > 1]
    if rising and len(top) == 1:
        text += " It was at its best in its last epoch."
    elif rising:
        text += f" {len(rising)} of the {len(top)} were at their best in their last epoch."
    return text[0].upper() + text[1:]


def fitting(facts: Facts) -> Section | None:
    """The gap between training and validation of the leading configuration, or None without both curves."""
    leader, metric = facts.leader, facts.metric
    # Not the objective, which may be one of the training rows.
    validated = f"val_{metric}"
    if leader is None or not _has(leader, metric) or not _has(leader, validated):
        return None
    epochs = [e for e in leader.epochs if metric in e.metrics and validated in e.metrics]
    best = next((e for e in epochs if e.number == leader.best_epoch), epochs[-1])
    xs = [float(e.number) for e in epochs]
    symbol_only = len(epochs) == 1
    marks: list[Mark] = []
    for name, tone, words, dash in (
        (metric, Tone.INK, "training rows", 1),
        (validated, Tone.ACCENT, "validation rows", None),
    ):
        ys = [e.metrics[name] for e in epochs]
        marks.append(Dots(xs, ys, tone, words) if symbol_only else Line(xs, ys, tone, words, dash=dash, width=2.2))
    marks.append(
        Dots(
            [float(best.number)],
            [best.metrics[validated]],
            Tone.ACCENT,
            "best epoch",
            symbol=Symbol.STAR,
            size=13,
        )
    )
    panel = Panel(marks, Axis("epoch", whole=True), Axis(metric))
    who = "winner" if facts.winner is not None else "best configuration so far"
    items: list[Item] = [
        Chart("fitting", _verdict(facts, who, epochs[-1].number, best.number, best.metrics), (View((panel,)),))
    ]
    return Section("fitting", f"Over- and underfitting of the {who}", items, "Fitting")


def _verdict(facts: Facts, who: str, last: int, best: int, metrics: Mapping[str, float]) -> str:
    train, validation = metrics[facts.metric], metrics[f"val_{facts.metric}"]
    gap = train - validation if facts.maximize else validation - train
    folds = facts.unit == "fold"
    when = f"As the mean over {plural(last, 'fold')}" if folds else f"At its best epoch, {best} of {last}"
    text = (
        f"{when}, the {who} has {facts.metric} {number(train)} on training rows and "
        f"{number(validation)} on validation rows, a gap of {signed(gap, train)}"
    )
    # What is best by the training rows says nothing about how long to train.
    if folds or facts.objective == facts.metric:
        return f"{text}."
    if best == last:
        return text + ": it was still at its best when training ended, so longer training may help."
    return text + f": the {plural(last - best, 'epoch')} after it brought nothing on rows it does not train on."
