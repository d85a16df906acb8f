"""The branch that a choice did not take gives no gradient, not even nan.

``where(x > 0, sqrt(x), 0)`` passes a cotangent of 0 to the square root of the negative numbers, and 0 times
the derivative there is nan. So what comes back through an op that may be singular is masked once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphgrad.core.node import Node
from graphgrad.core.spec import broadcast
from graphgrad.core.traverse import toposort
from graphgrad.ops.compare import where

CHOICE = "where"
Condition: TypeAlias = tuple[Node, bool]
"""A boolean node, and whether it is true where the branch is taken."""


@dataclass
class Guards:
    """Which choices every cotangent of a node went through on its way, element for element."""

    risky: dict[Node, None]
    """What may be nan or inf, or have such a derivative, where it is not wanted."""
    masks: dict[Node, dict[Condition, None]] = field(default_factory=dict)

    @staticmethod
    def of(order: Sequence[Node]) -> Guards:
        """For a graph, in topological order."""
        risky: dict[Node, None] = {}
        if any(node.op.name == CHOICE for node in order):
            for node in order:
                unsafe = node.op.singular(node) or any(part in risky for part in node.inputs)
                if unsafe and node.op.name != CHOICE:
                    risky[node] = None
        return Guards(risky)

    def start(self, nodes: Iterable[Node]) -> None:
        """Cotangents that are given went through no choice."""
        self.masks.update((node, {}) for node in nodes)

    def follow(self, node: Node, index: int) -> None:
        """A cotangent goes from a node to its input: what all of the input's cotangents share stays."""
        if not self.risky:
            return
        part = node.inputs[index]
        through = dict(self.masks.get(node, {})) if node.op.elementwise else {}
        if node.op.name == CHOICE:
            through[node.inputs[0], index == 1] = None
        earlier = self.masks.get(part)
        self.masks[part] = {
            choice: None
            for choice in through
            if broadcast([choice[0].shape, part.shape]) == part.shape
            and (earlier is None or choice in earlier)
        }

    def mask(self, node: Node, g: Node, term: Node) -> Node:
        """The chain-rule term, zero for certain where a choice did not take the node."""
        masks = self.masks.get(node)
        if not masks or not (node.op.singular(node) or self._reads_what_is_risky(term, node, g)):
            return term
        for condition, wanted in masks:
            term = where(condition, term, 0) if wanted else where(condition, 0, term)
        return term

    def _reads_what_is_risky(self, term: Node, node: Node, g: Node) -> bool:
        own = (node, *node.inputs)
        watched = [part for part in own if part in self.risky]
        made = toposort([term], stop={g, *own})
        return term in watched or any(part in watched for new in made for part in new.inputs)
