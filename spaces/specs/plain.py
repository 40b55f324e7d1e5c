"""A spec as plain data and as YAML text: the frozen copy that a run keeps."""

from __future__ import annotations

import io
import sys
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.emitter import Emitter

from spaces.models.settings import Target
from spaces.specs.spec import SearchSpec
from spaces.values.dimensions import Choice, Fixed, PerLayer, Range, plain


def to_plain(value: Any, *, asked: bool = False) -> Any:
    """Mappings, lists and scalars from which validation makes an equal value. What is not set is left out.

    Args:
        value: a spec, or a part of one.
        asked: whether words such as `auto` stay what they are, for another machine to make something of them.
    """
    if isinstance(value, Fixed | Choice | Range | PerLayer):
        return plain(value, asked=asked)
    if isinstance(value, BaseModel):
        # A None or an empty list is written only where it says something that its default does not.
        items = [(name, getattr(value, name), field.default) for name, field in type(value).model_fields.items()]
        items += [(name, extra, None) for name, extra in (value.model_extra or {}).items()]
        return {name: to_plain(v, asked=asked) for name, v, default in items if v not in (None, ()) or v != default}
    if isinstance(value, tuple) and value and isinstance(value[0], Target):
        return _targets(value)
    if isinstance(value, tuple | list):
        return [to_plain(item, asked=asked) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item, asked=asked) for key, item in value.items()}
    return value


def _targets(targets: tuple[Target, ...]) -> dict[str, dict[str, float]]:
    limits = ((target.metric, {"below": target.below, "above": target.above}) for target in targets)
    return {metric: {key: limit for key, limit in pair.items() if limit is not None} for metric, pair in limits}


def dump(spec: SearchSpec, *, asked: bool = False) -> str:
    """The whole spec as YAML 1.2, defaults filled in and paths absolute: `load` makes an equal spec of it.

    Args:
        spec: the spec.
        asked: whether words such as `auto` stay what they are, for another machine to make something of them.
    """
    written = to_plain(spec, asked=asked)
    text = _yaml(written, visible=True)
    # Marks that turn the direction of writing would show another file than the one that is read.
    return text if text.replace("\n", "").isprintable() else _yaml(written, visible=False)


class _Readable(Emitter):
    """Writes every text so that it is read as the same."""

    def process_scalar(self) -> None:
        # Lines end between texts: within one ruamel.yaml makes one blank of several, and of a key no key.
        width, self.best_width = self.best_width, sys.maxsize
        super().process_scalar()
        self.best_width = width

    def choose_scalar_style(self) -> Any:
        style = super().choose_scalar_style()
        # Between brackets it reads these as signs, whatever follows them.
        return "'" if style == "" and self.event.value[:1] in ("?", ":") else style


def _yaml(plain: Any, *, visible: bool) -> str:
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Emitter = _Readable
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 200
    yaml.allow_unicode = visible
    text = io.StringIO()
    yaml.dump(plain, text)
    return text.getvalue()
