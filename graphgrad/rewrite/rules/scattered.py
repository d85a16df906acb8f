"""Arrays of zeros into which something was added, as the gradient of picking elements is."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from graphgrad.core.dim import usual
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.ops.arithmetic import negative
from graphgrad.ops.layout import axis_along
from graphgrad.ops.leaf import const
from graphgrad.ops.subscript import ARRAY, each
from graphgrad.rewrite.measure import total
from graphgrad.rewrite.pattern import expand_dims, sum
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule


def _one_in_each(ndim: int, at: int) -> tuple[object, ...]:
    steps = iter(range(ndim))
    return tuple(ARRAY if axis == at else each(next(steps)) for axis in range(ndim))


def _sum_of_one(node: Node, present: Collection[Node]) -> Outcome:
    scattered, axes = node.inputs[0], node.attrs["axes"]
    if scattered.op.name != "scatter_add" or len(axes) != 1 or len(scattered.inputs) != 2:
        return None
    (at,), (value, label) = axes, scattered.inputs
    rows = tuple(size for axis, size in enumerate(scattered.shape) if axis != at)
    if scattered.attrs["index"] == _one_in_each(scattered.ndim, at) and value.shape == rows:
        return Found(expand_dims(value, axes) if node.attrs["keepdims"] else value, (scattered,))
    if axis_along(scattered.attrs["index"], [label]) != at:
        return None
    if usual(value.size) >= usual(scattered.size):
        return Declined("as many numbers are put in as there are places")
    return Found(sum(value, axes, node.attrs["keepdims"]), (scattered,))


def _into_the_other(node: Node, present: Collection[Node]) -> Outcome:
    """The array of zeros is not made: what it holds is added to the other summand, where it belongs."""
    subtracts = node.op.name == "subtract"
    for x, scattered in (node.inputs,) if subtracts else (node.inputs, node.inputs[::-1]):
        if scattered.op.name == "scatter_add" and x.op.name != "scatter_add" and x.shape == node.shape:
            v, *arrays = scattered.inputs
            index, once = scattered.attrs["index"], scattered.attrs["once"]
            put = negative(v) if subtracts else v
            added = apply("add_at", x, put, *arrays, index=index, once=once)
            if subtracts and not total([added, put]) < total([node, scattered]):
                return Declined("as much is put in as there is, and would have to be negated")
            return Found(added, (scattered,))
    return None


def _scattered(v: Node) -> Node:
    """v put into an array with four columns: one element into each row, or several, or row by row."""
    label = const(np.array([2, 0, 2]))
    if v.ndim == 2 and v.shape[1] != 4:
        several = const(np.arange(3 * usual(v.shape[1])).reshape(3, -1) % 4)
        return apply("scatter_add", v, several, shape=(3, 4), index=_one_in_each(2, 1), once=False)
    if v.ndim == 1:
        return apply("scatter_add", v, label, shape=(3, 4), index=_one_in_each(2, 1), once=True)
    return apply("scatter_add", v, label, shape=(3, 4), index=(ARRAY, slice(None, None, 1)), once=False)


def _built(x: Node, k: bool) -> Node:
    node: Node = sum(_scattered(x), (1,), k)
    return node


RULES = (
    Rule(
        name="sum_of_one_in_each_row",
        safety="rounding",
        roots=("sum",),
        needs=("scatter_add",),
        attempt=_sum_of_one,
        before="the sum of rows of zeros, with a number or a few put into each",
        after="these numbers, or their sums",
        build=_built,
        variables=("x", "k"),
        attributes=frozenset({"k"}),
        examples=tuple({"x": shape, "k": k} for shape in ((3,), (3, 1), (3, 2)) for k in (False, True)),
        declined=({"x": (3, 5), "k": True},),
    ),
    Rule(
        name="add_where_it_belongs",
        safety="rounding",
        roots=("add",),
        needs=("scatter_add", "add"),
        attempt=_into_the_other,
        before="x + the zeros into which v was added at an index",
        after="x with v added there",
        build=lambda x, v: x + _scattered(v),
        variables=("x", "v"),
        examples=({"x": (3, 4), "v": (3,)}, {"x": (3, 4), "v": (3, 4)}),
    ),
    Rule(
        name="subtract_where_it_belongs",
        safety="rounding",
        roots=("subtract",),
        needs=("scatter_add", "subtract"),
        attempt=_into_the_other,
        before="x - the zeros into which v was added at an index",
        after="x with -v added there",
        build=lambda x, v: x - _scattered(v),
        variables=("x", "v"),
        examples=({"x": (3, 4), "v": (3,)},),
        declined=({"x": (3, 4), "v": (3, 4)},),
    ),
)
