"""Sums of arrays that hold one number in each row, as the gradient of picking one does."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.ops.leaf import const
from graphgrad.ops.subscript import ARRAY, each
from graphgrad.rewrite.pattern import expand_dims, sum
from graphgrad.rewrite.rule import Found, Outcome, Rule


def _one_in_each(ndim: int, at: int) -> tuple[object, ...]:
    steps = iter(range(ndim))
    return tuple(ARRAY if axis == at else each(next(steps)) for axis in range(ndim))


def _sum_of_one(node: Node, present: Collection[Node]) -> Outcome:
    scattered, axes = node.inputs[0], node.attrs["axes"]
    if scattered.op.name != "scatter_add" or len(axes) != 1 or len(scattered.inputs) != 2:
        return None
    at, value = axes[0], scattered.inputs[0]
    rows = tuple(size for axis, size in enumerate(scattered.shape) if axis != at)
    if scattered.attrs["index"] != _one_in_each(scattered.ndim, at) or value.shape != rows:
        return None
    return Found(expand_dims(value, axes) if node.attrs["keepdims"] else value, (scattered,))


def _built(x: Node, k: bool) -> Node:
    label, index = const(np.array([2, 0, 2])), _one_in_each(2, 1)
    node: Node = sum(apply("scatter_add", x, label, shape=(3, 4), index=index, once=True), (1,), k)
    return node


RULES = (
    Rule(
        name="sum_of_one_in_each_row",
        safety="rounding",
        roots=("sum",),
        needs=("scatter_add",),
        attempt=_sum_of_one,
        before="the sum of rows of zeros, with one number put into each",
        after="these numbers",
        build=_built,
        variables=("x", "k"),
        attributes=frozenset({"k"}),
        examples=({"x": (3,), "k": True}, {"x": (3,), "k": False}),
    ),
)
