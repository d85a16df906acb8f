"""Chains of products of matrices, in the order that takes the fewest operations."""

from __future__ import annotations

from graphgrad.core.dim import Size, add, at_least, multiply
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape, size_of
from graphgrad.ops.contract import matmul as product_of
from graphgrad.rewrite.pattern import matmul
from graphgrad.rewrite.rule import Declined, rule

_BLAS = ("float32", "float64")
_LONG = ("n + 2", 2)


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


RULES = (
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
