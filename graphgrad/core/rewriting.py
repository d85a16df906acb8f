"""What became of a graph's nodes when it was rewritten, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from graphgrad.core.node import Node

if TYPE_CHECKING:
    from graphgrad.core.graph import Graph, Origins

Safety = Literal["exact", "rounding", "widening", "range"]
"""How far a rewritten value may be from the written one.

``exact``: the same bits. ``rounding``: other roundings, as of sums and products in another order; nan and inf stay
where they are, unless the last bit of a partial result decides whether it is still finite; a sum or maximum that is 0
may have the other sign. ``widening``: finite, or more accurate, where the written form overflows or cancels.
``range``: right for fewer arguments, such as positive ones.
"""


@dataclass(frozen=True, eq=False)
class Firing:
    """A rule took `node` for `replacement`; both are nodes that the interpreter can evaluate."""

    rule: str
    safety: Safety
    node: Node
    replacement: Node
    written: Node
    """The node of the original graph that it was about."""


@dataclass(frozen=True, eq=False)
class Rewriting:
    """How a graph came from the one that the user and differentiation wrote.

    Kept here and not at the nodes: those are shared with other models, which must not change by it.
    """

    original: Graph
    """The graph before anything was rewritten: what the rewritten one has to compute."""
    replaced: Mapping[Node, Node]
    """For nodes of the original graph, the node that computes their value now, followed to the end."""
    made_for: Mapping[Node, Node]
    """For each node that is not of the original graph, the one of it that it was first made for."""
    absorbed: Mapping[Node, Node]
    """For nodes of the original graph whose value nobody computes any more, the node that does without them."""
    given: Origins
    """The origins of every node that differentiation made. Where rules fired before it, it differentiated what they
    made, and those gradients are not the nodes of `original`."""
    firings: tuple[Firing, ...] = ()
    """What the rules did, in order."""

    @cached_property
    def stands_for(self) -> Mapping[Node, tuple[Node, ...]]:
        """For each node that computes the value of others now, those that the user wrote, in their order."""
        found: dict[Node, list[Node]] = {}
        for old, new in self.replaced.items():
            if old not in self.given and old not in self.made_for:
                found.setdefault(new, []).append(old)
        return {new: tuple(sorted(olds, key=lambda node: node.serial)) for new, olds in found.items()}

    def describe(self, firing: Firing) -> str:
        """A firing in a line: the rule, what it took for what, and where in the model."""
        taken = f"{firing.rule} ({firing.safety}): {firing.node.op.name} became {firing.replacement.op.name}"
        return f"{taken}, {self.place(firing.written)}"

    def place(self, node: Node) -> str:
        """Where a node comes from, for a message: the user's line, or that whose gradient it belongs to."""
        return place(node, self.given, self.made_for)


def place(node: Node, origins: Origins, made_for: Mapping[Node, Node] = MappingProxyType({})) -> str:
    """As `Rewriting.place`, while a graph is being rewritten."""
    entries = origins.get(node, ())
    forward = entries[0].forward if entries else node
    site = made_for.get(forward, forward).notes.site
    written = site.describe() if site is not None else node.describe()
    return f"in the gradient of {written}" if entries else f"at {written}"
