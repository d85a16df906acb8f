"""What has no effect any more, once differentiation is done."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.dim import usual
from graphgrad.core.node import Node
from graphgrad.core.op import registry
from graphgrad.core.spec import broadcast, size_of
from graphgrad.rewrite.pattern import broadcast_to, stop_gradient
from graphgrad.rewrite.rule import Found, Outcome, Rule, rule

_ELEMENTWISE = tuple(
    name for name, (op, _) in registry().items() if op.elementwise and name != "stop_gradient"
)


_MOVES = ("reshape", "transpose", "expand_dims", "squeeze", "flip")
"""What gives one number in every place again, if it was that."""


def _bare(node: Node, passed: dict[Node, None]) -> Node:
    """What a node repeats: itself, if it repeats nothing. The nodes that repeat are added to `passed`."""
    own, on_the_way = node, [node]
    while own.op.name in _MOVES:
        own = own.inputs[0]
        on_the_way.append(own)
    if own.op.name != "broadcast_to" or (own is not node and own.inputs[0].shape):
        return node
    passed.update(dict.fromkeys(on_the_way))
    return own.inputs[0]


def _unspread(node: Node, present: Collection[Node]) -> Outcome:
    """An elementwise op broadcasts by itself."""
    inputs = list(node.inputs)
    spread: dict[Node, None] = {}
    for at, part in enumerate(inputs):
        passed: dict[Node, None] = {}
        bare = _bare(part, passed)
        if bare is not part:
            shapes = [other.shape for other in (*inputs[:at], bare, *inputs[at + 1 :])]
            if broadcast(shapes) == node.shape:
                inputs[at] = bare
                spread.update(passed)
    return Found(node.op(*inputs, **node.attrs), tuple(spread)) if spread else None


def _computed_once(node: Node, present: Collection[Node]) -> Outcome:
    """Of what repeats itself, an elementwise op gives what repeats itself."""
    passed: dict[Node, None] = {}
    inputs = [_bare(part, passed) for part in node.inputs]
    if not passed or usual(size_of(broadcast([part.shape for part in inputs]))) >= usual(size_of(node.shape)):
        return None
    return Found(broadcast_to(node.op(*inputs, **node.attrs), node.shape), tuple(passed))


RULES = (
    rule("stop_gradient", lambda x: stop_gradient(x), lambda x: x, safety="exact", has_gradient=False),
    Rule(
        name="spread_operand",
        safety="exact",
        roots=_ELEMENTWISE,
        needs=("broadcast_to",),
        attempt=_unspread,
        before="x + broadcast_to(y, shape=s), and so for every elementwise op; a number may be moved before it, too",
        after="x + y, where the shape stays",
        build=lambda x, y: x * broadcast_to(y, x.shape),
        variables=("x", "y"),
        examples=({"x": (2, 3), "y": (3,)}, {"x": ("n", 3), "y": ()}, {"x": ("n", 3), "y": (1, 3)}),
    ),
    Rule(
        name="repeated_afterwards",
        safety="exact",
        roots=_ELEMENTWISE,
        needs=("broadcast_to",),
        attempt=_computed_once,
        before="-broadcast_to(x, shape=s), and so for every elementwise op",
        after="broadcast_to(-x, shape=s)",
        build=lambda x, y, s: broadcast_to(x, s) * broadcast_to(y, s),
        variables=("x", "y", "s"),
        attributes=frozenset({"s"}),
        examples=(
            {"x": (3,), "y": (), "s": (2, 3)},
            {"x": ("n", 1), "y": (), "s": ("n", 3)},
        ),
    ),
)
