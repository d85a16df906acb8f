"""Norms of vectors, and the Frobenius norm of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphgrad.core.errors import InvalidValueError, ShapeError, UnsupportedError
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.provenance import composite
from graphgrad.ops.arithmetic import abs, power, square
from graphgrad.ops.compare import equal, not_equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.largest import max, min
from graphgrad.ops.leaf import Operand
from graphgrad.ops.reduce import Axis, arguments, sum
from graphgrad.ops.statistics import called, root_or_zero


@composite
def norm(x: Operand, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Node:
    """The norm of vectors, of any order, along an axis; the Frobenius norm of matrices, along two axes; without an
    axis that of all elements, where `ord` is None.

    For order p it is sum(abs(x)**p)**(1/p), for inf and -inf the largest and the smallest of abs(x), for 0 how many
    elements are not 0. d/dx = sign(x) (abs(x) / y)**(p-1), and 0 at a vector of zeros; of inf and -inf, ties share
    evenly. Integers count as float64.

    Parameters
    ----------
    ord:
        None, which is 2 or "fro"; a number, or inf or -inf, for vectors; "fro" for matrices.
    axis:
        One axis for vectors, two for matrices, None for an array of one or two dimensions.

    Raises
    ------
    UnsupportedError
        For norms of matrices that need singular values or sums of rows.

    >>> gg.linalg.norm(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'),)
    """
    node, attrs = arguments(x, axis, keepdims)
    axes = attrs["axes"]
    if axis is not None and len(axes) > 2:
        raise ShapeError("norm: one axis is a vector's, two are a matrix's", saw=[node.describe()])
    if ord is not None and axis is None and node.ndim not in (1, 2):
        raise ShapeError("norm: an order needs an axis, or 1 or 2 dimensions", saw=[node.describe()])
    if len(axes) == 2 and ord not in (None, "fro"):
        raise UnsupportedError(
            f"norm: of matrices only the Frobenius norm is supported, not {ord!r:.60}",
            saw=[node.describe()],
            hint='ord="fro", or one axis for norms of rows',
        )
    if len(axes) == 1 and isinstance(ord, str):
        raise InvalidValueError(f"norm: a vector has no norm {ord!r:.60}", saw=[node.describe()])
    return _norm(node, 2 if ord in (None, "fro") else ord, axes, bool(keepdims))


@composite
def vector_norm(x: Operand, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Node:
    """The norm of the elements over one axis, several, or all, taken as one vector; like `norm` otherwise, with the
    same gradient.

    >>> gg.linalg.vector_norm(gg.input("x", ("batch", 3, 2)), axis=(1, 2), ord=1).shape
    (Dim('batch'),)
    """
    node, attrs = arguments(x, axis, keepdims)
    return _norm(node, ord, attrs["axes"], attrs["keepdims"])


def _norm(x: Node, order: Any, axes: tuple[int, ...], keepdims: bool) -> Node:
    if isinstance(order, bool) or not isinstance(order, int | float | np.integer | np.floating):
        raise InvalidValueError(f"norm: no order {order!r:.60}", saw=[x.describe()])
    node = x if x.dtype.kind == "f" else cast(x, "float64")
    p = float(order)
    if p == 2:
        return root_or_zero(called("sum_squares", apply("sum", square(node), axes=axes, keepdims=keepdims)))
    if p == 0:
        return cast(sum(not_equal(node, 0), axes, keepdims=keepdims), node.dtype)
    size = called("size", abs(node))
    if p == np.inf:
        return max(size, axes, keepdims=keepdims)
    if p == -np.inf:
        return min(size, axes, keepdims=keepdims)
    if p == 1:
        return sum(size, axes, keepdims=keepdims)
    edge = 0 if p > 0 else np.inf  # what an element of 0 adds, where its slope is infinite but for p > 1
    powers = power(size, p) if p > 1 else where(equal(size, 0), edge, power(size, p))
    total = called("sum_powers", sum(powers, axes, keepdims=keepdims))
    return where(equal(total, edge), 0, power(total, 1 / p))
