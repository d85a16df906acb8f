"""Telling a model's story: from a plan and its emitted source to rows of text.

Everything on the right of a card's row is what was emitted for its step of the chain rule, and the gradients that pass
through it without any code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgrad.autodiff.reverse import is_float
from graphgrad.core.dim import Size, add
from graphgrad.core.node import Node
from graphgrad.draw.cards import Card, Cards
from graphgrad.draw.lines import node_steps
from graphgrad.draw.story import Kept, Leaf, LeafKind, Result, Step, Story
from graphgrad.draw.words import count, elements, pretty, size_words, specs_words
from graphgrad.emit.source import Source
from graphgrad.plan.alias import base
from graphgrad.plan.memory import kept
from graphgrad.plan.plan import Plan
from graphgrad.plan.schedule import is_free

_KINDS: Mapping[str, LeafKind] = {"input": "input", "param": "param", "state": "state", "rng": "rng"}
_SAID = {"unbroadcast": "what was broadcast is summed", "zero": "no gradient arrives"}
RULES = (
    "in italics the rule: G is the gradient that arrives, A and B (or x and y) are what the op reads; "
    "where it reads x alone, y is its value"
)
ALONE = "gradients of gradients stand beside no op, so every node is shown by itself"


def tell(
    plan: Plan, source: Source, title: str | None = None, *, backward: bool = True, lines: bool = False
) -> Story:
    """The story of a plan and its source: op by op with gradients beside them, or with `lines` node by node.

    Gradients of gradients have no op to stand beside and are told node by node, too.
    """
    return tell_cards(Cards(plan, source, backward), title, lines=lines)


def tell_cards(cards: Cards, title: str | None = None, *, lines: bool = False) -> Story:
    """As `tell`, where the cards are known."""
    title = title or cards.interface.name
    notes: tuple[str, ...] = ()
    if lines or not cards.is_mirrored:
        steps = node_steps(cards)
        notes = () if lines else (ALONE,)
    else:
        steps = tuple(_step(cards, card) for card in cards.cards.values())
        if any(step.rule for step in steps):
            notes = (_called(cards), RULES)
    mirrored = any(step.has_backward for step in steps)
    leaves = tuple(_leaf(cards, leaf, mirrored) for leaf in _leaves(cards))
    facts = _facts(cards, steps)
    return Story(title, leaves, steps, _results(cards, mirrored), facts, notes, mirrored)


def _step(cards: Cards, card: Card) -> Step:
    node = card.stands_for
    inputs = [part for part in card.inputs if not cards.is_number(part)]
    reached = any(map(cards.is_reached, card.nodes))
    has_backward = bool(card.backward) or (reached and any(map(cards.is_reached, inputs)))
    keeps, uses = _reads(cards, card)
    return Step(
        key=_key(cards, node) if card.forward is not None else f"no {_key(cards, node)}",
        op=node.op.name if card.forward is not None else "not used",
        scope=cards.scope(node),
        lines=tuple(card.forward.lines) if card.forward is not None else (),
        inputs=tuple(_key(cards, part) for part in inputs),
        flows=tuple(reached and is_float(part) and cards.is_reached(part) for part in inputs),
        shape=specs_words(node),
        elements=elements(node),
        has_backward=has_backward,
        backward_lines=tuple(line for one in card.backward for line in one.lines),
        passes=_passes(cards, card, inputs) if has_backward else (),
        rule=_rule(cards, card, inputs) if has_backward else "",
        keeps=keeps,
        uses=uses,
        name=cards.name(node),
        gradient=_intermediate_gradient(cards, card),
        in_layer=bool(cards.graph.scope(node)),
    )


def _key(cards: Cards, node: Node) -> str:
    """The key of the step or leaf where a node's value is found."""
    return cards.key(cards.owner[node].stands_for if node in cards.owner else node)


def _passes(cards: Cards, card: Card, inputs: Sequence[Node]) -> tuple[str, ...]:
    """Gradients that reach an input as the very cotangent of the result."""
    own = cards.cotangents.get(card.stands_for)
    lines: dict[str, None] = {}
    for part in inputs:
        if own is not None and cards.cotangents.get(part) is own and part in cards.owner:
            left, right = f"d_{cards.name(cards.owner[part].stands_for)}", cards.name(own)
            if left != right:
                lines[f"{left} = {right}"] = None
    return tuple(lines)


def _without_code(cards: Cards, card: Card, inputs: Sequence[Node]) -> str:
    """What is said where nothing is computed for a step of the chain rule."""
    found = dict.fromkeys(cards.cotangents[part] for part in inputs if part in cards.cotangents)
    if not found or cards.cotangents.get(card.stands_for) in found:
        return "gradient flows through"
    sums = [node for node in found if any(o.role == "accumulate" for o in cards.graph.origins.get(node, ()))]
    names = ", ".join(map(cards.name, sums or found))
    return f"goes into {names}" if sums else f"computed on another card, as {names}"


def _rule(cards: Cards, card: Card, inputs: Sequence[Node]) -> str:
    """The chain-rule terms that this card uses, each once."""
    found: list[tuple[int, int, str]] = []
    other: dict[str, None] = {}
    own = {node: at for at, node in enumerate(card.nodes)}
    for one in card.backward:
        for origin in cards.graph.origins.get(one.node, ()):
            forward = cards.graph.home(origin.forward)
            if origin.role == "chain" and origin.index is not None and forward in own:
                text = origin.forward.op.rule.get(origin.forward.op.operand_name(origin.index), "")
                if text != "G":
                    found.append((-own[forward], origin.index, pretty(text)))
            if origin.role in _SAID:
                other[_SAID[origin.role]] = None
    terms = dict.fromkeys(text for _, _, text in sorted(found))  # by operand, as a textbook has them
    terms.update(other)
    if not terms and not card.backward:
        return _without_code(cards, card, inputs)
    return ",  ".join(term for term in terms if term)


def _reads(cards: Cards, card: Card) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """What of the forward pass the backward statements of a card read: activations kept, and data or parameters."""
    keeps: dict[str, Kept] = {}
    uses: dict[str, Kept] = {}
    for part in (part for one in card.backward for node in one.nodes for part in node.inputs):
        if part not in cards.residuals:
            continue
        owner = base(part)
        if owner.op.is_leaf:
            uses.setdefault(owner.attrs["name"], Kept(owner.attrs["name"], ""))
        elif not is_free(owner):
            nbytes = cards.kept_bytes(part)
            keeps.setdefault(cards.name(part), Kept(cards.name(part), size_words(nbytes), nbytes))
    return tuple(keeps.values()), tuple(uses.values())


def _leaves(cards: Cards) -> list[Node]:
    arrays = (
        part
        for node in cards.nodes
        for part in node.inputs
        if part.op.name == "const" and not cards.is_number(part) and not cards.is_derived(node)
    )
    return [*cards.interface.arguments, *dict.fromkeys(arrays)]


def _leaf(cards: Cards, leaf: Node, pill: bool) -> Leaf:
    gradient = (f"∂{_loss(cards)}/∂{leaf.attrs['name']}",) if pill and leaf in cards.asked else None
    kind = _KINDS.get(leaf.op.name, "const")
    name = cards.graph.name(leaf) or "constant"
    return Leaf(cards.key(leaf), name, kind, specs_words(leaf), elements(leaf), gradient)


def _loss(cards: Cards) -> str:
    """What the gradients are of."""
    label = cards.name(cards.loss) if cards.loss is not None else _label(cards, 0)
    return label if len(label) <= 12 else "L"


def _called(cards: Cards) -> str:
    """What the names in the statements mean."""
    loss, label = _loss(cards), _label(cards, 0)
    words = f"d_v is ∂{loss}/∂v, the gradient by a value v"
    if loss == "L" != label and cards.loss is None:
        words = f"L is {label}; {words}"
    starts_at_one = cards.interface.seeds and not cards.interface.needs_cotangent
    return f"{words}; cotangent is the seed, 1 unless given" if starts_at_one else words


def _label(cards: Cards, output: int) -> str:
    keys = cards.interface.structure.keys
    node = cards.graph.outputs[output]
    if keys:
        return keys[output]
    return cards.graph.name(node) or (cards.name(node) if node in cards.nodes else f"output {output}")


def _intermediate_gradient(cards: Cards, card: Card) -> tuple[str, ...] | None:
    asked = [node for node in card.nodes if node in cards.asked and not node.op.is_leaf]
    return (f"∂{_loss(cards)}/∂{cards.name(asked[-1])}",) if asked else None


def _results(cards: Cards, mirrored: bool) -> tuple[Result, ...]:
    """The outputs, and where the backward pass starts; gradients are pills, or outputs too where all stands alone."""
    results: dict[str, Result] = {}
    for at, node in enumerate(cards.graph.outputs[cards.interface.outputs]):
        shown = node in cards.nodes or node.op.is_leaf or node.op.name == "const"
        if shown and not cards.is_number(node) and not (mirrored and cards.is_derived(node)):
            key = _key(cards, node) if mirrored else cards.key(node)
            results.setdefault(key, Result(key, _label(cards, at), _start(cards, at)))
    loss = cards.loss
    if mirrored and loss is not None and loss in cards.owner:
        results[_key(cards, loss)] = Result(_key(cards, loss), _loss(cards), _seed(_loss(cards)))
    if not mirrored and cards.interface.seeds:
        gradients = cards.graph.outputs[cards.interface.gradients(0)]
        for wanted, node in zip(cards.interface.wrt or (), gradients, strict=True):
            if node in cards.nodes:
                label = f"∂{_loss(cards)}/∂{cards.name(cards.graph.current(wanted))}"
                results.setdefault(cards.key(node), Result(cards.key(node), label))
    return tuple(results.values())


def _start(cards: Cards, output: int) -> str | None:
    """How the backward pass starts at an output, if it does."""
    if not cards.interface.seeds or output != cards.interface.seeds[0].output:
        return None
    label = _label(cards, output)
    return f"starts from the cotangent of {label}" if cards.interface.needs_cotangent else _seed(label)


def _seed(label: str) -> str:
    return f"seed ∂{label}/∂{label} = 1"


def _facts(cards: Cards, steps: Sequence[Step]) -> tuple[str, ...]:
    params = [leaf for leaf in cards.interface.arguments if leaf.op.name == "param"]
    number: Size = 0
    for leaf in params:
        number = number + leaf.size
    facts = [count(number, "parameter") if isinstance(number, int) else f"{number} parameters"] * bool(params)
    derived = sum(step.derived for step in steps)
    forward = sum(bool(step.lines or not step.has_backward) for step in steps) - derived
    backward = sum(len(step.backward_lines) for step in steps) + derived
    facts.append(f"forward {count(forward, 'op')}")
    if (cards.interface.wrt is not None and cards.backward) or backward:
        facts.append(f"backward {count(backward, 'op' if derived else 'line')}")
        nbytes: Size = 0
        for node in kept(cards.residuals, cards.plan.routines[0].by_loop):
            nbytes = add(nbytes, cards.kept_bytes(node))
        facts.append(f"keeps {size_words(nbytes)} of activations")
    floats = dict.fromkeys(str(leaf.dtype) for leaf in cards.interface.arguments if leaf.dtype.kind == "f")
    return (*facts, *((" and ".join(floats),) if floats else ()))
