"""Values and gradients by JAX, of a function that it compiles as one: step by step, it compiles each for each shape."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def value_and_gradients(
    function: Callable[..., Any], arrays: Sequence[np.ndarray], cotangent: Any
) -> tuple[np.ndarray, list[np.ndarray]]:
    """What a function of float64 arrays gives, and its gradient by each where that by its value is the cotangent."""
    import jax

    @jax.jit
    def both(cotangent, *given):
        value, pull = jax.vjp(function, *given)
        return value, pull(cotangent)

    with jax.enable_x64(True):
        value, gradients = both(np.asarray(cotangent), *arrays)
        return np.asarray(value), [np.asarray(one) for one in gradients]
