"""One node for what is equal in bits but was written the other way round: the one that comes first stays.

No order is imposed: ``2 * x`` stays ``2 * x`` unless ``x * 2`` is there already.
"""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.core.op import op_named
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


RULES = (
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
