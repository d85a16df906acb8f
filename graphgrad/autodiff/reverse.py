"""Reverse mode: the backward graph by the chain rule, as nodes like any other.

The cotangent of a node is gathered from all its uses before it is passed on. Two things are put off for as
long as possible, because they often prove needless: a cotangent may stay smaller than its array while
broadcasting does the rest (the gradient of a mean is one number), and what broadcasting repeated is summed
once, after accumulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graphgrad.autodiff.guard import Guards
from graphgrad.core.errors import ArgumentError, DTypeError, ShapeError, VerificationError
from graphgrad.core.graph import Origin, Origins, Role
from graphgrad.core.node import Node
from graphgrad.core.op import NotDifferentiable
from graphgrad.core.provenance import recording
from graphgrad.core.spec import Shape, broadcast
from graphgrad.core.traverse import depending_on, toposort
from graphgrad.ops.arithmetic import add
from graphgrad.ops.create import zeros_like
from graphgrad.ops.movement import broadcast_to, sum_to
from graphgrad.ops.places import put_together
from graphgrad.ops.projection import PROJECTION


def is_float(node: Node) -> bool:
    """Whether a node has gradients at all."""
    specs = node.specs
    return specs[0].dtype.kind == "f" or any(spec.dtype.kind == "f" for spec in specs[1:])


def passes_gradient(node: Node) -> bool:
    """Whether a gradient can flow from a node to its inputs."""
    return is_float(node) and (not isinstance(node.op.vjp, NotDifferentiable) or node.op.name == PROJECTION)


@dataclass
class _Marks:
    """Origins of the nodes that differentiation makes, in the order they were made."""

    known: dict[Node, None]
    noted: dict[Node, dict[Origin, None]] = field(default_factory=dict)
    """One number may be the cotangent of ten thousand nodes, so a node's origins are looked up, not searched."""

    def new(self, root: Node, origin: Origin) -> Node:
        """Mark what `root` needs and nothing before needed."""
        if root in self.known:
            return root
        for node in toposort([root], stop=self.known):
            self.known[node] = None
            self.note(node, origin)
        return root

    def note(self, node: Node, origin: Origin) -> None:
        self.noted.setdefault(node, {})[origin] = None

    @property
    def origins(self) -> Origins:
        return {node: tuple(entries) for node, entries in self.noted.items()}


@dataclass
class _Pending:
    """Contributions to a node's cotangent, by the shape they are broadcast to before they are summed."""

    by_shape: dict[Shape, list[Node]] = field(default_factory=dict)

    def add(self, g: Node, shape: Shape) -> None:
        self.by_shape.setdefault(shape, []).append(g)

    def settle(self, owner: Node, marks: _Marks) -> Node:
        """The cotangent, broadcastable to the owner's shape."""
        shape = owner.shape
        total: Node | None = None
        for wide, parts in self.by_shape.items():
            g = _sum(parts, owner, marks)
            if wide != shape:
                full = marks.new(broadcast_to(g, wide), Origin("spread", owner))
                g = marks.new(sum_to(full, shape), Origin("unbroadcast", owner))
            total = g if total is None else marks.new(add(total, g), Origin("accumulate", owner))
        if total is None:
            raise VerificationError(f"no cotangent arrived at {owner.describe()}")
        return total


def _sum(parts: Sequence[Node], owner: Node, marks: _Marks) -> Node:
    """Contributions added up. Those that came through slices of one array are put together in one, not in one each."""
    places = [part for part in parts if part.op.name == "place"]
    if len(places) > 1:
        whole = marks.new(put_together(places), Origin("accumulate", owner))
        parts = [whole, *(part for part in parts if part.op.name != "place")]
    total = parts[0]
    for part in parts[1:]:
        total = marks.new(add(total, part), Origin("accumulate", owner))
    return total


@dataclass(frozen=True)
class Pullback:
    """What `pull_back` found: the cotangents, None where no gradient arrives, and what was made for them."""

    cotangents: tuple[Node | None, ...]
    origins: Origins


def pull_back(seeds: Mapping[Node, Node], wrt: Sequence[Node]) -> Pullback:
    """The cotangents of `wrt`, given those of some outputs.

    Only what lies between is looked at, and only what is asked for is built. Linear in the graph; no
    recursion.
    """
    order = toposort(seeds)
    between = depending_on(order, wrt, passes_gradient)
    marks = _Marks(dict.fromkeys([*order, *seeds.values(), *wrt]))
    pending: dict[Node, _Pending] = {}
    parts: dict[Node, dict[int, Node]] = {}  # of nodes with several results
    found: dict[Node, Node] = {}
    asked = dict.fromkeys(wrt)
    guards = Guards.of(order)
    guards.start(seeds)

    def give(node: Node, g: Node, shape: Shape) -> None:
        pending.setdefault(node, _Pending()).add(g, shape)

    with recording("off"):
        for output, seed in seeds.items():
            marks.note(seed, Origin("seed", output))
            give(output, seed, output.shape)
        for node in reversed(order):
            if node in parts:
                _through_results(node, parts[node], between, give, marks, guards)
            if node not in pending or node not in between:
                continue
            g = pending.pop(node).settle(node, marks)
            if node in asked or not node.op.lazy:
                g = marks.new(broadcast_to(g, node.shape), Origin("spread", node))
            marks.note(g, Origin("cotangent", node))
            if node in asked:
                found[node] = g
            if node.op.name == PROJECTION:
                parts.setdefault(node.inputs[0], {})[node.attrs["which"]] = g
            elif node.inputs and passes_gradient(node):
                _through(node, g, between, give, marks, guards)
    return Pullback(tuple(found.get(node) for node in wrt), marks.origins)


Give = Callable[[Node, Node, Shape], None]


def _through(
    node: Node, g: Node, between: Mapping[Node, None], give: Give, marks: _Marks, guards: Guards
) -> None:
    """Pass a node's cotangent on to its inputs."""
    for index, part in enumerate(node.inputs):
        if part not in between or not is_float(part):
            continue
        term = node.op.pull_back(index, g, node)
        if term is None:
            continue
        shape = broadcast([part.shape, node.shape]) if node.op.elementwise else part.shape
        _check_term(node, part, term, shape)
        term = _guarded(node, index, g, term, marks, guards)
        guards.follow(node, index)
        give(part, term, shape)


def _guarded(node: Node, index: int, g: Node, term: Node, marks: _Marks, guards: Guards) -> Node:
    """A chain-rule term that no choice on the way makes nan."""
    safe = guards.without_what_was_not_taken(node, index, g, term)
    if safe is not node:
        for part, own in zip(safe.inputs, node.inputs, strict=True):
            marks.new(part, Origin("guard", own))
        again = node.op.pull_back(index, g, safe)
        term = term if again is None else again
    marks.new(term, Origin("chain", node, index))
    return marks.new(guards.mask(node, index, g, term), Origin("guard", node, index))


def _through_results(
    node: Node,
    given: Mapping[int, Node],
    between: Mapping[Node, None],
    give: Give,
    marks: _Marks,
    guards: Guards,
) -> None:
    """Pass the cotangents of a node's several results on to its inputs."""
    guards.start(node.inputs)
    full = tuple(
        marks.new(broadcast_to(given[at], spec.shape), Origin("spread", node)) if at in given else None
        for at, spec in enumerate(node.specs)
    )
    for index, part in enumerate(node.inputs):
        if part in between and is_float(part):
            term = node.op.pull_back(index, full, node)
            if term is not None:
                _check_term(node, part, term, part.shape)
                give(part, marks.new(term, Origin("chain", node, index)), part.shape)


def _check_term(node: Node, part: Node, term: Node, shape: Shape) -> None:
    if term.dtype != part.dtype or broadcast([term.shape, shape]) != shape:
        raise VerificationError(
            f"the VJP of {node.op.name} gives {term.spec} for an input {part.spec}", site=node.notes.site
        )


def check_differentiable(node: Node, what: str) -> None:
    """Raise if a node cannot be differentiated, or differentiated by."""
    if not isinstance(node, Node):
        raise ArgumentError(f"{what} is a node, not {type(node).__name__}", hint="gg.grad(loss, [w1, b1])")
    if node.dtype.kind != "f":
        raise DTypeError(
            f"{what} has dtype {node.dtype}, and only floats have gradients",
            saw=[node.describe()],
            hint="gg.cast(node, 'float32'), or leave it out",
        )


def check_cotangent(output: Node, cotangent: Node) -> Node:
    """A cotangent has the shape and dtype of its output."""
    if cotangent.shape != output.shape:
        raise ShapeError("a cotangent has its output's shape", saw=[output.describe(), cotangent.describe()])
    if cotangent.dtype != output.dtype:
        raise DTypeError("a cotangent has its output's dtype", saw=[output.describe(), cotangent.describe()])
    return cotangent


def fill_in(
    wrt: Sequence[Node],
    cotangents: Sequence[Node | None],
    allow_unused: bool,
    origins: dict[Node, tuple[Origin, ...]],
) -> tuple[Node, ...]:
    """Zeros for what no gradient reaches, or an error."""
    full: list[Node] = []
    for node, cotangent in zip(wrt, cotangents, strict=True):
        if cotangent is None:
            if not allow_unused:
                raise ArgumentError(
                    "no gradient reaches this",
                    saw=[node.describe()],
                    hint="allow_unused=True gives zeros, or leave it out",
                )
            cotangent = zeros_like(node)
            origins.setdefault(cotangent, (Origin("zero", node), Origin("cotangent", node)))
        full.append(cotangent)
    return tuple(full)


__all__ = [
    "Pullback",
    "Role",
    "check_cotangent",
    "check_differentiable",
    "fill_in",
    "pull_back",
]
