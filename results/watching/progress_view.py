"""The state of a run on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from results.text import number, plural, together, visible
from spaces.basics.figures import duration, score

if TYPE_CHECKING:
    from rich.console import Console

# A cluster may train a thousand at a time.
_MOST_WORKING = 24


def show_status(state: dict[str, Any], console: Console) -> None:
    """Prints what `status` gave, one fact a line."""
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in _lines(state):
        grid.add_row(label, Text(text))
    console.print(grid)
    for event in state["warnings"]:
        at = time.strftime("%H:%M:%S", time.localtime(event["at"]))
        style = "red" if event["level"] == "error" else "yellow"
        console.print(Text(f"{at} {event['level']}: {visible(event['message'])}", style=style))


def _lines(state: dict[str, Any]) -> list[tuple[str, str]]:
    trials = state["trials"]
    # Others take the place of those that fail, and a search may end sooner than it was planned to before.
    within = trials["planned"] is not None and trials["done"] <= trials["planned"]
    planned = f" of {trials['planned']:,}" if within else ""
    failed = f", {trials['failed']:,} failed" if trials["failed"] else ""
    phase = visible(str(state["phase"]))
    if state["active"]:
        phase += f", last wrote {duration(state['last_sign'])} ago"
    elif state["exit"] is None:
        phase += f", cut off {duration(state['last_sign'])} ago: resume it"
    elif state["exit"] != state["phase"]:
        phase += f", {visible(str(state['exit']))}"
    size = f"{plural(state['configurations'], 'configuration')}, {plural(state['epochs'], 'epoch')}"
    lines = [
        ("run", visible(state["run"])),
        ("search", f"{visible(str(state['name']))}, {visible(str(state['algorithm']))}"),
        ("phase", phase),
        ("trials", f"{trials['done']:,}{planned} done{failed}; {size}"),
        ("elapsed", duration(state["elapsed"])),
    ]
    if state["time_left"] is not None:
        lines.append(("time left", duration(state["time_left"])))
    lines.append((visible(state["objective"]), _standing(state)))
    if state["since_improved"] is not None and state["phase"] == "search":
        lines.append(("improved", f"{duration(state['since_improved'])} ago"))
    if state["hourly_gain"] is not None and state["phase"] == "search":
        lines.append(("another hour", f"expected to bring {score(state['hourly_gain'])}"))
    if state["cluster"] and state["active"]:
        lines += _cluster(state["cluster"])
    for work in state["working_on"][:_MOST_WORKING]:
        done = f", {work['epochs_done']} of them done" if work["epochs_done"] else ""
        span = f"epochs {work['epochs_from'] + 1} to {work['epochs_to']}{done}, for {duration(work['seconds'])}"
        lines.append(("working on", f"{visible(work['name'])} ({work['kind']}): {span}"))
    if len(state["working_on"]) > _MOST_WORKING:
        lines.append(("", f"and {len(state['working_on']) - _MOST_WORKING:,} more"))
    if state["waiting"] and state["active"]:
        lines.append(("waiting", f"{plural(state['waiting'], 'trial')} for a worker"))
    if state["winner"]:
        test = state["winner"]["test"]
        measured = f", test {score(test)}{together(state['winner']['together'])}" if test is not None else ""
        written = " (a baseline)" if state["winner"]["baseline"] else ""
        lines.append(("winner", f"{visible(state['winner']['name'])}{written}{measured}"))
    return lines


def _cluster(cluster: dict[str, Any]) -> list[tuple[str, str]]:
    used = [node for node in cluster["nodes"] if node["refused"] is None and node["room"]]
    workers = f"{cluster['workers']:,} of {plural(cluster['room'], 'worker')} with {visible(cluster['needs'])} each"
    lines = [("cluster", f"{workers}, on {plural(len(used), 'node')}")]
    refused = [node for node in cluster["nodes"] if node["refused"] is not None]
    lines += [("refused", f"{visible(node['name'])}: {visible(node['refused'])}") for node in refused]
    for node in cluster["nodes"]:
        # A head that is to train nothing offers nothing.
        offers = [f"{node[kind]:g} {unit}" for kind, unit in (("cpus", "CPU"), ("gpus", "GPU")) if node.get(kind)]
        if node["refused"] is None and not node["room"] and offers:
            lines.append(("no room", f"{visible(node['name'])}: {', '.join(offers)}"))
    return lines


def _standing(state: dict[str, Any]) -> str:
    best, baseline = state["best"], state["baseline"]
    if best is None and baseline is None:
        return "nothing finished yet"
    parts = []
    if best:
        size = f", {number(best['parameters'])} parameters" if best["parameters"] is not None else ""
        parts.append(f"best {score(best['score'])} ({visible(best['name'])}, epoch {best['best_epoch']}{size})")
    if baseline:
        parts.append(f"best baseline {score(baseline['score'])} ({visible(baseline['name'])})")
    if state["lead"] is not None:
        word = "ahead by" if state["lead"] >= 0 else "behind by"
        parts.append(f"{word} {score(abs(state['lead']))}")
    return "; ".join(parts)
