"""An observer that keeps what it is told."""

from __future__ import annotations

from search.loop.observer import Observer


class Listener(Observer):
    """Keeps messages with their levels, phases, and the ids of trials that were started."""

    def __init__(self):
        self.messages, self.phases, self.started_trials = [], [], []

    def message(self, level, text):
        self.messages.append((level, text))

    def phase(self, name, expected_trials):
        self.phases.append(name)

    def started(self, trial):
        self.started_trials.append(trial.id)

    @property
    def texts(self):
        """The messages of all levels."""
        return [text for _, text in self.messages]

    @property
    def warnings(self):
        """Those that are warnings."""
        return [text for level, text in self.messages if level == "warning"]
