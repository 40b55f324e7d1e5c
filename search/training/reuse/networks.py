"""The networks that a trainer keeps, so that most trials find theirs compiled.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable

import spaces
from search.training.engine import Engine, Rows, fresh
from search.training.features import Features
from search.training.reuse import sharing
from search.training.reuse.network import Network
from search.training.reuse.switch import reuse
from search.training.two_phases import TwoPhases
from spaces import DataInfo, Settings
from spaces.families import family_of_settings
from spaces.outside.backend import clear_session

# A space has tens of depths, activations and optimizers together, rarely more.
_MOST_NETWORKS = 32
# All kept networks together, parameters only: gradients and the optimizer's variables take up to three times as much.
_MOST_PARAMETERS = 20_000_000
# TensorFlow remembers how it made each variable, some 30 kB, until its caches are cleared, also those of how it
# executes the compiled functions: half a second of work.
_TRAININGS_PER_CLEARING = 500


class Networks:
    """Keeps the networks that were used last.

    Args:
        info: The rows that all networks are for.
        features: What frozen backbones make of them; None where there are none.
    """

    def __init__(self, info: DataInfo, features: Features | None = None) -> None:
        self._info = info
        self._features = features
        self._fresh = False
        self._trained = 0
        self._kept: OrderedDict[Hashable, tuple[Network, int]] = OrderedDict()

    def parameters(self, settings: Settings) -> int:
        """Parameters of a configuration's model, trainable or not; raises what `spaces.count_parameters` raises."""
        return spaces.count_parameters(settings, self._info)

    def engine(self, settings: Settings, seed: int, rows: Rows, parameters: int) -> Engine | TwoPhases:
        """An engine whose model is in the state of `spaces.build_model(settings, info, seed)`.

        Args:
            settings: The configuration.
            seed: Seed of its weights, of shuffling and of the random layers.
            rows: Rows to train on.
            parameters: How many parameters it has.
        """
        if family_of_settings(settings.family).begins_frozen(settings.model):
            assert self._features is not None
            return TwoPhases(settings, self._info, seed, self._features, self._keep)
        # A callback may change the model in any way.
        key = sharing.signature(settings) if reuse() and not settings.training.callbacks else None
        if key is None:
            self._fresh = True
            engine = fresh(settings, self._info, seed)
            engine.prepare(rows)
            return engine
        with_dropout = sharing.signature_with_dropout(settings)
        if key not in self._kept and with_dropout in self._kept:
            key = with_dropout
        return self._keep(key, parameters, lambda: Network(settings, self._info, rows), settings, seed)

    def _keep(
        self, key: Hashable, parameters: int, make: Callable[[], Network], settings: Settings, seed: int
    ) -> Engine:
        """Begins a training with the network that is kept under a key, or that is made and kept now."""
        if not reuse():
            self._fresh = True
            return make().begin(settings, seed)
        network = self._kept.pop(key)[0] if key in self._kept else None
        self._make_room(parameters)
        if network is None:
            network = make()
        engine = network.begin(settings, seed)
        # Kept only now: one that cannot be built or begun would fail the next trial too.
        self._kept[key] = network, parameters
        return engine

    def tidy(self) -> None:
        """Called after each training: gives up what it left behind."""
        self._trained += 1
        if self._fresh or self._trained % _TRAININGS_PER_CLEARING == 0:
            self._fresh = False
            clear_session()
        gc.collect(1)

    def forget(self) -> None:
        """Gives up all networks."""
        self._kept.clear()
        gc.collect()

    def _make_room(self, parameters: int) -> None:
        removed = False
        while self._kept and (
            len(self._kept) >= _MOST_NETWORKS
            or sum(size for _, size in self._kept.values()) + parameters > _MOST_PARAMETERS
        ):
            self._kept.popitem(last=False)
            removed = True
        if removed:
            # Compiled functions refer to each other in circles.
            gc.collect()
