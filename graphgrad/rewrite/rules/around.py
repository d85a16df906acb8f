"""Moves around elementwise ops: those that undo each other, and those that leave some of the elements."""

from __future__ import annotations

from collections.abc import Collection

from graphgrad.core.dim import usual
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort
from graphgrad.rewrite.measure import total
from graphgrad.rewrite.pattern import exp, expand_dims, index, reshape, transpose
from graphgrad.rewrite.rule import Found, Outcome, Rule

_IN_ORDER = ("reshape", "expand_dims", "squeeze")
"""Moves after which the elements are in the order they were in."""


_MOST = 16
"""Ops between two moves that are looked at."""


def _undoes(root: Node, part: Node) -> bool:
    """Whether moving a part as the root does gives what it was moved from."""
    if part.op.name in _IN_ORDER and root.op.name in _IN_ORDER:
        return part.inputs[0].shape == root.shape
    if part.op.name == root.op.name == "transpose":
        p, q = part.attrs["axes"], root.attrs["axes"]
        return all(p[axis] == at for at, axis in enumerate(q))
    return False


def _moved_back(node: Node, present: Collection[Node]) -> Outcome:
    (function,) = node.inputs
    region, moved = [function], {}
    for one in region:  # grows on the way: elementwise ops between the two moves
        if not one.op.elementwise or len(region) > _MOST:
            return None
        for part in one.inputs:
            if part.shape and part.shape == function.shape and _undoes(node, part):
                moved[part] = part.inputs[0]
            elif part.shape == function.shape and part.shape:
                region.append(part)
            elif part.shape:
                return None
    if not moved:
        return None
    new: dict[Node, Node] = dict(moved)
    for one in toposort([function], stop=moved):
        if one in region:
            new[one] = one.op(*(new.get(part, part) for part in one.inputs), **one.attrs)
    return Found(new[function], tuple(dict.fromkeys((*region, *moved))))


def _part_alone(node: Node, present: Collection[Node]) -> Outcome:
    """Of elements that are not taken, nothing is computed."""
    (function,) = node.inputs
    if not function.op.elementwise or usual(node.size) >= usual(function.size):
        return None
    if any(part.shape not in ((), function.shape) for part in function.inputs):
        return None
    inputs = [index(part, node.attrs["index"]) if part.shape else part for part in function.inputs]
    result = function.op(*inputs, **function.attrs)
    made = [result, *(part for part in dict.fromkeys(inputs) if part.shape)]
    return Found(result, (function,)) if total(made) < total([node, function]) else None


RULES = (
    Rule(
        name="moved_back",
        safety="exact",
        roots=("transpose", *_IN_ORDER),
        needs=(),
        attempt=_moved_back,
        before="transpose(exp(transpose(x, axes=p)), axes=q), which undo each other, and so for every elementwise op",
        after="exp(x)",
        build=lambda x, p, q: transpose(exp(transpose(x, p) * 2), q),
        variables=("x", "p", "q"),
        attributes=frozenset({"p", "q"}),
        examples=(
            {"x": (2, 3), "p": (1, 0), "q": (1, 0)},
            {"x": ("n", 2, 3), "p": (1, 2, 0), "q": (2, 0, 1)},
        ),
    ),
    Rule(
        name="reshaped_back",
        safety="exact",
        roots=_IN_ORDER,
        needs=("reshape",),
        attempt=_moved_back,
        before="reshape(reshape(x, shape=s) * expand_dims(y, axes=a), shape=t), which undo each other",
        after="x * y",
        build=lambda x, y, s, a, t: reshape(reshape(x, s) * expand_dims(y, a), t),
        variables=("x", "y", "s", "a", "t"),
        attributes=frozenset({"s", "a", "t"}),
        examples=(
            {"x": (6,), "y": (6,), "s": (6, 1), "a": (1,), "t": (6,)},
            {"x": ("n", 2), "y": ("n", 2), "s": (1, "n", 2), "a": (0,), "t": ("n", 2)},
        ),
    ),
    Rule(
        name="part_alone",
        safety="exact",
        roots=("index",),
        needs=("index",),
        attempt=_part_alone,
        before="exp(x)[i], and so for every elementwise op",
        after="exp(x[i])",
        build=lambda x, i: index(exp(x) * x, i),
        variables=("x", "i"),
        attributes=frozenset({"i"}),
        examples=(
            {"x": (4, 3), "i": (0, slice(None, None, 1))},
            {"x": ("n", 4), "i": (slice(None, None, 1), slice(0, 2, 1))},
        ),
    ),
)
