"""Small integer powers as products: ``v**3`` in float32 takes 280 times as long as ``v * v * v``."""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.ops.leaf import scalar_value
from graphgrad.rewrite.pattern import power, square
from graphgrad.rewrite.rule import FLOATS, Declined, rule

_LARGEST = 8


def _exponent(n: Node) -> int | None:
    value = scalar_value(n)
    return (
        int(value)
        if value is not None and value == value // 1 and 2 <= max(value, -value) <= _LARGEST
        else None
    )


def _no_small_integer(x: Node, n: Node) -> Declined | None:
    value = scalar_value(n)
    if value is None:
        return Declined("the exponent is no constant scalar")
    if value in (-1, 0, 0.5, 1):
        return Declined("another rule's, or none")
    return None if _exponent(n) is not None else Declined(f"the exponent is no integer up to {_LARGEST}")


def _product(x: Node, n: Node) -> Node:
    """By repeated squaring; of the reciprocal, if negative: ``x**8`` overflows long before 1 over it is 0."""
    count = _exponent(n) or 0
    factor = 1 / x if count < 0 else x
    whole: Node | None = None
    count = count if count > 0 else -count
    while count:
        if count % 2:
            whole = factor if whole is None else whole * factor
        count //= 2
        if count:
            factor = square(factor)
    return x if whole is None else whole


RULES = (
    rule("reciprocal", lambda x: power(x, -1), lambda x: 1 / x, safety="rounding"),
    rule(
        "small_power",
        lambda x, n: power(x, n),
        _product,
        safety="rounding",
        when=_no_small_integer,
        after="x squared and multiplied, such as square(x) * x for n=3",
        dtypes=(*FLOATS, "int32"),
        examples=[{"x": (3,), "n": n} for n in range(2, _LARGEST + 1)]
        + [{"x": ("n", 2), "n": -n, "dtype": "float64"} for n in range(2, _LARGEST + 1)]
        + [{"x": ("n", 2), "n": -n, "dtype": "float32"} for n in range(2, _LARGEST + 1)],
        declined=[{"x": (3,), "n": 2.5}, {"x": (3,), "n": 9}, {"x": (3,), "n": (3,)}, {"x": (3,), "n": 1}],
    ),
)
