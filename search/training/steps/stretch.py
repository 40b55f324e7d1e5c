"""Many steps of an epoch in one compiled function, and on a GPU, once that pays, with each step as one XLA program.

Imported only where something is trained: the module needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

STEPS_THAT_PAY = 2_000
"""Steps of a network after which XLA is worth its compilation on a GPU.

On an NVIDIA H200 a residual network of Fashion-MNIST in batches of 128 took 9.7 ms a step, nearly all of it to launch
kernels, and 2.9 ms as one XLA program, whose compilation took 14 seconds longer. Whoever compiles when he has paid as
much without has never paid more than twice what he had to; whoever knows that as many steps are to come compiles at
once.
"""


def pays(model: Any) -> bool:
    """Whether XLA may come to pay for a model: on a GPU, for weights whose widths stay what they are.

    On a CPU it costs seconds of compilation and makes small convolutions slower.
    """
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    return on_gpu and all(variable.value.shape.is_fully_defined() for variable in model.variables)


class Stretch:
    """Makes steps of an epoch, gathering the rows of each; one serves all parts of a data set.

    Args:
        step: Makes one step with some rows.
        parts: What a step takes of each row, shapes (n, ...).
        xla_after: XLA compiles the step once so many have been made or are known to come; None: it never does.
    """

    def __init__(self, step: Callable[[Any], Any], *parts: Any, xla_after: int | None = None) -> None:
        self._parts = [tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in parts]
        self._step = step
        self._plain = self._compiled(step)
        self._fast: Any = None
        self._xla_after = xla_after
        self._made = self._planned = 0

    def expect(self, steps: int) -> None:
        """Says that so many steps are to come, those of the next call among them."""
        self._planned = self._made + steps

    def __call__(self, order: Any, batch: int, start: int, stop: int, *parts: Any) -> None:
        """Makes the steps from `start` to `stop`.

        Args:
            order: Numbers of the rows, int32 of shape (n,).
            batch: Rows in a step.
            start: The first step, from 0.
            stop: The step after the last one.
            parts: As for the constructor.
        """
        whole = start
        if self._xla_after is not None and max(self._made, self._planned) >= self._xla_after:
            # A last step of fewer rows would have to be compiled for itself.
            whole = self._fast_steps(order, batch, start, min(stop, int(order.shape[0]) // batch), parts)
        if whole < stop:
            self._call(self._plain, order, batch, whole, stop, parts)
        self._made += stop - start

    def _fast_steps(self, order: Any, batch: int, start: int, stop: int, parts: tuple[Any, ...]) -> int:
        """Makes the steps with XLA and says how far it came; what it cannot compile, it never gets again."""
        if start >= stop:
            return start
        first = self._fast is None
        if first:
            self._fast = self._compiled(tf.function(self._step, jit_compile=True, autograph=False))
        try:
            self._call(self._fast, order, batch, start, stop, parts)
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError:
            if not first:
                raise
            # It fails before it has made a step.
            self._fast = self._xla_after = None
            return start
        return stop

    @staticmethod
    def _call(function: Any, order: Any, batch: int, start: int, stop: int, parts: tuple[Any, ...]) -> None:
        with tf.device("/CPU:0"):
            numbers = [tf.constant(number) for number in (batch, start, stop)]
        function(order, *numbers, *parts)

    def _compiled(self, step_function: Callable[[Any], Any]) -> Any:
        number = tf.TensorSpec((), tf.int32)

        # AutoGraph would translate Keras's source code, which has nothing to translate.
        @tf.function(  # type: ignore[untyped-decorator]
            jit_compile=False,
            autograph=False,
            input_signature=[tf.TensorSpec([None], tf.int32), *[number] * 3, *self._parts],
        )
        def run(order: Any, batch: Any, start: Any, stop: Any, *parts: Any) -> None:
            def make_step(step: Any) -> Any:
                index = order[step * batch : (step + 1) * batch]
                with tf.device("/CPU:0"):
                    rows = tuple(tf.gather(part, index) for part in parts)
                step_function(rows)
                return step + 1

            tf.while_loop(lambda step: step < stop, make_step, [start], parallel_iterations=1)

        return run
