"""Two arrays, each axis with a label, multiplied and summed: as one product of matrices wherever it is one.

This is what einsum, tensordot and the products of vectors are made of.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.spec import size_of
from graphgrad.ops.contract import matmul
from graphgrad.ops.convert import cast
from graphgrad.ops.movement import expand_dims, reshape, squeeze
from graphgrad.ops.permute import transpose
from graphgrad.ops.search import any as any_nodes

Label = Hashable


@dataclass(frozen=True)
class Labelled:
    """An array and a label for each of its axes, none twice."""

    node: Node
    labels: tuple[Label, ...]


def turned(x: Labelled, order: Sequence[Label]) -> Node:
    """The array with its axes in this order of their labels."""
    return transpose(x.node, [x.labels.index(label) for label in order])


def summed(x: Labelled, kept: Collection[Label]) -> Labelled:
    """x summed over every axis whose label is not kept, in x's own dtype; of booleans, whether one holds."""
    axes = tuple(axis for axis, label in enumerate(x.labels) if label not in kept)
    if not axes:
        return x
    labels = tuple(label for label in x.labels if label in kept)
    if x.node.dtype.kind == "b":
        return Labelled(any_nodes(x.node, axes), labels)
    total = apply("sum", x.node, axes=axes, keepdims=False)
    return Labelled(total if total.dtype == x.node.dtype else cast(total, x.node.dtype), labels)


def product(x: Labelled, y: Labelled, kept: Sequence[Label]) -> Labelled:
    """x times y, summed over the labels that are not kept.

    Both have one dtype, and a label that both have is of one size. The labels of the result are those of `kept` that
    there are; in that order, unless a product of matrices gives another one.
    """
    x = summed(x, {*y.labels, *kept})
    y = summed(y, {*x.labels, *kept})
    both = [label for label in kept if label in x.labels and label in y.labels]
    inner = [label for label in x.labels if label in y.labels and label not in kept]
    rows = [label for label in kept if label in x.labels and label not in both]
    columns = [label for label in kept if label in y.labels and label not in both]
    result = [label for label in kept if label in x.labels or label in y.labels]
    if not inner or (both and not rows and not columns):
        return summed(Labelled(_spread(x, y, (*result, *inner)), (*result, *inner)), result)
    if rows and columns and result.index(columns[0]) < result.index(rows[0]):
        x, y, rows, columns = y, x, columns, rows  # so that the result need not be transposed
    inner = _order(x, y, both, rows, columns, inner)
    made = _unfold(x, y, both, rows, columns, inner)
    return Labelled(made, (*both, *rows, *columns))


def _spread(x: Labelled, y: Labelled, order: Sequence[Label]) -> Node:
    """The product element by element, axes in this order.

    Operands are of equal rank where two labels have one size: that every pair is meant is what labels say.
    """
    sizes = dict(zip((*x.labels, *y.labels), (*x.node.shape, *y.node.shape), strict=True))
    is_clear = len(set(sizes.values())) == len(sizes)

    def aligned(one: Labelled) -> Node:
        own = [label for label in order if label in one.labels]
        first = min((order.index(label) for label in own), default=len(order))
        first = first if is_clear or not own else 0
        missing = [at - first for at, label in enumerate(order) if at >= first and label not in own]
        return expand_dims(turned(one, own), missing)

    return apply("multiply", aligned(x), aligned(y))


def _order(
    x: Labelled,
    y: Labelled,
    both: Sequence[Label],
    rows: Sequence[Label],
    columns: Sequence[Label],
    inner: Sequence[Label],
) -> list[Label]:
    """The order of the summed labels in which more of the operands can be read as they lie."""
    own = [label for label in x.labels if label in inner]
    other = [label for label in y.labels if label in inner]

    def lies(one: Labelled, outer: Sequence[Label], order: Sequence[Label]) -> bool:
        return one.labels in ((*both, *outer, *order), (*both, *order, *outer))

    scores = [lies(x, rows, order) + lies(y, columns, order) for order in (own, other)]
    return own if scores[0] >= scores[1] else other


def _matrix(x: Labelled, both: Sequence[Label], first: Sequence[Label], second: Sequence[Label]) -> Node:
    """x as matrices of `first` by `second`, for each of `both`; without an axis for what is empty."""
    if x.labels == (*both, *second, *first) and first and second:
        return _swapped(_merged(x, both, second, first))
    return _merged(
        Labelled(turned(x, (*both, *first, *second)), (*both, *first, *second)), both, first, second
    )


def _swapped(x: Node) -> Node:
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _merged(x: Labelled, both: Sequence[Label], first: Sequence[Label], second: Sequence[Label]) -> Node:
    sizes = x.node.shape
    split = len(both) + len(first)
    groups = [sizes[len(both) : split], sizes[split:]]
    merged = [size_of(group) for group in groups if group]
    return reshape(x.node, (*sizes[: len(both)], *merged))


def _unfold(
    x: Labelled,
    y: Labelled,
    both: Sequence[Label],
    rows: Sequence[Label],
    columns: Sequence[Label],
    inner: Sequence[Label],
) -> Node:
    """The product of matrices, with its rows and columns as the axes that they were made of."""
    sizes = dict(zip((*x.labels, *y.labels), (*x.node.shape, *y.node.shape), strict=True))
    left, right = _matrix(x, both, rows, inner), _matrix(y, both, inner, columns)
    if both and not rows:  # numpy.matmul takes a vector for a row of no stack
        left = expand_dims(left, left.ndim - 1)
    if both and not columns:
        right = expand_dims(right, right.ndim)
    made = matmul(left, right)
    if both and not rows:
        made = squeeze(made, made.ndim - 2)
    if both and not columns:
        made = squeeze(made, made.ndim - 1)
    return reshape(made, tuple(sizes[label] for label in (*both, *rows, *columns)))
