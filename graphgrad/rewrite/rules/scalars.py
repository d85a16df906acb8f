"""Numbers that scale an array: gathered, so that the array is scaled once.

A number here is a constant, a size of an argument, or a product or quotient of these, so it is known how small and how
large it may be. If the number that they make together is a normal one, whatever the size, the array overflows and
underflows only where the result does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.arithmetic import divide, multiply
from graphgrad.ops.leaf import const, run_time_size, scalar_value
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule

_LARGEST_SIZE = 2.0**63
Join = Callable[[Node, Node], Node]


def bounds(node: Node) -> tuple[float, float] | None:
    """The smallest and the largest absolute value that a scalar may have; None if that is unknown."""
    if node.shape or node.dtype.kind != "f":
        return None
    if node.op.name == "run_time_size":
        return 1.0, _LARGEST_SIZE
    value = scalar_value(node)
    if value is not None:
        return abs(float(value)), abs(float(value))
    if node.op.name not in ("multiply", "divide"):
        return None
    one, other = (_direct(part) for part in node.inputs)
    return None if one is None or other is None else _joined(node.op.name, one, other)


def _direct(node: Node) -> tuple[float, float] | None:
    """As `bounds`, without looking at what the operands are made of further down."""
    if node.op.name in ("multiply", "divide"):
        return None
    return bounds(node)


def _joined(op: str, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float] | None:
    if op == "multiply":
        return one[0] * other[0], one[1] * other[1]
    return None if not other[0] or not other[1] else (one[0] / other[1], one[1] / other[0])


def _is_normal(op: str, one: Node, other: Node) -> bool:
    """Whether two numbers make a normal one, neither 0 nor infinite nor short of digits."""
    first, second = bounds(one), bounds(other)
    both = None if first is None or second is None else _joined(op, first, second)
    info = np.finfo(one.dtype)
    return both is not None and float(info.tiny) <= both[0] and both[1] <= float(info.max)


def _combined(op: str, one: Node, other: Node) -> Node:
    """Two numbers as one; of constants that is one already."""
    if one.op.name == other.op.name == "const":
        left, right = one.attrs["value"], other.attrs["value"]
        return const(np.asarray(left * right if op == "multiply" else left / right, one.dtype))
    return (multiply if op == "multiply" else divide)(one, other)


def _scaled(node: Node, op: str) -> tuple[Node, Node] | None:
    """The array and the number, if a node is one times or over the other."""
    if node.op.name != op or (not node.shape and op == "multiply" and all(map(_is_number, node.inputs))):
        return None
    x, y = node.inputs
    if _is_number(y) and x.shape == node.shape:
        return x, y
    if op == "multiply" and _is_number(x) and y.shape == node.shape:
        return y, x
    return None


def _is_number(node: Node) -> bool:
    return bounds(node) is not None


_JOINS: Mapping[tuple[str, str], tuple[str, bool, Join]] = {
    ("multiply", "multiply"): ("multiply", False, lambda x, s: multiply(s, x)),
    ("multiply", "divide"): ("divide", False, lambda x, s: multiply(s, x)),
    ("divide", "multiply"): ("divide", True, lambda x, s: multiply(s, x)),
    ("divide", "divide"): ("multiply", False, lambda x, s: divide(x, s)),
}
"""By the inner and the outer op: how the numbers are joined, whether the outer one comes first, and the result."""


def _gathering(inner: str, outer: str) -> Callable[[Node, Collection[Node]], Outcome]:
    join, is_turned, build = _JOINS[inner, outer]

    def attempt(node: Node, present: Collection[Node]) -> Outcome:
        whole = _scaled(node, outer)
        part = None if whole is None else _scaled(whole[0], inner)
        if whole is None or part is None:
            return None
        (scaled, b), (x, a) = whole, part
        one, other = (b, a) if is_turned else (a, b)
        if x.size == 1 and not one.op.name == other.op.name == "const":
            return Declined("a single number is scaled, which takes as many operations")
        if not _is_normal(join, one, other):
            return Declined("the numbers together might be too small or too large for the dtype")
        return Found(build(x, _combined(join, one, other)), (scaled,))

    return attempt


def _over(outer: str) -> Callable[[Node, Collection[Node]], Outcome]:
    def attempt(node: Node, present: Collection[Node]) -> Outcome:
        x, y = node.inputs
        part, number = (y, x) if outer == "multiply" and x.op.name == "const" else (x, y)
        if part.op.name != "divide" or number.op.name != "const" or part.inputs[0].op.name != "const":
            return None
        if number.shape or part.inputs[0].shape or part.dtype.kind != "f":
            return None
        if not _is_normal(outer, part.inputs[0], number):
            return Declined("the numbers together might be too small or too large for the dtype")
        return Found(divide(_combined(outer, part.inputs[0], number), part.inputs[1]), (part,))

    return attempt


def _size(x: Node) -> Node:
    return run_time_size(x.shape[0], x.dtype)


_EXAMPLES = ({"x": ("n", 2), "c": 2.0}, {"x": ("n",), "c": -0.3}, {"x": (3,), "c": 1.5})
_DECLINED = ({"x": (3,), "c": 0.0}, {"x": (3,), "c": float("inf")}, {"x": ("n", 2), "c": float("nan")})


def _gathered(name: str, inner: str, outer: str, build: Callable[..., Node], before: str, after: str) -> Rule:
    return Rule(
        name=name,
        safety="widening",
        roots=(outer,),
        needs=(inner, outer),
        attempt=_gathering(inner, outer),
        before=before,
        after=after,
        build=build,
        variables=("x", "c"),
        examples=_EXAMPLES,
        declined=_DECLINED,
    )


def _over_constant(name: str, outer: str, build: Callable[..., Node], before: str, after: str) -> Rule:
    return Rule(
        name=name,
        safety="widening",
        roots=(outer,),
        needs=("divide", outer, "const"),
        attempt=_over(outer),
        before=before,
        after=after,
        build=build,
        variables=("x", "c", "d"),
        examples=(
            {"x": (3,), "c": 1.0, "d": 2.0},
            {"x": ("n", 2), "c": 3.0, "d": -0.7},
            {"x": (), "c": 1.0, "d": 2.0},
        ),
        declined=({"x": (3,), "c": 1e30, "d": 1e30}, {"x": (3,), "c": 0.0, "d": 2.0})[
            : 2 if outer == "multiply" else 0
        ]
        or ({"x": (3,), "c": 1e30, "d": 1e-30},),
    )


RULES = (
    _over_constant(
        "constant_over_times", "multiply", lambda x, c, d: c / x * d, "(c / x) * d", "(c * d) / x"
    ),
    _over_constant("constant_over_over", "divide", lambda x, c, d: c / x / d, "(c / x) / d", "(c / d) / x"),
    _gathered(
        "scaled_twice", "multiply", "multiply", lambda x, c: (x * c) * _size(x), "(x * a) * b", "(a * b) * x"
    ),
    _gathered(
        "scaled_over", "multiply", "divide", lambda x, c: (x * c) / _size(x), "(x * a) / b", "(a / b) * x"
    ),
    _gathered(
        "over_scaled", "divide", "multiply", lambda x, c: (x / _size(x)) * c, "(x / a) * b", "(b / a) * x"
    ),
    _gathered(
        "over_twice", "divide", "divide", lambda x, c: (x / c) / _size(x), "(x / a) / b", "x / (a * b)"
    ),
)
