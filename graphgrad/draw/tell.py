"""Telling a model's story: from a plan and its emitted source to rows of text.

A card is one emitted forward statement. Everything on the right of its row is what was emitted for its step of the
chain rule: the statements whose origin it is, and the gradients that pass through it without any code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphgrad.autodiff.reverse import is_float
from graphgrad.core.dim import Dim, Size
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.draw.story import Kept, Leaf, LeafKind, Result, Step, Story
from graphgrad.emit.layers import layer_names
from graphgrad.emit.namer import Namer
from graphgrad.emit.source import Source, Statement
from graphgrad.plan.memory import kept_bytes
from graphgrad.plan.plan import Plan
from graphgrad.plan.schedule import is_free

_KINDS: Mapping[str, LeafKind] = {"input": "input", "param": "param", "state": "state", "rng": "rng"}


@dataclass
class _Card:
    """A forward statement and what belongs to it, while it is being gathered."""

    statement: Statement
    lines: list[str] = field(default_factory=list)
    """Its source; some ops take several statements."""
    backward: list[Statement] = field(default_factory=list)

    @property
    def node(self) -> Node:
        return self.statement.nodes[-1]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """What the statement reads that it does not compute, in argument order."""
        own = set(self.statement.nodes)
        return tuple(part for node in self.statement.nodes for part in node.inputs if part not in own)


class _Teller:
    """Looks things up in a plan for the story."""

    def __init__(self, plan: Plan, source: Source) -> None:
        self.plan = plan
        self.graph: Graph = plan.schedule.graph
        self.interface = plan.schedule.interface
        names = Namer(plan)
        self.names = names.within(plan.schedule.backwards[0]) if plan.schedule.backwards else names
        shown = [
            one
            for one in source.statements
            if one.function == "forward" or one.function.startswith(("back", "_back"))
        ]
        first = next((one.function for one in shown if one.function != "forward"), None)
        told = [one for one in shown if one.function in ("forward", first)]
        self.layers = layer_names(self.graph, plan.schedule.forward.steps, lambda node: node)
        steps = plan.schedule.forward.steps
        self.first_reader = {part: node for node in reversed(steps) for part in node.inputs}
        self.cards: dict[Node, _Card] = {}
        for one in told:
            if not self._is_backward(one):
                self.cards.setdefault(one.nodes[-1], _Card(one)).lines.append(one.code)
        self.owner = {node: card for card in self.cards.values() for node in card.statement.nodes}
        self.cotangents = self._cotangents(told)
        for one in told:
            if self._is_backward(one):
                self._place(one)

    def _is_backward(self, statement: Statement) -> bool:
        node = statement.nodes[-1]
        return node in self.graph.origins and self._home(node) is not None

    def _home(self, node: Node) -> Node | None:
        """The forward node at whose card a backward node stands: the one it was made for, or a leaf's first reader."""
        forward = self.graph.home(self.graph.origins[node][0].forward)
        if not is_free(forward):
            return None if forward in self.graph.origins else forward
        return self.first_reader.get(forward)

    def _place(self, statement: Statement) -> None:
        home = self._home(statement.nodes[-1])
        card = self.owner.get(home) if home is not None else None
        if card is not None:
            card.backward.append(statement)

    def _cotangents(self, told: Sequence[Statement]) -> dict[Node, Node]:
        """For each forward node that a gradient reaches, its cotangent; the last one noted is the whole one."""
        found: dict[Node, Node] = {}
        needed = {node for statement in told for node in statement.nodes}
        others = {seed.cotangent for seed in self.interface.seeds[1:]}  # of passes that are not drawn
        for node, origins in self.graph.origins.items():
            for origin in origins:
                forward = self.graph.current(origin.forward)
                if origin.role == "cotangent" and (node in needed or (is_free(node) and node not in others)):
                    found[forward] = node
                if (
                    origin.role == "seed"
                    and self.interface.seeds
                    and node is self.interface.seeds[0].cotangent
                ):
                    found[forward] = node
        return found

    def scope(self, node: Node) -> tuple[str, ...]:
        """The layers of a step; where there are layers, a step in none goes by what it leads to."""
        return self.graph.scope(node) or ((self.layers[node],) if self.layers[node] else ())

    def key(self, node: Node) -> str:
        if node in self.owner:
            return self.names[self.owner[node].node]
        return self.names[node] if node.op.is_leaf else f"constant {node.serial}"


def tell(plan: Plan, source: Source, title: str | None = None) -> Story:
    """The story of a plan and its source."""
    teller = _Teller(plan, source)
    steps = tuple(_step(teller, card) for card in teller.cards.values())
    leaves = tuple(_leaf(teller, leaf) for leaf in _leaves(teller))
    return Story(title or teller.interface.name, leaves, steps, _results(teller), _facts(teller, steps))


def _step(teller: _Teller, card: _Card) -> Step:
    node = card.node
    inputs = [part for part in card.inputs if not _is_number(part)]
    reached = node in teller.cotangents or any(one in teller.cotangents for one in card.statement.nodes)
    has_backward = bool(card.backward) or (reached and any(part in teller.cotangents for part in inputs))
    keeps, uses = _reads(teller, card)
    return Step(
        key=teller.names[node],
        op=node.op.name,
        scope=teller.scope(node),
        lines=tuple(card.lines),
        inputs=tuple(teller.key(part) for part in inputs),
        flows=tuple(reached and is_float(part) and part in teller.cotangents for part in inputs),
        shape=shape_words(node.shape),
        elements=node.size if isinstance(node.size, int) else None,
        has_backward=has_backward,
        backward_lines=tuple(one.code for one in _ordered(teller, card)),
        passes=_passes(teller, card, inputs) if has_backward else (),
        rule=_rule(teller, card, inputs) if has_backward else "",
        keeps=keeps,
        uses=uses,
        name=teller.names[node],
        gradient=_intermediate_gradient(teller, node),
    )


def _ordered(teller: _Teller, card: _Card) -> list[Statement]:
    """Accumulation first: it makes the cotangent that the card starts from."""
    return sorted(
        card.backward,
        key=lambda one: teller.graph.origins[one.nodes[-1]][0].role not in ("accumulate", "seed"),
    )


def _passes(teller: _Teller, card: _Card, inputs: Sequence[Node]) -> tuple[str, ...]:
    """Gradients that reach an input as the very cotangent of the result."""
    own = teller.cotangents.get(card.node)
    if own is None:
        return ()
    lines: dict[str, None] = {}
    for part in inputs:
        if teller.cotangents.get(part) is own and part in teller.owner:
            left, right = f"d_{teller.names[teller.owner[part].node]}", _name(teller, own)
            if left != right:
                lines[f"{left} = {right}"] = None
    return tuple(lines)


def _name(teller: _Teller, node: Node) -> str:
    return "1" if is_free(node) and not node.op.is_leaf else teller.names[node]


def _rule(teller: _Teller, card: _Card, inputs: Sequence[Node]) -> str:
    """The chain-rule terms that this card uses, each once."""
    found: list[tuple[int, int, str]] = []
    summed = False
    own = {node: at for at, node in enumerate(card.statement.nodes)}
    for statement in card.backward:
        for origin in teller.graph.origins[statement.nodes[-1]]:
            forward = teller.graph.home(origin.forward)
            if origin.role == "chain" and origin.index is not None and forward in own:
                text = origin.forward.op.rule.get(origin.forward.op.operand_name(origin.index), "")
                if text != "G":
                    found.append((-own[forward], origin.index, pretty(text)))
            summed = summed or origin.role == "unbroadcast"
    terms = dict.fromkeys(text for _, _, text in sorted(found))  # by operand, as a textbook has them
    if summed:
        terms["what was broadcast is summed"] = None
    if not terms and not card.backward:
        return "gradient flows through"
    return ",  ".join(term for term in terms if term)


def pretty(rule: str) -> str:
    """A chain-rule term as a picture shows it: ``∂A = G·Bᵀ``."""
    for plain, shown in (
        ("dA", "∂A"),
        ("dB", "∂B"),
        (".T", "ᵀ"),
        ("G B", "G·B"),
        ("ᵀ G", "ᵀ·G"),
        ("**2", "²"),
    ):
        rule = rule.replace(plain, shown)
    return rule


def _reads(teller: _Teller, card: _Card) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """What of the forward pass the backward statements of a card read: activations kept, and data or parameters."""
    residuals = set(teller.plan.schedule.residuals)
    keeps: dict[Node, Kept] = {}
    uses: dict[Node, Kept] = {}
    for statement in card.backward:
        for node in statement.nodes:
            for part in node.inputs:
                if part.op.is_leaf and part in residuals:
                    uses[part] = Kept(part.attrs["name"], "")
                elif part in residuals:
                    keeps[part] = Kept(teller.names[part], size_words(part.spec.nbytes))
    return tuple(keeps.values()), tuple(uses.values())


def _leaves(teller: _Teller) -> list[Node]:
    arrays: dict[Node, None] = {}
    for card in teller.cards.values():
        arrays.update(
            dict.fromkeys(part for part in card.inputs if part.op.name == "const" and not _is_number(part))
        )
    return [*teller.interface.arguments, *arrays]


def _is_number(node: Node) -> bool:
    """A constant scalar or a size, which is told by the statement that holds it."""
    return node.op.name == "run_time_size" or (node.op.name == "const" and not node.shape)


def _leaf(teller: _Teller, leaf: Node) -> Leaf:
    size = leaf.size
    asked = _is_asked(teller, leaf)
    return Leaf(
        teller.key(leaf),
        teller.graph.name(leaf) or "constant",
        _KINDS.get(leaf.op.name, "const"),
        shape_words(leaf.shape),
        size if isinstance(size, int) else None,
        (f"∂{_loss(teller)}/∂{leaf.attrs['name']}",) if asked else None,
    )


def _is_asked(teller: _Teller, node: Node) -> bool:
    return any(teller.graph.current(wanted) is node for wanted in teller.interface.wrt or ())


def _loss(teller: _Teller) -> str:
    """What the gradients are of."""
    label = _label(teller, 0)
    return label if len(label) <= 12 else "L"


def _label(teller: _Teller, output: int) -> str:
    keys = teller.interface.structure.keys
    node = teller.graph.outputs[output]
    if keys:
        return keys[output]
    return teller.graph.name(node) or (teller.names[node] if node in teller.owner else f"output {output}")


def _intermediate_gradient(teller: _Teller, node: Node) -> tuple[str, ...] | None:
    return (f"∂{_loss(teller)}/∂{teller.names[node]}",) if _is_asked(teller, node) else None


def _results(teller: _Teller) -> tuple[Result, ...]:
    results: dict[str, Result] = {}
    for at, node in enumerate(teller.graph.outputs[teller.interface.outputs]):
        if _is_number(node) or (node not in teller.owner and not node.op.is_leaf):
            continue
        label = _label(teller, at)
        seed = None
        if at == 0 and teller.interface.seeds:
            seed = (
                f"starts from the cotangent of {label}"
                if teller.interface.needs_cotangent
                else f"seed ∂{label}/∂{label} = 1"
            )
        results.setdefault(teller.key(node), Result(teller.key(node), label, seed))
    return tuple(results.values())


def _facts(teller: _Teller, steps: Iterable[Step]) -> tuple[str, ...]:
    params = [leaf for leaf in teller.interface.arguments if leaf.op.name == "param"]
    count: Size = 0
    for leaf in params:
        count = count + leaf.size
    cards = tuple(steps)
    facts = [f"{count:,} parameters" if isinstance(count, int) else f"{count} parameters"] if params else []
    facts.append(f"forward {len(cards)} op{'s' * (len(cards) != 1)}")
    if teller.interface.wrt is not None:
        lines = sum(len(card.backward_lines) for card in cards)
        facts.append(f"backward {lines} line{'s' * (lines != 1)}")
        facts.append(f"keeps {size_words(kept_bytes(teller.plan.schedule.residuals))} of activations")
    floats = dict.fromkeys(str(leaf.dtype) for leaf in teller.interface.arguments if leaf.dtype.kind == "f")
    return (*facts, *((" and ".join(floats),) if floats else ()))


def shape_words(shape: Shape) -> str:
    """``batch×784``; empty for a scalar."""
    return "×".join(
        str(size) if isinstance(size, int) or size.name else f"({_words(size)})" for size in shape
    )


def _words(size: Size) -> str:
    return str(size).replace("*", "·")


def size_words(size: Size) -> str:
    """Bytes as a picture shows them: ``16 kB``, or ``200·batch B``."""
    if isinstance(size, Dim):
        return f"{_words(size)} B"
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"
