"""Which configurations can share compiled functions."""

from __future__ import annotations

from collections.abc import Hashable

from spaces import Settings

_OWN_FAMILIES = ("mlp", "cnn")


def widths_are_free(settings: Settings) -> bool:
    """Whether the compiled functions serve networks of all widths.

    So it is for dense networks without batch normalization, unless the optimizer looks at the shapes of matrices.
    Training a convolutional network takes so long that compiling for its very widths costs little.
    """
    dense = settings.family == "mlp" and not settings.model["batch_normalization"]
    return dense and settings.training.optimizer != "muon"


def signature(settings: Settings) -> Hashable | None:
    """What a configuration's compiled functions depend on; equal for configurations that can share them.

    Left out is all that is read when the functions run: learning rate, momentum, decay, dropout rate, penalties,
    smoothing, batch size. Whether these are 0 counts, for then a network has other operations and variables. None:
    they can't be shared, because only the model's author knows what it depends on.
    """
    return _signature(settings, bool(settings.model["dropout"])) if settings.family in _OWN_FAMILIES else None


def signature_with_dropout(settings: Settings) -> Hashable | None:
    """Signature of the same network with dropout, which at rate 0 gives the same bits; None if there is none."""
    return _signature(settings, True) if settings.family == "mlp" and settings.model["units"] else None


def _signature(settings: Settings, dropout: bool) -> Hashable:
    model = dict(settings.model) | {"dropout": dropout, "l2": bool(settings.model["l2"])}
    if widths_are_free(settings):
        model["units"] = len(settings.model["units"])
    training = settings.training
    return (
        settings.family,
        tuple(sorted(model.items())),
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
        bool(training.gradient_clip),
        bool(training.ema),
        training.precision,
    )
