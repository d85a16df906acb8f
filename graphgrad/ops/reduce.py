"""Reductions: one number from many, over chosen axes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from graphgrad.core.dim import Size
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.form import ATOM, Destination, Form, Helper, Into, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import REDUCED, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, size_of
from graphgrad.ops.compare import equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.leaf import Operand, as_node, run_time_size
from graphgrad.ops.movement import expand_dims, normal_axis

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


def _infer(function: Callable[..., Any], needs_elements: bool = False) -> Callable[..., Spec]:
    def infer(x: Spec, *, axes: tuple[int, ...], keepdims: bool) -> Spec:
        if needs_elements and any(x.shape[axis] == 0 for axis in axes):
            raise ShapeError("there is nothing to choose from along an axis of size 0")
        return Spec(reduced_shape(x.shape, axes, keepdims), _result_dtype(function, x.dtype))

    return infer


_MANY = 1024


def _drifts(node: Node) -> bool:
    """Whether NumPy adds up many numbers of less than 64 bits one after the other: not in pairs, as it does along
    the last axis. Of 50,000 rows it loses two digits that way."""
    x, axes = node.inputs[0], node.attrs["axes"]
    if x.dtype.kind != "f" or x.dtype.itemsize == 8 or not axes or x.ndim - 1 in axes:
        return False
    sizes = [x.shape[axis] for axis in axes]
    return any(not isinstance(size, int) for size in sizes) or bool(size_of(tuple(sizes)) > _MANY)  # type: ignore[operator]  # ints by then


def _arguments_text(parts: Sequence[Form], node: Node) -> str:
    axes = node.attrs["axes"]
    arguments = [parts[0].text]
    if axes != tuple(range(node.inputs[0].ndim)):
        arguments.append(f"axis={axes[0] if len(axes) == 1 else axes}")
    if node.attrs["keepdims"]:
        arguments.append("keepdims=True")
    return ", ".join(arguments)


def _spell(function: str) -> Callable[[Speller, Sequence[Form], Node], Form]:
    return lambda speller, parts, node: Form(f"{function}({_arguments_text(parts, node)})")


def _into(function: str) -> Into:
    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        arguments = _arguments_text(parts, node)
        return None if to.out is None else Form(f"{function}({arguments}, out={to.out})")

    return emit


_SUM_ROWS = Helper(
    "_sum_rows",
    '''
def _sum_rows(values, out=None):
    """values.sum(axis=0), as products with ones: faster, and blocks of rows round less than one long sum."""
    count, width = values.shape
    ones, total = np.ones(128, values.dtype), np.zeros(width)
    rows = 128 * max(1, 8192 // max(1, width))
    for first in range(0, count, rows):
        some = values[first:first + rows]
        whole = len(some) - len(some) % 128
        total += np.sum(ones @ some[:whole].reshape(whole // 128, 128, width), axis=0)
        total += ones[:len(some) - whole] @ some[whole:]
    if out is None:
        out = np.empty(width, values.dtype)
    out[...] = total
    return out
''',
)


def _sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    out = "" if to.out is None else f", out={to.out}"
    if _sums_rows(node) and _drifts(node):
        x, rows = node.inputs[0], parts[0].text
        if x.ndim > 2:
            rows = f"{parts[0].at(ATOM)}.reshape(-1, {speller.size(x.shape[-1]).text})"
        return Form(f"{speller.helper(_SUM_ROWS)}({rows}{out})")
    return Form(f"np.sum({_arguments_text(parts, node)}{out})") if out else None


def _sums_rows(node: Node) -> bool:
    """Whether all that is left is the last axis."""
    return node.attrs["axes"] == tuple(range(node.inputs[0].ndim - 1)) and not node.attrs["keepdims"]


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    for keepdims in (False, True):
        yield Sample((rng.normal(size=(2, 3, 2)),), {"axis": None, "keepdims": keepdims})
        yield Sample((rng.normal(size=(2, 3, 2)),), {"axis": (0, -1), "keepdims": keepdims})
        yield Sample((rng.normal(size=(3, 2)),), {"axis": 0, "keepdims": keepdims})
        yield Sample((rng.normal(size=(3, 2)),), {"axis": -1, "keepdims": keepdims})
    yield Sample((np.asarray(rng.normal()),))
    yield Sample((rng.normal(size=(3, 0)),), {"axis": 0})
    yield Sample((rng.normal(size=(3, 2)),), {"axis": ()})


def _sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from _samples(rng)
    yield Sample((rng.normal(size=(0, 2)),), {"axis": 0})


def over(g: Node, axes: tuple[int, ...], keepdims: bool, ndim: int) -> Node:
    """The cotangent of a reduction, ready to broadcast over the axes that were reduced."""
    if keepdims or g.ndim == 0 or axes == tuple(range(len(axes))):  # leading axes line up by themselves
        return g
    missing = ndim - len(axes) - g.ndim  # a cotangent that still has to be broadcast may lack leading axes
    return expand_dims(expand_dims(g, tuple(range(missing))), axes)


def _count(x: Node, axes: tuple[int, ...]) -> Size:
    return size_of(tuple(x.shape[axis] for axis in axes))


_FAULTS = (
    Fault((((2, 3), "float32"),), {"axis": 2}, ShapeError, "axis 2"),
    Fault((((2, 3), "float32"),), {"axis": (0, 0)}, ShapeError, "twice"),
    Fault((((2, 3), "float32"),), {"axis": 0.5}, ArgumentError, "axis"),
)


def _reference(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *, axes, keepdims: np.asarray(function(x, axis=axes, keepdims=keepdims))


def _sum_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    return over(g, axes, keepdims, x.ndim)


def _mean_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    return over(g / run_time_size(_count(x, axes), y.dtype), axes, keepdims, x.ndim)


def _extreme_vjp(g: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    def spread(node: Node) -> Node:
        return node if keepdims else expand_dims(node, axes)

    winners = equal(x, spread(y))
    ties = sum(cast(winners, x.dtype), axes, keepdims=True)
    return where(winners, spread(g) / ties, 0)


def _extreme_jvp(t: Node, y: Node, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    winners = equal(x, y if keepdims else expand_dims(y, axes))
    chosen = sum(where(winners, t, 0), axes, keepdims)
    return chosen / sum(cast(winners, x.dtype), axes, keepdims)


def _arguments(x: Operand, axis: Axis, keepdims: bool) -> tuple[Node, dict[str, Any]]:
    node = as_node(x)
    if not isinstance(keepdims, bool | np.bool_):
        raise ArgumentError(f"keepdims is True or False, not {keepdims!r}")
    return node, {"axes": normal_axes(axis, node.ndim), "keepdims": bool(keepdims)}


@defop(
    infer=_infer(np.sum),
    axes=reduced_axes,
    reference=_reference(np.sum),
    numpy=_spell("np.sum"),
    into=_sum_into,
    vjp={"x": _sum_vjp},
    jvp="linear",
    samples=_sum_samples,
    errors=_FAULTS,
    rule={"x": "G to each summand"},
    lazy=True,
    noun="total",
    operands=("x",),
    cost=lambda inputs, result: inputs[0].size,
)
def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The sum over one axis, several, or all.   d/dx = 1

    Integers and booleans are summed as int64.

    >>> gg.sum(gg.input("x", ("batch", 3)), axis=0).shape
    (3,)
    """
    node, attrs = _arguments(x, axis, keepdims)
    return apply("sum", node, **attrs)


@defop(
    infer=_infer(np.mean),
    axes=reduced_axes,
    reference=_reference(np.mean),
    numpy=_spell("np.mean"),
    into=_into("np.mean"),
    vjp={"x": _mean_vjp},
    jvp="linear",
    samples=_samples,
    errors=_FAULTS,
    rule={"x": "each element's share, G / n"},
    lazy=True,
    noun="average",
    operands=("x",),
    cost=lambda inputs, result: inputs[0].size,
)
def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The mean over one axis, several, or all; of integers in float64; nan of nothing.   d/dx = 1 / n

    >>> gg.mean(gg.input("x", ("batch", 3)), axis=-1).shape
    (Dim('batch'),)
    """
    node, attrs = _arguments(x, axis, keepdims)
    if node.dtype.kind != "f":
        node = cast(node, "float64")
    return apply("mean", node, **attrs)


_EXTREME: dict[str, Any] = {
    "axes": reduced_axes,
    "vjp": {"x": _extreme_vjp},
    "jvp": {"x": _extreme_jvp},
    "samples": _samples,
    "errors": (*_FAULTS, Fault((((0, 2), "float32"),), {"axis": 0}, ShapeError, "nothing to choose")),
    "rule": {"x": "G where x won, ties share"},
    "operands": ("x",),
    "cost": lambda inputs, result: inputs[0].size,
}


@defop(
    infer=_infer(np.max, True),
    reference=_reference(np.max),
    numpy=_spell("np.max"),
    into=_into("np.max"),
    noun="largest",
    **_EXTREME,
)
def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The largest element over one axis, several, or all; nan if there is one. Ties share the gradient
    evenly.

    >>> gg.max(gg.input("x", ("batch", 3)), axis=1, keepdims=True).shape
    (Dim('batch'), 1)
    """
    node, attrs = _arguments(x, axis, keepdims)
    return apply("max", node, **attrs)


@defop(
    infer=_infer(np.min, True),
    reference=_reference(np.min),
    numpy=_spell("np.min"),
    into=_into("np.min"),
    noun="smallest",
    **_EXTREME,
)
def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest element over one axis, several, or all; nan if there is one. Ties share the gradient
    evenly.

    >>> gg.min(gg.input("x", ("batch", 3))).shape
    ()
    """
    node, attrs = _arguments(x, axis, keepdims)
    return apply("min", node, **attrs)


for _name, _function in {"sum": sum, "mean": mean, "max": max, "min": min}.items():
    bind(_name, _function)
