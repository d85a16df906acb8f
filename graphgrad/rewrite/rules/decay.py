"""Functions of ``exp(-abs(x))``, at the end: what a loss and its gradient have in common is computed once.

``1 / (1 + exp(-x))`` overflows for x << 0. With ``exp(-abs(x))``, from 0 to 1, nothing overflows or cancels on either
side; of x itself only the side is needed then.
"""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.ops.compare import greater
from graphgrad.ops.convert import cast
from graphgrad.ops.exponential import log1p_of_fraction
from graphgrad.rewrite.pattern import abs, exp, maximum, op, sigmoid
from graphgrad.rewrite.rule import rule
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


RULES = (
    rule(
        "sigmoid_by_decay",
        lambda x: sigmoid(x),
        _sigmoid,
        safety="rounding",
        after="max(x > 0, e) / (1 + e), e = exp(-abs(x))",
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
