"""Functions that undo each other, and forms that lose digits or overflow where a shorter one does not."""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import abs, exp, log, sigmoid, sqrt, square
from graphgrad.rewrite.rule import Declined, rule


def _scalars(x: Node, y: Node) -> Declined | None:
    return Declined("of two scalars the written form says more") if x.shape == y.shape == () else None


UNDONE = (
    rule("log_exp", lambda x: log(exp(x)), lambda x: x, safety="widening"),
    rule("sqrt_square", lambda x: sqrt(square(x)), lambda x: abs(x), safety="widening"),
    rule("sqrt_self_product", lambda x: sqrt(x * x), lambda x: abs(x), safety="widening"),
)

RULES = (
    *UNDONE,
    rule(
        "times_reciprocal",
        lambda x, y: x * (1 / y),
        lambda x, y: x / y,
        safety="widening",
        when=_scalars,
        declined=[{"x": 2.0, "y": ()}],
    ),
    rule("one_minus_sigmoid", lambda x: 1 - sigmoid(x), lambda x: sigmoid(-x), safety="widening"),
)
