"""Products of arrays under NumPy's names: over chosen axes, of vectors, of many matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import usual
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Shape, shape_text
from graphgrad.ops.contract import matmul
from graphgrad.ops.family import promoting
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import expand_dims, normal_axis, ravel, reshape
from graphgrad.ops.pairwise import Label, Labelled, product, summed, turned
from graphgrad.ops.permute import moveaxis


def _two(x: Operand, y: Operand) -> tuple[Node, Node]:
    left, right = promoting(np.multiply)((x, y))
    return left, right


@composite
def tensordot(a: Operand, b: Operand, axes: Any = 2) -> Node:
    """Products summed over the last axes of a and the first of b, or over pairs of axes: one product of matrices.

    The result has the other axes of a, then those of b. The gradient is a product of matrices, too.

    Parameters
    ----------
    axes:
        How many axes; or two lists, of axes of a and of axes of b that go together.

    Raises
    ------
    ShapeError
        If axes that go together differ in size, or there are not as many of a as of b.

    >>> a, b = gg.input("a", ("batch", 3, 4)), gg.input("b", (4, 3, 5))
    >>> gg.tensordot(a, b, ([1, 2], [1, 0])).shape
    (Dim('batch'), 5)
    """
    x, y = _two(a, b)
    first, second = _pairs(axes, x, y)
    wrong = [pair for pair in zip(first, second, strict=True) if x.shape[pair[0]] != y.shape[pair[1]]]
    if wrong:
        one, other = wrong[0]
        raise ShapeError(
            f"tensordot: axis {one} of size {x.shape[one]} does not go with axis {other} of size {y.shape[other]}",
            saw=[x.describe(), y.describe()],
        )
    left: list[Label] = [("x", axis) for axis in range(x.ndim)]
    right: list[Label] = [
        left[first[second.index(axis)]] if axis in second else ("y", axis) for axis in range(y.ndim)
    ]
    kept = [label for label in (*left, *right) if not (label in left and label in right)]
    return turned(product(Labelled(x, tuple(left)), Labelled(y, tuple(right)), kept), kept)


def _pairs(axes: Any, x: Node, y: Node) -> tuple[list[int], list[int]]:
    """The axes of x and those of y that go together."""
    if isinstance(axes, int | np.integer) and not isinstance(axes, bool):
        if not 0 <= axes <= min(x.ndim, y.ndim):
            raise ShapeError(f"tensordot: {axes} axes to sum over", saw=[x.describe(), y.describe()])
        return list(range(x.ndim - int(axes), x.ndim)), list(range(int(axes)))
    if not isinstance(axes, list | tuple) or len(axes) != 2:
        raise ArgumentError(
            f"tensordot: axes is a number, or a pair of axes or lists of axes, not {axes!r:.60}",
            hint="axes=([1, 2], [0, 1])",
        )
    both = [
        [normal_axis(axis, node.ndim) for axis in (given if isinstance(given, list | tuple) else (given,))]
        for given, node in zip(axes, (x, y), strict=True)
    ]
    if len(both[0]) != len(both[1]):
        raise ShapeError(
            f"tensordot: {len(both[0])} axes do not go with {len(both[1])}", saw=[x.describe(), y.describe()]
        )
    if any(len(set(one)) != len(one) for one in both):
        raise ShapeError(f"tensordot: axes {axes} name an axis twice", saw=[x.describe(), y.describe()])
    return both[0], both[1]


@composite
def dot(a: Operand, b: Operand) -> Node:
    """The product of vectors, of matrices, of a matrix and a vector; also ``node.dot(b)``.   dA = G B.T, dB = A.T G

    Of scalars it is ``*``. Of more dimensions it sums over the last axis of a and the last but one of b, and has the
    other axes of a before those of b: that is where it is not ``@``, which takes leading axes together.

    Raises
    ------
    ShapeError
        If the axes that are summed over differ in size.

    >>> gg.dot(gg.input("x", ("batch", 3)), gg.param("w", (3, 2))).shape
    (Dim('batch'), 2)
    """
    x, y = _two(a, b)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, (x.ndim - 1, max(y.ndim - 2, 0)))


@composite
def inner(a: Operand, b: Operand) -> Node:
    """Products summed over the last axis of both; of scalars ``*``. The axes of a come before those of b.

    Raises
    ------
    ShapeError
        If the last axes differ in size.

    >>> gg.inner(gg.input("x", ("batch", 3)), gg.input("y", (5, 3))).shape
    (Dim('batch'), 5)
    """
    x, y = _two(a, b)
    if not x.ndim or not y.ndim:
        return x * y
    return tensordot(x, y, (x.ndim - 1, y.ndim - 1))


@composite
def vdot(a: Operand, b: Operand) -> Node:
    """The product of two arrays, each read as one vector.   d/da = b, d/db = a

    >>> gg.vdot(gg.input("x", (2, "n")), gg.input("y", (2, "n"))).shape
    ()
    """
    x, y = _two(a, b)
    return matmul(ravel(x), ravel(y))


@composite
def outer(a: Operand, b: Operand) -> Node:
    """Each element of a times each of b, both read as vectors: a[i] * b[j].   d/da = G b, d/db = G.T a

    >>> gg.outer(gg.input("x", ("n",)), gg.input("y", (3,))).shape
    (Dim('n'), 3)
    """
    x, y = _two(a, b)
    return expand_dims(ravel(x), 1) * expand_dims(ravel(y), 0)  # of equal rank, since every pair is meant


@composite
def vecdot(x1: Operand, x2: Operand, *, axis: int = -1) -> Node:
    """The products of vectors along an axis; the other axes broadcast.   d/dx1 = G x2, d/dx2 = G x1

    Raises
    ------
    ShapeError
        If the vectors differ in length.

    >>> gg.vecdot(gg.input("x", ("batch", 3)), gg.input("y", (3,))).shape
    (Dim('batch'),)
    """
    x, y = (_last(node, axis) for node in _two(x1, x2))
    if x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            f"vecdot: vectors of {x.shape[-1]} and of {y.shape[-1]} elements",
            saw=[x.describe(), y.describe()],
        )
    if x.ndim == y.ndim == 1:
        return matmul(x, y)
    rows = x * y
    return summed(Labelled(rows, tuple(range(rows.ndim))), range(rows.ndim - 1)).node


def _last(node: Node, axis: int) -> Node:
    """The node with the axis of its vectors as the last one."""
    if not node.ndim:
        raise ShapeError("vecdot: a scalar is no vector", saw=[node.describe()])
    return moveaxis(node, axis, -1)


@composite
def kron(a: Operand, b: Operand) -> Node:
    """Kronecker's product: each element of a times the whole of b, put together as blocks.

    The array of fewer dimensions gets axes of size 1 in front. The gradient is summed over the blocks, or over the
    elements of each.

    >>> gg.kron(gg.input("x", (2, 3)), gg.input("y", ("n", 4))).shape
    (Dim('2*n'), 12)
    """
    x, y = _two(a, b)
    ndim = max(x.ndim, y.ndim)
    shapes: list[Shape] = [(1,) * (ndim - node.ndim) + node.shape for node in (x, y)]
    wide = reshape(x, tuple(size for one in shapes[0] for size in (one, 1)))
    narrow = reshape(y, tuple(size for one in shapes[1] for size in (1, one)))
    return reshape(wide * narrow, tuple(m * n for m, n in zip(*shapes, strict=True)))


@composite
def multi_dot(arrays: Sequence[Operand]) -> Node:
    """The product of two or more matrices, in the order that takes the fewest operations; the first and the last may be
    vectors. A symbolic size counts as 1,000 when orders are compared.

    Source: Cormen et al., *Introduction to Algorithms*, matrix-chain multiplication.

    Raises
    ------
    ShapeError
        If sizes do not fit, or something else than a matrix stands between others.

    >>> a, b, c = gg.input("a", ("n", 3)), gg.input("b", (3, 500)), gg.input("c", (500, 2))
    >>> gg.linalg.multi_dot([a, b, c]) is a @ (b @ c)
    True
    """
    nodes = [as_node(array) for array in arrays]
    if len(nodes) < 2:
        raise ArgumentError(f"multi_dot multiplies two or more arrays, not {len(nodes)}")
    for at, node in enumerate(nodes):
        if node.ndim != 2 and not (node.ndim == 1 and at in (0, len(nodes) - 1)):
            raise ShapeError(
                f"multi_dot takes matrices, and vectors at the ends, not {shape_text(node.shape)}",
                saw=[node.describe()],
            )
    return _multiplied(nodes)


def _multiplied(nodes: Sequence[Node]) -> Node:
    """The product of a chain, the cheapest partial products first."""
    sizes = [1 if nodes[0].ndim == 1 else nodes[0].shape[0], *(node.shape[-2:][0] for node in nodes[1:]), 1]
    if nodes[-1].ndim == 2:
        sizes[-1] = nodes[-1].shape[1]
    numbers = [usual(size) for size in sizes]
    made = {(at, at + 1): (0, node) for at, node in enumerate(nodes)}
    for length in range(2, len(nodes) + 1):
        for start in range(len(nodes) - length + 1):
            end = start + length
            price, split = min(
                (made[start, at][0] + made[at, end][0] + numbers[start] * numbers[at] * numbers[end], at)
                for at in range(start + 1, end)
            )
            made[start, end] = (price, matmul(made[start, split][1], made[split, end][1]))
    return made[0, len(nodes)][1]


bind("dot", dot)
