"""The signature of a serving bundle: encoded images or named columns in, class names and probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from results.exporting.serving.columns import encoded
from results.exporting.serving.inputs import COLUMNS, IMAGE, served_inputs, takes
from spaces import DataInfo
from spaces.models.outputs import OutputKind
from spaces.models.thresholds import PLAIN


def write_bundle(
    model: keras.Model, info: DataInfo, output: OutputKind, path: Path, threshold: float | None = None
) -> None:
    """Writes a SavedModel whose signature `serving_default` does everything from the file to the name of the class.

    Its answers are `class`, `confidence`, `classes` and `probabilities`, of shapes (n,), (n,), (n, classes) and
    (n, classes); where a row may have several labels `labels`, joined by a comma, in the place of the first two; or
    `values` of shape (n, outputs) in regression.

    Args:
        model: What `inference_model` gave.
        info: The rows it takes.
        output: What it returns.
        path: The folder, which is made.
        threshold: Probability from which on a row belongs to the second of two classes; None: the more probable.
    """
    inputs = served_inputs(info)
    shape = (None, *info.input_shape) if inputs[0].name == "rows" else (None,)
    given = [tf.TensorSpec(shape, tf.as_dtype(one.dtype), one.name) for one in inputs]
    rows = {IMAGE: _pixels, COLUMNS: _columns}.get(takes(info), _bare)
    names = info.class_names or tuple(map(str, range(max(2, model.output_shape[-1]))))

    def serve(*tensors: Any) -> dict[str, Any]:
        answers = tf.cast(model(tf.cast(rows(tensors, info), model.inputs[0].dtype), training=False), tf.float32)
        answers = tf.reshape(answers, (tf.shape(answers)[0], -1))
        if output == "values":
            return {"values": answers}
        return _classes(answers, output, names, threshold, several=info.labels == "multi-label")

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", serve, input_signature=given)
    archive.write_out(path, verbose=False)


def _classes(
    answers: Any, output: OutputKind, names: tuple[str, ...], threshold: float | None, *, several: bool
) -> dict[str, Any]:
    single = answers.shape[-1] == 1
    if output == "logits":
        answers = tf.sigmoid(answers) if single or several else tf.nn.softmax(answers)
    if single:
        answers = tf.concat([1.0 - answers, answers], axis=1)
    all_names = tf.tile(tf.constant([names]), (tf.shape(answers)[0], 1))
    found = {"classes": all_names, "probabilities": answers}
    if several:
        given = tf.ragged.boolean_mask(all_names, answers >= PLAIN)
        return {"labels": tf.strings.reduce_join(given, axis=1, separator=", "), **found}
    chosen = tf.argmax(answers, axis=1) if threshold is None else tf.cast(answers[:, 1] >= threshold, tf.int64)
    confidence = tf.gather(answers, chosen, axis=1, batch_dims=1)
    return {"class": tf.gather(tf.constant(names), chosen), "confidence": confidence, **found}


def _bare(tensors: tuple[Any, ...], info: DataInfo) -> Any:
    return tensors[0]


def _pixels(tensors: tuple[Any, ...], info: DataInfo) -> Any:
    """Decoded, resized and brought to the range of the rows as `spaces.data.inputs.read_image` does."""
    (height, width), channels = info.input_shape[:2], info.channels

    def one(content: Any) -> Any:
        pixels = tf.io.decode_image(content, channels=channels, expand_animations=False)
        pixels.set_shape((None, None, channels))
        return tf.image.resize(pixels, (height, width), method="bilinear", antialias=info.smooth)

    pixels = tf.map_fn(one, tensors[0], fn_output_signature=tf.TensorSpec((height, width, channels), tf.float32))
    if info.white is not None and info.white != 255:
        pixels *= np.float32(info.white / 255)
    if info.dtype == "uint8":
        pixels = tf.round(pixels)
    return tf.reshape(pixels, (-1, *info.input_shape))


def _columns(tensors: tuple[Any, ...], info: DataInfo) -> Any:
    return tf.concat([encoded(one, given) for one, given in zip(info.encodings, tensors, strict=True)], axis=1)
