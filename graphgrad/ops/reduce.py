"""Reductions: one number from many, over chosen axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.dim import add as plus
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.op import REDUCED, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, size_of
from graphgrad.ops.arithmetic import add, divide
from graphgrad.ops.compare import not_equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.leaf import Operand, as_node, run_time_size
from graphgrad.ops.movement import broadcast_to, expand_dims, normal_axis
from graphgrad.ops.reduction_source import mean_into, spell_reduction, sum_into, sums_by_blas

Axis: TypeAlias = "int | tuple[int, ...] | None"


def normal_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes as sorted non-negative ints; None is all of them.

    Raises
    ------
    ShapeError
        If an axis is out of range or given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = sorted(normal_axis(item, ndim) for item in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axis {axis} names an axis twice")
    return tuple(axes)


def reduced_shape(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape after reducing `axes`."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def reduced_axes(x: Spec, *, axes: tuple[int, ...], keepdims: bool) -> tuple[tuple[AxisRole, ...], ...]:
    """Reduced axes are REDUCED, the others mapped to where they end up."""
    roles: list[AxisRole] = []
    kept = 0
    for axis in range(len(x.shape)):
        roles.append(REDUCED if axis in axes else axis if keepdims else kept)
        kept += axis not in axes
    return (tuple(roles),)


@cache
def _result_dtype(function: Callable[..., Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    result: np.dtype[Any] = function(np.ones(1, dtype)).dtype
    return result


def reduction_spec(function: Callable[..., Any], needs_elements: bool = False) -> Callable[..., Spec]:
    def infer(x: Spec, *, axes: tuple[int, ...], keepdims: bool) -> Spec:
        if needs_elements and any(x.shape[axis] == 0 for axis in axes):
            raise ShapeError("there is nothing to choose from along an axis of size 0")
        return Spec(reduced_shape(x.shape, axes, keepdims), _result_dtype(function, x.dtype))

    return infer


def reduction_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for keepdims in (False, True):
        yield Sample((rng.normal(size=(2, 3, 2)),), {"axis": None, "keepdims": keepdims})
        yield Sample((rng.normal(size=(2, 3, 2)),), {"axis": (0, -1), "keepdims": keepdims})
        yield Sample((rng.normal(size=(3, 2)),), {"axis": 0, "keepdims": keepdims})
        yield Sample((rng.normal(size=(3, 2)),), {"axis": -1, "keepdims": keepdims})
    yield Sample((np.asarray(rng.normal()),))
    yield Sample((rng.normal(size=(3, 0)),), {"axis": 0})
    yield Sample((rng.normal(size=(3, 2)),), {"axis": ()})


def _sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from reduction_samples(rng)
    yield Sample((rng.normal(size=(0, 2)),), {"axis": 0})


def over(g: Node, axes: tuple[int, ...], keepdims: bool, ndim: int) -> Node:
    """The cotangent of a reduction, ready to broadcast over the axes that were reduced."""
    if keepdims or g.ndim == 0 or axes == tuple(range(len(axes))):  # leading axes line up by themselves
        return g
    missing = ndim - len(axes) - g.ndim  # a cotangent that still has to be broadcast may lack leading axes
    return expand_dims(expand_dims(g, tuple(range(missing))), axes)


def count(x: Node, axes: tuple[int, ...]) -> Size:
    """How many elements are reduced to one."""
    return size_of(tuple(x.shape[axis] for axis in axes))


REDUCTION_FAULTS = (
    Fault((((2, 3), "float32"),), {"axis": 2}, ShapeError, "axis 2"),
    Fault((((2, 3), "float32"),), {"axis": (0, 0)}, ShapeError, "twice"),
    Fault((((2, 3), "float32"),), {"axis": 0.5}, ArgumentError, "axis"),
)


def reduction_reference(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return lambda x, *, axes, keepdims: np.asarray(function(x, axis=axes, keepdims=keepdims, **options))


def _sum_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    return over(g, axes, keepdims, x.ndim)


def _mean_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    return over(g / run_time_size(count(x, axes), y.dtype), axes, keepdims, x.ndim)


def arguments(x: Operand, axis: Axis, keepdims: bool, dtype: Any = None) -> tuple[Node, dict[str, Any]]:
    """What every reduction takes, as a node and attributes."""
    node = as_node(x)
    if not isinstance(keepdims, bool | np.bool_):
        raise ArgumentError(f"keepdims is True or False, not {keepdims!r}")
    attrs = {"axes": normal_axes(axis, node.ndim), "keepdims": bool(keepdims)}
    return (node if dtype is None else cast(node, dtype)), attrs


def masked(x: Node, mask: Operand | None, fill: Any) -> Node:
    """x with `fill` where a mask, that broadcasts to its shape, does not hold.

    Raises
    ------
    ShapeError
        If the mask has more elements than x.
    """
    if mask is None:
        return x
    chosen = where(mask, x, fill)
    if chosen.shape != x.shape:
        raise ShapeError("where= does not fit what is reduced", saw=[x.describe(), as_node(mask).describe()])
    return chosen


def _with(result: Node, initial: Any, combine: Callable[..., Node], dtype: Any) -> Node:
    """A reduction with one more element, in the dtype that was asked for."""
    combined = result if initial is None else combine(result, initial)
    return combined if dtype is None else cast(combined, dtype)


@defop(
    infer=reduction_spec(np.sum),
    axes=reduced_axes,
    reference=reduction_reference(np.sum),
    numpy=spell_reduction("np.sum"),
    into=sum_into,
    uses_blas=sums_by_blas,
    vjp={"x": _sum_vjp},
    jvp="linear",
    samples=_sum_samples,
    errors=REDUCTION_FAULTS,
    rule={"x": "G to each summand"},
    lazy=True,
    noun="total",
    combines="add",
    operands=("x",),
    cost=lambda inputs, result: inputs[0].size,
)
def sum(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    initial: float | None = None,
    where: Operand | None = None,
) -> Node:
    """The sum over one axis, several, or all.   d/dx = 1

    Integers and booleans are summed as int64.

    Parameters
    ----------
    dtype:
        To convert x to before anything is added, and what the result has.
    initial:
        A number to start from.
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.sum(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, attrs = arguments(x, axis, keepdims, dtype)
    return _with(apply("sum", masked(node, where, 0), **attrs), initial, add, dtype)


@defop(
    infer=reduction_spec(np.mean),
    axes=reduced_axes,
    reference=reduction_reference(np.mean),
    numpy=spell_reduction("np.mean"),
    into=mean_into,
    uses_blas=sums_by_blas,
    vjp={"x": _mean_vjp},
    jvp="linear",
    samples=reduction_samples,
    errors=REDUCTION_FAULTS,
    rule={"x": "each element's share, G / n"},
    lazy=True,
    noun="average",
    operands=("x",),
    cost=lambda inputs, result: plus(inputs[0].size, result.size),
)
def mean(
    x: Operand,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    dtype: Any = None,
    where: Operand | None = None,
) -> Node:
    """The mean over one axis, several, or all; of integers in float64; nan of nothing.   d/dx = 1 / n

    Parameters
    ----------
    dtype:
        To convert x to before anything is added, and what the result has.
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.mean(gg.input("x", ("batch", 3)), axis=-1).shape
    (Dim('batch'),)
    """
    node, attrs = arguments(x, axis, keepdims, dtype)
    if node.dtype.kind != "f":
        node = cast(node, "float64")
    if where is None:
        result = apply("mean", node, **attrs)
    else:
        total = apply("sum", masked(node, where, 0), **attrs)
        result = divide(total, cast(taking_part(node, where, **attrs), node.dtype))
    return result if dtype is None else cast(result, dtype)


def taking_part(x: Node, mask: Operand, axes: tuple[int, ...], keepdims: bool) -> Node:
    """How many elements a mask takes of each reduction."""
    return apply("sum", broadcast_to(not_equal(mask, 0), x.shape), axes=axes, keepdims=keepdims)


_METHODS: dict[str, Callable[..., Any]] = {"sum": sum, "mean": mean}
for _name, _function in _METHODS.items():
    bind(_name, _function)
