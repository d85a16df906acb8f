"""Means as sums and a division: parts of a sum add up, so a loop can compute it tile by tile."""

from __future__ import annotations

from graphgrad.core.dim import Dim
from graphgrad.core.node import Node
from graphgrad.core.spec import size_of
from graphgrad.ops.leaf import run_time_size
from graphgrad.rewrite.pattern import mean, sum
from graphgrad.rewrite.rule import Declined, rule

_MANY = 2**16
"""Elements of known number for each of which a mean is worth a loop."""


def _are_few(x: Node, a: tuple[int, ...], k: bool) -> Declined | None:
    if x.dtype.itemsize < 4:
        return Declined(f"np.mean adds {x.dtype} up in float32")
    count = size_of(tuple(x.shape[axis] for axis in a))
    if not isinstance(count, Dim) and count < _MANY:
        return Declined("of so few elements, nobody makes parts")
    return None


def _average(x: Node, a: tuple[int, ...], k: bool) -> Node:
    count = size_of(tuple(x.shape[axis] for axis in a))
    result: Node = sum(x, a, k) / run_time_size(count, x.dtype)
    return result


RULES = (
    rule(
        "mean_by_parts",
        lambda x, a, k: mean(x, a, k),
        _average,
        safety="exact",
        when=_are_few,
        after="sum(x, a, k) / n",
        examples=({"x": ("n", 3), "a": (0,), "k": False}, {"x": ("n", 2), "a": (0, 1), "k": True}),
        declined=(
            {"x": (2, 3), "a": (0,), "k": False},
            {"x": ("n", 3), "a": (0,), "k": False, "dtype": "float16"},
        ),
    ),
)
