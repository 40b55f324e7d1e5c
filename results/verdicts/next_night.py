"""The space file for the next night, from what a run has found."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from results.ranked.finalists import finalists
from results.ranked.ranking import Source, finite
from results.ranked.sample import sampled
from results.text import visible
from results.verdicts.advice import Advice, advise
from search.files.checked.agreement import incomplete
from search.files.rundir import Run, open_run
from search.record.configuration import Configuration, configurations, ranked
from spaces.basics.errors import Problem, dotted
from spaces.families import family_of
from spaces.values.dimensions import Choice, Range

if TYPE_CHECKING:
    from spaces import SearchSpec, Settings

_FINALISTS = 3
_NEXT = "-next"
_MAY_BE_IDLE = (("data",), ("model",), ("training",), ("baselines",))
# Of how a configuration is trained, what every one of a space has alike, or the machine.
_OF_THE_SPACE = (
    "epochs", "early_stopping", "stop_when", "metrics", "callbacks", "precision", "folds", "fold_epochs", "fold_bars",
    "fold_offsets",
)  # fmt: skip


def next_space(run: Source) -> str:
    """YAML text of a valid space file for the next night: the run's own, changed as `results.advise` says.

    The finalists (or the best three, where none were trained again) are baselines, and the seed is another. What was
    changed, and why, stands in comments above it.

    Args:
        run: A run or its directory.

    Raises:
        RunError: There is no run, or it is damaged.
        SpaceError: Its space file is damaged.
    """
    import spaces

    opened = open_run(run)
    spec, notes = next_spec(_as_asked(opened), advise(opened), _best(opened))
    head = f"# From the run {visible(opened.directory.resolve().name)}.\n"
    return head + "".join(f"# {visible(note)}\n" for note in notes) + spaces.dump(spec, asked=True)


def _as_asked(run: Run) -> SearchSpec:
    """The space of a run with the words of which the machine that began it has made values."""
    import spaces

    with run.read() as reader:
        asked = reader.meta("asked", {})
    return spaces.load(run.spec, [f"{key}={word}" for key, word in asked.items()], begun=True)


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
    from spaces.specs.checks import LONGEST_NAME

    # A run of an earlier version may have baselines that a new one is refused.
    spec, notes, name = _without_idle(_plain(spec)) or spec, [], spec.name
    for one in advice:
        changed = _legal(_changed(spec, one.setting, one.change), one.setting)
        if changed is not None and changed != spec and _baselines(changed) == _baselines(spec):
            spec = changed
            notes.append(f"{one.setting}: {one.message}")
    for configuration in best:
        spec = _with_finalist(spec, configuration, name) or spec
    data = _plain(spec)
    data["name"] = name if name.endswith(_NEXT) else name[: LONGEST_NAME - len(_NEXT)] + _NEXT
    data["search"]["seed"] = (spec.search.seed + 1) % 2**32
    return spaces.load(data), notes


def _plain(spec: SearchSpec) -> dict[str, Any]:
    from spaces.specs.plain import to_plain

    data: dict[str, Any] = to_plain(spec, asked=True)
    return data


def _legal(data: dict[str, Any], changed: str = "") -> SearchSpec | None:
    """As `_without_idle`; None also if there is nothing to choose. What a function asks for is not looked at."""
    spec = _without_idle(data, changed)
    chooses = spec is not None and (bool(spec.space.hyperparameters) or family_of(spec.model).users_code)
    return spec if chooses else None


def _without_idle(data: dict[str, Any], changed: str = "") -> SearchSpec | None:
    """The spec of these data without the settings that have no effect in it (any more); None if it is not legal."""
    import spaces
    from spaces.reading.idle import key_of, removed

    data = copy.deepcopy(data)
    while True:
        try:
            spec = spaces.load(data)
        except spaces.SpaceError as error:
            idle = {key_of(one.path) for one in error.problems}
            if not all(_is_idle(one) for one in error.problems) or changed in map(dotted, idle):
                return None
            if not all(removed(data, path) for path in idle):
                return None
        else:
            return spec


def _is_idle(one: Problem) -> bool:
    """Whether a setting has no effect, or only under a condition that cannot hold."""
    return one.path[:1] in _MAY_BE_IDLE and (one.idle or "when" in one.path)


def _baselines(spec: SearchSpec) -> list[Any]:
    """The settings of the baselines; of their length only what they state themselves."""
    import spaces

    found = []
    for baseline in spec.baselines:
        settings = spaces.configure_baseline(spec, baseline).to_json()
        settings["training"] = {**settings["training"], "epochs": baseline.epochs}
        # What is fixed by now is no value any more, the model the same. Of a function, values are what the model says.
        del settings["values"]
        found.append(settings)
    return found


def _changed(spec: SearchSpec, setting: str, change: Any) -> dict[str, Any]:
    data = _plain(spec)
    *way, last = setting.split(".")
    holder = data
    for part in way:
        holder = holder.get(part, {})
    if last not in holder:
        return data  # An earlier change took it away: momentum goes with sgd.
    old = holder[last]
    holder[last] = {"shared": change} if isinstance(old, Mapping) and "shared" in old else change
    for one in spec.space.settings:
        made = one.kind.parse(change) if dotted(one.path) == setting else None
        if isinstance(made, Choice | Range):
            _narrow((data["model"], data["training"]), one.name, made)
    return data


def _narrow(parts: Iterable[Any], name: str, dimension: Choice | Range) -> None:
    """Takes what a hyperparameter never is any more out of the conditions on it that name something else too."""
    for part in parts:
        if not isinstance(part, dict):
            continue
        if name in (when := part.get("when", {})):
            listed = when[name] if isinstance(when[name], list) else [when[name]]
            when[name] = [value for value in listed if dimension.nearest(value) is not None] or listed
        _narrow(part.values(), name, dimension)


def _best(run: Run) -> list[Configuration]:
    with run.read() as reader:
        direction = reader.meta("objective")["direction"]
        trials = sampled(reader, direction)
    order = ranked(configurations(trials), direction)
    final = {finalist.configuration for finalist in finalists(trials, direction)}
    chosen = [c for c in order if c.id in final] if final else order[:_FINALISTS]
    return [c for c in chosen if not c.baseline and c.score is not None]


def _with_finalist(spec: SearchSpec, configuration: Configuration, space: str) -> SearchSpec | None:
    """The space with one baseline more; None where that is not legal, or would be another model.

    What a fork has taken over is of another space, which may have fixed other things.
    """
    import spaces
    from spaces.specs.configuring import unsaid

    if not configuration.evidence:
        return _legal(_with_baseline(_plain(spec), configuration, {}, space))
    if incomplete(configuration.settings):
        return None
    settings = spaces.Settings.from_json(configuration.settings)
    found = _legal(_with_baseline(_plain(spec), configuration, unsaid(spec, settings), space))
    if found is None:
        return None
    made = spaces.configure_baseline(found, found.baselines[-1])
    return found if _is_same_model(made, settings) else None


def _is_same_model(made: Settings, settings: Settings) -> bool:
    """Whether both train the same model alike, for however long: that follows from the space, as what is measured."""
    protocol = {name: getattr(settings.training, name) for name in _OF_THE_SPACE}
    # A function is given what trains its model too.
    same = all(made.model.get(name) == value for name, value in settings.model.items())
    return made.family == settings.family and same and replace(made.training, **protocol) == settings.training


def _with_baseline(
    data: dict[str, Any], configuration: Configuration, besides: Mapping[str, Any], space: str
) -> dict[str, Any]:
    baselines = data.get("baselines", [])
    name = f"{space}-{configuration.name}"
    while name in {baseline["name"] for baseline in baselines}:
        name += "-again"
    values = {key: finite(value) for key, value in {**configuration.values, **besides}.items()}
    data["baselines"] = [*baselines, {"name": name, "values": values}]
    return data
