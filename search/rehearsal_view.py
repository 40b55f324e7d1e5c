"""The result of `check` for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.rehearsal import Rehearsal


def show(found: Rehearsal, console: Console) -> None:
    """Prints what a rehearsal found out."""
    rows = found.data["rows"]
    console.print(Text(f"space           {found.space}"), soft_wrap=True)
    console.print(Text(f"data            {found.data['name']} ({found.data['origin']})"), soft_wrap=True)
    console.print(
        Text(f"rows            train {rows['train']}, validation {rows['validation']}, test {rows['test']}"),
        soft_wrap=True,
    )
    for reference, file in found.imports:
        console.print(Text(f"runs code       {reference} from {file}", style="yellow"), soft_wrap=True)
    count = "endless (a continuous range)" if found.configurations is None else str(found.configurations)
    console.print(Text(f"configurations  {count}"), soft_wrap=True)
    console.print(Text(f"search          {_planned(found)}"), soft_wrap=True)
    memory = f"{_size(found.memory_bytes)} for the parameters of the largest model, in training"
    console.print(Text(f"memory          {memory}"), soft_wrap=True)
    console.print(Text(f"disk            {_size(found.disk_bytes)} for checkpoints at most"), soft_wrap=True)
    table = Table("model", "parameters", "values", box=None, pad_edge=False, header_style="bold")
    table.columns[1].justify = "right"
    for model in found.models:
        values = " ".join(f"{key}={value}" for key, value in model.values.items())
        parameters = "" if model.parameters is None else str(model.parameters)
        detail = Text(values) if model.problem is None else Text(f"{model.problem}", style="red")
        table.add_row(Text(model.name), parameters, detail)
    console.print()
    console.print(table)


def _planned(found: Rehearsal) -> str:
    if found.trials is None:
        return "until time is up"
    groups: dict[int, int] = {}
    for group in found.planned:
        groups[group.epochs_to] = groups.get(group.epochs_to, 0) + (group.count or 0)
    lengths = ", ".join(f"{count} to epoch {epochs}" for epochs, count in sorted(groups.items()))
    return f"{found.trials} trials, {found.epochs} epochs without early stopping ({lengths})"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
