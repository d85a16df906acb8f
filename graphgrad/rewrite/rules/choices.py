"""`where`: choices that are none, and choices within choices, which masked gradients are full of."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.spec import broadcast
from graphgrad.ops.compare import where as choose
from graphgrad.ops.leaf import const, scalar_value
from graphgrad.rewrite.pattern import broadcast_to, cast, maximum, op, where
from graphgrad.rewrite.rule import Declined, Example, Found, Outcome, Rule, rule

_ONE: tuple[Example, ...] = (
    {"c": ("bool", (3,)), "x": (3,)},
    {"c": ("bool", ("n", 1)), "x": (2,)},
    {"c": ("bool", ()), "x": ()},
)
_TWO: tuple[Example, ...] = tuple(
    {**one, "y": shape} for one, shape in zip(_ONE, ((3,), ("n", 2), ()), strict=True)
)
_THREE: tuple[Example, ...] = tuple(
    {**one, "z": shape} for one, shape in zip(_TWO, ((3,), (1, 2), ()), strict=True)
)
_WIDER: Example = {"c": ("bool", (3,)), "x": (3,), "y": (3,), "z": (3,)}


def _in_shape_of(x: Node, *others: Node) -> Node:
    """x as large as a choice between it and others is."""
    node: Node = broadcast_to(x, broadcast([x.shape, *(other.shape for other in others)]))
    return node


def _makes_larger(lost: Node, *kept: Node) -> Declined | None:
    """What is not chosen may still be what gives the result its shape."""
    shape = broadcast([node.shape for node in kept])
    if broadcast([shape, lost.shape]) != shape:
        return Declined("what is never chosen gives the result its shape")
    return None


def _no_mask(c: Node) -> Declined | None:
    return None if c.dtype.kind == "b" else Declined("it is cast from numbers, not from a mask")


greater, invert = op("greater"), op("invert")


def _all_alike(node: Node, present: Collection[Node]) -> Outcome:
    """A constant mask that takes one branch everywhere; a single one is `where_true`'s and `where_false`'s."""
    c, x, y = node.inputs
    if c.op.name != "const" or not c.shape or not c.attrs["value"].size:
        return None
    mask = c.attrs["value"]
    if mask.any() and not mask.all():
        return Declined("it takes some of both branches")
    return Found(_in_shape_of(x, c, y) if mask.all() else _in_shape_of(y, c, x))


def _of_relu(node: Node, present: Collection[Node]) -> Outcome:
    """Written by hand as a product: 0 also where g overflows, as in the gradient that the chain rule derives."""
    for mask, g in (node.inputs, node.inputs[::-1]):
        if mask.op.name != "cast" or mask.inputs[0].op.name != "greater":
            continue
        x, least = mask.inputs[0].inputs
        if scalar_value(least) == 0 and (maximum(x, least) in present or maximum(least, x) in present):
            return Found(choose(mask.inputs[0], g, 0), (mask,))
    return None


def unconverted(node: Node) -> Node:
    """An op of an array and a mask without the cast of the mask: NumPy's functions take its True for 1. Not beside a
    scalar constant, which has no dtype of its own in source, nor of scalars, where the cast takes less time."""
    if not node.shape:
        return node
    x, y = node.inputs
    for mask, kept in ((x, y), (y, x)):
        if mask.op.name != "cast" or mask.inputs[0].dtype.kind != "b":
            continue
        if kept is not mask and scalar_value(kept) is None:
            return node.op(*(part.inputs[0] if part is mask else part for part in node.inputs))
    return node


def _as_it_is(node: Node, present: Collection[Node]) -> Outcome:
    found = unconverted(node)
    return None if found is node else Found(found)


RULES = (
    Rule(
        name="where_all_alike",
        safety="exact",
        roots=("where",),
        needs=("where", "const"),
        attempt=_all_alike,
        before="where(c, x, y), c a constant that is True everywhere, or nowhere",
        after="x, or y",
        build=lambda x, y, c: where(const(np.array(c)), x, y),
        variables=("x", "y", "c"),
        attributes=frozenset({"c"}),
        examples=({"x": (2,), "y": (2,), "c": (True, True)}, {"x": (), "y": (3, 1), "c": (False, False)}),
        declined=({"x": (2,), "y": (2,), "c": (True, False)},),
    ),
    rule(
        "where_inverted",
        lambda c, x, y: where(invert(c), x, y),
        lambda c, x, y: where(c, y, x),
        safety="exact",
        examples=_TWO,
    ),
    Rule(
        name="gradient_of_relu",
        safety="widening",
        roots=("multiply",),
        needs=("cast", "greater", "maximum"),
        attempt=_of_relu,
        before="cast(x > 0, dtype=d) * g, where maximum(x, 0) is computed too",
        after="where(x > 0, g, 0)",
        build=lambda x, g, d: maximum(x, 0) - cast(greater(x, 0), d) * g,
        variables=("x", "g", "d"),
        attributes=frozenset({"d"}),
        examples=tuple(
            {"x": shape, "g": shape, "d": "float32", "dtype": "float32"} for shape in ((3,), ("n", 2))
        ),
    ),
    rule(
        "mask_complement",
        lambda c, d: 1 - cast(c, d),
        lambda c, d: cast(invert(c), d),
        safety="exact",
        when=_no_mask,
        examples=[{"c": ("bool", ("n", 2)), "d": "float32"}],
        declined=[{"c": ("int32", (3,)), "d": "float64"}],
    ),
    rule(
        "where_same",
        lambda c, x: where(c, x, x),
        lambda c, x: _in_shape_of(x, c),
        safety="exact",
        after="x",
        examples=_ONE,
    ),
    rule(
        "where_true",
        lambda x, y: where(True, x, y),
        lambda x, y: _in_shape_of(x, y),
        safety="exact",
        after="x",
        examples=[{"x": (3,), "y": ("n", 1)}, {"x": (), "y": ()}],
    ),
    rule(
        "where_false",
        lambda x, y: where(False, x, y),
        lambda x, y: _in_shape_of(y, x),
        safety="exact",
        after="y",
        examples=[{"x": (3,), "y": ("n", 1)}, {"x": (), "y": ()}],
    ),
    rule(
        "where_chosen_again",
        lambda c, x, y, z: where(c, where(c, x, y), z),
        lambda c, x, z: where(c, x, z),
        safety="exact",
        when=lambda c, x, y, z: _makes_larger(y, c, x, z),
        examples=_THREE,
        declined=[{**_WIDER, "y": (2, 3)}],
    ),
    rule(
        "where_refused_again",
        lambda c, x, y, z: where(c, x, where(c, y, z)),
        lambda c, x, z: where(c, x, z),
        safety="exact",
        when=lambda c, x, y, z: _makes_larger(y, c, x, z),
        examples=_THREE,
        declined=[{**_WIDER, "y": (2, 3)}],
    ),
    rule(
        "where_not",
        lambda c, x, y: where(where(c, False, True), x, y),
        lambda c, x, y: where(c, y, x),
        safety="exact",
        examples=_TWO,
    ),
    rule(
        "where_as_it_is",
        lambda c: where(c, True, False),
        lambda c: c,
        safety="exact",
        examples=[{"c": ("bool", (3,))}, {"c": ("bool", ("n", 2))}],
    ),
)

MASKS = (
    Rule(
        name="mask_as_it_is",
        safety="exact",
        roots=("add", "subtract", "multiply", "maximum", "minimum"),
        needs=("cast",),
        attempt=_as_it_is,
        before="x * cast(c, dtype=d), c a mask, and so for + - maximum minimum",
        after="x * c",
        build=lambda x, c, d: x * cast(c, d),
        variables=("x", "c", "d"),
        attributes=frozenset({"d"}),
        examples=(
            {"x": (3,), "c": ("bool", (3,)), "d": "float32", "dtype": "float32"},
            {"x": (2,), "c": ("bool", ("n", 1)), "d": "float64", "dtype": "float64"},
        ),
        declined=({"x": (3,), "c": ("int32", (3,)), "d": "float64", "dtype": "float64"},),
    ),
)
"""At the end: a product takes a mask as it is."""
