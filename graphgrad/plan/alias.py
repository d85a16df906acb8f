"""Whose memory a value lies in, and which results would share it with something else."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from graphgrad.core.node import Node
from graphgrad.plan.schedule import is_free


def base(node: Node, placed: Container[Node] = ()) -> Node:
    """The node whose memory a node's value may lie in: itself, or what it is a view of.

    What is `placed` in a buffer lies in that buffer.
    """
    while node.op.view and node not in placed:
        node = node.inputs[0]
    return node


def passed_views(node: Node) -> Iterator[Node]:
    """A node, and what it is a view of, down to what owns the memory; a reshape among them may be a copy."""
    yield node
    while node.op.view:
        node = node.inputs[0]
        yield node


def is_contiguous(node: Node) -> bool:
    """Whether a value's elements lie one after the other in C order, as far as its op tells; arguments count as if."""
    while node.op.view:
        if node.op.name not in ("reshape", "expand_dims", "squeeze", "stop_gradient"):
            return False
        node = node.inputs[0]
    return True


def copies(results: Sequence[Node], kept: Iterable[Node] = (), own: Container[Node] = ()) -> tuple[bool, ...]:
    """For each result, whether to copy it: an argument, a constant, a view, a repetition, or something that is kept.

    Those in `own` are arrays of their own, views or not.
    """
    taken = {base(node, own) for node in kept}
    decided: list[bool] = []
    for node in results:
        owner = base(node, own)
        shared = owner is not node or is_free(node) or owner in taken
        decided.append(shared)
        if not shared:
            taken.add(owner)
    return tuple(decided)
