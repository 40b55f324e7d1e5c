"""What the families of dense and of convolutional networks have in common."""

from __future__ import annotations

from dataclasses import replace

from spaces.values.kinds import Kind

ACTIVATIONS = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "mish", "tanh", "sigmoid",
    "hard_sigmoid", "softplus", "softsign", "exponential", "linear",
)  # fmt: skip

DEPTH = Kind("integer", ge=0, le=100)
COUNT = Kind("integer", ge=1, le=100)
WIDTH = Kind("integer", ge=1, le=1_000_000)
WIDTH_PER_LAYER = replace(WIDTH, per_layer=True)
FRACTION = Kind("number", ge=0, lt=1)
PENALTY = Kind("number", ge=0)
FLAG = Kind("boolean")
ACTIVATION = Kind("word", words=ACTIVATIONS)
