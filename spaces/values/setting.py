"""One setting of a configuration: where it is in the file, what it may be, and when it has an effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from operator import lt
from typing import Any

from spaces.basics.section import Section
from spaces.values.dimensions import Dimension, PerLayer, Value
from spaces.values.kinds import Kind


@dataclass(frozen=True)
class Need:
    """What must hold for a setting to have an effect.

    Attributes:
        setting: flat name of the setting it depends on.
        holds: whether a value of that setting is enough; one that can be pickled, as specs are.
        text: the same for people, e.g. "optimizer sgd".
    """

    setting: str
    holds: Callable[[Value], bool]
    text: str


@dataclass(frozen=True)
class ByWord:
    """A default that follows from a word.

    Attributes:
        setting: flat name of the setting that is the word; it stands before the one with this default.
        defaults: the default for each of its words.
    """

    setting: str
    defaults: Mapping[str, Value]

    def choose(self, flat: Mapping[str, Value]) -> Value:
        """The default, given the values of the settings before."""
        return self.defaults[str(flat[self.setting])]

    def __hash__(self) -> int:
        return hash((self.setting, tuple(self.defaults.items())))


@dataclass(frozen=True)
class Setting:
    """A setting under its flat name.

    Attributes:
        name: flat name, also that of the hyperparameter if it is one, e.g. `units_2`.
        path: where the space file has it, e.g. `("model", "units")`.
        kind: the values it takes.
        dimension: what the space file says; None where it says nothing.
        default: value where the file says nothing, or where a `when` does not hold; None: there is none.
        needs: what must hold for it to have an effect.
    """

    name: str
    path: tuple[str, ...]
    kind: Kind
    dimension: Dimension | None
    default: Value | ByWord | None = None
    needs: tuple[Need, ...] = ()

    @property
    def field(self) -> str:
        """Name without the layer's number: `units` for `units_2`."""
        return field_of(self.name)

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of what decides whether its dimension counts: what it needs, then what its condition is about."""
        when = () if self.dimension is None else self.dimension.when
        return (*(need.setting for need in self.needs), *(name for name, _ in when))


def field_of(name: str) -> str:
    """A flat name without the layer's number."""
    field, _, number = name.rpartition("_")
    return field if number.isdigit() else name


def setting_of(
    section: Section, path: tuple[str, ...], name: str, default: Value | ByWord | None = None, *needs: Need
) -> Setting:
    """The setting that a field of a section is, of the kind that the field is annotated with.

    Args:
        section: what the file says.
        path: where the file has the section; what is below its first key begins the flat name, as `stem_`.
        name: of the field.
        default, needs: as in `Setting`.
    """
    flat, kind = "_".join((*path[1:], name)), _kind(type(section), name)
    return Setting(flat, (*path, name), kind, getattr(section, name), default, needs)


# Kept, for the settings are asked for with every configuration.
@cache
def _kind(section: type[Section], name: str) -> Kind:
    return next(one for one in section.model_fields[name].metadata if isinstance(one, Kind))


def files_of(section: type[Section]) -> dict[str, tuple[str, ...]]:
    """The fields of a section that may be paths, each with how these end."""
    fields = section.model_fields.items()
    kinds = {name: one for name, field in fields for one in field.metadata if isinstance(one, Kind)}
    return {name: kind.endings for name, kind in kinds.items() if kind.endings}


def above(name: str, least: int) -> Need:
    """The need for at least `least + 1` of something, e.g. layers."""
    return Need(name, partial(lt, least), f"{name} above {least}")


def most(count: Dimension | None) -> int:
    """The largest value of a whole-number dimension; 0 where the space file says nothing."""
    values = None if count is None else count.values
    return int(max(values)) if values else 0


def stack(name: str, per_layer: PerLayer | None, kind: Kind, parent: str, count: Dimension | None) -> list[Setting]:
    """Settings of the layers of a stack.

    Args:
        name: key in the model section, e.g. `units`.
        per_layer: what the file says under that key.
        kind: the values it takes.
        parent: setting that counts the layers.
        count: dimension of that setting.

    Returns:
        One setting `name` for all layers, or `name_0`, `name_1`, ..., each in need of enough layers.
    """
    path = ("model", name)
    dimension = None if per_layer is None else per_layer.dimension
    depth = most(count)
    if depth == 0 or (per_layer is not None and per_layer.shared):
        return [Setting(name, path, kind, dimension, None, (above(parent, 0),))]
    return [Setting(f"{name}_{index}", path, kind, dimension, None, (above(parent, index),)) for index in range(depth)]


def assemble(settings: Iterable[Setting], stacks: Mapping[str, str], flat: Mapping[str, Value]) -> dict[str, Any]:
    """`Settings.model` from flat names.

    Args:
        settings: those of the family, in its order.
        stacks: for each per-layer setting the one that counts its layers.
        flat: a value for every setting that has an effect or a default.

    Returns:
        Value by name, per-layer settings as one tuple.
    """
    assembled: dict[str, Any] = {}
    for setting in settings:
        name = setting.field
        if name not in stacks:
            assembled[name] = flat[name]
        elif name not in assembled:
            depth = range(int(flat[stacks[name]]))
            assembled[name] = tuple(flat[name] if name in flat else flat[f"{name}_{index}"] for index in depth)
    return assembled
