"""What a person sees in a notebook while a run goes on: one output that is drawn anew in its place."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from search.clock import Clock, SystemClock
from search.files.checked.door import harmless
from search.night.live import Tally, TallyView, finished_line
from search.record.marks import OWN
from search.record.trial import Epoch, Outcome, Trial
from spaces.basics.figures import duration, plural, score

_LAST_TRIALS, _LAST_MESSAGES, _RUNNING = 6, 4, 8
_SECONDS_BETWEEN = 1.0
_MOST_POINTS = 400
_WIDTH, _HEIGHT = 480, 96

Show = Callable[[str, str], None]
"""Shows HTML, with plain text for where there is none, in the place of what it has shown before."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. IPython is not imported for that."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def output() -> Show:
    """A place in the output of the cell that runs now."""
    from IPython.display import display

    handle: list[Any] = []

    def show(html: str, text: str) -> None:
        content = {"text/html": html, "text/plain": text}
        if handle:
            handle[0].update(content, raw=True)
        else:
            handle.append(display(content, raw=True, display_id=True))

    return show


class NotebookView(TallyView):
    """Time or trials as a bar, the best so far and its curve, what is trained, the last results and messages.

    Args:
        directory: The run directory, named in it.
        tally: Counts.
        show: Where it is drawn; at most once a second, and when something ends.
        clock: Tells the time.
    """

    def __init__(self, directory: Path, tally: Tally, show: Show, clock: Clock | None = None) -> None:
        super().__init__(tally)
        self._directory = directory
        self._show = show
        self._clock = clock or SystemClock()
        self._drawn: float | None = None
        self._running: dict[str, tuple[Trial, int]] = {}
        self._last: deque[tuple[str, str]] = deque(maxlen=_LAST_TRIALS)
        self._messages: deque[tuple[str, str]] = deque(maxlen=_LAST_MESSAGES)
        self._scores: list[tuple[float, float]] = []

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._tally.begin(name, expected_trials)
        self._draw()

    def started(self, trial: Trial) -> None:
        self._running[trial.id] = trial, trial.epochs_before
        self._draw_now_and_then()

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        self._running[trial.id] = trial, epoch.number
        self._draw_now_and_then()

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self._running.pop(trial.id, None)
        best = self._tally.finished(trial, outcome)
        kind = "failed" if outcome.failure else "best" if best else ""
        self._last.append((kind, harmless(finished_line(trial, outcome, self._tally.objective))))
        if trial.kind in OWN and outcome.score is not None:
            self._scores.append((outcome.score, self._tally.best if self._tally.best is not None else outcome.score))
        self._draw_now_and_then()

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._running.pop(trial.id, None)

    def message(self, level: str, text: str) -> None:
        self._messages.append((level, harmless(text)))
        self._draw_now_and_then()

    def close(self) -> None:
        self._running.clear()
        self._draw()

    def _draw_now_and_then(self) -> None:
        if self._drawn is None or self._clock.monotonic() - self._drawn >= _SECONDS_BETWEEN:
            self._draw()

    def _draw(self) -> None:
        self._drawn = self._clock.monotonic()
        lines = [
            f"<b>{escape(self._tally.phase or 'starting')}</b> · <code>{escape(str(self._directory))}</code>",
            self._bar(),
            self._summary(),
            curve(self._scores),
        ]
        running = [
            f"<code>{escape(trial.name or trial.id)}</code> epoch {done}/{trial.epochs_to}"
            for trial, done in list(self._running.values())[: min(_RUNNING, self._tally.at_once)]
        ]
        lines += ["training " + ", ".join(running)] if running else []
        lines += [f'<span style="{_STYLES.get(kind, "")}">{escape(text)}</span>' for kind, text in self._last]
        lines += [f'<span style="{_STYLES.get(kind, _DIM)}">{escape(text)}</span>' for kind, text in self._messages]
        body = "".join(f"<div>{line}</div>" for line in lines if line)
        self._show(f'<div style="{_BOX}">{body}</div>', self._text())

    def _text(self) -> str:
        tally = self._tally
        best = "" if tally.best is None else f", best {tally.objective} {score(tally.best)} by {tally.best_name}"
        return f"{tally.phase or 'starting'}: {plural(tally.done, 'trial')} done{best} ({self._directory})"

    def _bar(self) -> str:
        tally, share, words = self._tally, self._tally.share, self._tally.trials
        if tally.until is not None:
            words = f"{duration(max(0.0, tally.until - self._clock.now()))} left · {plural(tally.done, 'trial')}"
        if share is None:
            return words
        filled = f'<span style="display:block;height:100%;width:{100 * share:.1f}%;background:#4878a8"></span>'
        return f'<span style="{_TRACK}">{filled}</span> {words}'

    def _summary(self) -> str:
        tally, parts = self._tally, []
        if tally.best is not None:
            parts.append(f"<b>best {escape(tally.objective)} {score(tally.best)}</b> by {escape(tally.best_name)}")
        if tally.best_baseline is not None:
            parts.append(f"best baseline {score(tally.best_baseline)}")
        if tally.failed:
            parts.append(f'<span style="{_STYLES["failed"]}">{tally.failed} failed</span>')
        return " · ".join(parts)


def curve(scores: Sequence[tuple[float, float]]) -> str:
    """Scores as dots and the best so far as a line, as SVG; nothing of fewer than two.

    Args:
        scores: For each trial in the order of their ends its score and the best until then.
    """
    if len(scores) < 2:
        return ""
    step = -(-len(scores) // _MOST_POINTS)
    shown = [(number, scores[number]) for number in range(0, len(scores), step)]
    if shown[-1][0] != len(scores) - 1:
        shown.append((len(scores) - 1, scores[-1]))
    best = [line for _, (_, line) in shown]
    # Ruins far below would press the line of the best flat.
    middle = sorted(score for _, (score, _) in shown)
    quarter = len(shown) // 4
    low = min(best[quarter], best[-1], middle[quarter])
    high = max(best[quarter], best[-1], middle[-quarter - 1])
    spread = (high - low) or 1.0

    def place(number: int, value: float) -> tuple[float, float]:
        height = min(1.0, max(0.0, (value - low) / spread))
        return 4 + (_WIDTH - 8) * number / (len(scores) - 1), _HEIGHT - 6 - (_HEIGHT - 12) * height

    dots = "".join(
        '<circle cx="{:.1f}" cy="{:.1f}" r="2" fill="currentColor" opacity="0.35"/>'.format(*place(number, score))
        for number, (score, _) in shown
    )
    line = " ".join("{:.1f},{:.1f}".format(*place(number, value)) for number, (_, value) in shown)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="best score so far, from {score(best[0])} to '
        f'{score(best[-1])}">{dots}<polyline points="{line}" fill="none" stroke="#4878a8" stroke-width="2"/></svg>'
    )


_DIM = "opacity:0.7"
_STYLES = {"failed": "color:#c0392b", "error": "color:#c0392b", "warning": "color:#b9770e", "best": "font-weight:bold"}
_BOX = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.6;max-width:60em"
_TRACK = (
    "display:inline-block;vertical-align:middle;width:240px;height:10px;border-radius:5px;overflow:hidden;"
    "background:rgba(128,128,128,0.25)"
)
