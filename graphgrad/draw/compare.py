"""What a pass did: the graph before it and after it, statement by statement, what went and what came marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from graphgrad.core.graph import Graph
from graphgrad.core.node import Node, attrs_key
from graphgrad.core.rewriting import Firing
from graphgrad.draw.cards import Card, Cards, Written
from graphgrad.draw.stages import Change
from graphgrad.draw.story import Mark, Step, Story
from graphgrad.draw.subject import as_written
from graphgrad.draw.tell import tell_cards
from graphgrad.draw.words import count, elements, specs_words

_SHOWN = 40
"""Of more statements, only those are shown that changed or are next to one that did."""


def compared(one: Change) -> tuple[Story, Story | None]:
    """The stories of the graph before and after a stage; only the latter, if no statement differs."""
    after = _Told(one.after)
    if one.before is None:
        return after.story(one.name, {}, {}), None
    before = _Told(one.before)
    now, kept = followed(one.before, one.after)
    stays = _pairs(before, after, now, kept)
    if len(stays) == len(before.written) == len(after.written):
        return after.story(f"{one.name} changes no statement", {}, {}), None
    there = set(stays.values())  # only asked, never iterated
    left: dict[Node, Mark] = {}
    details: dict[Node, str] = {}
    for node in before.written:
        new = now.get(node)
        left[node] = "same" if node in stays else "merged" if new in there else "removed"
        if left[node] != "same" and new is not None:
            details[node] = f"{'is' if left[node] == 'merged' else 'became'} {after.cards.name(new)}"
    right: dict[Node, Mark] = {node: "same" if node in there else "new" for node in after.written}
    return (
        before.story(f"before {one.name}", left, details),
        after.story(f"after {one.name}", right, _rules(one, right)),
    )


def _pairs(
    before: _Told, after: _Told, now: Mapping[Node, Node], kept: Mapping[Node, None]
) -> dict[Node, Node]:
    """The statements that stay, with what they are afterwards: no rule touched what they compute, as far as is seen."""
    found: dict[Node, Node] = {}
    taken: set[Node] = set()  # only asked, never iterated
    for node, one in before.written.items():
        other = after.written.get(now.get(node, node))
        if other is None or other.node in taken:
            continue
        if node in kept and (all(part in kept for part in one.nodes) or one.lines == other.lines):
            found[node] = other.node
            taken.add(other.node)
    return found


Key: TypeAlias = tuple[Any, ...]


def _key(node: Node, inputs: Sequence[Node]) -> Key:
    """Equal for nodes that do the same to the same values."""
    return (node.op, attrs_key(node.attrs), *map(id, inputs))


def _fired(one: Change) -> Sequence[Firing]:
    """What the rules did in a stage."""
    known = 0 if one.before is None or one.before.rewriting is None else len(one.before.rewriting.firings)
    return () if one.after.rewriting is None else one.after.rewriting.firings[known:]


def followed(before: Graph, after: Graph) -> tuple[dict[Node, Node], dict[Node, None]]:
    """For nodes of a graph, the node that has their value after a stage; and which of them no rule touched, though what
    they read may be new."""
    there = {_key(node, node.inputs): node for node in after.nodes}
    fired = {_key(one.node, one.node.inputs): one.replacement for one in _fired(Change("", before, after))}
    replaced = {} if after.rewriting is None else after.rewriting.replaced
    own, claimed = set(before.nodes), set[Node]()  # only asked, never iterated
    now: dict[Node, Node] = {}
    kept: dict[Node, None] = {}
    for node in before.nodes:
        key = _key(node, [now.get(part, part) for part in node.inputs])
        same = there.get(key)
        if same is not None:
            now[node] = same
            if same is node or (same not in own and same not in claimed):  # else it was merged into that one
                claimed.add(same)
                kept[node] = None
            continue
        new = fired.get(key)
        passed: set[Node] = set()  # only asked, never iterated
        while new is not None and (found := _key(new, new.inputs)) not in there and new not in passed:
            passed.add(new)
            new = fired.get(found)
        new = new if new is not None and _key(new, new.inputs) in there else replaced.get(node)
        if new is not None and _key(new, new.inputs) in there:
            now[node] = new
    return now, kept


def _rules(one: Change, marks: Mapping[Node, Mark]) -> dict[Node, str]:
    """By which rules new nodes were made."""
    found: dict[Node, dict[str, None]] = {}
    for firing in _fired(one):
        found.setdefault(firing.replacement, {})[firing.rule] = None
    return {node: f"by {', '.join(rules)}" for node, rules in found.items() if marks.get(node) == "new"}


class _Told:
    """A graph with a statement for each of its cards, gradients and all in one function."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.cards = Cards(*as_written(graph))
        self.written: dict[Node, Written] = {one.node: one for one in self.cards.written}
        """By what they assign."""

    def story(self, title: str, marks: dict[Node, Mark], details: dict[Node, str]) -> Story:
        plain = tell_cards(self.cards, title, lines=True)
        home = {node: one.node for one in reversed(self.cards.written) for node in one.nodes}
        steps = []
        for node, one in self.written.items():
            inputs = [
                home.get(part, part) for part in Card(one, node).inputs if not self.cards.is_number(part)
            ]
            steps.append(
                Step(
                    key=self.cards.key(node),
                    op=node.op.name,
                    scope=self.graph.scope(node),
                    lines=tuple(one.lines),
                    inputs=tuple(map(self.cards.key, inputs)),
                    flows=(False,) * len(inputs),
                    shape=specs_words(node),
                    elements=elements(node),
                    has_backward=False,
                    name=self.cards.name(node),
                    details=(details[node],) if node in details else (),
                    mark=marks.get(node, ""),
                )
            )
        shown, notes = _changed(steps)
        read = {key for step in shown for key in step.inputs}
        facts = [count(len(steps), "statement")]
        for mark, words in (("removed", "removed"), ("merged", "merged into others"), ("new", "new")):
            number = sum(step.mark == mark for step in steps)
            facts += [f"{number} {words}"] * bool(number)
        keys = {step.key for step in shown}
        return replace(
            plain,
            steps=tuple(shown),
            leaves=tuple(leaf for leaf in plain.leaves if leaf.key in read),
            results=tuple(result for result in plain.results if result.key in keys),
            facts=tuple(facts),
            notes=notes,
            mirrored=False,
        )


def _changed(steps: Sequence[Step]) -> tuple[list[Step], tuple[str, ...]]:
    """Of many steps those that changed, and what is next to them."""
    touched = {step.key for step in steps if step.mark not in ("", "same")}
    if len(steps) <= _SHOWN or not touched:
        return list(steps), ()
    near = touched | {key for step in steps if step.key in touched for key in step.inputs}
    near |= {step.key for step in steps if any(key in touched for key in step.inputs)}
    hidden = {step.key for step in steps} - near
    shown = []
    for step in steps:
        if step.key in near:
            inputs = tuple(key for key in step.inputs if key not in hidden)
            shown.append(step._replace(inputs=inputs, flows=(False,) * len(inputs)))
    told = "1 statement stays and is" if len(hidden) == 1 else f"{len(hidden):,} statements stay and are"
    return shown, (f"{told} not shown",)
