"""The line view: every node by itself, gradients too, one below the other."""

from __future__ import annotations

from graphgrad.core.node import Node
from graphgrad.draw.cards import Cards, Written
from graphgrad.draw.story import Step
from graphgrad.draw.words import elements, pretty, specs_words
from graphgrad.plan.schedule import is_free


def node_steps(cards: Cards) -> tuple[Step, ...]:
    """A step for each node that is computed, each after what it reads."""
    done: dict[Node, Step] = {}
    for one in cards.written:
        for node in one.nodes:
            if node not in done:
                done[node] = _step(cards, node, one)
    return tuple(done.values())


def _step(cards: Cards, node: Node, one: Written) -> Step:
    inputs = [cards.key(part) for part in node.inputs if not cards.is_number(part)]
    details = [_term(cards, node)] if node in cards.graph.origins else []
    if node is not one.node:
        details.append(f"written within {cards.name(one.node)}")
    return Step(
        key=cards.key(node),
        op="seed" if node.op.is_leaf else node.op.name,
        scope=_scope(cards, node),
        lines=tuple(one.lines) if node is one.node else (),
        inputs=tuple(inputs),
        flows=(False,) * len(inputs),
        shape=specs_words(node),
        elements=elements(node),
        has_backward=False,
        name=cards.name(node),
        details=tuple(details),
        derived=cards.is_derived(node),
        in_layer=bool(cards.graph.scope(node)) or cards.is_derived(node),
    )


def _term(cards: Cards, node: Node) -> str:
    """Of which op's chain rule a gradient is a term, and how often it was differentiated."""
    origin = cards.graph.origins[node][0]
    forward = origin.forward
    rule = ""
    if origin.role == "chain" and origin.index is not None:
        rule = pretty(forward.op.rule.get(forward.op.operand_name(origin.index), ""))
    times = _order(cards, node)
    sign = "∂" if times == 1 else "∂" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(times))
    what = forward.op.name if not is_free(forward) else cards.name(forward)
    return f"{sign} {what}" + (f":  {rule}" if rule else "")


def _order(cards: Cards, node: Node) -> int:
    """1 for a gradient, 2 for the gradient of a gradient."""
    order = 0
    while cards.is_derived(node) and (origins := cards.graph.origins.get(node)):
        order, node = order + 1, origins[0].forward
    return order


def _scope(cards: Cards, node: Node) -> tuple[str, ...]:
    """The layers of a node; gradients have layers of their own."""
    if not cards.is_derived(node):
        return cards.scope(node)
    home = cards.home(node)
    scope = cards.scope(home.stands_for) if home is not None else ()
    return (f"∂ {scope[0]}", *scope[1:]) if scope else ("backward",)
