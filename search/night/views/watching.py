"""Which view follows a run that a program started: one in a notebook, one on a terminal, none elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search.loop.observer import Observer
from search.night.live import Tally, make_view
from search.night.views.notebook import NotebookView, in_notebook, output
from spaces import Objective
from spaces.basics.terminal import Console


@contextmanager
def watched(directory: Path, objective: Objective, until: float | None, *, quiet: bool) -> Iterator[list[Observer]]:
    """The views of a run; they are closed at the end.

    Args:
        directory: The run directory.
        objective: What decides.
        until: Unix time by which the run promised to be done, or None.
        quiet: No view at all.
    """
    console = Console(stderr=True, emoji=False, highlight=False)
    view: Observer
    if quiet:
        yield []
        return
    if in_notebook():
        view = NotebookView(directory, Tally(objective.name, objective.direction, until), output())
    elif console.is_interactive:
        view = make_view(console, objective.name, objective.direction, until)
    else:
        yield []
        return
    try:
        yield [view]
    finally:
        with suppress(OSError):
            view.close()
