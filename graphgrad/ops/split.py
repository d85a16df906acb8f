"""Taking arrays apart: parts along an axis, each a slice that flows back into its place."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, Size, add, floor_divide, multiply
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.ops.index import index
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import normal_axis

Sections = int | Sequence[Any]


def split(x: Operand, indices_or_sections: Sections, axis: int = 0) -> list[Node]:
    """x cut along an axis into so many equal parts, or before each of these positions. Each part's gradient flows back
    into its place.

    Positions mean what they mean in slices, so they may be negative, and sizes.

    Raises
    ------
    ShapeError
        If the axis does not divide into that many parts, as far as is known when the model is written.

    >>> x = gg.input("x", ("batch", 6))
    >>> [part.shape for part in gg.split(x, 3, axis=1)]
    [(Dim('batch'), 2), (Dim('batch'), 2), (Dim('batch'), 2)]
    >>> [part.shape for part in gg.split(x, [1, 4], axis=1)]
    [(Dim('batch'), 1), (Dim('batch'), 3), (Dim('batch'), 2)]
    """
    node = as_node(x)
    own = normal_axis(axis, node.ndim)
    if not _is_number(indices_or_sections):
        return _cut(node, own, indices_or_sections)
    count, size = _parts(indices_or_sections), node.shape[own]
    if multiply(floor_divide(size, count), count) != size:
        raise ShapeError(
            f"axis {own} of size {size} does not divide into {count} equal parts",
            saw=[node.describe()],
            hint="gg.array_split, or the positions to cut at",
        )
    return array_split(node, count, own)


def array_split(x: Operand, indices_or_sections: Sections, axis: int = 0) -> list[Node]:
    """`split` where the parts need not be equal: the first ones are longer by one. Each part's gradient flows back
    into its place.

    >>> [part.shape for part in gg.array_split(gg.input("x", (7,)), 3)]
    [(3,), (2,), (2,)]
    """
    node = as_node(x)
    own = normal_axis(axis, node.ndim)
    if not _is_number(indices_or_sections):
        return _cut(node, own, indices_or_sections)
    count, size = _parts(indices_or_sections), node.shape[own]
    positions: list[Size] = [0]
    for at in range(count - 1):
        positions.append(add(positions[-1], floor_divide(add(size, count - 1 - at), count)))
    return _cut(node, own, positions[1:])


def _is_number(value: Any) -> bool:
    return hasattr(value, "__index__") and not (isinstance(value, np.ndarray) and value.ndim)


def _parts(value: Any) -> int:
    if isinstance(value, Dim):
        raise ArgumentError(f"the number of parts is fixed, not the size {value}", hint="gg.reshape")
    count = operator.index(value)
    if count < 1:
        raise ShapeError(f"an array is cut into at least one part, not {count}")
    return count


def _cut(node: Node, axis: int, positions: Any) -> list[Node]:
    try:
        bounds = [0, *positions, None]
    except TypeError as error:
        raise ArgumentError(f"{positions!r:.60} is neither a number of parts nor positions") from error
    lead = (slice(None),) * axis
    return [index(node, (*lead, slice(start, stop))) for start, stop in pairwise(bounds)]


def _least(x: Operand, ndim: int, what: str) -> Node:
    node = as_node(x)
    if node.ndim < ndim:
        raise ShapeError(f"{what} needs at least {ndim} dimensions", saw=[node.describe()])
    return node


def hsplit(x: Operand, indices_or_sections: Sections) -> list[Node]:
    """`split` along the second axis, of a vector along its only one. Each part's gradient flows back into its place.

    >>> [part.shape for part in gg.hsplit(gg.input("x", ("batch", 6)), 2)]
    [(Dim('batch'), 3), (Dim('batch'), 3)]
    """
    node = _least(x, 1, "hsplit")
    return split(node, indices_or_sections, 1 if node.ndim > 1 else 0)


def vsplit(x: Operand, indices_or_sections: Sections) -> list[Node]:
    """`split` along the first axis of at least two. Each part's gradient flows back into its place.

    >>> [part.shape for part in gg.vsplit(gg.input("x", (4, "n")), [1])]
    [(1, Dim('n')), (3, Dim('n'))]
    """
    return split(_least(x, 2, "vsplit"), indices_or_sections, 0)


def dsplit(x: Operand, indices_or_sections: Sections) -> list[Node]:
    """`split` along the third axis. Each part's gradient flows back into its place.

    >>> [part.shape for part in gg.dsplit(gg.input("x", (2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    return split(_least(x, 3, "dsplit"), indices_or_sections, 2)


def unstack(x: Operand, *, axis: int = 0) -> tuple[Node, ...]:
    """The slices of x along an axis, which has to have a fixed size: undoes `stack`. Each slice's gradient flows back
    into its place.

    >>> [part.shape for part in gg.unstack(gg.input("x", (2, "batch")))]
    [(Dim('batch'),), (Dim('batch'),)]
    """
    node = as_node(x)
    own = normal_axis(axis, node.ndim)
    size = node.shape[own]
    if not isinstance(size, int):
        raise ShapeError(f"axis {own} of size {size} has no fixed number of slices", saw=[node.describe()])
    return tuple(index(node, (*(slice(None),) * own, at)) for at in range(size))
