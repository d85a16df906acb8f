"""The gradient of a softmax, which needs nothing of the forward pass but its result."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from graphgrad.core.node import Node
from graphgrad.rewrite.pattern import exp, sum
from graphgrad.rewrite.rule import Found, Outcome, Rule

Axes = tuple[int, ...]


def _softmax_gradient(node: Node, present: Collection[Node]) -> Outcome:
    """What the chain rule makes of ``p = e / s``, ``e = exp(x)``, ``s = sum(e)``: ``(g / s + sum(-g * p / s)) * e``."""
    for e, gathered in (node.inputs, node.inputs[::-1]):
        if e.op.name != "exp" or gathered.op.name != "add":
            continue
        for direct, total in (gathered.inputs, gathered.inputs[::-1]):
            found = _by_parts(e, direct, total)
            if found is not None:
                g, p, inner = found
                weighted = g * p
                summed = g @ p if p.ndim == 1 else sum(weighted, total.attrs["axes"], True)
                result = weighted - p * summed  # not p * (g - summed), where large cotangents overflow
                return Found(result, tuple(dict.fromkeys((gathered, direct, total, *inner))))
    return None


def _by_parts(e: Node, direct: Node, total: Node) -> tuple[Node, Node, tuple[Node, ...]] | None:
    """g, the softmax and the nodes on the way, if these are its gradient by e and by the sum of e."""
    if direct.op.name != "divide" or total.op.name != "sum" or not total.attrs["keepdims"]:
        return None
    g, s = direct.inputs
    (ratio,) = total.inputs
    if ratio.op.name != "divide" or ratio.inputs[1] is not s or ratio.inputs[0].op.name != "multiply":
        return None
    if s.op.name != "sum" or s.inputs[0] is not e or s.attrs != total.attrs or g.shape != e.shape:
        return None
    (product,) = ratio.inputs[:1]
    for turned, p in (product.inputs, product.inputs[::-1]):
        if p.op.name == "divide" and p.inputs == (e, s) and _is_opposite(turned, g):
            return g, p, (ratio, product, turned)
    return None


def _is_opposite(one: Node, other: Node) -> bool:
    return (one.op.name == "negative" and one.inputs[0] is other) or (
        other.op.name == "negative" and other.inputs[0] is one
    )


def _as_differentiated(x: Node, g: Node, a: Axes) -> Any:
    e = exp(x)
    s = sum(e, a, True)
    p = e / s
    return p + (g / s + sum(-g * p / s, a, True)) * e


RULES = (
    Rule(
        name="softmax_gradient",
        safety="widening",
        roots=("multiply",),
        needs=("exp", "divide", "negative"),
        attempt=_softmax_gradient,
        before="(g / s + sum(-g * p / s, axes=a, keepdims=True)) * e, of p = e / s, e = exp(x), s = sum(e)",
        after="g * p - p * sum(g * p, axes=a, keepdims=True); of vectors g * p - p * (g @ p)",
        build=_as_differentiated,
        variables=("x", "g", "a"),
        attributes=frozenset({"a"}),
        examples=(
            {"x": (2, 3), "g": (2, 3), "a": (1,)},
            {"x": ("n", 3), "g": ("n", 3), "a": (1,)},
            {"x": (2, 3, 2), "g": (2, 3, 2), "a": (0, 2)},
            {"x": (3,), "g": (3,), "a": (0,)},
            {"x": ("n",), "g": ("n",), "a": (0,)},
        ),
    ),
)
