"""Numeric derivatives: slow, simple, and independent of everything they check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def numeric_gradient(
    function: Callable[..., Array], arrays: Sequence[Array], index: int, cotangent: Array, step: float = 1e-6
) -> Array:
    """The gradient of ``sum(cotangent * function(*arrays))`` by ``arrays[index]``, by central differences.

    The step is relative to each element's size. In float64 the error is around 1e-9 for well-scaled
    functions.

    >>> numeric_gradient(np.sin, [np.zeros(1)], 0, np.ones(1)).round(6)
    array([1.])
    """
    base = np.array(arrays[index], np.float64)
    result = np.zeros_like(base)
    for at in np.ndindex(base.shape):
        width = step * max(1.0, abs(float(base[at])))
        shifted = []
        for sign in (1.0, -1.0):
            moved = base.copy()
            moved[at] += sign * width
            given = [moved if number == index else array for number, array in enumerate(arrays)]
            shifted.append(np.sum(cotangent * np.asarray(function(*given), np.float64)))
        result[at] = (shifted[0] - shifted[1]) / (2 * width)
    return result


def numeric_directional(
    function: Callable[..., Array], arrays: Sequence[Array], tangents: Sequence[Array], step: float = 1e-6
) -> Array:
    """The derivative of `function` as the arrays move along `tangents`, by central differences.

    >>> numeric_directional(np.sin, [np.zeros(2)], [np.ones(2)]).round(6)
    array([1., 1.])
    """
    ahead, behind = (
        np.asarray(
            function(
                *(array + sign * step * tangent for array, tangent in zip(arrays, tangents, strict=True))
            ),
            np.float64,
        )
        for sign in (1.0, -1.0)
    )
    return np.asarray((ahead - behind) / (2 * step))
