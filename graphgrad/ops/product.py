"""Products over axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.op import Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.ops.arithmetic import multiply
from graphgrad.ops.convert import cast
from graphgrad.ops.leaf import Operand
from graphgrad.ops.movement import reshape
from graphgrad.ops.permute import transpose
from graphgrad.ops.reduce import (
    REDUCTION_FAULTS,
    Axis,
    arguments,
    count,
    masked,
    over,
    reduced_axes,
    reduction_reference,
    reduction_samples,
    reduction_spec,
)
from graphgrad.ops.reduction_source import reduce_into, spell_reduction
from graphgrad.ops.scan import cumprod, delayed, flipped


def _prod_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from reduction_samples(rng)
    yield Sample((rng.normal(size=(0, 2)),), {"axis": 0})
    yield Sample((np.array([[2.0, 0.0, 3.0], [0.0, 1.5, 0.0]]),), {"axis": 1})
    yield Sample((np.array([[2.0, 0.0, 3.0], [-1.0, 1.5, 0.5]]),), {"axis": None})


def _others(x: Node, axes: tuple[int, ...]) -> Node | None:
    """For each element the product of all others that are reduced with it, without a division, which fails at 0.
    None if there are no others."""
    if not axes or count(x, axes) == 1:
        return None
    if len(axes) == 1:
        return _others_along(x, axes[0])
    if len(axes) == x.ndim:
        return reshape(_others_along(reshape(x, -1), 0), x.shape)
    order = (*(axis for axis in range(x.ndim) if axis not in axes), *axes)
    kept = x.ndim - len(axes)
    moved = transpose(x, order)
    rows = reshape(moved, (*moved.shape[:kept], count(x, axes)))
    others = reshape(_others_along(rows, kept), moved.shape)
    return transpose(others, [order.index(axis) for axis in range(x.ndim)])


def _others_along(x: Node, axis: int) -> Node:
    before = cumprod(delayed(x, axis, 1), axis)
    after = cumprod(delayed(flipped(x, axis), axis, 1), axis)
    return before * flipped(after, axis)


def _prod_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    own, others = over(g, axes, keepdims, x.ndim), _others(x, axes)
    return own if others is None else own * others


def _prod_jvp(t: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    others = _others(x, axes)
    return apply("sum", t if others is None else t * others, axes=axes, keepdims=keepdims)


@defop(
    infer=reduction_spec(np.prod),
    axes=reduced_axes,
    reference=reduction_reference(np.prod),
    numpy=spell_reduction("np.prod"),
    into=reduce_into("prod"),
    vjp={"x": _prod_vjp},
    jvp={"x": _prod_jvp},
    samples=_prod_samples,
    errors=REDUCTION_FAULTS,
    rule={"x": "G times all other factors"},
    lazy=True,
    noun="product",
    combines="multiply",
    operands=("x",),
    cost=lambda inputs, result: inputs[0].size,
)
def prod(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """The product over one axis, several, or all; of integers and booleans in int64.

    d/dx is the product of all other factors. It is right where one or more of them are 0: nothing is divided by x.

    Parameters
    ----------
    dtype:
        To convert x to before anything is multiplied, and what the result has.
    initial:
        A number to start from.
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.prod(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, attrs = arguments(x, axis, keepdims, dtype)
    result = apply("prod", masked(node, where, 1), **attrs)
    if initial is not None:
        result = multiply(result, initial)
    return result if dtype is None else cast(result, dtype)


bind("prod", prod)
