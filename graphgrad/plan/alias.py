"""Which results would share memory with something else, and so are copied before they are given back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphgrad.core.node import Node
from graphgrad.plan.schedule import is_free


def base(node: Node) -> Node:
    """The node whose memory a node's value may lie in: itself, or what it is a view of."""
    while node.op.view:
        node = node.inputs[0]
    return node


def copies(results: Sequence[Node], kept: Iterable[Node] = ()) -> tuple[bool, ...]:
    """For each result, whether to copy it: an argument, a constant, a view, a repetition, or something that is kept."""
    taken = {base(node) for node in kept}
    decided: list[bool] = []
    for node in results:
        owner = base(node)
        shared = owner is not node or is_free(node) or owner in taken
        decided.append(shared)
        if not shared:
            taken.add(owner)
    return tuple(decided)
