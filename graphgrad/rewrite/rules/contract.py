"""Products that sum over axes: written as sums of products, over stacks of matrices, transposed, or in a chain."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf

from graphgrad.core.dim import usual
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of
from graphgrad.ops.contract import matmul as product_of
from graphgrad.ops.movement import broadcast_to, expand_dims, reshape, squeeze
from graphgrad.ops.pairwise import Labelled, product, turned
from graphgrad.ops.permute import matrix_transpose
from graphgrad.rewrite.pattern import matmul, mean, sum, transpose
from graphgrad.rewrite.rule import Declined, Example, Found, Outcome, Rule, rule
from graphgrad.rewrite.rules.scalars import bounds

_BLAS = ("float32", "float64")
_SMALLEST = 64
"""Multiplications that make up for the call that each matrix of a stack takes."""
Axes = tuple[int, ...]
Nodes = list[Node]


# ---- sums of products ----


def _plain(
    node: Node, labels: Sequence[int], whole: Shape, dropped: Collection[int]
) -> tuple[Labelled, Nodes]:
    """An operand without what only brings it to the others' shape, and what that was.

    Its axes have the labels of the axes of `whole` that they become; those that are only stretched have none, and of
    size 1 those in `dropped` have none.
    """
    own: list[int | None] = list(labels)
    passed = []
    while node.op.name in ("expand_dims", "broadcast_to", "transpose", "reshape"):
        (x,) = node.inputs
        if node.op.name == "expand_dims":
            own = [label for axis, label in enumerate(own) if axis not in node.attrs["axes"]]
        elif node.op.name == "broadcast_to":
            own = own[node.ndim - x.ndim :]
        elif node.op.name == "transpose":
            own = [own[node.attrs["axes"].index(axis)] for axis in range(node.ndim)]
        elif [size for size in node.shape if size != 1] == [size for size in x.shape if size != 1]:
            rest = iter([label for label, size in zip(own, node.shape, strict=True) if size != 1])
            own = [None if size == 1 else next(rest) for size in x.shape]
        else:
            break
        passed.append(node)
        node = x
    kept, ones = [], []
    for axis, (label, size) in enumerate(zip(own, node.shape, strict=True)):
        if label is None or (size == 1 and (whole[label] != 1 or label in dropped)):
            ones.append(axis)
        else:
            kept.append(label)
    return Labelled(squeeze(node, ones) if ones else node, tuple(kept)), passed


def _both_plain(
    x: Node, y: Node, labels: Sequence[Sequence[int]], whole: Shape, axes: Axes
) -> tuple[Labelled, Labelled, Nodes]:
    """Both operands, of which an axis of size 1 is kept by one and none that is summed over."""
    left, first = _plain(x, labels[0], whole, axes)
    ones = [label for label in left.labels if isinstance(label, int) and whole[label] == 1]
    right, second = _plain(y, labels[1], whole, (*axes, *ones))
    return left, right, [*first, *second]


def _unscaled(node: Node) -> tuple[Node, list[tuple[Node, Node | None]]]:
    """What is scaled by known numbers, or negated; and each node that does so with its number, the last one first."""
    scaled: list[tuple[Node, Node | None]] = []
    while node.op.name in ("multiply", "divide", "negative"):
        x, number = node.inputs[0], node.inputs[-1] if len(node.inputs) == 2 else None
        if node.op.name == "multiply" and bounds(x) is not None:
            x, number = node.inputs[1], x
        known = (1.0, 1.0) if number is None else bounds(number)
        if x.shape != node.shape or known is None or not 0 < known[0] <= known[1] < inf:
            break
        scaled.append((node, number))
        node = x
    return node, scaled


def _scaled_again(made: Node, scaled: Sequence[tuple[Node, Node | None]]) -> Node:
    for one, number in reversed(scaled):
        made = one.op(made) if number is None else one.op(made, number)
    return made


def _sum_of_products(node: Node, present: Collection[Node]) -> Outcome:
    """The sum over axes of an elementwise product, as a product of matrices."""
    return _summed_as_matrices(node, node.inputs[0], [])


def _sum_of_scaled_products(node: Node, present: Collection[Node]) -> Outcome:
    """The same where each product is scaled before it is added: the sum is."""
    spread, scaled = _unscaled(node.inputs[0])
    return _summed_as_matrices(node, spread, scaled) if scaled else None


def _summed_as_matrices(node: Node, spread: Node, scaled: Sequence[tuple[Node, Node | None]]) -> Outcome:
    if spread.op.name != "multiply" or spread.dtype.name not in _BLAS:
        return None
    axes: Axes = node.attrs["axes"]
    labels = [range(spread.ndim - part.ndim, spread.ndim) for part in spread.inputs]
    x, y = spread.inputs
    left, right, passed = _both_plain(x, y, labels, spread.shape, axes)
    refused = _no_matrices(spread, left, right, axes)
    if refused is not None:
        return refused
    made = _multiplied(node, spread.shape, left, right)
    if node.op.name == "mean":
        made = made / size_of(tuple(spread.shape[axis] for axis in axes))
    return Found(
        _scaled_again(made, scaled), tuple(dict.fromkeys((*(one for one, _ in scaled), spread, *passed)))
    )


def _multiplied(node: Node, whole: Shape, left: Labelled, right: Labelled) -> Node:
    """The product of matrices in the shape of `node`, which sums over axes of `whole`."""
    axes: Axes = node.attrs["axes"]
    rest = [axis for axis in range(node.inputs[0].ndim) if axis not in axes]
    kept = [axis for axis in rest if axis in left.labels or axis in right.labels]
    made = turned(product(left, right, kept), kept)
    shown = range(node.inputs[0].ndim) if node.attrs["keepdims"] else rest
    ones = [at for at, axis in enumerate(shown) if axis not in kept]
    made = expand_dims(made, ones) if ones else made
    return made if made.shape == node.shape else broadcast_to(made, node.shape)  # stretched in both


def _no_matrices(spread: Node, left: Labelled, right: Labelled, axes: Axes) -> Declined | None:
    shape = spread.shape
    refused = _not_shared(shape, left, right, axes)
    if refused is not None:
        return refused
    outer = [axis for axis in range(spread.ndim) if axis not in axes]
    stack = [axis for axis in outer if axis in left.labels and axis in right.labels]
    if stack and not any((axis in left.labels) != (axis in right.labels) for axis in outer):
        return Declined("it is a product of vectors for each element of the result")
    each = size_of(tuple(shape[axis] for axis in (*axes, *outer) if axis not in stack))
    if stack and isinstance(each, int) and each < _SMALLEST:
        return Declined("the matrices are too small to be worth a call each")
    return None


def _not_shared(shape: Shape, left: Labelled, right: Labelled, axes: Axes) -> Declined | None:
    """What one operand alone has is summed first; what neither has was only repeated."""
    inner = [axis for axis in axes if shape[axis] != 1]
    if any(axis not in left.labels and axis not in right.labels for axis in inner):
        return Declined("an axis is summed over along which both are only repeated")
    if not any(axis in left.labels and axis in right.labels for axis in inner):
        return Declined("an axis is summed over that only one operand has")
    return None


# ---- stacks of matrices ----


def _sum_of_stack(node: Node, present: Collection[Node]) -> Outcome:
    """The sum over a stack of products of matrices, as one product of longer matrices."""
    (stack,) = node.inputs
    if stack.op.name != "matmul" or stack.dtype.name not in _BLAS:
        return None
    x, y = stack.inputs
    batch = stack.ndim - 2
    axes: Axes = node.attrs["axes"]
    if x.ndim < 3 or y.ndim < 3 or any(axis >= batch for axis in axes):
        return Declined("other axes are summed over than those of the stack")
    rows, columns, inner = batch, batch + 1, batch + 2
    labels = [
        (*range(batch + 2 - part.ndim, batch), *last)
        for part, last in ((x, (rows, inner)), (y, (inner, columns)))
    ]
    whole = (*stack.shape, x.shape[-1])
    left, right, passed = _both_plain(x, y, labels, whole, (*axes, inner))
    refused = _not_shared(whole, left, right, axes)
    if refused is not None:
        return refused
    return Found(_multiplied(node, whole, left, right), tuple(dict.fromkeys((stack, *passed))))


def _is_one_already(x: Node, y: Node) -> Declined | bool | None:
    if x.ndim < 3 or y.ndim != 2 or x.dtype.name not in _BLAS:
        return False  # no stack of matrices times one matrix
    if usual(size_of(x.shape[:-2])) <= 3:
        return Declined("the stack is so short that reshaping it is no gain")
    return None


def _one_product(x: Node, y: Node) -> Node:
    rows = size_of(x.shape[:-1])
    return reshape(product_of(reshape(x, (rows, x.shape[-1])), y), (*x.shape[:-1], y.shape[-1]))


# ---- transposed ----


def _transposed_product(node: Node, present: Collection[Node]) -> Outcome:
    """A product transposed, of which a factor is transposed already."""
    (whole,) = node.inputs
    if whole.op.name != "matmul":
        return None
    x, y = whole.inputs
    if not _is_turned(node) or min(x.ndim, y.ndim) < 2:
        return Declined("other axes are swapped than the rows and columns of the product")
    turned_already = [part for part in (x, y) if _is_turned(part)]
    if not turned_already:
        return Declined("neither factor is transposed, so both would have to be")
    left, right = (part.inputs[0] if _is_turned(part) else matrix_transpose(part) for part in (y, x))
    return Found(product_of(left, right), (whole, *dict.fromkeys(turned_already)))


def _is_turned(x: Node) -> bool:
    last = x.ndim - 2
    return x.op.name == "transpose" and x.attrs["axes"] == (*range(last), last + 1, last)


def _column(node: Node, present: Collection[Node]) -> Outcome:
    """A product with a vector, as a column or a row, where that vector is one already."""
    (whole,) = node.inputs
    if whole.op.name != "matmul":
        return None
    x, y = whole.inputs
    if y.ndim == 1 and x.ndim > 1 and node.attrs["axes"] == (node.ndim - 1,):
        standing, made = expand_dims(y, 1), (x, expand_dims(y, 1))
    elif x.ndim == 1 and y.ndim == 2 and node.attrs["axes"] == (0,):
        standing, made = expand_dims(x, 0), (expand_dims(x, 0), y)
    else:
        return None
    if standing not in present:
        return Declined("the vector is no column or row elsewhere, so nothing is gained")
    return Found(product_of(*made), (whole,))


_OUTER: tuple[Example, ...] = (
    {"x": (5, 3, 1), "y": (5, 1, 4), "a": (0,), "k": False},
    {"x": (5, 3, 1), "y": (5, 1, 4), "a": (0,), "k": True},
    {"x": (5, 1, 4), "y": (5, 3, 1), "a": (0,), "k": False},
    {"x": ("n", 3, 1), "y": ("n", 1, 4), "a": (0,), "k": False},
    {"x": (3, 1, 5), "y": (1, 4, 5), "a": (2,), "k": False},
    {"x": (3, 5), "y": (5,), "a": (1,), "k": False},
    {"x": (5, 3), "y": (5, 1), "a": (0,), "k": False},
    {"x": ("n", 2, 3, 1), "y": ("n", 2, 1, 4), "a": (0, 1), "k": False},
    {"x": ("n", 8, 3, 1), "y": ("n", 8, 1, 4), "a": (1,), "k": False},
    {"x": (2, 3), "y": (2, 3), "a": (0, 1), "k": False},
)


def _of_scaled_products(name: str) -> Rule:
    reduce = {"sum": sum, "mean": mean}[name]
    return Rule(
        name=f"{name}_of_scaled_products",
        safety="widening",
        roots=(name,),
        needs=(name, "multiply"),
        attempt=_sum_of_scaled_products,
        before=f"{name}(x[:, :, None] * y[:, None, :] * c, axes=0), and so for / and -",
        after="x.T @ y * c" if name == "sum" else "x.T @ y / n * c",
        dtypes=_BLAS,
        examples=_OUTER,
        build=lambda x, y, a, k: reduce(-(x * y) * 1.5 / 0.7, a, k),
        variables=("x", "y", "a", "k"),
        attributes=frozenset({"a", "k"}),
        declined=({"x": (5, 3, 1), "y": (1, 4), "a": (0,), "k": False},),
    )


def _of_products(name: str) -> Rule:
    reduce = {"sum": sum, "mean": mean}[name]
    return Rule(
        name=f"{name}_of_products",
        safety="rounding",
        roots=(name,),
        needs=(name, "multiply"),
        attempt=_sum_of_products,
        before=f"{name}(x[:, :, None] * y[:, None, :], axes=0), and so in every arrangement",
        after="x.T @ y" if name == "sum" else "x.T @ y / n",
        dtypes=_BLAS,
        examples=_OUTER,
        build=lambda x, y, a, k: reduce(x * y, a, k),
        variables=("x", "y", "a", "k"),
        attributes=frozenset({"a", "k"}),
        declined=(
            {"x": (5, 3, 1), "y": (1, 4), "a": (0,), "k": False},
            {"x": (5, 3), "y": (5, 3), "a": (1,), "k": False},
            {"x": (5, 3, 2, 1), "y": (5, 3, 1, 2), "a": (1,), "k": False},
        ),
    )


RULES = (
    *map(_of_products, ("sum", "mean")),
    *map(_of_scaled_products, ("sum", "mean")),
    Rule(
        name="sum_of_stack",
        safety="rounding",
        roots=("sum",),
        needs=("sum", "matmul"),
        attempt=_sum_of_stack,
        before="sum(x.mT @ y, axes=0), the weights' gradient",
        after="reshape(x).T @ reshape(y), one product",
        dtypes=_BLAS,
        examples=(
            {"x": (5, 6, 3), "y": (5, 6, 4), "a": (0,), "k": False},
            {"x": ("n", 6, 3), "y": ("n", 6, 4), "a": (0,), "k": False},
            {"x": ("n", 2, 6, 3), "y": ("n", 2, 6, 4), "a": (0, 1), "k": True},
        ),
        build=lambda x, y, a, k: sum(product_of(matrix_transpose(x), y), a, k),
        variables=("x", "y", "a", "k"),
        attributes=frozenset({"a", "k"}),
        declined=(
            {"x": (5, 6, 3), "y": (5, 6, 4), "a": (1,), "k": False},
            {"x": (5, 6, 3), "y": (1, 6, 4), "a": (0,), "k": False},
        ),
    ),
    rule(
        "rows_of_stack",
        lambda x, y: matmul(x, y),
        _one_product,
        safety="rounding",
        when=_is_one_already,
        after="reshape(reshape(x) @ y), one product",
        dtypes=_BLAS,
        examples=[
            {"x": (5, 6, 3), "y": (3, 4)},
            {"x": ("n", 6, 3), "y": (3, 4)},
            {"x": (5, 2, 6, 3), "y": (3, 2)},
        ],
        declined=[
            {"x": (6, 3), "y": (3, 4)},
            {"x": (2, 6, 3), "y": (3, 4)},
            {"x": (5, 6, 3), "y": (5, 3, 4)},
        ],
    ),
    Rule(
        name="transposed_product",
        safety="rounding",
        roots=("transpose",),
        needs=("transpose", "matmul"),
        attempt=_transposed_product,
        before="(x @ y).T",
        after="y.T @ x.T, where one of them is transposed already",
        dtypes=_BLAS,
        examples=(
            {"x": (2, 3), "y": (2, 4), "p": (1, 0)},
            {"x": ("n", 2, 3), "y": ("n", 2, 4), "p": (0, 2, 1)},
        ),
        build=lambda x, y, p: transpose(product_of(matrix_transpose(x), y), p),
        variables=("x", "y", "p"),
        attributes=frozenset({"p"}),
        declined=({"x": (3, 2, 4), "y": (3, 2, 5), "p": (2, 1, 0)},),
    ),
    Rule(
        name="column_of_product",
        safety="rounding",
        roots=("expand_dims",),
        needs=("expand_dims", "matmul"),
        attempt=_column,
        before="(x @ y)[:, None], where y[:, None] is needed anyway",
        after="x @ y[:, None]",
        dtypes=_BLAS,
        examples=({"x": (3, 4), "y": (4,)}, {"x": ("n", 4), "y": (4,)}),
        build=lambda x, y: (x @ expand_dims(y, 1)) * expand_dims(x @ y, 1),
        variables=("x", "y"),
    ),
)
