"""The only loops over a graph. None of them recurses, so depth is no limit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from graphgrad.core.node import Node


def toposort(roots: Iterable[Node], stop: Collection[Node] = ()) -> list[Node]:
    """Every node that `roots` need, each after its inputs: depth first, inputs from left to right.

    Nodes in `stop` are neither listed nor looked into.

    >>> x = gg.input("x", ())
    >>> [node.op.name for node in toposort([gg.exp(x) + x])]
    ['input', 'exp', 'add']
    """
    order: list[Node] = []
    seen: set[Node] = set()  # only asked, never iterated
    for root in roots:
        if root in seen or root in stop:
            continue
        seen.add(root)
        stack = [(root, iter(root.inputs))]  # with what is left to look at of each node's inputs
        while stack:
            node, left = stack[-1]
            for part in left:
                if part not in seen and part not in stop:
                    seen.add(part)
                    stack.append((part, iter(part.inputs)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def users(order: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each node of `order`, the nodes of `order` that read it, once for each reading."""
    found: dict[Node, list[Node]] = {node: [] for node in order}
    for node in order:
        for part in node.inputs:
            if part in found:
                found[part].append(node)
    return found


def depending_on(
    order: Sequence[Node], sources: Iterable[Node], along: Callable[[Node], bool]
) -> dict[Node, None]:
    """Those of `order` that are among `sources` or read one, also through nodes for which `along` holds."""
    found: dict[Node, None] = dict.fromkeys(sources)
    for node in order:
        if node not in found and along(node) and any(part in found for part in node.inputs):
            found[node] = None
    return found


def rebuild(roots: Sequence[Node], replace: Callable[[Node, tuple[Node, ...]], Node]) -> tuple[Node, ...]:
    """The roots after every node, from the leaves up, was passed through `replace(node, new_inputs)`."""
    new: dict[Node, Node] = {}
    for node in toposort(roots):
        new[node] = replace(node, tuple(new[part] for part in node.inputs))
    return tuple(new[root] for root in roots)
