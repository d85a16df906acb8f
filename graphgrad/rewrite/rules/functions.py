"""Functions that undo each other, and forms that lose digits or overflow where a shorter one does not."""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.ops.statistics import root_or_zero
from graphgrad.rewrite.pattern import abs, exp, log, op, sigmoid, sqrt, square, where
from graphgrad.rewrite.rule import Declined, rule
from graphgrad.rewrite.rules.centered import squared

equal = op("equal")


def _scalars(x: Node, y: Node) -> Declined | None:
    return Declined("of two scalars the written form says more") if x.shape == y.shape == () else None


UNDONE = (
    rule("log_exp", lambda x: log(exp(x)), lambda x: x, safety="widening"),
    rule("sqrt_square", lambda x: sqrt(square(x)), lambda x: abs(x), safety="widening"),
    rule("sqrt_self_product", lambda x: sqrt(x * x), lambda x: abs(x), safety="widening"),
)


def _is_sum_of_squares(s: Node) -> bool:
    """Whether a number is 0 or more, never -0.0, because squares are added up."""
    return s.op.name == "sum" and s.dtype.kind == "f" and squared(s.inputs[0]) is not None


NORM = rule(
    "norm",
    lambda s: sqrt(s),
    lambda s: root_or_zero(s),
    safety="widening",
    when=_is_sum_of_squares,
    before="sqrt(sum(square(x), axes=a, keepdims=k))",
    after="the same with the gradient 0 at 0, where it is 0 / 0: linalg.norm(x, axes=a, keepdims=k)",
    examples=[{"s": (), "under": ["square", "sum"]}, {"s": ("n", 2), "under": ["square", "sum"]}],
    declined=[{"s": (3,)}],
)
"""Before differentiation, as `ROOT` takes it back after it."""

ROOT = rule(
    "root_of_sum_of_squares",
    lambda s: where(equal(s, 0), 0, sqrt(s)),
    lambda s: sqrt(s),
    safety="exact",
    when=_is_sum_of_squares,
    examples=[{"s": (), "under": ["square", "sum"]}, {"s": ("n", 2), "under": ["square", "sum"]}],
    declined=[{"s": (3,)}],
    has_gradient=False,
)

RULES = (
    *UNDONE,
    ROOT,
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
