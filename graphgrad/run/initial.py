"""Initial values of parameters and states."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node

Array = np.ndarray[Any, Any]


def initial_values(leaves: Iterable[Node], rng: np.random.Generator | None) -> dict[str, Array]:
    """An array for each parameter and state among these leaves, by name, drawn in their order.

    Raises
    ------
    ArgumentError
        If `rng` is no generator.
    ShapeError
        If a parameter has a symbolic size.
    """
    generator = np.random.default_rng() if rng is None else rng
    if not isinstance(generator, np.random.Generator):
        raise ArgumentError(
            f"init takes a numpy.random.Generator, not {type(rng).__name__}",
            hint="np.random.default_rng(0)",
        )
    return {
        leaf.attrs["name"]: _initial(leaf, generator) for leaf in leaves if leaf.op.name in ("param", "state")
    }


def _initial(leaf: Node, rng: np.random.Generator) -> Array:
    if not all(isinstance(size, int) for size in leaf.shape):
        raise ShapeError(
            f"{leaf.name!r} has a size that is known only at a call, so it has no initial value",
            saw=[leaf.describe()],
        )
    shape = tuple(int(size) for size in leaf.shape if isinstance(size, int))
    scheme = leaf.attrs["identity"].init
    return (
        np.zeros(shape, leaf.dtype)
        if scheme is None
        else np.asarray(scheme(rng, shape, leaf.dtype), leaf.dtype)
    )
