"""A HyperModel that chooses how it is trained in a fit() of its own, which is refused; without it, it is taken."""

import keras
import keras_tuner
from getting_started import build, load  # noqa: F401


class Custom(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [32, 64]), shuffle=hp.Boolean("shuffle"), **kwargs)


class Plain(keras_tuner.HyperModel):
    """As above; the batch size stands in the space: `training.batch_size: [32, 64]`."""

    def build(self, hp):
        return build(hp)


class OwnStep(keras.Sequential):
    """What a training step of one's own does is done: here the loss is counted twice."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight, training)


def own_step(hp):
    model = OwnStep([keras.layers.Flatten(), keras.layers.Dense(hp.Int("units", 8, 16)), keras.layers.Dense(10)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model
