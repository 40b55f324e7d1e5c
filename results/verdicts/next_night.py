"""The space file for the next night, from what a run has found."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from results.ranked.finalists import finalists
from results.ranked.ranking import Source, finite
from results.ranked.sample import sampled
from results.text import visible
from results.verdicts.advice import Advice, advise
from search.files.rundir import Run, open_run
from search.record.configuration import Configuration, configurations, ranked

if TYPE_CHECKING:
    from spaces import SearchSpec

_FINALISTS = 3


def next_space(run: Source) -> str:
    """YAML text of a valid space file: the run's own, changed as `results.advise` says; see `next_spec`.

    Raises:
        RunError: There is no run, or it is damaged.
        SpaceError: Its space file is damaged.
    """
    import spaces

    opened = open_run(run)
    spec, notes = next_spec(opened.spec, advise(opened), _best(opened))
    head = f"# From the run {visible(opened.directory.resolve().name)}.\n"
    return head + "".join(f"# {visible(note)}\n" for note in notes) + spaces.dump(spec)


def next_spec(
    spec: SearchSpec, advice: Iterable[Advice], best: Iterable[Configuration]
) -> tuple[SearchSpec, list[str]]:
    """The space of the next night, and what was changed in it and why.

    The finalists (or the best three, where none were trained again) are baselines, and the seed is another, so that the
    search does not repeat itself. Settings that lose all effect by a change are left out; a change that the space file
    does not allow, or that would alter a baseline, is not made.

    Args:
        spec: The space that was searched.
        advice: What to change.
        best: Configurations to become baselines.
    """
    import spaces

    notes, name = [], spec.name
    for one in advice:
        changed = _legal(_changed(_plain(spec), one.setting, one.change), one.setting)
        if changed is not None and _baselines(changed) == _baselines(spec):
            spec = changed
            notes.append(f"{one.setting}: {one.message}")
    for configuration in best:
        spec = _legal(_with_baseline(_plain(spec), configuration, name)) or spec
    data = _plain(spec)
    data["name"] = name if name.endswith("-next") else f"{name}-next"
    data["search"]["seed"] = (spec.search.seed + 1) % 2**32
    return spaces.load(data), notes


def _plain(spec: SearchSpec) -> dict[str, Any]:
    from spaces.specs.plain import to_plain

    data: dict[str, Any] = to_plain(spec)
    return data


def _legal(data: dict[str, Any], changed: str = "") -> SearchSpec | None:
    """The spec of these data without the settings that have no effect in it (any more); None if it is not legal."""
    import spaces

    for _ in range(len(data["model"]) + len(data["training"])):
        try:
            spec = spaces.load(data)
        except spaces.SpaceError as error:
            idle = {tuple(problem.key.split(".")[:2]) for problem in error.problems}
            if not all(path[0] in ("model", "training") and ".".join(path) != changed for path in idle):
                return None
            data = copy.deepcopy(data)
            for section, *key in idle:
                data[section].pop("".join(key), None)
        else:
            return spec if spec.space.hyperparameters else None
    return None


def _baselines(spec: SearchSpec) -> list[Any]:
    """The settings of the baselines; of their length only what they state themselves."""
    import spaces

    found = []
    for baseline in spec.baselines:
        settings = spaces.configure_baseline(spec, baseline).to_json()
        settings["training"] = {**settings["training"], "epochs": baseline.epochs}
        found.append(settings)
    return found


def _changed(data: dict[str, Any], setting: str, change: Any) -> dict[str, Any]:
    *way, last = setting.split(".")
    holder = data
    for part in way:
        holder = holder[part]
    if last not in holder:
        return data  # An earlier change took it away: momentum goes with sgd.
    old = holder[last]
    holder[last] = {"shared": change} if isinstance(old, Mapping) and "shared" in old else change
    return data


def _best(run: Run) -> list[Configuration]:
    with run.read() as reader:
        direction = reader.meta("objective")["direction"]
        trials = sampled(reader, direction)
    order = ranked(configurations(trials), direction)
    final = {finalist.configuration for finalist in finalists(trials, direction)}
    chosen = [c for c in order if c.id in final] if final else order[:_FINALISTS]
    return [c for c in chosen if not c.baseline and c.score is not None]


def _with_baseline(data: dict[str, Any], configuration: Configuration, space: str) -> dict[str, Any]:
    baselines = data.get("baselines", [])
    name = f"{space}-{configuration.name}"
    while name in {baseline["name"] for baseline in baselines}:
        name += "-again"
    values = {key: finite(value) for key, value in configuration.values.items()}
    data["baselines"] = [*baselines, {"name": name, "values": values}]
    return data
