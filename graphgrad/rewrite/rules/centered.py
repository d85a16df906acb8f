"""Variances: the mean of what was centred, where a difference of two large numbers was written."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import op, square
from graphgrad.rewrite.rule import Found, Outcome, Rule

mean = op("mean")


def _squared(node: Node) -> Node | None:
    """What was squared, in either spelling."""
    if node.op.name == "square" or (node.op.name == "multiply" and node.inputs[0] is node.inputs[1]):
        return node.inputs[0]
    return None


def _variance(node: Node, present: Collection[Node]) -> Outcome:
    """Not covariances: of an infinite x and a finite y the written form may be inf, and the centred one is nan."""
    both, apart = node.inputs
    average = _squared(apart)
    if both.op.name != "mean" or average is None or average.op.name != "mean":
        return None
    x = _squared(both.inputs[0])
    if x is None or x is not average.inputs[0] or both.attrs != average.attrs or x.dtype != both.dtype:
        return None
    axes = both.attrs["axes"]
    centred = square(x - mean(x, axes, True))
    return Found(mean(centred, axes, both.attrs["keepdims"]), (both, both.inputs[0], apart, average))


VARIANCE = Rule(
    name="variance",
    safety="widening",
    roots=("subtract",),
    needs=("mean",),
    attempt=_variance,
    before="mean(square(x), axes=a, keepdims=k) - square(mean(x, axes=a, keepdims=k))",
    after="mean(square(x - mean(x, axes=a, keepdims=True)), axes=a, keepdims=k)",
    build=lambda x, a, k: mean(square(x), a, k) - square(mean(x, a, k)),
    variables=("x", "a", "k"),
    attributes=frozenset({"a", "k"}),
    examples=(
        {"x": (2, 3), "a": (1,), "k": True},
        {"x": ("n", 3), "a": (0,), "k": False},
        {"x": (2, 3), "a": (0, 1), "k": False},
    ),
)
