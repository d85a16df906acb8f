"""Arrays brought to a common shape, or to a least number of dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphgrad.core.node import Node
from graphgrad.core.spec import broadcast
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import broadcast_to, expand_dims


def broadcast_arrays(*args: Operand) -> tuple[Node, ...]:
    """The arrays, each repeated to the shape that they broadcast to. Gradients are summed over what was repeated.

    >>> x, b = gg.broadcast_arrays(gg.input("x", ("batch", 1)), gg.input("b", (3,)))
    >>> x.shape, b.shape
    ((Dim('batch'), 3), (Dim('batch'), 3))
    """
    nodes = tuple(map(as_node, args))
    shape = broadcast(node.shape for node in nodes)
    return tuple(broadcast_to(node, shape) for node in nodes)


def _at_least(arrays: Sequence[Operand], new_axes: Mapping[int, Sequence[int]]) -> Any:
    """Each with the axes put in that its number of dimensions asks for; one array alone, several as a tuple."""
    nodes = map(as_node, arrays)
    grown = [expand_dims(node, new_axes[node.ndim]) if node.ndim in new_axes else node for node in nodes]
    return grown[0] if len(grown) == 1 else tuple(grown)


def atleast_1d(*arys: Operand) -> Any:
    """A scalar as an array of one element, others as they are; several arrays as a tuple. The gradient loses the
    axis again.

    >>> gg.atleast_1d(gg.input("x", ())).shape
    (1,)
    """
    return _at_least(arys, {0: (0,)})


def atleast_2d(*arys: Operand) -> Any:
    """Axes of size 1 put in front up to two dimensions: a vector becomes a row. The gradient loses them again.

    >>> gg.atleast_2d(gg.input("x", ("n",))).shape
    (1, Dim('n'))
    """
    return _at_least(arys, {0: (0, 1), 1: (0,)})


def atleast_3d(*arys: Operand) -> Any:
    """Axes of size 1 put in up to three dimensions: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1). The gradient
    loses them again.

    >>> gg.atleast_3d(gg.input("x", ("n",))).shape, gg.atleast_3d(gg.input("y", (2, 3))).shape
    ((1, Dim('n'), 1), (2, 3, 1))
    """
    return _at_least(arys, {0: (0, 1, 2), 1: (0, 2), 2: (2,)})
