"""The result of `check` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.night.rehearsal import CheckedModel, Rehearsal
from spaces.basics.figures import amount, duration, memory, plural
from spaces.basics.printable import printable
from spaces.sections.algorithms import ALGORITHMS

_CLASSES = 20


def show(found: Rehearsal, console: Console, budget: float | None = None) -> None:
    """Prints what a rehearsal found out.

    Args:
        found: The rehearsal.
        console: Where to print.
        budget: Seconds that the run will have, or None.
    """
    rows = ", ".join(f"{part} {count}" for part, count in found.data["rows"].items())
    understood = found.data["understood"]
    count = "endless (a continuous range)" if found.configurations is None else str(found.configurations)
    lines = [
        ("space", found.space),
        ("data", f"{found.data['name']} ({found.data['origin']})"),
        ("rows", rows),
        *(("rows", streamed["told"]) for streamed in [found.data["streamed"]] if streamed),
        *(("note", note) for note in understood["notes"]),
        *_classes(found),
        *(("target", text) for text in understood["targets"]),
        *(("validation", text) for text in [understood.get("folds")] if text),
        *understood["parts"].items(),
        # What is done to columns stands beside them.
        *(("prepared", text) for text in understood["prepared"] if not understood["columns"]),
        *_guess(understood["guess"]),
        *(("runs code", f"{reference} from {file}") for reference, file in found.imports),
        ("configurations", count),
        ("search", f"{found.algorithm}, {_planned(found)}"),
        *_cluster(found),
        ("length", _length(found, budget)),
        ("memory", f"{memory(found.memory_bytes)} for the parameters of the largest model, in each worker"),
        ("disk", f"{memory(found.disk_bytes)} for checkpoints at most{_features(found)}"),
        *(("note", note) for note in found.notes),
    ]
    for label, text in lines:
        console.print(Text.assemble((f"{label:<16}", "bold"), printable(text)), soft_wrap=True)
    if columns := understood["columns"]:
        console.print()
        console.print(_columns(columns))
    table = Table("model", "parameters", f"s/{_unit(found)}", "values", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = table.columns[2].justify = "right"
    for model in found.models:
        table.add_row(Text(printable(model.name)), _parameters(model), _speed(model), _detail(model))
    console.print()
    console.print(table)


def _unit(found: Rehearsal) -> str:
    """What a training is counted in."""
    return "fold" if found.data["understood"].get("folds") else "epoch"


def _cluster(found: Rehearsal) -> list[tuple[str, str]]:
    if found.cluster is None:
        return []
    lines = [
        (
            "cluster",
            f"{found.cluster['address']}: room for {plural(found.cluster['workers'], 'worker')} with "
            f"{found.cluster['needs']} each",
        )
    ]
    for node in found.cluster["nodes"]:
        gpus = f", {node['gpus']:g} GPU" if node["gpus"] else ""
        what = f"room for {node['room']}" if node["refused"] is None else f"gets no trials: {node['refused']}"
        lines.append(("node", f"{node['name']} ({node['cpus']:g} CPU{gpus}): {what}"))
    return lines


def _classes(found: Rehearsal) -> list[tuple[str, str]]:
    """The classes with their rows in all parts together, commonest first."""
    classes = found.data["classes"]
    if not classes:
        return []
    counts = sorted(((sum(parts.values()), name) for name, parts in classes.items()), key=lambda pair: -pair[0])
    named = ", ".join(f"{name} ({count})" for count, name in counts[:_CLASSES])
    rest = counts[_CLASSES:]
    more = f", and {len(rest)} more with {rest[-1][0]} to {rest[0][0]} rows" if rest else ""
    return [("classes", f"{len(counts)}: {named}{more}")]


def _guess(guess: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What every model has to be better than."""
    for part, scores in guess["scores"].items():
        told = ", ".join(f"{name} {amount(value)}" for name, value in scores.items())
        return [("without a model", f"{guess['what']} scores {told} on the {part} rows")]
    return []


def _columns(columns: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("column", "role", "kind", "missing", "as", box=None, pad_edge=False, header_style="bold")
    table.columns[3].justify = "right"
    for column in columns:
        how = Text(printable("; ".join(part for part in (column["how"], *column["notes"]) if part)))
        missing = str(column["missing"]) if column["missing"] else ""
        table.add_row(Text(printable(column["name"])), column["role"], column["kind"], missing, how)
    return table


def _planned(found: Rehearsal) -> str:
    if found.planned.trials is None:
        return "until time is up"
    if ALGORITHMS[found.algorithm].open_ended:
        # It decides on the way; the groups say how long it is about.
        return f"{found.planned.trials} trials, about {found.planned.epochs} {_unit(found)}s without early stopping"
    groups: dict[int, int] = {}
    for group in found.groups:
        groups[group.epochs_to] = groups.get(group.epochs_to, 0) + (group.count or 0)
    lengths = ", ".join(f"{count} to {_unit(found)} {epochs}" for epochs, count in sorted(groups.items()))
    return f"{found.planned.trials} trials, {found.planned.epochs} {_unit(found)}s without early stopping ({lengths})"


def _length(found: Rehearsal, budget: float | None) -> str:
    if found.cluster is not None and not found.cluster["workers"]:
        text = "nothing trains as long as there is no room"
    elif found.seconds is None:
        text = "until time is up"
    else:
        text = f"about {duration(found.seconds)} with {plural(found.workers, 'worker')}, less with early stopping"
    if budget is not None:
        text += f"; the budget is {duration(budget)}"
    return text


def _features(found: Rehearsal) -> str:
    size = found.feature_bytes
    return f", {memory(size)} for what frozen backbones make of the rows, computed once" if size else ""


def _parameters(model: CheckedModel) -> str:
    frozen = f" ({model.frozen} frozen)" if model.frozen else ""
    return "" if model.parameters is None else f"{model.parameters}{frozen}"


def _speed(model: CheckedModel) -> str:
    return "" if model.speed is None else f"{model.speed.epoch_seconds:.2f}"


def _detail(model: CheckedModel) -> Text:
    if model.problem is not None:
        return Text(printable(model.problem), style="red")
    return Text(printable(" ".join(f"{key}={_value(value)}" for key, value in model.values.items())))


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
