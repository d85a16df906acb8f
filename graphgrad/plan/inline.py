"""Which values need no statement of their own, because the statement that reads them stays short with them in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.plan.schedule import Routine, is_free

_DEEPEST = 2


def inlined(
    graph: Graph, routine: Routine, kept: Sequence[Node], anew: Mapping[Node, None] | None
) -> dict[Node, None]:
    """The steps of a routine that are written inside the one statement that reads them.

    A view such as ``w.T`` or ``x[:, 0]`` is, a number such as ``2 / batch``, and an elementwise operation of the same
    chain-rule term as its reader, unless it is given a buffer: only those of `anew` are not; None means that there are
    no buffers. Never what the user named, what is kept or given back, or what is read twice.
    """
    readers: dict[Node, list[Node]] = {}
    for node in routine.steps:
        for part in node.inputs:
            readers.setdefault(part, []).append(node)
    fixed = {*routine.results, *kept}
    found: dict[Node, None] = {}
    depth: dict[Node, int] = {}
    for node in routine.steps:
        depth[node] = 1 + max((depth[part] for part in node.inputs if part in found), default=0)
        own = readers.get(node, [])
        if (
            node in fixed
            or len(own) != 1
            or _has_name(graph, node)
            or own[0].op.repeats
            or not node.op.is_expression
        ):
            continue
        light = (node.op.light or is_number(node)) and depth[node] <= _DEEPEST
        nested = depth[node] < _DEEPEST and (anew is None or node in anew)
        if light or (nested and same_term(graph, node, own[0])):
            found[node] = None
    return found


def is_number(node: Node) -> bool:
    """Whether it is a number made of constants and sizes, such as ``2 / batch``."""
    own = all(is_free(part) and not part.op.is_leaf for part in node.inputs)
    return own and not node.shape and node.op.elementwise


def _has_name(graph: Graph, node: Node) -> bool:
    if node not in graph.origins and graph.name(node) is not None:
        return True
    return any(origin.role == "cotangent" for origin in graph.origins.get(node, ()))


def same_term(graph: Graph, node: Node, reader: Node) -> bool:
    """Whether two elementwise nodes were made for the same term of the chain rule."""
    mine, theirs = graph.origins.get(node), graph.origins.get(reader)
    if not mine or not theirs or not (node.op.elementwise and reader.op.elementwise):
        return False
    return mine[0].role == theirs[0].role == "chain" and (mine[0].forward, mine[0].index) == (
        theirs[0].forward,
        theirs[0].index,
    )


def written_with(order: Sequence[Node], inside: Mapping[Node, None]) -> dict[Node, tuple[Node, ...]]:
    """For each step with a statement of its own, all nodes that the statement computes, itself last."""
    whole: dict[Node, tuple[Node, ...]] = {}
    for node in order:
        parts: dict[Node, None] = {}
        for part in node.inputs:
            if part in inside and not is_free(part):
                parts.update(dict.fromkeys(whole[part]))
        whole[node] = (*parts, node)
    return {node: nodes for node, nodes in whole.items() if node not in inside}
