"""What a frozen backbone makes of the rows: computed once, kept in the run directory, shared by all workers.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from search.errors import DiskError
from search.files import layout
from search.record.seeds import derive
from search.training.engine import Rows
from search.training.feature_files import MOST_BYTES
from search.training.reuse.sharing import layered
from spaces import DataInfo, Settings
from spaces.backbones import loading
from spaces.backbones.cutting import Cut, best_cut
from spaces.backbones.folding import folded
from spaces.families.augmentation import changes
from spaces.families.pretrained import POOLING
from spaces.families.pretrained_parts import backbone_parts, shared_backbone
from spaces.layers.layers import preprocessing_layers
from spaces.layers.parts import connected

_BATCH = 32
_BYTES = 4
_TICK = 0.05
_JOINED = "train+validation"

Batches = Iterator[dict[str, np.ndarray]]
Check = Callable[[], None]
"""Called now and then while something takes long; it may raise to break it off."""


class Features:
    """The features of one data set in a run directory.

    Args:
        run: The run directory.
        info: The rows.
        part: Gives the rows of a part by its name.

    Attributes:
        seconds: Spent on computing features, and on waiting for others who did.
    """

    def __init__(self, run: Path, info: DataInfo, part: Callable[[str], Rows]) -> None:
        self._folder = run / layout.FEATURES
        self._info = info
        self._part = part
        self._mapped: dict[Path, np.ndarray] = {}
        self.seconds = 0.0

    def pooled(self, settings: Settings, rows: Rows, check: Check) -> Rows:
        """The rows, unchanged, as the head sees them."""
        return rows.seen_as(self._pooled(settings, rows, None, check))

    def copies(self, settings: Settings, rows: Rows, check: Check) -> list[Rows]:
        """The rows as the head sees them, in as many randomly changed copies as the settings ask for; at least one."""
        count = settings.model["augmentation_copies"] if changes(settings.model) else 0
        if not count:
            return [self.pooled(settings, rows, check)]
        return [rows.seen_as(self._pooled(settings, rows, copy, check)) for copy in range(count)]

    def at(self, settings: Settings, cut: Cut, rows: Rows, check: Check) -> Rows:
        """The rows, unchanged, as they pass a place in the backbone; the cut is one of the shared backbone."""

        def values(rows: Rows) -> np.ndarray:
            place = self._map_place(settings, cut, rows)
            self._require({"map": place}, rows.count, lambda _: self._maps(settings, cut, rows, check), check)
            return self._read(place)

        return rows.seen_as(self._joined(rows, values))

    def _pooled(self, settings: Settings, rows: Rows, copy: int | None, check: Check) -> np.ndarray:
        """Both poolings are computed at once: it is the feature map, of which they are made, that takes time.

        So is what a configuration that will be fine-tuned needs then, by whoever comes first.
        """
        changed = {} if copy is None else changes(settings.model)
        cut = None if copy is not None else self._cut(settings)

        def values(rows: Rows) -> np.ndarray:
            name = rows.part if copy is None else f"{rows.part}-{copy}"
            places = {p: self._place(settings, changed, f"{name}-{p}") for p in POOLING.words}
            also = {} if cut is None else {"map": self._map_place(settings, cut, rows)}

            def compute(also: bool) -> Batches:
                return self._vectors(settings, copy, cut if also else None, rows, check)

            self._require(places, rows.count, compute, check, also)
            return self._read(places[settings.model["pooling"]])

        return self._joined(rows, values)

    def _joined(self, rows: Rows, values: Callable[[Rows], np.ndarray]) -> np.ndarray:
        if rows.part != _JOINED:
            return values(rows)
        return np.concatenate([values(self._part(name)) for name in _JOINED.split("+")])

    def _cut(self, settings: Settings) -> Cut | None:
        """Where the second phase of a configuration will begin; None where it needs no features."""
        if not settings.model["fine_tune"]:
            return None
        return tuned_at(settings, shared_backbone(settings.model, self._info), self._part("train").count)

    def _map_place(self, settings: Settings, cut: Cut, rows: Rows) -> Path:
        return self._place(settings, {"cut": cut.before}, f"{rows.part}-map")

    def _place(self, settings: Settings, what: Mapping[str, Any], name: str) -> Path:
        model = settings.model
        key = [loading.digest(model["backbone"], model["weights"]), self._info.to_json(), dict(what)]
        folder = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        return self._folder / folder / f"{name}.npy"

    def _vectors(self, settings: Settings, copy: int | None, cut: Cut | None, rows: Rows, check: Check) -> Batches:
        """Poolings of the feature map, and with a cut what passes it."""
        changing = [] if copy is None else layered(settings).augmentation_layers(settings.model, self._info)
        before, backbone = self._parts(settings, changing)
        pools = {"average": keras.layers.GlobalAveragePooling2D(), "max": keras.layers.GlobalMaxPooling2D()}
        outputs = [backbone.output] if cut is None else [backbone.output, cut.tensor]
        network = folded(keras.Model(backbone.input, outputs))
        _seed(changing, derive(0, "augmented", rows.part, copy))

        def vectors(x: Any) -> dict[str, Any]:
            for part in before:
                x = part(x, training=True) if part in changing else connected([part], x)
            found, *passing = keras.tree.flatten(network(x, training=False))
            pooled = {name: pool(found) for name, pool in pools.items()}
            return {**pooled, "map": passing[0]} if passing else pooled

        return _through(vectors, rows, check)

    def _maps(self, settings: Settings, cut: Cut, rows: Rows, check: Check) -> Batches:
        before, backbone = self._parts(settings, [])
        trunk = folded(keras.Model(backbone.input, cut.tensor))
        return _through(lambda x: {"map": trunk(connected(before, x), training=False)}, rows, check)

    def _parts(self, settings: Settings, changing: list[Any]) -> tuple[list[Any], keras.Model]:
        """What comes before the backbone, and the backbone."""
        *before, backbone = backbone_parts(settings.model, self._info)
        first = preprocessing_layers(replace(self._info, scale=None), changing, channels=True)
        return [*first, *before], backbone

    def _require(
        self,
        places: Mapping[str, Path],
        count: int,
        compute: Callable[[bool], Batches],
        check: Check,
        also: Mapping[str, Path] | None = None,
    ) -> None:
        """Sees to it that files are there; of several workers that need them one computes, the others wait.

        Where they have to be computed, `also` are made with them, if they are missing: `compute` is told so.
        """
        if all(place in self._mapped for place in places.values()):
            return
        folder = next(iter(places.values())).parent
        started = time.perf_counter()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / "lock", check):
                if not all(_holds(place, count) for place in places.values()):
                    more = {} if also is None or all(_holds(place, count) for place in also.values()) else also
                    for place in more.values():
                        place.parent.mkdir(parents=True, exist_ok=True)
                    _write({**places, **more}, count, compute(bool(more)))
        except OSError as error:
            raise DiskError(f"{folder}: the features cannot be written ({error.strerror or error})") from error
        finally:
            self.seconds += time.perf_counter() - started

    def _read(self, place: Path) -> np.ndarray:
        if place not in self._mapped:
            # Copied on writing, which nobody does: TensorFlow takes over only memory that may be written to.
            self._mapped[place] = np.load(place, mmap_mode="c", allow_pickle=False)
        return self._mapped[place]


def tuned_at(settings: Settings, backbone: keras.Model, rows: int) -> Cut | None:
    """Where the second phase begins; None: at the rows themselves, because something random happens before.

    Args:
        settings: A configuration that is fine-tuned.
        backbone: The shared one.
        rows: How many there are.
    """
    if changes(settings.model):
        return None
    return best_cut(backbone, settings.model["fine_tune"], MOST_BYTES // _BYTES // rows)


def sizes(settings: Settings, info: DataInfo, train: int, validation: int) -> dict[Any, int]:
    """Bytes of the features that a configuration needs, by what tells them apart.

    Args:
        settings: A configuration whose training begins frozen.
        info: The rows.
        train: Rows that train.
        validation: Rows that validate.
    """
    model = settings.model
    backbone = shared_backbone(model, info)
    digest, width = loading.digest(model["backbone"], model["weights"]), int(backbone.output_shape[-1])
    vectors = len(POOLING.words) * _BYTES * width
    found: dict[Any, int] = {(digest, "validation"): vectors * validation}
    if changed := tuple(sorted(changes(model).items())):
        found[digest, changed] = vectors * (train + validation) * int(model["augmentation_copies"])
    else:
        found[digest, "train"] = vectors * train
    cut = tuned_at(settings, backbone, train) if model["fine_tune"] else None
    return found if cut is None else {**found, (digest, cut.before): _BYTES * cut.values * (train + validation)}


def _holds(place: Path, count: int) -> bool:
    """Whether a file holds values of so many rows: what was cut off since it was written, or put there, does not."""
    if not place.is_file():
        return False
    try:
        found = np.lib.format.open_memmap(place, "r")
    except Exception:  # a damaged file can make its reader raise anything
        return False
    return found.ndim > 0 and len(found) == count


def _write(places: Mapping[str, Path], count: int, batches: Batches) -> None:
    """Writes beside and renames, so that a file that has its name is complete."""
    beside = {name: place.with_suffix(".part") for name, place in places.items()}
    arrays: dict[str, np.memmap[Any, Any]] = {}
    done = 0
    try:
        for batch in batches:
            for name, values in batch.items():
                if name not in arrays:
                    arrays[name] = _mapped(beside[name], (count, *values.shape[1:]), values.dtype)
                arrays[name][done : done + len(values)] = values
            done += len(next(iter(batch.values())))
        for name, array in arrays.items():
            array.flush()
            os.replace(beside[name], places[name])
    except BaseException:
        for part in beside.values():
            part.unlink(missing_ok=True)
        raise


def _mapped(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.memmap[Any, Any]:
    """An array in a file that has all its room: on a full disk, writing to a page without any ends the process."""
    array = np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=shape)
    with open(path, "r+b") as stream:
        size = os.fstat(stream.fileno()).st_size
        os.posix_fallocate(stream.fileno(), 0, size)
    return array


def _seed(layers: list[Any], seed: int) -> None:
    states = [v for layer in layers for v in layer.variables if v.path.endswith("seed_generator_state")]
    for index, state in enumerate(states):
        state.assign(np.array([derive(seed, "layer", index), 0], dtype=np.uint32))


def _through(network: Callable[[Any], dict[str, Any]], rows: Rows, check: Check) -> Batches:
    """What a network makes of the rows, batch by batch."""
    signature = [tf.TensorSpec([None, *rows.x.shape[1:]], rows.x.dtype)]
    run = tf.function(network, jit_compile=False, autograph=False, input_signature=signature)
    for start in range(0, rows.count, _BATCH):
        check()
        yield {name: values.numpy() for name, values in run(rows.between(start, start + _BATCH)).items()}


@contextmanager
def _locked(path: Path, check: Check) -> Iterator[None]:
    """The kernel's lock on a file: it vanishes with its holder, however that ends."""
    with open(path, "w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check()
                time.sleep(_TICK)
        yield
