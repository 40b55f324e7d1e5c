"""Training a pretrained network in two phases: its head on what the frozen backbone makes of the rows, then both.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from search.training.engine import Engine, Rows
from search.training.features import Check, Features, tuned_at
from search.training.reuse import sharing
from search.training.reuse.network import Network
from spaces import DataInfo, Settings
from spaces.backbones import cutting, loading
from spaces.families.augmentation import changes
from spaces.families.pretrained import Pretrained
from spaces.families.pretrained_parts import backbone_parts, own_backbone, shared_backbone

Keep = Callable[[Hashable, int, Callable[[], Network], Settings, int], Engine]
"""Begins a training: key of the network, its parameters, what makes it, settings, seed; see `Networks`."""


class _Phase:
    """One phase on its way: its engine, and the rows as its network sees them."""

    def __init__(
        self,
        number: int,
        copies: Callable[[Rows, Check], list[Rows]],
        plain: Callable[[Rows, Check], Rows],
    ) -> None:
        self.number = number
        self.engine: Any = None
        self._copies, self._plain = copies, plain
        self._seen: dict[tuple[bool, str], list[Rows]] = {}

    def training(self, rows: Rows, check: Check) -> list[Rows]:
        """Training rows in their copies, which take turns in the epochs."""
        return self._kept(True, rows, lambda: self._copies(rows, check))

    def plain(self, rows: Rows, check: Check) -> Rows:
        """Rows unchanged."""
        return self._kept(False, rows, lambda: [self._plain(rows, check)])[0]

    def _kept(self, changed: bool, rows: Rows, make: Callable[[], list[Rows]]) -> list[Rows]:
        key = (changed, rows.part)
        if key not in self._seen:
            self._seen[key] = make()
        return self._seen[key]


class TwoPhases:
    """Trains and evaluates as `Engine` does, in the phase that an epoch belongs to.

    Up to `frozen_epochs` the backbone is frozen: only the head is there, and its rows are `Features`. After that the
    last layers of the backbone train too, with a new optimizer; where nothing random happens before them, on features
    too. Weights are those of the layers that are there: the last ones of the whole network.

    Args:
        settings: A configuration of family `pretrained` whose backbone has weights.
        info: The rows.
        seed: As for `Engine`.
        features: Gives the features.
        keep: Keeps networks.
    """

    def __init__(self, settings: Settings, info: DataInfo, seed: int, features: Features, keep: Keep) -> None:
        self._settings = settings
        self._info = info
        self._seed = seed
        self._features = features
        self._keep = keep
        family = sharing.layered(settings)
        assert isinstance(family, Pretrained)
        self._family = family
        phases = family.phases(settings)
        assert phases is not None
        self._frozen = phases.frozen
        self._phase: _Phase | None = None
        self._state: dict[str, list[np.ndarray]] | None = None

    def enter(self, epoch: int, rows: Rows, validation: Rows | None, check: Check) -> float:
        """As `Engine.enter`: the phase of the epoch, and the features that it needs.

        Where it is broken off, all is as it was after the epoch before.
        """
        before, phase = self._features.seconds, self._phase
        if phase is None and self._state is not None:
            phase = self._begun(int(self._state["phase"][0]), rows, check)
            phase.engine.restore(self._state)
        number = 1 if epoch <= self._frozen else 2
        if phase is None:
            phase = self._begun(number, rows, check)
        elif phase.number < number:
            head = phase.engine.state()["weights"]
            phase = self._begun(number, rows, check)
            variables = phase.engine.model.weights
            for variable, value in zip(variables[len(variables) - len(head) :], head, strict=True):
                variable.value.assign(value)
        if validation is not None:
            phase.plain(validation, check)
        self._phase = phase
        return self._features.seconds - before

    def train_epoch(self, rows: Rows, epoch: int, checkpoint: Check = lambda: None, ahead: int = 1) -> dict[str, float]:
        """As `Engine.train_epoch`, after `enter`."""
        copies = self._now.training(rows, checkpoint)
        if epoch <= self._frozen:
            ahead = min(ahead, self._frozen - epoch + 1)
        copy = copies[(epoch - 1) % len(copies)]
        trained: dict[str, float] = self._now.engine.train_epoch(copy, epoch, checkpoint, ahead)
        return trained

    def evaluate(self, rows: Rows, checkpoint: Check = lambda: None) -> dict[str, float]:
        """As `Engine.evaluate`, after `enter`."""
        measured: dict[str, float] = self._now.engine.evaluate(self._now.plain(rows, checkpoint), checkpoint)
        return measured

    def pace(self, rows: Rows, seconds: float) -> float:
        """As `Engine.pace`, in the first phase."""
        self.enter(1, rows, None, lambda: None)
        return float(self._now.engine.pace(self._now.training(rows, lambda: None)[0], seconds))

    def weights(self) -> list[np.ndarray]:
        """As `Engine.weights`: of the layers that are there."""
        weights: list[np.ndarray] = self._now.engine.weights()
        return weights

    def state(self) -> dict[str, list[np.ndarray]]:
        """As `Engine.state`, with the phase."""
        return {**self._now.engine.state(), "phase": [np.array(self._now.number)]}

    def restore(self, state: dict[str, list[np.ndarray]]) -> None:
        """As `Engine.restore`; the next `enter` brings it back."""
        self._state = state

    @property
    def _now(self) -> _Phase:
        assert self._phase is not None
        return self._phase

    def _begun(self, number: int, rows: Rows, check: Check) -> _Phase:
        backbone = shared_backbone(self._settings.model, self._info)
        return self._first(backbone, rows, check) if number == 1 else self._second(backbone, rows, check)

    def _first(self, backbone: keras.Model, rows: Rows, check: Check) -> _Phase:
        """The head alone."""
        settings, features, family = self._settings, self._features, self._family

        def after_pooling(settings: Settings, info: DataInfo) -> list[Any]:
            return family.head(settings, info)[1:]

        phase = _Phase(
            1,
            lambda rows, check: features.copies(settings, rows, check),
            lambda rows, check: features.pooled(settings, rows, check),
        )
        seen = phase.training(rows, check)[0]
        width = int(backbone.output_shape[-1])
        info = replace(self._info, input_shape=(width,), image_size=None)
        training = replace(settings.training, epochs=max(1, self._frozen))
        phase.engine = self._keep(
            ("head", width, self._signature()),
            width * sum(settings.model["dense_units"][:1]),
            lambda: Network(settings, info, seen, after_pooling),
            replace(settings, training=training),
            self._seed,
        )
        return phase

    def _second(self, backbone: keras.Model, rows: Rows, check: Check) -> _Phase:
        """The head with the layers of the backbone that train, and those before them from the best cut on."""
        settings, features, model = self._settings, self._features, self._settings.model
        count = cutting.trained(backbone, model["fine_tune"])
        cut = tuned_at(settings, backbone, rows.count)
        if cut is None:
            phase, seen = _Phase(2, lambda rows, check: [rows], lambda rows, check: rows), rows
        else:
            through = cut

            def at_cut(rows: Rows, check: Check) -> Rows:
                return features.at(settings, through, rows, check)

            phase = _Phase(2, lambda rows, check: [at_cut(rows, check)], at_cut)
            seen = phase.training(rows, check)[0]

        def make() -> Network:
            body, info = self._body(backbone, count, cut)
            return Network(settings, info, seen, self._family.head, body)

        training = settings.training
        slower = replace(
            training,
            epochs=max(1, training.epochs - self._frozen),
            learning_rate=training.learning_rate * training.fine_tune_rate,
        )
        changing = tuple(sorted(changes(model).items()))
        digest = loading.digest(model["backbone"], model["weights"])
        phase.engine = self._keep(
            ("tail", digest, count, cut and cut.before, changing, self._signature()),
            int(backbone.count_params()),
            make,
            replace(settings, training=slower),
            self._seed,
        )
        return phase

    def _body(self, backbone: keras.Model, count: int, cut: cutting.Cut | None) -> tuple[list[Any], DataInfo]:
        if cut is not None:
            tail = loading.copy(keras.Model(cut.tensor, backbone.output, name=backbone.name))
            cutting.thaw(tail, count)
            return [tail], replace(self._info, input_shape=tuple(tail.input_shape[1:]), image_size=None)
        model = self._settings.model
        body = [*self._family.preprocessing(model, self._info), *backbone_parts(model, self._info)]
        return own_backbone(model, body), self._info

    def _signature(self) -> Hashable:
        """As `sharing.signature`, of the head."""
        settings = self._settings
        return self._family.head_operations(settings.model), sharing.training_signature(settings.training)
