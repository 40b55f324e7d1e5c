"""`SearchSpec`: a whole space file, validated. If you hold one, it is legal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from spaces.basics.errors import CodeError, Problem, SpaceError, problem
from spaces.basics.section import Section, shown, unknown
from spaces.families import FAMILIES, ModelSection, family_named, family_of
from spaces.sections.algorithms import ALGORITHMS, Algorithm
from spaces.sections.baseline import Baseline
from spaces.sections.data_section import DataSection
from spaces.sections.search_section import (
    Constraints,
    Export,
    Final,
    KeepCheckpoints,
    Limits,
    ObjectiveRule,
    SearchSection,
)
from spaces.sections.training_section import TrainingSection, epoch_limits
from spaces.specs.checks import NAME, check
from spaces.specs.messages import problems_of
from spaces.specs.objects import with_references
from spaces.specs.resolve import all_settings
from spaces.values.dimensions import Fixed
from spaces.values.metrics import Direction, direction_of, reported_name
from spaces.values.space import Space, compile_space


@dataclass(frozen=True)
class Objective:
    """The reported value that the search makes best.

    Attributes:
        name: as the history has it, such as `val_accuracy`.
        direction: `min` or `max`, which is better.
    """

    name: str
    direction: Direction


def _default_search() -> SearchSection:
    return SearchSection.model_validate({})


class SearchSpec(Section):
    """A search space: data, model, training, and how to search.

    `SearchSpec(**mapping)` takes the same keys as a space file; paths are relative to the current directory. A function
    may stand at `model.family` itself, and arrays at `data.source`.

    Raises:
        SpaceError: with every mistake in it.
    """

    name: str = Field(
        description="Name of the space, and of its runs.", json_schema_extra={"pattern": f"^{NAME.pattern}$"}
    )
    data: DataSection = Field(description="Where the rows come from.")
    model: ModelSection = Field(description="Which models are worth trying.")
    training: TrainingSection = Field(description="How every configuration is trained.")
    search: SearchSection = Field(default_factory=_default_search, description="How to search.")
    constraints: Constraints = Field(default=Constraints(), description="What a configuration must keep to.")
    limits: Limits = Field(default=Limits(), description="What a trial or the run may use.")
    keep_checkpoints: KeepCheckpoints = Field(default=KeepCheckpoints(), description="Whose weights are kept.")
    baselines: Annotated[tuple[Baseline, ...], Field(strict=False)] = Field(
        default=(), description="Configurations that are ranked with the others."
    )
    final: Final = Field(default=Final(), description="Retraining of the best.")
    export: Export = Field(default=Export(), description="What the best model is written as.")

    def __init__(self, **data: Any) -> None:
        super().__init__(**_validated(data))

    @classmethod
    def of_run(cls, **data: Any) -> SearchSpec:
        """The space of a run that has begun: of what has no effect in it more was legal then, and stays so.

        Raises:
            SpaceError: with every mistake in it.
        """
        return cls.model_construct(**_validated(data, begun=True))

    @property
    def family(self) -> str:
        """`Settings.family` of its configurations."""
        return family_of(self.model).label(self.model)

    @property
    def objective(self) -> Objective:
        """What decides; without an objective in the file val_accuracy, or val_loss where that is not computed."""
        rule = self.search.objective
        if isinstance(rule, ObjectiveRule):
            return Objective(reported_name(rule.name), rule.direction)
        name = rule or ("val_accuracy" if "accuracy" in self.training.metrics else "val_loss")
        name = reported_name(name)
        return Objective(name, direction_of(name) or "min")

    @property
    def algorithm(self) -> Algorithm:
        """How configurations are chosen, and what that can do."""
        return ALGORITHMS[self.search.algorithm]

    @property
    def min_epochs(self) -> int:
        """Shortest training of a configuration, in epochs, or folds of a cross-validation.

        A single trial has the full length: nothing follows it.
        """
        multi_fidelity = self.algorithm.multi_fidelity
        if self.data.folds is not None:
            return 1 if multi_fidelity and self.search.max_trials != 1 else self.max_epochs
        if self.search.max_trials == 1 and multi_fidelity:
            return self.max_epochs
        decided_by_search = multi_fidelity and isinstance(self.training.epochs, Fixed)
        return 1 if decided_by_search else epoch_limits(self.training.epochs)[0]

    @property
    def max_epochs(self) -> int:
        """Longest training of a configuration, in epochs, or folds of a cross-validation."""
        if self.data.folds is not None:
            return self.data.folds.folds
        return epoch_limits(self.training.epochs)[1]

    @property
    def epochs_in_one(self) -> int:
        """Epochs at most of one unit that trainings are counted in: 1, or the length of a fold."""
        return 1 if self.data.folds is None else epoch_limits(self.training.epochs)[1]

    @cached_property
    def space(self) -> Space:
        """All settings with their conditions; without those of a function of the user's."""
        return compile_space(all_settings(self.model, self.training, epochs=not self.algorithm.multi_fidelity))[0]


def _validated(data: dict[str, Any], *, begun: bool = False) -> dict[str, Any]:
    """The sections, each validated, or a SpaceError with the mistakes of all of them."""
    data = with_references(data)
    parts: dict[str, Any] = {}
    problems = [
        problem((key,), unknown("key", key, tuple(SearchSpec.model_fields)))
        for key in data
        if key not in SearchSpec.model_fields
    ]
    for key, field in SearchSpec.model_fields.items():
        usual = field.get_default(call_default_factory=True)
        if key not in data and field.is_required():
            problems.append(problem((key,), "is missing"))
        elif key not in data or (data[key] is None and isinstance(usual, Section)):
            parts[key] = usual
        else:
            found = _section(key, data[key], problems, parts.get("model"))
            if found is not None:
                parts[key] = found
    problems += check(parts, begun=begun)
    if problems:
        raise SpaceError(problems)
    return parts


def _section(key: str, raw: Any, problems: list[Problem], model: ModelSection | None) -> Any:
    section: Any = _model_class(raw, problems) if key == "model" else SearchSpec.model_fields[key].annotation
    if section is None:
        return None
    try:
        family = None if model is None else family_of(model)
        # Which layers of a function's model take the rows in and which answer, nobody knows.
        context = {"auto_is_float32": family is not None and (family.float32_only or family.users_code)}
        return TypeAdapter(section).validate_python(raw, context=context)
    except ValidationError as error:
        problems += problems_of(error, (key,), Baseline if key == "baselines" else section)
        return None


def _model_class(raw: Any, problems: list[Problem]) -> Any:
    if isinstance(raw, ModelSection):
        return type(raw)
    if not isinstance(raw, dict):
        problems.append(problem(("model",), f"found {shown(raw)}; allowed: a mapping with a family"))
        return None
    family = raw.get("family")
    try:
        if isinstance(family, dict) or (isinstance(family, str) and family in FAMILIES):
            return family_named(family).section
        message = "is missing" if family is None else unknown("family", family, _spellings())
    except CodeError as error:
        message = str(error)
    problems.append(problem(("model", "family"), message))
    return None


def _spellings() -> list[str]:
    return ["{python: ...}" if name == "python" else name for name in FAMILIES.names()]
