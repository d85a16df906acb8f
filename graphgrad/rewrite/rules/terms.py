"""Like terms: a sum of the same product written twice, as ``g * (c * x) + (g * x) * c``, takes it once, twice as large;
and of terms that are scaled alike, the sum is scaled.

The chain rule makes them wherever an array is a factor more than once, as x is in ``c * x * x``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.arithmetic import multiply
from graphgrad.ops.leaf import const, scalar_value
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule, rule

_MOST_PRODUCTS = 8
"""What a term is made of is looked at so far down, and a sum so far to its beginning."""


@dataclass(frozen=True)
class _Term:
    """A product as a number times other factors, each as often as it occurs."""

    node: Node
    number: float
    factors: Counter[Node]
    products: tuple[Node, ...]
    """The nodes that multiply, the last one first."""


def _term(node: Node) -> _Term:
    number, factors, products = 1.0, Counter[Node](), list[Node]()
    pending = [node]
    while pending:
        one = pending.pop()
        value = scalar_value(one)
        if value is not None:
            number *= float(value)
        elif one.op.name in ("multiply", "negative", "square") and len(products) < _MOST_PRODUCTS:
            products.append(one)
            number = -number if one.op.name == "negative" else number
            pending += one.inputs * (2 if one.op.name == "square" else 1)
        else:
            factors[one] += 1
    return _Term(node, number, factors, tuple(products))


def _summands(node: Node) -> Iterator[tuple[Node, int, tuple[Node, ...]]]:
    """The summands of a sum's first operand: each with its sign and the sums it is in, the last one first."""
    sums: tuple[Node, ...] = ()
    whole = node.inputs[0]
    while whole.op.name in ("add", "subtract") and whole.shape == node.shape and len(sums) < _MOST_PRODUCTS:
        first, second = whole.inputs
        sums = (*sums, whole)
        yield second, -1 if whole.op.name == "subtract" else 1, sums
        whole = first
    if sums:
        yield whole, 1, sums


def _gathering(keeps_first: bool, within: bool) -> Callable[[Node, Collection[Node]], Outcome]:
    def attempt(node: Node, present: Collection[Node]) -> Outcome:
        own = _term(node.inputs[1])
        if node.dtype.kind != "f" or node.size == 1 or own.node.shape != node.shape or not own.factors:
            return None
        sign = -1 if node.op.name == "subtract" else 1
        for summand, its_sign, sums in _summands(node) if within else [(node.inputs[0], 1, ())]:
            if summand is own.node or summand.shape != node.shape:
                continue
            other = _term(summand)
            kept, dropped = (other, own) if keeps_first else (own, other)
            if other.factors == own.factors and dropped.products:
                ratio = _ratio(kept, dropped, its_sign * sign)
                if isinstance(ratio, Declined):
                    return ratio
                number = const(np.asarray(ratio if keeps_first else its_sign * sign * ratio, node.dtype))
                whole = _put(multiply(number, kept.node), summand, sums)
                return Found(whole, (*sums, *dropped.products))
        return None

    return attempt


def _ratio(kept: _Term, dropped: _Term, sign: int) -> float | Declined:
    """How many times as large both are as the one that is kept. Neither may be lost beside the other."""
    if not 0 < abs(dropped.number) <= abs(kept.number) < float("inf"):
        return Declined("the other term is the larger one, or one is 0, infinite or nan")
    ratio = 1 + sign * dropped.number / kept.number
    return ratio if ratio else Declined("the terms cancel, but not where they are infinite")


def _put(merged: Node, summand: Node, sums: tuple[Node, ...]) -> Node:
    """The same sums with another summand in place of one."""
    whole = merged
    for at, one in enumerate(reversed(sums)):
        first, second = one.inputs
        whole = one.op(first, merged) if not at and second is summand else one.op(whole, second)
    return whole


def _rule(
    name: str, build: Callable[..., Node], sums: tuple[str, str], *, keeps_first: bool, within: bool
) -> Rule:
    """c is the number of one term, and that of the other is 1."""
    variables = ("x", "y", "z", "c") if within else ("x", "y", "c")
    leaves = [dict.fromkeys(variables[:-1], shape) for shape in ((2, 3), ("n", 2))]
    fires, does_not = ((1.0, 2.5, -3.0), 0.4) if keeps_first else ((1.0, 0.4, -0.25), 2.5)
    return Rule(
        name=name,
        safety="widening",
        roots=("add", "subtract"),
        needs=("multiply",),
        attempt=_gathering(keeps_first, within),
        before=sums[0],
        after=sums[1],
        build=build,
        variables=variables,
        examples=tuple({**leaf, "c": number} for leaf in leaves for number in fires),
        declined=tuple({**leaves[0], "c": number} for number in (does_not, -1.0)),
    )


def _is_not_small(x: Node, y: Node, c: Node) -> Declined | bool:
    """If it is small, x + y may overflow where c * x + c * y does not."""
    value = scalar_value(c)
    if value is None or c.dtype.kind != "f" or x is y or x.shape != y.shape:
        return False
    return 1 <= abs(value) < float("inf") or Declined("the number is less than 1, and the sum might overflow")


_SCALES = tuple(
    {**leaf, "c": c} for leaf in ({"x": (2, 3), "y": (2, 3)}, {"x": ("n",), "y": ("n",)}) for c in (2.0, -1.5)
)
_SMALL = ({"x": (3,), "y": (3,), "c": 0.5},)

RULES = (
    rule(
        "added_and_scaled",
        lambda x, y, c: x * c + y * c,
        lambda x, y, c: (x + y) * c,
        safety="rounding",
        when=_is_not_small,
        examples=_SCALES,
        declined=_SMALL,
    ),
    rule(
        "subtracted_and_scaled",
        lambda x, y, c: x * c - y * c,
        lambda x, y, c: (x - y) * c,
        safety="rounding",
        when=_is_not_small,
        examples=_SCALES,
        declined=_SMALL,
    ),
    _rule(
        "like_terms",
        lambda x, y, c: x * (y * c) + x * y,
        (
            "x * (y * c) + x * y, and so for any products of the same factors and for -",
            "(1 + 1 / c) * (x * (y * c))",
        ),
        keeps_first=True,
        within=False,
    ),
    _rule(
        "like_terms_second",
        lambda x, y, c: x * (y * c) + x * y,
        ("x * (y * c) + x * y, the same where c is small", "(1 + c) * (x * y)"),
        keeps_first=False,
        within=False,
    ),
    _rule(
        "like_summands",
        lambda x, y, z, c: (z + x * (y * c)) + x * y,
        ("(z + x * (y * c)) + x * y, and so in longer sums", "z + (1 + 1 / c) * (x * (y * c))"),
        keeps_first=True,
        within=True,
    ),
    _rule(
        "like_summands_second",
        lambda x, y, z, c: (x * (y * c) - z) + x * y,
        ("(x * (y * c) - z) + x * y, the same where c is small", "(1 + c) * (x * y) - z"),
        keeps_first=False,
        within=True,
    ),
)
