"""Neutral elements, and what cancels itself.

IEEE arithmetic comes first: ``x * 0`` is nan for an infinite x, ``x - x`` for an infinite or nan one, and ``x + 0`` is
0.0 for x = -0.0, so there are no such rules.
"""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import maximum, minimum, power
from graphgrad.rewrite.rule import FLOATS, INTS, Declined, rule

_NEVER_NEGATIVE = frozenset({"square", "abs", "exp", "sigmoid"})
"""Ops of floats that give nan, inf, positive numbers and 0.0, but never -0.0."""
_BOTH = FLOATS + INTS


def _is_never_negative(x: Node) -> bool:
    return x.dtype.kind == "f" and x.op.name in _NEVER_NEGATIVE


def _keeps_negative_zero(x: Node) -> Declined | None:
    return None if x.dtype.kind != "f" or _is_never_negative(x) else Declined("-0.0 + 0 is 0.0")


RULES = (
    rule("mul_one", lambda x: x * 1, lambda x: x, safety="exact", dtypes=_BOTH),
    rule("div_one", lambda x: x / 1, lambda x: x, safety="exact"),
    rule("sub_zero", lambda x: x - 0, lambda x: x, safety="exact", dtypes=_BOTH),
    rule("add_minus_zero", lambda x: x + -0.0, lambda x: x, safety="exact"),
    rule(
        "add_zero",
        lambda x: x + 0,
        lambda x: x,
        safety="exact",
        when=_keeps_negative_zero,
        dtypes=INTS,
        declined=[{"x": (3,), "dtype": "float32"}],
    ),
    rule("power_one", lambda x: power(x, 1), lambda x: x, safety="exact"),
    rule("maximum_self", lambda x: maximum(x, x), lambda x: x, safety="exact", dtypes=_BOTH),
    rule("minimum_self", lambda x: minimum(x, x), lambda x: x, safety="exact", dtypes=_BOTH),
    rule(
        "maximum_again", lambda x, y: maximum(maximum(x, y), y), lambda x, y: maximum(x, y), safety="rounding"
    ),
    rule(
        "minimum_again", lambda x, y: minimum(minimum(x, y), y), lambda x, y: minimum(x, y), safety="rounding"
    ),
    rule(
        "relu_of_nonnegative",
        lambda x: maximum(x, 0),
        lambda x: x,
        safety="exact",
        when=_is_never_negative,
        examples=[{"x": (3,), "under": ["square"]}, {"x": ("n", 2), "under": ["exp"]}],
        declined=[{"x": (3,)}],
    ),
)
