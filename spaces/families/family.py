"""What a family of models says about itself. Everything else asks it, and never for its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from spaces.basics.section import Section
from spaces.values.dimensions import Value
from spaces.values.setting import Setting, assemble

if TYPE_CHECKING:
    from collections.abc import Hashable

    import keras

    from spaces.data.types import DataInfo
    from spaces.models.settings import Settings
    from spaces.specs.spec import SearchSpec
    from spaces.values.space import Hyperparameter


class ModelSection(Section):
    """The section `model` of a family; each adds `family: Literal["its name"]` and its settings."""

    @property
    def family_name(self) -> str:
        """The name of the family, whose key is the only one where `family` is a mapping."""
        written: Any = getattr(self, "family", None)
        return written if isinstance(written, str) else next(iter(type(written).model_fields))


@dataclass(frozen=True)
class Phases:
    """How a training that begins with a frozen backbone goes on.

    Attributes:
        backbone: The backbone's name: with the same one, a row takes as long.
        frozen: Epochs of the first phase.
        copies: So often the training rows pass the backbone for them. More than once: they change at random, and in
            the second phase they pass it in every epoch.
        tuned: Share of the backbone that trains in the second phase; 0: there is none.
    """

    backbone: str
    frozen: int
    copies: int
    tuned: float


class Family:
    """One kind of models: what a space file says of them, and how they are made.

    A family is a stateless object, registered in `spaces.families` or under the entry points `nightshift.families`.
    Its module is imported by commands that only read, so it imports Keras and TensorFlow in functions only. Families
    whose models are lists of layers are subclasses of `spaces.families.layered.Layered`.

    Attributes:
        name: What the space file has under `model.family`.
        section: Its schema.
        stacks: Each setting that layers have of their own, with the setting that counts these layers.
        sizes: Words of its settings from light to heavy, for the smallest and the largest model that `check` builds.
        added: Settings that stored runs of earlier versions do not have, with what their models were built with.
        users_code: Whether code of the user's makes the models, so that nobody knows beforehand what they report and
            which values they ask for. They are trained in worker processes.
        scales_targets: Whether a regression is learnt on the scale that `DataInfo.target` names, its models ending in
            `spaces.layers.loss.output_scaling`.
        own_pixels: Whether its models bring pixels to a scale of their own, whatever that of the data is.
        one_process: Whether one training at a time uses all cores as well as several do, and shares what it has made.
        rows: What its models take, `image` or `series`, where only one of them will do: rows of two axes are then taken
            for that. None: whatever comes.
        two_phases: Whether its trainings may begin with a frozen backbone, so that `training.frozen_epochs` and
            `fine_tune_rate` may have an effect.
        float32_only: Whether its models compute in float32 alone, so that `training.precision` has nothing to choose.
    """

    name: ClassVar[str]
    section: ClassVar[type[ModelSection]]
    stacks: ClassVar[Mapping[str, str]] = {}
    sizes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    added: ClassVar[Mapping[str, Value]] = {}
    users_code: ClassVar[bool] = False
    scales_targets: ClassVar[bool] = False
    own_pixels: ClassVar[bool] = False
    one_process: ClassVar[bool] = False
    rows: ClassVar[Literal["image", "series"] | None] = None
    two_phases: ClassVar[bool] = False
    float32_only: ClassVar[bool] = False

    def label(self, section: Any) -> str:
        """`Settings.family`: the name, or `name:more` where the name alone does not say how to build."""
        return self.name

    def settings(self, section: Any) -> list[Setting]:
        """All settings that may be hyperparameters, each after those that it needs."""
        raise NotImplementedError

    def hyperparameters(self, spec: SearchSpec) -> tuple[Hyperparameter, ...]:
        """What the search decides besides settings; it may import code of the user's.

        Raises:
            CodeError: That code cannot be used.
            SpaceError: It and the space file contradict each other.
        """
        return ()

    def unasked(self, spec: SearchSpec, values: Mapping[str, Value], trained: Collection[str]) -> Mapping[str, str]:
        """Values that code of the user's asks for nowhere, which it imports for that, and why they have no effect.

        Args:
            spec: The space file.
            values: Those of one configuration.
            trained: Names of what the training section may decide.

        Raises:
            CodeError: That code cannot be used.
        """
        return {}

    def assemble(self, section: Any, flat: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Any]:
        """`Settings.model`.

        Args:
            section: Section `model` of the space file.
            flat: A value for every setting that has an effect or a default, under its flat name.
            values: Those of the active hyperparameters.
        """
        return {**assemble(self.settings(section), self.stacks, flat), "output": section.output}

    def without_effect(self, model: Mapping[str, Any]) -> Mapping[str, str]:
        """Settings that ask for something which a complete `Settings.model` has no place for, and why, in words."""
        return {}

    def begins_frozen(self, model: Mapping[str, Any]) -> bool:
        """Whether a training begins with a frozen backbone; `model` is `Settings.model`.

        Only a `spaces.families.pretrained.Pretrained` family can be trained so.
        """
        return False

    def phases(self, settings: Settings) -> Phases | None:
        """How a training of two phases goes on; None where all its epochs take the same time."""
        return None

    def becomes_dearer(self, section: Any) -> bool:
        """Whether later epochs of a training are far dearer than its first, and these come by the hundred."""
        return False

    def require(self, spec: SearchSpec, info: DataInfo) -> list[str]:
        """Loads what its models are made of besides the space file and the rows.

        Returns:
            What somebody should know of it before the night, a sentence each.

        Raises:
            DataError: Something is missing, or cannot be used with these rows.
        """
        return []

    def advice(self, spec: SearchSpec) -> list[str]:
        """What somebody should know of a space before its run begins, a sentence each."""
        return []

    def files(self, spec: SearchSpec) -> dict[str, str]:
        """Files that its models are made of, each with a digest of its content."""
        return {}

    def sources(self, spec: SearchSpec) -> dict[str, str]:
        """The user's files that its models are built by, each with a digest of what it says."""
        return {}

    def frozen_parameters(self, settings: Settings, info: DataInfo, epochs: int | None = None) -> int:
        """Parameters that a training of so many epochs leaves as they were; None: of full length.

        Averages of normalizations that are trained count as trained.
        """
        return 0

    def code(self, label: str) -> str | None:
        """The reference to the user's code that builds a configuration's model; None where there is none."""
        return None

    def output(self, model: Mapping[str, Any]) -> str:
        """What the model answers for every class, `probabilities` or `logits`; `model` is `Settings.model`."""
        return str(model.get("output", "probabilities"))

    def own_precision(self) -> AbstractContextManager[None]:
        """Inside, layers compute in float32 where nothing else is asked for, whatever policy is set for all of Keras's.

        A user's function goes by that policy: its module may have set it.
        """
        from spaces.layers.layers import computing_in

        return nullcontext() if self.users_code else computing_in("float32")

    def threads(self, cores: int) -> int:
        """Threads that one operation of its models is worth to be spread over, at most `cores`."""
        return cores

    def build(self, settings: Settings, info: DataInfo) -> keras.Model:
        """The model of one configuration, compiled only where the user's code has done so.

        Raises:
            ValueError: It cannot be built for these data; the message says why.
        """
        raise NotImplementedError

    def count_parameters(self, settings: Settings, info: DataInfo) -> int:
        """Parameters of the model, trainable or not; raises what `build` raises."""
        return int(self.build(settings, info).count_params())

    def operations(self, model: Mapping[str, Any]) -> Hashable | None:
        """What of `Settings.model` its compiled functions depend on; None where they are never shared.

        Models of equal `operations` may differ in weights and in the numbers that are read while training: the rate of
        all dropout and the penalty, settings `dropout` and `l2`, which count only as being 0 or not, and widths where
        `widths_are_free`. Only a `Layered` family can share.
        """
        return None
