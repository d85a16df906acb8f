"""Which emitted statement stands on which card.

A card is one emitted forward statement. On the right of its row stands what was emitted for its step of the chain rule:
the statements that have it as their origin. So every statement has one card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphgrad.core.dim import Size
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.draw.tiled import tiled_bytes
from graphgrad.draw.words import bytes_of
from graphgrad.emit.layers import layer_names
from graphgrad.emit.namer import Namer
from graphgrad.emit.source import Source, Statement
from graphgrad.plan.alias import base
from graphgrad.plan.plan import Plan
from graphgrad.plan.schedule import is_free


@dataclass(frozen=True, eq=False)
class Written:
    """A node and the lines that compute it; some ops take several."""

    nodes: tuple[Node, ...]
    """All that the lines compute, the node they are for last."""
    lines: list[str]

    @property
    def node(self) -> Node:
        return self.nodes[-1]


@dataclass(frozen=True, eq=False)
class Card:
    """A forward statement and its step of the chain rule."""

    forward: Written | None
    """None for what the model does not compute, and of which a gradient is asked for all the same."""
    stands_for: Node
    backward: list[Written] = field(default_factory=list)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.forward.nodes if self.forward is not None else (self.stands_for,)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """What the statement reads that it does not compute, in argument order."""
        if self.forward is None:
            return (self.stands_for,) if self.stands_for.op.is_leaf else ()
        own = set(self.nodes)  # only asked, never iterated
        return tuple(part for node in self.nodes for part in node.inputs if part not in own)


class Cards:
    """The cards of a compiled model, and what is said about its nodes."""

    def __init__(self, plan: Plan, source: Source, backward: bool = True) -> None:
        self.plan = plan
        self.backward = backward
        """Whether the backward pass is told, if there is one."""
        self.graph: Graph = plan.schedule.graph
        self.interface = plan.schedule.interface
        self.names = _names(plan, source)
        self._tiled = tiled_bytes(plan, plan.routine("fused")) if backward and _is_fused(source) else {}
        self.written = [*_grouped(_told(plan, source, backward))]
        self.nodes = {node: None for one in self.written for node in one.nodes}
        """All that is computed."""
        steps = plan.schedule.forward.steps
        self.layers = layer_names(self.graph, steps, lambda node: node)
        self._first_reader = {part: node for node in reversed(steps) for part in node.inputs}
        self.cards: dict[Node, Card] = {}
        self.owner: dict[Node, Card] = {}
        """The card on which each node is computed."""
        for one in self._forward():
            card = self.cards[one.node] = Card(one, one.node)
            for node in one.nodes:
                self.owner.setdefault(node, card)
        self.cotangents = self._cotangents()
        self.asked = self._asked()
        self.residuals = self._residuals()
        self.right: dict[Node, Card] = {}
        """The card on which each gradient is computed."""
        self._keys: dict[Node, str] = {}
        for one in self.written:
            if self.is_derived(one.node):
                self._place(one)

    @property
    def start(self) -> Node | None:
        """The cotangent from which the backward pass starts that is drawn."""
        return self.interface.seeds[0].cotangent if self.interface.seeds else None

    @property
    def is_mirrored(self) -> bool:
        """Whether every gradient has a forward op to stand beside: the model reads none, and none is of a gradient."""
        for node in self.nodes:
            if self.is_derived(node):
                if any(self.is_derived(origin.forward) for origin in self.graph.origins.get(node, ())[:1]):
                    return False
            elif any(self.is_derived(part) for part in node.inputs if not is_free(part)):
                return False
        return True

    @property
    def loss(self) -> Node | None:
        """What was differentiated, where gradients are among the outputs that the model itself gives."""
        outputs = self.graph.outputs[self.interface.outputs]
        if self.interface.seeds or not any(node in self.graph.origins for node in outputs):
            return None
        seeds = (o.forward for found in self.graph.origins.values() for o in found if o.role == "seed")
        return next(map(self.graph.current, seeds), None)

    def is_derived(self, node: Node) -> bool:
        """Whether differentiation made it; a gradient that comes down to an argument did not make that."""
        origins = self.graph.origins.get(node, ())
        if node.op.is_leaf:
            return node is self.start or any(origin.role == "seed" for origin in origins)
        return bool(origins)

    def is_reached(self, node: Node) -> bool:
        """Whether a gradient comes to a node: it has one, or rewriting made it for an op that has."""
        if node in self.cotangents:
            return True
        written = self.graph.written(node)
        return written is not node and self.graph.current(written) in self.cotangents

    def _forward(self) -> list[Written]:
        """What forward computes; a view of a parameter stands with the one statement that reads it, such as ``w.T``."""
        written = {one.node: one for one in self.written if not self.is_derived(one.node)}
        readers: dict[Node, list[Node]] = {}
        for one in written.values():
            for part in dict.fromkeys(part for node in one.nodes for part in node.inputs):
                readers.setdefault(part, []).append(one.node)
        told = {*self.graph.outputs, *(self.interface.wrt or ())}  # only asked, never iterated
        for node in [*written]:
            one, reader = written[node], readers.get(node, ())
            if len(reader) == 1 and node not in told and _is_view_of_parameter(one):
                del written[node]
                after = written[reader[0]]
                written[reader[0]] = Written((*one.nodes, *after.nodes), [*one.lines, *after.lines])
        return [*written.values()]

    def _place(self, one: Written) -> None:
        card = self.home(one.node)
        if card is None:
            origins = self.graph.origins.get(one.node)
            stands_for = self.graph.current(origins[0].forward) if origins else one.node
            card = self.cards.setdefault(stands_for, Card(None, stands_for))
        card.backward.append(one)
        for node in one.nodes:
            self.right.setdefault(node, card)

    def home(self, node: Node) -> Card | None:
        """The card that a gradient stands on: of what it was made for, or of what reads that first."""
        for origin in self.graph.origins.get(node, ()):
            forward = self.graph.home(origin.forward)
            for stop in (forward, self._first_reader.get(forward)):
                card = self.owner.get(stop) or self.right.get(stop) if stop is not None else None
                if card is not None:
                    return card
            if origin.role != "zero" and (card := self._nearest(forward)) is not None:
                return card
        return None

    def _nearest(self, node: Node) -> Card | None:
        """Of an op that nobody computes, because only its gradient is asked for: the last one before it that is."""
        while node not in self.owner:
            if not node.inputs:
                return None
            node = self.graph.current(
                next((part for part in node.inputs if not is_free(part)), node.inputs[0])
            )
        return self.owner[node]

    def _cotangents(self) -> dict[Node, Node]:
        """For each node that a gradient reaches, its cotangent; the last one noted is the whole one."""
        known = dict.fromkeys(self.nodes)
        known.update(dict.fromkeys(part for node in self.nodes for part in node.inputs if is_free(part)))
        if self.interface.seeds:
            known.update(dict.fromkeys(self.graph.outputs[self.interface.gradients(0)]))
        others = {seed.cotangent for seed in self.interface.seeds[1:]}  # of passes that are not drawn
        found: dict[Node, Node] = {}
        for node, origins in self.graph.origins.items():
            for origin in origins:
                if origin.role == "cotangent" and node in known and node not in others:
                    found[self.graph.current(origin.forward)] = node
                if origin.role == "seed" and node is self.start:
                    found[self.graph.current(origin.forward)] = node
        return found

    def _residuals(self) -> dict[Node, None]:
        """What the backward pass reads of the forward pass."""
        if self.interface.wrt is not None:
            return dict.fromkeys(self.plan.schedule.residuals)
        read = (part for node in self.nodes if self.is_derived(node) for part in node.inputs)
        return {part: None for part in read if not self.is_derived(part) and not self.is_number(part)}

    def kept_bytes(self, node: Node) -> Size:
        """What a residual takes in the function that is told."""
        return self._tiled[node] if node in self._tiled else bytes_of(node.spec)

    def _asked(self) -> dict[Node, None]:
        """What the gradient by is given back."""
        asked = {self.graph.current(wanted): None for wanted in self.interface.wrt or ()}
        given = dict.fromkeys(self.graph.outputs[self.interface.outputs])
        for node, cotangent in self.cotangents.items():
            if cotangent in given and self.is_derived(cotangent):
                asked[node] = None
        return asked

    def scope(self, node: Node) -> tuple[str, ...]:
        """The layers of a step; where there are layers, a step in none goes by what it leads to."""
        layer = self.layers.get(node, "")
        return self.graph.scope(node) or ((layer,) if layer else ())

    def key(self, node: Node) -> str:
        """What a story calls a node: its name in the module, which no other one has; or a number, after its op."""
        try:
            return self.names[node]
        except KeyError:
            return self._keys.setdefault(node, f"{node.op.name} {len(self._keys)}")

    def is_number(self, node: Node) -> bool:
        """A constant scalar or a size, which is told by the statement that holds it."""
        return node.op.name == "run_time_size" or (node.op.name == "const" and not node.shape)

    def name(self, node: Node) -> str:
        """What a node is called in the module; for a number, 1: what a gradient starts from."""
        try:
            return self.names[node]
        except KeyError:
            return "1" if is_free(node) else self.graph.name(node) or node.op.name


def _is_view_of_parameter(one: Written) -> bool:
    others = (part for node in one.nodes for part in node.inputs[1:])
    return (
        all(node.op.view for node in one.nodes)
        and base(one.node).op.name == "param"
        and all(map(is_free, others))
    )


def _is_fused(source: Source) -> bool:
    """Whether forward and backward are one function: that one is told."""
    return any(one.function == "forward_and_backward" for one in source.statements)


def _names(plan: Plan, source: Source) -> Namer:
    """The names of the functions that are told."""
    schedule = plan.schedule
    names = source.names or Namer(plan)
    if _is_fused(source):
        return names.within(plan.routine("fused").routine)
    return names.within(schedule.backwards[0]) if schedule.backwards else names


def _told(plan: Plan, source: Source, backward: bool) -> Iterator[Statement]:
    """The statements of one pass: of the function that does both, else of forward and the first backward."""
    functions: dict[str, list[Statement]] = {}
    for one in source.statements:
        functions.setdefault(one.function, []).append(one)
    if backward and "forward_and_backward" in functions:
        yield from functions["forward_and_backward"]
        return
    yield from functions.get("forward", ())
    if backward and plan.schedule.backwards:
        planned = plan.routine("backward")
        seed = planned.routine.seed
        own = {*planned.statements, *((seed.cotangent,) if seed is not None else ())}
        passes = (made for name, made in functions.items() if name.startswith(("backward", "_backward")))
        yield from next((made for made in passes if all(one.nodes[-1] in own for one in made)), ())


def _grouped(statements: Iterable[Statement]) -> Sequence[Written]:
    groups: dict[Node, Written] = {}
    for one in statements:
        groups.setdefault(one.nodes[-1], Written(one.nodes, [])).lines.append(one.code)
    return tuple(groups.values())
