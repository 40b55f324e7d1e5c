"""One entry of `baselines:`: a configuration with its own protocol."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from spaces.basics.section import Name, Refusals, Section, refuse, shown
from spaces.sections.training_section import EarlyStoppingRule
from spaces.values.dimensions import Value

AS_SPACE: Literal["space"] = "space"


def _values(raw: Any) -> dict[str, Value]:
    if not isinstance(raw, dict):
        raise refuse(f"found {shown(raw)}; allowed: a mapping from hyperparameters to values")
    refusals = Refusals()
    for name, value in raw.items():
        if not isinstance(value, bool | int | float | str):
            refusals.add(f"found {shown(value)}; allowed: one value", name)
        elif isinstance(value, float) and not math.isfinite(value):
            refusals.add(f"found {shown(value)}; allowed: finite numbers", name)
    refusals.raise_if_any()
    return dict(raw)


_SCALAR: dict[str, JsonValue] = {"type": ["boolean", "number", "string"]}


def _early_stopping(raw: Any) -> Any:
    if isinstance(raw, dict):
        return EarlyStoppingRule.model_validate(raw)
    if raw is not None and raw != AS_SPACE and not isinstance(raw, EarlyStoppingRule):
        raise refuse(f"found {shown(raw)}; allowed: {AS_SPACE}, null for none, or a mapping with patience")
    return raw


class Baseline(Section):
    """A configuration that is ranked with the others; its values may lie outside the ranges."""

    name: Name = Field(description="Name in the ranked table.")
    description: str | None = Field(default=None, description="Where it comes from.")
    values: Annotated[dict[str, Value], BeforeValidator(_values)] = Field(
        default_factory=dict,
        description="Value of every hyperparameter, under its flat name (units_0), or of all layers (units).",
        json_schema_extra={"type": "object", "additionalProperties": _SCALAR},
    )
    epochs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Epochs at most; default: the space's most."
    )
    batch_size: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Rows per update.")
    early_stopping: Annotated[Literal["space"] | EarlyStoppingRule | None, BeforeValidator(_early_stopping)] = Field(
        default=AS_SPACE, description="Its own rule, null for none; `space`: the rule of the space."
    )

    @property
    def asked(self) -> dict[str, Value]:
        """The values that ask for something: what is 0, false or `none` is off."""
        return {name: value for name, value in self.values.items() if value not in (0, "none")}
