"""The same elements with the axes in another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graphgrad.core.errors import ShapeError
from graphgrad.core.form import ATOM, Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Spec
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import no_flops, normal_axis


def _spell_transpose(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    axes: tuple[int, ...] = node.attrs["axes"]
    last = len(axes) - 1
    if axes == tuple(range(last, -1, -1)):
        return Form(f"{parts[0].at(ATOM)}.T")
    if axes == (*range(last - 1), last, last - 1):
        return Form(f"{parts[0].at(ATOM)}.mT")
    return Form(f"{parts[0].at(ATOM)}.transpose({', '.join(map(str, axes))})")


def _transpose_axes(x: Spec, *, axes: tuple[int, ...]) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(axes.index(axis) for axis in range(len(axes))),)


def _transpose_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)),))
    yield Sample((rng.normal(size=(2, 3, 4)),), {"axes": (1, -1, 0)})
    yield Sample((rng.normal(size=(2, 3, 4)),), {"axes": (0, 2, 1)})
    yield Sample((rng.normal(size=(3,)),))
    yield Sample((rng.normal(size=(0, 2)),))


def _transpose_back(g: Node, y: Node, x: Node, axes: tuple[int, ...]) -> Node:
    return transpose(g, tuple(axes.index(axis) for axis in range(len(axes))))


@defop(
    infer=lambda x, *, axes: Spec(tuple(x.shape[axis] for axis in axes), x.dtype),
    axes=_transpose_axes,
    reference=lambda x, *, axes: np.transpose(x, axes),
    numpy=_spell_transpose,
    vjp={"x": _transpose_back},
    jvp="linear",
    samples=_transpose_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"axes": (0, 0)}, ShapeError, "each axis once"),
        Fault((((2, 3), "float32"),), {"axes": (0, 2)}, ShapeError, "out of range"),
    ),
    rule={"x": "G with the axes back"},
    noun="transposed",
    operands=("x",),
    view=True,
    light=True,
    cost=no_flops,
)
def transpose(x: Operand, axes: Sequence[int] | None = None) -> Node:
    """The axes in another order; reversed by default. The gradient gets them back in their old order.

    >>> gg.transpose(gg.input("x", ("batch", 3, 4)), (0, 2, 1)).shape
    (Dim('batch'), 4, 3)
    """
    node = as_node(x)
    order = range(node.ndim - 1, -1, -1) if axes is None else axes
    wanted = tuple(normal_axis(axis, node.ndim) for axis in order)
    if sorted(wanted) != list(range(node.ndim)):
        raise ShapeError(f"axes {tuple(order)} must name each axis once", saw=[node.describe()])
    return node if wanted == tuple(range(node.ndim)) else apply("transpose", node, axes=wanted)


def matrix_transpose(x: Operand) -> Node:
    """The last two axes swapped; also ``node.mT``.

    >>> gg.matrix_transpose(gg.input("x", ("batch", 3, 4))).shape
    (Dim('batch'), 4, 3)
    """
    node = as_node(x)
    if node.ndim < 2:
        raise ShapeError("needs at least two dimensions", saw=[node.describe()])
    return transpose(node, (*range(node.ndim - 2), node.ndim - 1, node.ndim - 2))


def swapaxes(x: Operand, axis1: int, axis2: int) -> Node:
    """Two axes swapped; also ``node.swapaxes(axis1, axis2)``. The gradient has them swapped back.

    >>> gg.swapaxes(gg.input("x", ("batch", 3, 4)), 1, -1).shape
    (Dim('batch'), 4, 3)
    """
    node = as_node(x)
    first, second = normal_axis(axis1, node.ndim), normal_axis(axis2, node.ndim)
    order = list(range(node.ndim))
    order[first], order[second] = second, first
    return transpose(node, order)


def moveaxis(x: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Axes moved to other positions of the result, the others in their old order. The gradient moves them back.

    Raises
    ------
    ShapeError
        If an axis is out of range or named twice, or there are not as many sources as destinations.

    >>> gg.moveaxis(gg.input("x", ("batch", 3, 4)), 0, -1).shape
    (3, 4, Dim('batch'))
    """
    node = as_node(x)
    sources, destinations = _several(source, node, "source"), _several(destination, node, "destination")
    if len(sources) != len(destinations):
        raise ShapeError(
            f"{len(sources)} axes cannot move to {len(destinations)} positions", saw=[node.describe()]
        )
    order = [axis for axis in range(node.ndim) if axis not in sources]
    for position, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(position, axis)
    return transpose(node, order)


def _several(axis: int | Sequence[int], node: Node, what: str) -> tuple[int, ...]:
    given = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(normal_axis(item, node.ndim) for item in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"the {what} {axis} names an axis twice", saw=[node.describe()])
    return axes


def rollaxis(x: Operand, axis: int, start: int = 0) -> Node:
    """An axis moved until it lies before position `start`; `moveaxis` says the same more plainly. The gradient moves
    it back.

    >>> gg.rollaxis(gg.input("x", (2, 3, 4)), 2, 1).shape
    (2, 4, 3)
    """
    node = as_node(x)
    moved = normal_axis(axis, node.ndim)
    before = node.ndim if start == node.ndim else normal_axis(start, node.ndim)
    return moveaxis(node, moved, before - (moved < before))


bind("transpose", transpose)
bind("matrix_transpose", matrix_transpose)
bind("swapaxes", swapaxes)
