"""Nodes as a flat list, for pickling: no recursion, however long the graph.

A leaf that several nodes of one pickle share comes back as one leaf, a new one: it is equal to no leaf of the
process that reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphgrad.core.node import Node, intern_node
from graphgrad.core.op import Op, op_named
from graphgrad.core.operators import bind
from graphgrad.core.provenance import Site, recording
from graphgrad.core.spec import Spec
from graphgrad.core.traverse import toposort


@dataclass(frozen=True)
class FlatNode:
    """One node of a flat list; its inputs are positions of earlier ones."""

    op: str
    inputs: tuple[int, ...]
    attrs: dict[str, Any]
    specs: tuple[Spec, ...]
    site: Site | None
    name: str | None
    explicit: bool
    asked: bool = False


Flat = tuple[tuple[FlatNode, ...], tuple[int, ...]]


def flatten(roots: Sequence[Node]) -> Flat:
    """The nodes that `roots` need, in the order they were made, and where the roots are."""
    nodes = sorted(toposort(roots), key=lambda node: node.serial)
    position = {node: at for at, node in enumerate(nodes)}
    flat = tuple(
        FlatNode(
            node.op.name,
            tuple(position[part] for part in node.inputs),
            dict(node.attrs),
            node.specs,
            node.notes.site,
            node.notes.name,
            node.notes.explicit,
            node.notes.asked,
        )
        for node in nodes
    )
    return flat, tuple(position[root] for root in roots)


def unflatten(flat: Flat) -> tuple[Node, ...]:
    """The nodes again, on new leaves."""
    nodes: list[Node] = []
    with recording("off"):
        for item in flat[0]:
            op: Op = op_named(item.op)
            node = intern_node(op, tuple(nodes[at] for at in item.inputs), item.attrs, item.specs)
            if node.notes.site is None:
                node.notes.site, node.notes.name, node.notes.explicit = item.site, item.name, item.explicit
            node.notes.asked |= item.asked
            nodes.append(node)
    return tuple(nodes[at] for at in flat[1])


def unflatten_one(flat: Flat) -> Node:
    return unflatten(flat)[0]


bind("reduce", lambda node: (unflatten_one, (flatten([node]),)))
