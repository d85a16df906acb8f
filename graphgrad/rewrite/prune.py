"""What has no effect any more, once differentiation is done."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.node import Node
from graphgrad.core.op import registry
from graphgrad.core.spec import broadcast
from graphgrad.rewrite.pattern import broadcast_to, stop_gradient
from graphgrad.rewrite.rule import Found, Outcome, Rule, rule

_ELEMENTWISE = tuple(
    name for name, (op, _) in registry().items() if op.elementwise and name != "stop_gradient"
)


def _unspread(node: Node, present: Collection[Node]) -> Outcome:
    """An elementwise op broadcasts by itself."""
    inputs = list(node.inputs)
    spread: dict[Node, None] = {}
    for at, part in enumerate(inputs):
        if part.op.name == "broadcast_to":
            shapes = [other.shape for other in (*inputs[:at], part.inputs[0], *inputs[at + 1 :])]
            if broadcast(shapes) == node.shape:
                inputs[at] = part.inputs[0]
                spread[part] = None
    return Found(node.op(*inputs, **node.attrs), tuple(spread)) if spread else None


RULES = (
    rule("stop_gradient", lambda x: stop_gradient(x), lambda x: x, safety="exact", has_gradient=False),
    Rule(
        name="spread_operand",
        safety="exact",
        roots=_ELEMENTWISE,
        needs=("broadcast_to",),
        attempt=_unspread,
        before="x + broadcast_to(y, shape=s), and so for every elementwise op",
        after="x + y, where the shape stays",
        build=lambda x, y: x * broadcast_to(y, x.shape),
        variables=("x", "y"),
        examples=({"x": (2, 3), "y": (3,)}, {"x": ("n", 3), "y": ()}, {"x": ("n", 3), "y": (1, 3)}),
    ),
)
