"""One node for what is equal in bits but was written in two ways: the one that comes first stays.

No order is imposed: ``2 * x`` stays ``2 * x`` unless ``x * 2`` is there already.
"""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.core.op import op_named
from graphgrad.rewrite.pattern import expand_dims, mean, squeeze, sum
from graphgrad.rewrite.rule import Found, Outcome, Rule

_TURNED = {
    "add": "add",
    "multiply": "multiply",
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "greater",
    "greater": "less",
    "less_equal": "greater_equal",
    "greater_equal": "less_equal",
}
"""Ops of (x, y), and those that give the same of (y, x). Not `maximum`, which may give either zero for 0.0 and -0.0."""


def _turned(node: Node, present: Collection[Node]) -> Outcome:
    other = op_named(_TURNED[node.op.name])(*reversed(node.inputs))
    return Found(other) if other in present and other is not node else None


_REDUCTIONS = ("sum", "mean", "prod", "max", "min", "any", "all", "highest")


def _reduced_before(node: Node, present: Collection[Node]) -> Outcome:
    """The same reduction with the axes it has reduced, or without them."""
    axes, keepdims = node.attrs["axes"], node.attrs["keepdims"]
    other = node.op(*node.inputs, axes=axes, keepdims=not keepdims)
    if other not in present or not axes:
        return None
    return Found(expand_dims(other, axes) if keepdims else squeeze(other, axes))


_BROADCASTING = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum"),
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
)


def _lined_up(node: Node, present: Collection[Node]) -> Outcome:
    """Leading axes of size 1, which broadcasting brings anyway."""
    wide = [part for part in node.inputs if part.ndim == node.ndim and part.op.name != "expand_dims"]
    leading = [
        part
        for part in node.inputs
        if part.op.name == "expand_dims" and part.attrs["axes"] == tuple(range(len(part.attrs["axes"])))
    ]
    if not wide or not leading:
        return None
    found = node.op(*(part.inputs[0] if part in leading else part for part in node.inputs))
    return Found(found, tuple(leading)) if found.specs == node.specs else None


LINED_UP = Rule(
    name="lined_up",
    safety="exact",
    roots=_BROADCASTING,
    needs=("expand_dims",),
    attempt=_lined_up,
    before="x - expand_dims(y, axes=0), and so for + * / maximum minimum",
    after="x - y",
    build=lambda x, y: x - expand_dims(y, (0,)),
    variables=("x", "y"),
    examples=({"x": ("n", 3), "y": (3,)}, {"x": (2, 4, 3), "y": (4, 3)}),
    declined=({"x": (3,), "y": (4, 3)},),
)

RULES = (
    Rule(
        name="reduced_before",
        safety="exact",
        roots=_REDUCTIONS,
        needs=(),
        attempt=_reduced_before,
        before="sum(x, axes=a, keepdims=True), where sum(x, axes=a) is computed anyway; and so for any reduction",
        after="expand_dims(sum(x, axes=a))",
        build=lambda x, a: sum(x, a, False) * squeeze(sum(x, a, True), a) + mean(x, a, False),
        variables=("x", "a"),
        attributes=frozenset({"a"}),
        examples=({"x": (2, 3), "a": (0,)}, {"x": ("n", 2, 3), "a": (0, 2)}),
    ),
    LINED_UP,
    Rule(
        name="same_the_other_way_round",
        safety="exact",
        roots=tuple(_TURNED),
        needs=(),
        attempt=_turned,
        before="y + x, where x + y is computed anyway; and so for *, ==, !=, <, >, <=, >=",
        after="x + y",
        build=lambda x, y: (x + y) * (y + x),
        variables=("x", "y"),
    ),
)
