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
from graphgrad.ops.movement import broadcast_to, expand_dims

CHOICE = "where"
_SAME_ELEMENTS = frozenset({"reshape", "transpose", "expand_dims", "squeeze", "flip"})
"""Ops of one input that only move its elements, so that their VJP moves a condition back."""
Condition: TypeAlias = tuple[Node, bool]
"""A boolean node, and whether it is true where the branch is taken."""


@dataclass
class Guards:
    """For each node, where any of its cotangents can be other than 0 because of choices on the way."""

    risky: dict[Node, None]
    """What may be nan or inf, or have such a derivative, where it is not wanted."""
    taken: dict[Node, Condition | None] = field(default_factory=dict)
    """None is everywhere. One condition for each node, however many choices there were: it stays linear."""

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
        self.taken.update((node, None) for node in nodes)

    def follow(self, node: Node, index: int) -> None:
        """A cotangent goes from a node to its input, where it joins those of the input's other uses."""
        if not self.risky:
            return
        part = node.inputs[index]
        through = _moved(node, self.taken.get(node))
        if node.op.name == CHOICE:
            through = _both((node.inputs[0], index == 1), through)
        if through is not None and broadcast([through[0].shape, part.shape]) != part.shape:
            through = None  # summed over what the choice was made for
        self.taken[part] = _either(self.taken[part], through) if part in self.taken else through

    def mask(self, node: Node, g: Node, term: Node) -> Node:
        """The chain-rule term, zero for certain where a choice did not take the node."""
        taken = (
            self.taken.get(node) if node.op.elementwise else None
        )  # elsewhere its elements are not the input's
        if taken is None or not (node.op.singular(node) or self._reads_what_is_risky(term, node, g)):
            return term
        condition, wanted = taken
        return where(condition, term, 0) if wanted else where(condition, 0, term)

    def _reads_what_is_risky(self, term: Node, node: Node, g: Node) -> bool:
        own = (node, *node.inputs)
        watched = [part for part in own if part in self.risky]
        made = toposort([term], stop={g, *own})
        return term in watched or any(part in watched for new in made for part in new.inputs)


def _moved(node: Node, condition: Condition | None) -> Condition | None:
    """A condition on a node's elements, on those of its input that they are made of; None is everywhere."""
    if condition is None or node.op.elementwise:
        return condition
    which, wanted = condition
    if node.op.name in _SAME_ELEMENTS:
        turned = node.op.pull_back(0, broadcast_to(which, node.shape), node)
        return None if turned is None else (turned, wanted)
    if node.op.name in ("sum", "mean"):
        full = broadcast_to(which, node.shape)
        axes = node.attrs["axes"]
        return (full if node.attrs["keepdims"] or not axes else expand_dims(full, axes)), wanted
    return None


def _true_where(condition: Condition) -> Node:
    node, wanted = condition
    return node if wanted else where(node, False, True)


def _both(first: Condition, second: Condition | None) -> Condition:
    """Where both hold."""
    if second is None or first == second:
        return first
    node, wanted = first
    other = _true_where(second)
    return (where(node, other, False) if wanted else where(node, False, other)), True


def _either(first: Condition | None, second: Condition | None) -> Condition | None:
    """Where one of them holds."""
    if first is None or second is None or first == second:
        return None if first is None or second is None else first
    node, wanted = first
    other = _true_where(second)
    return (where(node, True, other) if wanted else where(node, other, True)), True
