"""Cross-entropies as they are written from probabilities, computed from logits. Before differentiation, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import cast

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.ops.leaf import const, scalar_value
from graphgrad.ops.segment import one_hot
from graphgrad.ops.subscript import ARRAY, each
from graphgrad.rewrite.pattern import abs, exp, maximum, op, sum
from graphgrad.rewrite.rule import Found, Outcome, Rule, rule

cross_entropy, logaddexp, log1p = op("sigmoid_cross_entropy"), op("logaddexp"), op("log1p")


def _unsigned(node: Node, is_negative: bool = False) -> tuple[Node, bool]:
    """A node without the signs before it, and whether they make it negative."""
    while node.op.name == "negative":
        node, is_negative = node.inputs[0], not is_negative
    return node, is_negative


def _is_softplus(node: Node) -> bool:
    return node.op.name == "logaddexp" and scalar_value(node.inputs[1]) == 0


def _weighted(node: Node, is_negative: bool) -> tuple[Node, Node, bool, tuple[Node, ...]] | None:
    """The weight, the argument, the sign and the nodes, if this is a softplus times something."""
    product, is_negative = _unsigned(node, is_negative)
    if product.op.name != "multiply":
        return None
    for left, right in (product.inputs, product.inputs[::-1]):
        softplus, turned = _unsigned(right, is_negative)
        if _is_softplus(softplus):
            weight, turned = _unsigned(left, turned)
            nodes = _between(node, product), _between(right, softplus), _between(left, weight)
            return weight, softplus.inputs[0], turned, (*nodes[0], product, *nodes[1], softplus, *nodes[2])
    return None


def _between(node: Node, end: Node) -> tuple[Node, ...]:
    """The signs before a node."""
    found = []
    while node is not end:
        found.append(node)
        (node,) = node.inputs
    return tuple(found)


def _from_probabilities(node: Node, present: Collection[Node]) -> Outcome:
    """y softplus(-x) + (1 - y) softplus(x), which other rules made of the logarithms, with any signs before them."""
    first, second = node.inputs
    one = _weighted(first, False)
    other = _weighted(second, node.op.name == "subtract")
    if one is None or other is None or one[2] != other[2]:
        return None
    for of_y, of_rest in ((one, other), (other, one)):
        rest, x = of_rest[:2]
        if rest.op.name != "subtract" or scalar_value(rest.inputs[0]) != 1 or rest.inputs[1] is not of_y[0]:
            continue
        (bare, sign), (opposite, turned) = _unsigned(x), _unsigned(of_y[1])
        if bare is not opposite or sign == turned:
            continue
        loss = cross_entropy(x, of_y[0])
        return Found(-loss if one[2] else loss, tuple(dict.fromkeys((*one[3], *other[3], rest))))
    return None


def _picked(node: Node, present: Collection[Node]) -> Outcome:
    """The element that one-hot classes leave of each row."""
    (product,), axes = node.inputs, node.attrs["axes"]
    if product.op.name != "multiply":
        return None
    for hot, x in (product.inputs, product.inputs[::-1]):
        if hot.op.name != "one_hot" or hot.shape != x.shape or hot.ndim - 1 not in axes:
            continue
        index = (*(each(axis) for axis in range(hot.ndim - 1)), ARRAY)
        result: Node = apply("gather", x, hot.inputs[0], index=index)
        rest = tuple(axis for axis in axes if axis != hot.ndim - 1)
        if rest:
            result = apply("sum", result, axes=rest, keepdims=node.attrs["keepdims"])
        if node.attrs["keepdims"]:
            result = apply("expand_dims", result, axes=(hot.ndim - 1,))
        return Found(result, (product, hot))
    return None


def _labels(x: Node) -> Node:
    """A class for each row, for tests."""
    rows = cast("tuple[int, ...]", x.shape[:-1])
    return const(np.arange(math.prod(rows)).reshape(rows) % 3)


def _probabilities(name: str, root: str, build: Callable[..., Node], before: str, after: str) -> Rule:
    return Rule(
        name=name,
        safety="widening",
        roots=(root,),
        needs=("logaddexp", "multiply", root),
        attempt=_from_probabilities,
        before=before,
        after=after,
        build=build,
        variables=("x", "y"),
    )


RULES = (
    _probabilities(
        "sigmoid_cross_entropy",
        "add",
        lambda x, y: y * -logaddexp(-x, 0) + (1 - y) * -logaddexp(x, 0),
        "y * log(p) + (1 - y) * log(1 - p), of p = sigmoid(x)",
        "-sigmoid_cross_entropy(x, y)",
    ),
    _probabilities(
        "negative_sigmoid_cross_entropy",
        "subtract",
        lambda x, y: -y * -logaddexp(-x, 0) - (1 - y) * -logaddexp(x, 0),
        "-y * log(p) - (1 - y) * log(1 - p), of p = sigmoid(x)",
        "sigmoid_cross_entropy(x, y)",
    ),
    rule(
        "softplus_minus_product",
        lambda x, y: logaddexp(x, 0) - x * y,
        lambda x, y: cross_entropy(x, y),
        safety="widening",
    ),
    rule(
        "relu_and_log1p",
        lambda x, y: (maximum(x, 0) - x * y) + log1p(exp(-abs(x))),
        lambda x, y: cross_entropy(x, y),
        safety="widening",
    ),
    Rule(
        name="sum_of_one_hot",
        safety="widening",
        roots=("sum",),
        needs=("one_hot", "multiply", "sum"),
        attempt=_picked,
        before="sum(one_hot(label) * x, axes=a, keepdims=k), the last axis among a",
        after="x[i, label[i]], summed over the rest of a",
        build=lambda x, a, k: sum(one_hot(_labels(x), x.shape[-1], x.dtype) * x, a, k),
        variables=("x", "a", "k"),
        attributes=frozenset({"a", "k"}),
        examples=tuple(
            {"x": (*rows, 3), "a": axes, "k": k}
            for rows, axes in (((2,), (1,)), ((), (0,)), ((2,), (0, 1)), ((2, 2), (0, 2)))
            for k in (False, True)
        ),
    ),
)
