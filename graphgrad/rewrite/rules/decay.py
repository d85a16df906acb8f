"""Functions of ``exp(-abs(x))``, at the end: what a loss and its gradient have in common is computed once.

``1 / (1 + exp(-x))`` overflows for x << 0. With ``exp(-abs(x))``, from 0 to 1, nothing overflows or cancels on either
side; of x itself only the side is needed then.
"""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.ops.compare import greater
from graphgrad.ops.convert import cast
from graphgrad.ops.exponential import log1p_of_fraction
from graphgrad.ops.leaf import scalar_value
from graphgrad.rewrite.pattern import abs, exp, maximum, op, sigmoid, square
from graphgrad.rewrite.rule import Found, Outcome, Rule, rule
from graphgrad.rewrite.rules.choices import unconverted

logaddexp, sigmoid_cross_entropy = op("logaddexp"), op("sigmoid_cross_entropy")


def _decay(x: Node) -> Node:
    node: Node = exp(-abs(x))
    return node


def _side(x: Node) -> Node:
    """1 above 0, else 0."""
    return cast(greater(x, 0), x.dtype)


def _sigmoid(x: Node) -> Node:
    result: Node = unconverted(maximum(_side(x), _decay(x))) / (1 + _decay(x))
    return result


def _cross_entropy(x: Node, y: Node) -> Node:
    # where p is near y, the first summand is exactly 0; and an infinite x gives what its logarithms would
    return unconverted(_side(x) - y) * x + log1p_of_fraction(_decay(x))


def _is_decay(node: Node) -> bool:
    names = []
    for _ in range(3):
        names.append(node.op.name)
        node = node.inputs[0] if node.inputs else node
    return names == ["exp", "negative", "abs"]


def _sigmoid_parts(node: Node) -> tuple[Node, Node] | None:
    """e and 1 + e, if a node is a sigmoid as `_sigmoid` makes it."""
    if node.op.name != "divide" or node.inputs[0].op.name != "maximum" or node.inputs[1].op.name != "add":
        return None
    larger, whole = node.inputs
    e = whole.inputs[1]
    return (e, whole) if e in larger.inputs and _is_decay(e) else None


def _slope(node: Node, present: Collection[Node]) -> Outcome:
    """``g * s * (1 - s)`` of a sigmoid s, which near 1 has no digit of its difference from 1 left."""
    for product, rest in (node.inputs, node.inputs[::-1]):
        if product.op.name != "multiply" or rest.op.name != "subtract" or scalar_value(rest.inputs[0]) != 1:
            continue
        s = rest.inputs[1]
        parts = _sigmoid_parts(s)
        if parts is not None and s in product.inputs:
            e, whole = parts
            g = product.inputs[product.inputs[0] is s]
            return Found(g * (e / square(whole)), (product, rest))
    return None


RULES = (
    rule(
        "sigmoid_by_decay",
        lambda x: sigmoid(x),
        _sigmoid,
        safety="rounding",
        after="max(x > 0, e) / (1 + e), e = exp(-abs(x))",
    ),
    Rule(
        name="sigmoid_slope_by_decay",
        safety="widening",
        roots=("multiply",),
        needs=("exp", "divide"),
        attempt=_slope,
        before="g * s * (1 - s), s = sigmoid(x)",
        after="g * (e / square(1 + e)), e = exp(-abs(x))",
        build=lambda x, g: g * _sigmoid(x) * (1 - _sigmoid(x)),
        variables=("x", "g"),
        examples=({"x": (2, 3), "g": (2, 3)}, {"x": ("n",), "g": ()}, {"x": (3,), "g": (2, 3)}),
    ),
    rule(
        "cross_entropy_by_decay",
        lambda x, y: sigmoid_cross_entropy(x, y),
        _cross_entropy,
        safety="rounding",
        after="((x > 0) - y) * x + log(1 + e), e = exp(-abs(x))",
    ),
    *(
        rule(
            f"softplus_by_decay{end}",
            left,
            lambda x: maximum(x, 0) + log1p_of_fraction(_decay(x)),
            safety="rounding",
            after="max(x, 0) + log(1 + e), e = exp(-abs(x))",
        )
        for end, left in (("", lambda x: logaddexp(x, 0)), ("_turned", lambda x: logaddexp(0, x)))
    ),
)
