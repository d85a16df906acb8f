"""`where`: choices that are none, and choices within choices, which masked gradients are full of."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.spec import broadcast
from graphgrad.ops.compare import where as choose
from graphgrad.ops.leaf import const
from graphgrad.rewrite.pattern import broadcast_to, cast, op, where
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


invert = op("invert")


def _all_alike(node: Node, present: Collection[Node]) -> Outcome:
    """A constant mask that takes one branch everywhere; a single one is `where_true`'s and `where_false`'s."""
    c, x, y = node.inputs
    if c.op.name != "const" or not c.shape or not c.attrs["value"].size:
        return None
    mask = c.attrs["value"]
    if mask.any() and not mask.all():
        return Declined("it takes some of both branches")
    return Found(_in_shape_of(x, c, y) if mask.all() else _in_shape_of(y, c, x))


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
    rule(
        "mask_complement_times",
        lambda c, x, d: (1 - cast(c, d)) * x,
        lambda c, x: choose(c, 0, x),
        safety="widening",
        when=_no_mask,
        after="where(c, 0, x)",
        examples=[{**one, "d": "float32", "dtype": "float32"} for one in _ONE if one["x"] != ()],
        declined=[{"c": ("int32", (3,)), "x": (3,), "d": "float64", "dtype": "float64"}],
    ),
    rule(
        "mask_times",
        lambda c, x, d: cast(c, d) * x,
        lambda c, x: choose(c, x, 0),
        safety="widening",
        when=_no_mask,
        after="where(c, x, 0)",
        examples=[{**one, "d": "float32", "dtype": "float32"} for one in _ONE if one["x"] != ()]
        + [{"c": ("bool", ("n", 2)), "x": ("n", 2), "d": "float64", "dtype": "float64"}],
        declined=[{"c": ("int32", (3,)), "x": (3,), "d": "float64", "dtype": "float64"}],
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
