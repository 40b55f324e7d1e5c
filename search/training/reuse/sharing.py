"""Which configurations can share compiled functions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from spaces import Settings, TrainingSettings
from spaces.families import family_of_settings
from spaces.families.layered import Layered
from spaces.sections.training_section import OPTIMIZERS


def widths_are_free(settings: Settings) -> bool:
    """Whether the compiled functions serve networks of all widths."""
    return layered(settings).widths_are_free(settings.model) and not _looks_at_shapes(settings)


def layered(settings: Settings) -> Layered:
    """The family of a configuration that shares compiled functions."""
    family = family_of_settings(settings.family)
    assert isinstance(family, Layered)
    return family


def signature(settings: Settings) -> Hashable | None:
    """What a configuration's compiled functions depend on; equal for configurations that can share them.

    Left out is all that is read when the functions run: learning rate, momentum, decay, dropout rate, penalties,
    smoothing, batch size. Whether these are 0 counts, for then a network has other operations and variables. None:
    they can't be shared, because only the model's author knows what it depends on.
    """
    family = family_of_settings(settings.family)
    operations = family.operations(settings.model)
    if operations is None:
        return None
    shapes = tuple(settings.model[name] for name in family.stacks) if _looks_at_shapes(settings) else ()
    return settings.family, operations, shapes, training_signature(settings.training)


def training_signature(training: TrainingSettings) -> Hashable:
    """What compiled functions depend on besides the network."""
    return (
        training.optimizer,
        bool(training.momentum),
        training.nesterov,
        bool(training.weight_decay),
        bool(training.learning_rate_decay),
        training.loss,
        training.metrics,
        training.schedule,
        bool(training.warmup),
        bool(training.label_smoothing),
        bool(training.focal_gamma),
        training.weighs_classes,
        bool(training.gradient_clip),
        bool(training.ema),
        training.precision,
    )


def signature_with_dropout(settings: Settings) -> Hashable | None:
    """Signature of the same network with dropout, which at rate 0 gives the same bits; None if there is none."""
    model = layered(settings).with_dropout(settings.model)
    return None if model is None else signature(replace(settings, model=model))


def _looks_at_shapes(settings: Settings) -> bool:
    return OPTIMIZERS[settings.training.optimizer].looks_at_shapes
