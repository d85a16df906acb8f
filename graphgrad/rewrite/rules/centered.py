"""Variances: the mean of what was centred, where a difference of two large numbers was written."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.core.spec import size_of
from graphgrad.ops.leaf import scalar_value
from graphgrad.rewrite.pattern import mean, square, sum
from graphgrad.rewrite.rule import Example, Found, Outcome, Rule


def squared(node: Node) -> Node | None:
    """What was squared, in either spelling."""
    if node.op.name == "square" or (node.op.name == "multiply" and node.inputs[0] is node.inputs[1]):
        return node.inputs[0]
    return None


def _averaged(node: Node) -> Node | None:
    """The mean or sum that a mean is, as the user wrote it: by `mean`, or as a sum over the number of elements."""
    if node.op.name == "mean" and node.inputs[0].dtype == node.dtype:
        return node
    if node.op.name != "divide" or node.inputs[0].op.name != "sum":
        return None
    total, count = node.inputs
    elements = size_of(tuple(total.inputs[0].shape[axis] for axis in total.attrs["axes"]))
    known = count.attrs["size"] if count.op.name == "run_time_size" else scalar_value(count)
    return total if known == elements else None


def _variance(node: Node, present: Collection[Node]) -> Outcome:
    """Not covariances: of an infinite x and a finite y the written form may be inf, and the centred one is nan."""
    both, apart = node.inputs
    average = squared(apart)
    first, second = _averaged(both), None if average is None else _averaged(average)
    if average is None or first is None or second is None:
        return None
    x = squared(first.inputs[0])
    if x is None or x is not second.inputs[0] or first.attrs != second.attrs:
        return None
    axes = first.attrs["axes"]
    centred = square(x - mean(x, axes, True))
    inner = dict.fromkeys((both, first, first.inputs[0], apart, average, second))
    return Found(mean(centred, axes, first.attrs["keepdims"]), tuple(inner))


_AXES: tuple[Example, ...] = (
    {"x": (2, 3), "a": (1,), "k": True},
    {"x": ("n", 3), "a": (0,), "k": False},
    {"x": (2, 3), "a": (0, 1), "k": False},
)


def _average_by_sum(x: Node, a: tuple[int, ...], k: bool) -> Node:
    node: Node = sum(x, a, k) / size_of(tuple(x.shape[axis] for axis in a))
    return node


VARIANCE_BY_SUMS = Rule(
    name="variance_by_sums",
    safety="widening",
    roots=("subtract",),
    needs=("sum", "divide"),
    attempt=_variance,
    before="sum(square(x), axes=a, keepdims=k) / n - square(sum(x, axes=a, keepdims=k) / n)",
    after="mean(square(x - mean(x, axes=a, keepdims=True)), axes=a, keepdims=k)",
    build=lambda x, a, k: _average_by_sum(x * x, a, k) - square(_average_by_sum(x, a, k)),
    variables=("x", "a", "k"),
    attributes=frozenset({"a", "k"}),
    examples=_AXES,
)
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
    examples=_AXES,
)
