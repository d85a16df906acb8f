"""Signs: IEEE arithmetic is symmetric, so a negation can be moved and dropped without a bit changing."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.ops.leaf import const, scalar_value
from graphgrad.rewrite.pattern import abs, expand_dims, square
from graphgrad.rewrite.rule import FLOATS, Declined, Found, Outcome, Rule, rule

_SIGNED = (*FLOATS, "int32")


def _is_number(c: Node) -> bool:
    return scalar_value(c) is not None and c.dtype.kind == "f"


def _opposite(c: Node) -> Node:
    return const(-c.attrs["value"])


def _no_float(x: Node) -> Declined | None:
    return None if x.dtype.kind == "f" else Declined("the square of an integer may overflow and be negative")


_VIEWS = ("expand_dims", "squeeze", "reshape", "transpose", "broadcast_to", "flip")


def _negated_before_moving(node: Node, present: Collection[Node]) -> Outcome:
    """The sign was turned, and then elements moved or repeated: it need not be turned twice."""
    views = []
    (part,) = node.inputs
    while part.op.name in _VIEWS:
        views.append(part)
        part = part.inputs[0]
    if not views or part.op.name != "negative":
        return None
    result = part.inputs[0]
    for view in reversed(views):
        result = view.op(result, **view.attrs)
    return Found(result, (*views, part))


RULES = (
    Rule(
        name="negative_moved_negative",
        safety="exact",
        roots=("negative",),
        needs=("negative",),
        attempt=_negated_before_moving,
        before="-expand_dims(-x, axes=a), and so for every way of moving or repeating elements",
        after="expand_dims(x, axes=a)",
        build=lambda x, a: -expand_dims(-x, a),
        variables=("x", "a"),
        attributes=frozenset({"a"}),
        examples=({"x": (3,), "a": (1,)}, {"x": ("n", 2), "a": (0,)}),
    ),
    rule("negative_negative", lambda x: -(-x), lambda x: x, safety="exact", dtypes=_SIGNED),
    rule("add_negative", lambda x, y: x + -y, lambda x, y: x - y, safety="exact", dtypes=_SIGNED),
    rule("subtract_negative", lambda x, y: x - (-y), lambda x, y: x + y, safety="exact", dtypes=_SIGNED),
    rule("negative_product", lambda x, y: -x * -y, lambda x, y: x * y, safety="exact", dtypes=_SIGNED),
    rule("negative_ratio", lambda x, y: -x / -y, lambda x, y: x / y, safety="exact"),
    rule(
        "negative_of_negative_product",
        lambda x, y: -(-x * y),
        lambda x, y: x * y,
        safety="exact",
        dtypes=_SIGNED,
    ),
    rule("negative_of_negative_ratio", lambda x, y: -(-x / y), lambda x, y: x / y, safety="exact"),
    rule("mul_minus_one", lambda x: x * -1, lambda x: -x, safety="exact", dtypes=_SIGNED),
    rule("div_minus_one", lambda x: x / -1, lambda x: -x, safety="exact"),
    rule(
        "negative_times_number",
        lambda x, c: -x * c,
        lambda x, c: x * _opposite(c),
        safety="exact",
        when=_is_number,
        after="x * -c",
        examples=[{"x": (3,), "c": 2.5}, {"x": ("n", 2), "c": -0.5}],
        declined=[{"x": (3,), "c": (3,)}],
    ),
    rule(
        "negative_of_scaled",
        lambda x, c: -(x * c),
        lambda x, c: x * _opposite(c),
        safety="exact",
        when=_is_number,
        after="x * -c",
        examples=[{"x": (3,), "c": 2.5}, {"x": ("n", 2), "c": -0.5}],
        declined=[{"x": (3,), "c": (3,)}],
    ),
    rule("abs_negative", lambda x: abs(-x), lambda x: abs(x), safety="exact", dtypes=_SIGNED),
    rule("abs_abs", lambda x: abs(abs(x)), lambda x: abs(x), safety="exact", dtypes=_SIGNED),
    rule(
        "abs_square",
        lambda x: abs(square(x)),
        lambda x: square(x),
        safety="exact",
        when=_no_float,
        declined=[{"x": (3,), "dtype": "int32"}],
    ),
    rule("square_negative", lambda x: square(-x), lambda x: square(x), safety="exact", dtypes=_SIGNED),
    rule("square_abs", lambda x: square(abs(x)), lambda x: square(x), safety="exact", dtypes=_SIGNED),
)
