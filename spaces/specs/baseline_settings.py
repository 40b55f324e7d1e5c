"""From a baseline to complete `Settings`: its own values, then what the space fixes, then Keras's defaults."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError

from spaces.basics.errors import Problem, problem
from spaces.basics.section import KeyPath, as_whole, unknown
from spaces.families import ModelSection, family_of
from spaces.models.settings import Settings
from spaces.sections.baseline import Baseline
from spaces.sections.training_section import EPOCHS, TrainingSection, epoch_limits
from spaces.specs.resolve import all_settings, complete, fill_defaults
from spaces.values.dimensions import Choice, Fixed, PerLayer, Range, Value, When
from spaces.values.setting import ByWord, Need, Setting

_OPEN = Fixed | Choice | Range | None


def baseline_settings(
    model: ModelSection, training: TrainingSection, baseline: Baseline, path: KeyPath
) -> tuple[Settings | None, list[Problem]]:
    """The settings of a baseline, or everything that is wrong with it.

    Args:
        model, training: the sections of the space.
        baseline: the baseline.
        path: where the space file has it.
    """
    resolver = _Resolver(model, training, baseline, path)
    settings = resolver.resolve()
    return (None if resolver.problems else settings), resolver.problems


class _Resolver:
    def __init__(self, model: ModelSection, training: TrainingSection, baseline: Baseline, path: KeyPath) -> None:
        self.model, self.training, self.baseline, self.path = model, training, baseline, path
        self.family = family_of(model)
        self.given: dict[str, Value] = dict(baseline.values)
        self.settings: list[Setting] = []
        self.reached: set[str] = set()
        self.flat: dict[str, Value] = {}
        self.active: dict[str, Value] = {}
        self.values: dict[str, Value] = {}
        self.used: set[str] = set()
        self.unmet: dict[str, Need] = {}
        self.problems: list[Problem] = []

    def resolve(self) -> Settings | None:
        self._take_own_protocol()
        model = self._of_its_own()
        longest = Fixed(epoch_limits(self.training.epochs)[1])
        self.settings = [
            *all_settings(model, self.training, epochs=False),
            Setting("epochs", ("training", "epochs"), EPOCHS, longest),
        ]
        for setting in self.settings:
            self._resolve(setting)
        self._check_names()
        if self.problems:
            return None
        fill_defaults(self.flat, self.settings)
        return complete(self.model, self.training, self.flat, self.values, self.baseline.early_stopping)

    def _take_own_protocol(self) -> None:
        for name in ("epochs", "batch_size"):
            own = getattr(self.baseline, name)
            if own is not None and name in self.given:
                self._report(f"is given twice, here and as {name} of the baseline", name)
            elif own is not None:
                self.given[name] = own

    def _of_its_own(self) -> ModelSection:
        """The model section with what the baseline says fixed, and one setting for every layer that it has."""
        counters = set(self.family.stacks.values())
        fields = {name for name in type(self.model).model_fields if isinstance(getattr(self.model, name), _OPEN)}
        changes: dict[str, Any] = {name: Fixed(self.given[name]) for name in fields & (self.given.keys() - counters)}
        for name, counter in self.family.stacks.items():
            per_layer: PerLayer | None = getattr(self.model, name)
            changes[name] = None if per_layer is None else PerLayer(per_layer.dimension, shared=False)
            depth = as_whole(self.given.get(counter))
            if isinstance(depth, int) and not isinstance(depth, bool) and 0 <= depth <= 100:
                changes[counter] = Fixed(depth)
        return self.model.model_copy(update=changes)

    def _resolve(self, setting: Setting) -> None:
        """Resolves a setting after those that it depends on."""
        if setting.name in self.reached:
            return
        self.reached.add(setting.name)
        word = (setting.default.setting,) if isinstance(setting.default, ByWord) else ()
        for parent in (*setting.parents, *word):
            for one in self._named(parent):
                self._resolve(one)
        self._give_value(setting)

    def _named(self, name: str) -> list[Setting]:
        """The setting of this name, or those of all layers that have it."""
        return [setting for setting in self.settings if name in (setting.name, setting.field)]

    def _give_value(self, setting: Setting) -> None:
        name = setting.name if setting.name in self.given else setting.field
        if name in self.given and self.family.users_code and setting.dimension is None:
            # A function that compiles its model itself may ask for an optimizer of its own.
            self.values[name] = self.given[name]
        unmet = next((need for need in setting.needs if self._is_unmet(need)), None)
        if unmet is not None:
            self.unmet[name] = unmet
            return
        dimension = setting.dimension
        counts = name in self.given or dimension is None or self._holds(dimension.when)
        if name in self.given:
            self.used.add(name)
            try:
                self._set(setting, setting.kind.scalar(self.given[name]), name)
            except PydanticCustomError as error:
                if name not in self.values:
                    self._report((error.context or {})["found"][0][1], name)
        elif isinstance(dimension, Fixed) and counts:
            self.flat[setting.name] = dimension.value
        elif setting.default is None:
            self._report(f"has no value for {setting.name}, which the space does not fix")
        elif not isinstance(setting.default, ByWord):
            self._set(setting, setting.default, setting.name)
        elif setting.default.setting in self.flat:
            self._set(setting, setting.default.choose(self.flat), setting.name)
        if counts and setting.name in self.flat:
            self.active[setting.name] = self.flat[setting.name]

    def _is_unmet(self, need: Need) -> bool:
        if need.setting in self.unmet:
            return True
        return need.setting in self.flat and not need.holds(self.flat[need.setting])

    def _holds(self, when: When) -> bool:
        """Whether a condition holds; as in the search, only what counts itself can fulfil one."""
        for name, values in when:
            found = [self.active[one.name] for one in self._named(name) if one.name in self.active]
            if not found or any(value not in values for value in found):
                return False
        return True

    def _set(self, setting: Setting, value: Value, name: str) -> None:
        self.flat[setting.name] = value
        searched = isinstance(setting.dimension, Choice | Range)
        if name in self.given or searched:
            # Under the name that the configurations of the space have it.
            stack = getattr(self.model, setting.field, None)
            shared = isinstance(stack, PerLayer) and stack.shared
            self.values[name if shared else setting.name] = value

    def _check_names(self) -> None:
        known = {name for setting in self.settings for name in (setting.name, setting.field)}
        for name, value in self.given.items():
            layer = re.fullmatch(r"(.+)_\d+", name)
            if name in self.used or name in self.values:
                continue
            if name in self.unmet:
                self._report(f"has no effect: it needs {self.unmet[name].text}", name)
            elif name in known:
                self._report("has no effect: every layer has a value of its own", name)
            elif layer and layer[1] in self.family.stacks:
                counter = self.family.stacks[layer[1]]
                self._report(f"has no effect: this baseline has {counter} {self.flat.get(counter)}", name)
            elif self.family.users_code:
                self.values[name] = value
            else:
                self._report(unknown("hyperparameter", name, sorted(known)), name)

    def _report(self, message: str, *name: str) -> None:
        own = bool(name) and name[0] not in self.baseline.values
        found = problem((*self.path, *(() if own else ("values",)), *name), message)
        if found not in self.problems:
            self.problems.append(found)
