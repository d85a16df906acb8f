"""Variances: the mean of what was centred, where a difference of two large numbers was written."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import op, square
from graphgrad.rewrite.rule import Found, Outcome, Rule

mean = op("mean")


def _factors(node: Node) -> tuple[Node, Node] | None:
    """What was multiplied: twice the same, if it was squared."""
    if node.op.name == "multiply":
        return node.inputs[0], node.inputs[1]
    return (node.inputs[0], node.inputs[0]) if node.op.name == "square" else None


def _covariance(node: Node, present: Collection[Node]) -> Outcome:
    both, apart = node.inputs
    if both.op.name != "mean" or (means := _factors(apart)) is None or node.shape != both.shape:
        return None
    inner = (both, both.inputs[0], apart, *means)
    if (factors := _factors(both.inputs[0])) is None or any(
        one.op.name != "mean" or one.attrs != both.attrs for one in means
    ):
        return None
    x, y = factors
    averaged = [one.inputs[0] for one in means]
    if x.shape != y.shape or averaged not in ([x, y], [y, x]) or x.dtype != both.dtype:
        return None
    axes = both.attrs["axes"]
    centred = x - mean(x, axes, True)
    product = square(centred) if x is y else centred * (y - mean(y, axes, True))
    return Found(mean(product, axes, both.attrs["keepdims"]), tuple(dict.fromkeys(inner)))


COVARIANCE = Rule(
    name="covariance",
    safety="widening",
    roots=("subtract",),
    needs=("mean",),
    attempt=_covariance,
    before="mean(x * y, axes=a, keepdims=k) - mean(x, axes=a, keepdims=k) * mean(y, axes=a, keepdims=k)",
    after="mean of (x - its mean) * (y - its mean); a variance, if y is x",
    build=lambda x, y, a, k: mean(x * y, a, k) - mean(x, a, k) * mean(y, a, k),
    variables=("x", "y", "a", "k"),
    attributes=frozenset({"a", "k"}),
    examples=(
        {"x": (2, 3), "y": (2, 3), "a": (1,), "k": True},
        {"x": ("n", 3), "y": ("n", 3), "a": (0,), "k": False},
    ),
)
