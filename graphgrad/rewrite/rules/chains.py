"""Products of matrices in the order that takes the fewest operations, and of what is read of them alone."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.dim import Size, add, at_least, multiply, usual
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of
from graphgrad.ops.contract import matmul as product_of
from graphgrad.rewrite.pattern import index, matmul
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule, rule

_BLAS = ("float32", "float64")
_LONG = ("n + 2", 2)
_ALL = slice(None, None, 1)


# ---- chains ----


def _price(x: Shape, y: Shape) -> Size:
    """The multiplications in a product of these shapes."""
    return size_of((*x, *y[1:]))


def _shape(x: Shape, y: Shape) -> Shape:
    return (*x[:-1], *y[1:])


def _shorter(x: Node, y: Node, z: Node, is_left: bool) -> Declined | None:
    """Refuse unless the other order takes fewer operations however large the symbolic sizes are, from 1 up."""
    shapes = [x.shape, y.shape, z.shape]
    if y.ndim != 2 or any(len(shape) not in (1, 2) for shape in shapes):
        return Declined("no chain of matrices")
    left = add(_price(x.shape, y.shape), _price(_shape(x.shape, y.shape), z.shape))
    right = add(_price(y.shape, z.shape), _price(x.shape, _shape(y.shape, z.shape)))
    now, then = (left, right) if is_left else (right, left)
    saved = add(now, multiply(then, -1))
    if at_least(_from_one(saved), 1):
        return None
    if isinstance(saved, int) or at_least(then, now):
        return Declined("it is the cheaper order")
    return Declined(f"which order is cheaper depends on the sizes: {then} multiplications instead of {now}")


def _from_one(size: Size) -> Size:
    """A size with each named size written as one more than a size."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, factor in size.terms:
        term: Size = factor
        for atom, power in monomial:
            one = type(size)({((atom, 1),): 1})
            for _ in range(power):
                term = multiply(term, add(one, 1) if atom.kind == "name" else one)
        total = add(total, term)
    return total


# ---- what is read of a product ----


def _part_of_product(node: Node, present: Collection[Node]) -> Outcome:
    """Rows and columns that are not read are not computed."""
    (product,), items = node.inputs, node.attrs["index"]
    if product.op.name != "matmul" or None in items or usual(node.size) >= usual(product.size):
        return None
    x, y = product.inputs
    if y.ndim > 2:
        return Declined("it is a product of stacks of matrices")
    if len(items) != product.ndim or x.ndim == 1 == y.ndim:
        return None
    rows = items if y.ndim == 1 else items[:-1]
    column = _ALL if y.ndim == 1 else items[-1]
    x = x if all(item == _ALL for item in rows) else index(x, (*rows, _ALL))
    y = y if column == _ALL else index(y, (_ALL, column))
    return Found(product_of(x, y), (product,))


RULES = (
    Rule(
        name="part_of_product",
        safety="rounding",
        roots=("index",),
        needs=("index", "matmul"),
        attempt=_part_of_product,
        before="(x @ y)[i, j]",
        after="x[i] @ y[:, j]",
        dtypes=_BLAS,
        build=lambda x, y, i: index(matmul(x, y), i),
        variables=("x", "y", "i"),
        attributes=frozenset({"i"}),
        examples=(
            {"x": (5, 3), "y": (3, 4), "i": (_ALL, 1)},
            {"x": ("n", 3), "y": (3, 4), "i": (_ALL, slice(0, 2, 1))},
            {"x": (6, 5, 3), "y": (3, 4), "i": (slice(0, 4, 2), 1, 2)},
            {"x": (7, 3), "y": (3,), "i": (slice(0, 3, 1),)},
        ),
        declined=(
            {"x": (2, 5, 3), "y": (2, 3, 4), "i": (0, _ALL, _ALL)},
            {"x": (3,), "y": (3, 3, 3), "i": (_ALL, 1)},
        ),
    ),
    rule(
        "chain_from_the_right",
        lambda x, y, z: matmul(matmul(x, y), z),
        lambda x, y, z: product_of(x, product_of(y, z)),
        safety="range",
        when=lambda x, y, z: _shorter(x, y, z, True),
        after="x @ (y @ z), where that is cheaper",
        dtypes=_BLAS,
        examples=[
            {"x": (6, 5), "y": (5, 4), "z": (4,)},
            {"x": _LONG, "y": _LONG[::-1], "z": _LONG, "with": ("n",)},
        ],
        declined=[
            {"x": ("n", 5), "y": (5, 4), "z": (4,)},
            {"x": (2, 3), "y": (3, 4), "z": (4, 9)},
            {"x": (5, 2, 3), "y": (3, 4), "z": (4, 9)},
        ],
    ),
    rule(
        "chain_from_the_left",
        lambda x, y, z: matmul(x, matmul(y, z)),
        lambda x, y, z: product_of(product_of(x, y), z),
        safety="range",
        when=lambda x, y, z: _shorter(x, y, z, False),
        after="(x @ y) @ z, where that is cheaper",
        dtypes=_BLAS,
        examples=[
            {"x": (4,), "y": (4, 5), "z": (5, 6)},
            {"x": _LONG[::-1], "y": _LONG, "z": _LONG[::-1], "with": ("n",)},
        ],
        declined=[{"x": (4,), "y": (4, 5), "z": (5, "n")}, {"x": (9, 4), "y": (4, 3), "z": (3, 2)}],
    ),
)
