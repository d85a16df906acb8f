"""The branch that a choice did not take gives no gradient, not even nan.

``where(x > 0, sqrt(x), 0)`` passes a cotangent of 0 to the square root of the negative numbers, and 0 times
the derivative there is nan. So what comes back through an op that may be singular is masked once more, and what is
multiplied by a cotangent is 0 where the choice makes that 0. How far away the choice is does not matter: which elements
it took is followed back through every op.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from graphgrad.autodiff.sign import above_zero
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.spec import broadcast
from graphgrad.core.traverse import toposort
from graphgrad.ops.compare import not_equal, where
from graphgrad.ops.movement import broadcast_to, expand_dims, squeeze
from graphgrad.ops.permute import transpose

CHOICE = "where"
_MOVES = frozenset(
    {
        "reshape", "transpose", "expand_dims", "squeeze", "flip", "roll", "index", "place", "gather", "scatter_add",
        "concatenate", "stack", "tile", "repeat", "diagonal", "place_diagonal", "tril", "triu", "sum_runs",
    }
)  # fmt: skip
"""Ops that move elements, or add some up, so that their VJP moves a condition back; of all others the axes tell."""
Condition: TypeAlias = tuple[Node, bool]
"""A boolean node, and whether it is true where the branch is taken."""


@dataclass
class Guards:
    """For each node, where any of its cotangents can be other than 0 because of choices on the way."""

    singular: dict[Node, None]
    """What may itself be nan or inf, or have such a derivative, for finite arguments."""
    risky: dict[Node, None]
    """What may be nan or inf, or have such a derivative, where it is not wanted."""
    exposed: dict[Node, None]
    """What depends on such a node, so that a condition on it is of use."""
    taken: dict[Node, Condition | None] = field(default_factory=dict)
    """None is everywhere. One condition for each node, however many choices there were: it stays linear."""

    @staticmethod
    def of(order: Sequence[Node]) -> Guards:
        """For a graph, in topological order."""
        risky: dict[Node, None] = {}
        exposed: dict[Node, None] = {}
        singular: dict[Node, None] = {}
        if any(node.op.name == CHOICE for node in order):
            above = above_zero(order)
            for node in order:
                if node.op.singular(node) and not _is_regular(node, above):
                    singular[node] = None
                unsafe = node in singular or any(part in risky for part in node.inputs)
                if unsafe and node.op.name != CHOICE:
                    risky[node] = None
                if node in risky or any(part in exposed for part in node.inputs):
                    exposed[node] = None
        return Guards(singular, risky, exposed)

    def start(self, nodes: Iterable[Node]) -> None:
        """Cotangents that are given went through no choice; nor does one whose way is not followed."""
        self.taken.update((node, None) for node in nodes)

    def follow(self, node: Node, index: int) -> None:
        """A cotangent goes from a node to its input, where it joins those of the input's other uses."""
        part = node.inputs[index]
        if part not in self.exposed:
            return
        through = self.taken.get(node)
        if node.op.name == CHOICE:
            through = _both((node.inputs[0], index == 1), through)
        through = _pulled_back(node, index, through)
        self.taken[part] = _either(self.taken[part], through) if part in self.taken else through

    def without_what_was_not_taken(self, node: Node, index: int, g: Node, term: Node) -> Node:
        """The node on inputs that are 0 where no choice took what they go into, if the term for its input `index` reads
        others that are risky: a product of a cotangent of 0 and inf would be added to the rest."""
        taken = self.taken.get(node)
        if taken is None or node.op.elementwise:  # there the term is masked
            return node
        inputs = list(node.inputs)
        for at, part in enumerate(inputs):
            if at != index and part in self.risky and _reads(term, [part], node, g):
                condition = _pulled_back(node, at, taken)
                inputs[at] = part if condition is None else _masked(condition, part)
        return node if tuple(inputs) == node.inputs else node.op(*inputs, **node.attrs)

    def mask(self, node: Node, index: int, g: Node, term: Node) -> Node:
        """The chain-rule term, zero for certain where a choice did not take what the input's element goes into."""
        taken = self.taken.get(node)
        if taken is None:
            return term
        if node.op.elementwise:
            watched = [part for part in (node, *node.inputs) if part in self.risky]
            is_needed = node in self.singular or _reads(term, watched, node, g)
            return _masked(taken, term) if is_needed else term
        watched = [part for part in (node, node.inputs[index]) if part in self.risky]
        if not (node in self.singular or _reads(term, watched, node, g)):
            return term
        condition = _pulled_back(node, index, taken)
        return term if condition is None else _masked(condition, term)


def _masked(condition: Condition, node: Node) -> Node:
    which, wanted = condition
    return where(which, node, 0) if wanted else where(which, 0, node)


def _reads(term: Node, watched: Sequence[Node], node: Node, g: Node) -> bool:
    """Whether a chain-rule term of a node reads one of `watched`."""
    made = toposort([term], stop={g, node, *node.inputs})
    return term in watched or any(part in watched for new in made for part in new.inputs)


def _pulled_back(node: Node, index: int, condition: Condition | None) -> Condition | None:
    """A condition on a node's elements, on those of its input that go into them; None is everywhere."""
    if condition is None:
        return None
    part = node.inputs[index]
    if node.op.elementwise and broadcast([condition[0].shape, part.shape]) == part.shape:
        return condition
    if node.op.name in _MOVES:
        moved = node.op.pull_back(index, broadcast_to(_true_where(condition), node.shape), node)
        if moved is None:
            return None
        return (moved if moved.dtype.kind == "b" else not_equal(moved, 0)), True
    return _along_axes(node, index, condition)


def _along_axes(node: Node, index: int, condition: Condition) -> Condition:
    """An input's element goes into those of the result that have its place along the axes that it shares with them; so
    it was taken if any of these was."""
    which, wanted = condition
    lead = node.ndim - which.ndim
    roles = node.op.axes(*(part.spec for part in node.inputs), **node.attrs)[index]
    shared = [role - lead for role in dict.fromkeys(roles) if isinstance(role, int) and role >= lead]
    others = [axis for axis in range(which.ndim) if axis not in shared]
    mixed = tuple(axis for axis in others if which.shape[axis] != 1)
    if mixed:  # not all are refused, or any is taken
        which = apply("any" if wanted else "all", which, axes=mixed, keepdims=True)
    if which.ndim == len(roles) and all(
        role == lead + axis or which.shape[axis] == 1 for axis, role in enumerate(roles)
    ):
        return which, wanted
    which = squeeze(which, others) if others else which
    kept = sorted(shared)
    if shared != kept:
        which = transpose(which, [kept.index(axis) for axis in shared])
    seen: set[int] = set()
    ones = []
    for axis, role in enumerate(roles):
        if isinstance(role, int) and role >= lead and role not in seen:
            seen.add(role)
        else:
            ones.append(axis)
    return (expand_dims(which, ones) if ones else which), wanted


def _true_where(condition: Condition) -> Node:
    node, wanted = condition
    return node if wanted else where(node, False, True)


def _is_regular(node: Node, above: Mapping[Node, None]) -> bool:
    """Whether an op that may be singular is not, for what it is given is above 0."""
    operand = node.op.regular_above_zero
    return operand is not None and node.inputs[operand] in above


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
