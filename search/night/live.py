"""What a person sees while a run goes on: a live view on a terminal that can draw anew, plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from itertools import islice

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from search.clock import Clock, SystemClock
from search.files.checked.door import harmless
from search.loop.observer import Earlier, Observer
from search.record.marks import OWN
from search.record.trial import Epoch, Outcome, Stop, Trial, TrialKind
from spaces.basics.figures import duration, plural, score
from spaces.basics.printable import cut

_LAST_LINES = 6
# A cluster may train a thousand at a time: more of them than a screen has lines, and dear to draw.
_MOST_RUNNING = 24
_VALUES_SHOWN = 90
# Time may be up before anything of them begins: they are announced with what begins first.
_MAY_BE_EMPTY = ("search", "retraining")


def make_view(
    console: Console, objective: str, direction: str, until: float | None = None, began: float | None = None
) -> Observer:
    """The view that fits the console.

    Args:
        console: Where to draw; it should write to standard error.
        objective: Name of the metric that scores a trial.
        direction: `min` or `max`.
        until: Unix time by which the run promised to be done, or None.
        began: Unix time at which the command began; None: now.
    """
    tally = Tally(objective, direction, until, began=began)
    return LiveView(console, tally) if console.is_interactive else PlainLines(console, tally)


class Tally:
    """Counts of the running phase, its time, and the best so far.

    Args:
        objective: Name of the metric that scores a trial.
        direction: `min` or `max`.
        until: Unix time by which the run promised to be done, or None.
        clock: Tells the time.
        began: Unix time at which the command began; None: now.
    """

    def __init__(
        self,
        objective: str,
        direction: str,
        until: float | None,
        clock: Clock | None = None,
        began: float | None = None,
    ) -> None:
        self.objective = objective
        self.until = until
        self._sign = 1.0 if direction == "min" else -1.0
        self._clock = clock or SystemClock()
        self.began = self._clock.now() if began is None else began
        self.phase = ""
        self.expected: int | None = None
        self.ends: float | None = None
        self.at_once = 1
        self.done = 0
        self.failed = 0
        self.best: float | None = None
        self.best_name = ""
        self.best_baseline: float | None = None
        self._earlier = 0
        self._trials = 0
        self._trial_seconds = 0.0

    def resumed(self, earlier: Earlier) -> None:
        """Begins the next phase with what was there before."""
        self._earlier, self.failed = earlier.done, earlier.failed
        if earlier.best is not None:
            self.best, self.best_name = earlier.best.score, earlier.best.name
        if earlier.baseline is not None:
            self.best_baseline = earlier.baseline.score

    def begin(self, phase: str, expected: int | None) -> None:
        self.phase, self.expected, self.done, self.ends = phase, expected, self._earlier, None
        self._earlier = self._trials = 0
        self._trial_seconds = 0.0

    def outlook(self, ends: float | None, at_once: int) -> None:
        """What is planned for the running phase, see `Observer.outlook`."""
        self.ends, self.at_once = ends, max(1, at_once)

    def finished(self, trial: Trial, outcome: Outcome) -> bool:
        """Counts a trial; whether it is the best configuration so far."""
        self.done += 1
        self._trials += 1
        self.failed += outcome.failure is not None
        self._trial_seconds += outcome.seconds
        if trial.kind not in OWN or outcome.score is None:
            return False
        if trial.kind is TrialKind.BASELINE and self._better(outcome.score, self.best_baseline):
            self.best_baseline = outcome.score
        if self._better(outcome.score, self.best):
            self.best, self.best_name = outcome.score, trial.name or trial.configuration
            return True
        return False

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return max(0.0, self._clock.now() - self.began)

    @property
    def share(self) -> float | None:
        """How much of the way is behind us, 0 to 1: of the time that was given, or else of the phase's trials."""
        if self.until is not None:
            return min(1.0, self.elapsed / max(1e-9, self.until - self.began))
        return None if not self.expected else min(1.0, self.done / self.expected)

    @property
    def count(self) -> str:
        """Trials of the phase that have ended, and of how many, as long as they are not more than were expected.

        Others take the place of those that fail, and a search goes on with less time than it had, or fewer trials.
        """
        return f"{self.done}/{self.expected}" if self.expected and self.done <= self.expected else str(self.done)

    @property
    def trials(self) -> str:
        """The same in words."""
        return f"{self.count} {'trial' if self.count == '1' else 'trials'}"

    @property
    def progress(self) -> str:
        """The same with the time."""
        trials = self.trials if self.done or self.expected else ""
        time = duration(self.elapsed)
        if self.until is not None:
            time = f"{time} of {duration(max(0.0, self.until - self.began))}"
        return f"{time}, {trials}" if trials else time

    def seconds_left(self) -> float | None:
        """Expected time to the end of the phase; None if nobody can tell.

        By the mean of its trials so far and as many at a time as are trained at once, but no longer than is planned.
        """
        guess = None
        if self.expected is not None and self._trials:
            mean, rest = self._trial_seconds / self._trials, max(0, self.expected - self.done)
            guess = mean * rest / min(self.at_once, max(1, rest))
        if self.ends is None:
            return guess
        planned = max(0.0, self.ends - self._clock.now())
        return planned if guess is None else min(guess, planned)

    def _better(self, score: float, than: float | None) -> bool:
        return than is None or self._sign * score < self._sign * than


class TallyView(Observer):
    """What a person looks at, with a tally that hears of what was there before and of what is planned."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def resumed(self, earlier: Earlier) -> None:
        self._tally.resumed(earlier)

    def outlook(self, ends: float | None, at_once: int) -> None:
        self._tally.outlook(ends, at_once)


class PlainLines(TallyView):
    """One line for each event, for logs and pipes."""

    def __init__(self, console: Console, tally: Tally) -> None:
        super().__init__(tally)
        self._console = console
        self._heading: str | None = None

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._tally.begin(name, expected_trials)
        self._heading = name
        if expected_trials is not None and expected_trials >= self._tally.done:
            self._heading += f", {plural(expected_trials, 'trial')} expected"
        if self._tally.done:
            self._heading += f", {self._tally.done} done before"
        if name not in _MAY_BE_EMPTY:
            self._begin()

    def started(self, trial: Trial) -> None:
        self._begin()

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        best = self._tally.finished(trial, outcome)
        line = finished_line(trial, outcome, self._tally.objective)
        self._print(f"[{self._tally.count}] {line}{'  best so far' if best else ''}")

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._print(f"{trial.id} interrupted; its epochs are saved")

    def message(self, level: str, text: str) -> None:
        self._print(f"{level}: {text}")

    def _begin(self) -> None:
        heading, self._heading = self._heading, None
        if heading is not None:
            self._show(heading)

    def _print(self, line: str) -> None:
        self._begin()
        self._show(line)

    def _show(self, line: str) -> None:
        self._console.print(Text(harmless(line)), soft_wrap=True)


class LiveView(TallyView):
    """Progress, what is running, the best so far and the last results, redrawn in place."""

    def __init__(self, console: Console, tally: Tally) -> None:
        super().__init__(tally)
        self._console = console
        self._running: dict[str, tuple[Trial, Epoch | None]] = {}
        self._last: deque[Text] = deque(maxlen=_LAST_LINES)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), console=console
        )
        self._task = self._progress.add_task("starting", total=None, told="")
        self._live = Live(console=console, get_renderable=self._view, refresh_per_second=4, transient=True)

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._tally.begin(name, expected_trials)
        self._live.start()
        self._running.clear()

    def started(self, trial: Trial) -> None:
        self._running[trial.id] = trial, None

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        self._running[trial.id] = trial, epoch

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self._running.pop(trial.id, None)
        best = self._tally.finished(trial, outcome)
        style = "red" if outcome.failure else "bold green" if best else ""
        line = finished_line(trial, outcome, self._tally.objective)
        self._last.append(Text(harmless(line), style=style, no_wrap=True, overflow="ellipsis"))

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._running.pop(trial.id, None)

    def message(self, level: str, text: str) -> None:
        style = {"warning": "yellow", "error": "red"}.get(level, "")
        self._console.print(Text(harmless(f"{level}: {text}"), style=style))

    def close(self) -> None:
        self._live.stop()

    def _view(self) -> RenderableType:
        tally = self._tally
        self._progress.update(
            self._task,
            description=escape(tally.phase),
            total=None if tally.share is None else 1.0,
            completed=tally.share or 0.0,
            told=tally.progress,
        )
        return Group(self._progress, self._summary(), self._trials(), *self._last)

    def _summary(self) -> Text:
        tally, text = self._tally, Text()
        if tally.best is not None:
            text.append(f"best {tally.objective} {score(tally.best)}", style="bold")
            text.append(f" by {tally.best_name}")
            if tally.best_baseline is not None:
                text.append(f"   best baseline {score(tally.best_baseline)}")
        if tally.failed:
            text.append(f"   {tally.failed} failed", style="red")
        left = tally.seconds_left()
        if left is not None:
            text.append(f"   {tally.phase} ends in about {duration(left)}", style="dim")
        return text

    def _trials(self) -> Table:
        table = Table.grid(padding=(0, 2))
        running = list(self._running.values())
        for place, (trial, epoch) in enumerate(islice(running, _MOST_RUNNING)):
            done = epoch.number if epoch else trial.epochs_before
            waits = epoch is None and place >= self._tally.at_once
            table.add_row(
                Text(trial.name or trial.id, style="cyan"),
                Text("waits for a worker" if waits else f"epoch {done}/{trial.epochs_to}"),
                Text(_value_text(trial), style="dim", no_wrap=True, overflow="ellipsis"),
            )
        if len(running) > _MOST_RUNNING:
            table.add_row(Text(f"and {len(running) - _MOST_RUNNING:,} more", style="dim"))
        return table


def finished_line(trial: Trial, outcome: Outcome, objective: str) -> str:
    """A trial's end in one line."""
    name = trial.name or trial.id
    if trial.kind in (TrialKind.CANDIDATE, TrialKind.WINNER):
        name = trial.id
    if outcome.failure is not None:
        return f"{name}: failed, {outcome.failure.reason}: {outcome.failure.message}"
    reached = f"{objective} {score(outcome.score)}, " if outcome.score is not None else ""
    total = trial.epochs_from + len(outcome.epochs)
    why = f" ({outcome.stopped})" if outcome.stopped not in (None, Stop.LENGTH) else ""
    return f"{name}: {reached}{plural(total, 'epoch')}{why}, {duration(outcome.seconds)}  {_value_text(trial)}"


def _value_text(trial: Trial) -> str:
    parts = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in trial.values.items())
    # Drawn several times a second: of a thousand values only those are written that may be seen.
    return cut(" ".join(islice(parts, _VALUES_SHOWN)), _VALUES_SHOWN)
