"""Like terms: a sum of the same product written twice, as ``g * (c * x) + (g * x) * c``, takes it once, twice as large;
and of terms that are scaled alike, the sum is scaled.

The chain rule makes them wherever an array is a factor more than once, as x is in ``c * x * x``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.arithmetic import multiply
from graphgrad.ops.leaf import const, scalar_value
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule, rule

_PRODUCTS, _SUMMANDS = 12, 4
"""Two terms are compared so many products down, and a sum is looked at so many summands back."""


@dataclass(frozen=True)
class _Quotient:
    """Of two terms that are alike, one as a number times the other."""

    number: float
    upper: tuple[Node, ...]
    """Products in the one that are not in the other, the last one first."""
    lower: tuple[Node, ...]
    """And the other way round."""


def _quotient(one: Node, other: Node) -> _Quotient | None:
    """None if the terms are not alike.

    The node that was made last is looked at first, so what is neither a product nor in both ends it.
    """
    counts = {one: 1, other: -1}
    last = [(-node.serial, node) for node in counts]
    heapify(last)
    number = 1.0
    products: tuple[list[Node], list[Node]] = [], []
    for _ in range(_PRODUCTS):
        count = 0
        while last and not count:
            _, node = heappop(last)
            count = counts.pop(node)
        if not count:
            return _Quotient(number, *map(tuple, products))
        value = scalar_value(node)
        if value is not None:
            for _ in range(abs(count)):
                number = number * value if count > 0 else number / value if value else float("nan")
        elif node.op.name in ("multiply", "negative", "square"):
            products[count < 0].append(node)
            if node.op.name == "negative" and count % 2:
                number = -number
            for part in node.inputs * (2 if node.op.name == "square" else 1):
                if part not in counts:
                    heappush(last, (-part.serial, part))
                counts[part] = counts.get(part, 0) + count
        else:
            return None
    return None


def _summands(node: Node) -> Iterator[tuple[Node, int, tuple[Node, ...]]]:
    """The summands of a sum's first operand: each with its sign and the sums it is in, the last one first."""
    sums: tuple[Node, ...] = ()
    whole = node.inputs[0]
    while whole.op.name in ("add", "subtract") and whole.shape == node.shape and len(sums) < _SUMMANDS:
        first, second = whole.inputs
        sums = (*sums, whole)
        yield second, -1 if whole.op.name == "subtract" else 1, sums
        whole = first
    if sums:
        yield whole, 1, sums


def _whole(node: Node) -> Iterator[tuple[Node, int, tuple[Node, ...]]]:
    """A sum's first operand, as if it were the only one of its summands."""
    yield node.inputs[0], 1, ()


Summands = Callable[[Node], Iterator[tuple[Node, int, tuple[Node, ...]]]]


def _gathering(summands: Summands) -> Callable[[Node, Collection[Node]], Outcome]:
    def attempt(node: Node, present: Collection[Node]) -> Outcome:
        own = node.inputs[1]
        if node.dtype.kind != "f" or node.size == 1 or own.shape != node.shape:
            return None
        for summand, sign, sums in summands(node):
            if summand is own or summand.shape != node.shape:
                continue
            quotient = _quotient(summand, own)
            if quotient is not None:
                merged = _merged(summand, own, quotient, sign if node.op.name == "add" else -sign)
                if not isinstance(merged, Found):
                    return merged
                return Found(_put(merged.replacement, summand, sums), (*sums, *merged.inner))
        return None

    return attempt


def _merged(term: Node, other: Node, quotient: _Quotient, sign: int) -> Outcome:
    """term + sign * other, by the one of which the other is made, or else by the larger one: what the dtype's limits
    take from the smaller one counts for less."""
    times = quotient.number
    if not 0 < abs(times) < float("inf"):
        return Declined("one of the terms is 0, infinite or nan")
    if times * sign < 0:
        return Declined("the terms cancel at least in part, but not where they are infinite")
    if not quotient.upper or (quotient.lower and abs(times) >= 1):
        kept, dropped, ratio = term, quotient.lower, 1 + sign / times
    else:
        kept, dropped, ratio = other, quotient.upper, sign + times
    if abs(ratio) > float(np.finfo(kept.dtype).max):
        return Declined("together they are too large for the dtype")
    return Found(multiply(const(np.asarray(ratio, kept.dtype)), kept), dropped)


def _put(merged: Node, summand: Node, sums: tuple[Node, ...]) -> Node:
    """The same sums with another summand in place of one."""
    whole = merged
    for at, one in enumerate(reversed(sums)):
        first, second = one.inputs
        whole = one.op(first, merged) if not at and second is summand else one.op(whole, second)
    return whole


def _is_not_small(x: Node, y: Node, c: Node) -> Declined | bool:
    """If it is small, x + y may overflow where c * x + c * y does not."""
    value = scalar_value(c)
    if value is None or c.dtype.kind != "f" or x is y or x.shape != y.shape:
        return False
    return 1 <= abs(value) < float("inf") or Declined("the number is less than 1, and the sum might overflow")


_PAIRS = ({"x": (2, 3), "y": (2, 3)}, {"x": ("n",), "y": ("n",)})
_NUMBERS = (1.0, 2.5, 0.4)

RULES = (
    *(
        rule(
            name,
            left,
            right,
            safety="rounding",
            when=_is_not_small,
            examples=[{**pair, "c": c} for pair in _PAIRS for c in (2.0, -1.5)],
            declined=[{**_PAIRS[0], "c": 0.5}],
        )
        for name, left, right in (
            ("added_and_scaled", lambda x, y, c: x * c + y * c, lambda x, y, c: (x + y) * c),
            ("subtracted_and_scaled", lambda x, y, c: x * c - y * c, lambda x, y, c: (x - y) * c),
        )
    ),
    Rule(
        name="like_terms",
        safety="widening",
        roots=("add", "subtract"),
        needs=("multiply",),
        attempt=_gathering(_whole),
        before="x * (y * c) + x * y, and so for any two products of the same factors; and for -",
        after="(1 + 1 / c) * (x * (y * c)), or (1 + c) * (x * y) for a small c",
        build=lambda x, y, c: x * (y * c) + x * y,
        variables=("x", "y", "c"),
        examples=tuple({**pair, "c": c} for pair in _PAIRS for c in _NUMBERS),
        declined=tuple({**_PAIRS[0], "c": c} for c in (-1.0, -2.5, 0.0)),
    ),
    Rule(
        name="like_summands",
        safety="widening",
        roots=("add", "subtract"),
        needs=("multiply",),
        attempt=_gathering(_summands),
        before="(x * (y * c) - z) + x * y, and so where either of them is added in a longer sum",
        after="(1 + 1 / c) * (x * (y * c)) - z, or (1 + c) * (x * y) - z for a small c",
        build=lambda x, y, z, c: (x * (y * c) - z) + x * y,
        variables=("x", "y", "z", "c"),
        examples=tuple({**pair, "z": pair["x"], "c": c} for pair in _PAIRS for c in _NUMBERS),
        declined=tuple({**_PAIRS[0], "z": (2, 3), "c": c} for c in (-1.0, -2.5, 0.0)),
    ),
)
