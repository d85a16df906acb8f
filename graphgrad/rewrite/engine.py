"""The engine: rules applied to a graph from the leaves up, pass after pass, until none fires.

A pass visits each node once and rebuilds it on what became of its inputs; what a rule makes is settled before the pass
goes on, so a firing costs what it touches. Readers are counted on the way: a rule fires only if the whole graph gets
cheaper by it, which it does not where a node that the rule would do without is read elsewhere too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphgrad.core.errors import GraphgradError, VerificationError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node, intern_node
from graphgrad.core.provenance import recording
from graphgrad.core.rewriting import Firing, place
from graphgrad.core.traverse import toposort
from graphgrad.rewrite.lineage import Changes, Decline, Lineage
from graphgrad.rewrite.measure import is_comparable, total
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule


def apply_rules(graph: Graph, rules: Sequence[Rule], lineage: Lineage | None = None) -> Graph:
    """The graph after every rule fired wherever it can; the same object if none did.

    `lineage` is what is known of the graph from rewriting it before.

    Raises
    ------
    VerificationError
        If a rule gives a node of another spec, or one that makes the graph no cheaper: it names the rule.
    """
    lineage = Lineage(graph) if lineage is None else lineage
    while (following := visit(graph, rules, lineage)) is not graph:
        graph = following
    return graph


def visit(graph: Graph, rules: Sequence[Rule], lineage: Lineage) -> Graph:
    """One pass: `apply_rules` without looking whether something fires again."""
    index = _by_root(_applicable(graph, rules))
    if not index:
        return graph
    run = _Pass(graph, index, lineage)
    outputs = run.outputs()
    if not run.changes.firings or not total(toposort(outputs)) < total(graph.nodes):
        return graph
    return lineage.advance(outputs, run.changes)


def visit_once(
    graph: Graph, rules: Sequence[Rule], keep: Sequence[Node] = ()
) -> tuple[Graph, tuple[Decline, ...]]:
    """One pass of rules that make values more accurate, though the graph may cost more by them; and their declines.

    What they make is looked at by none of them, so it ends. The nodes in `keep`, and what they need, stay the nodes
    they are, and get no reader that they did not have.
    """
    run = _Pass(graph, _by_root(rules), Lineage(graph), keep)
    outputs = run.outputs()
    found = tuple(run.changes.declines.values())
    return (run.lineage.advance(outputs, run.changes) if run.changes.firings else graph), found


def declines(graph: Graph, rules: Sequence[Rule]) -> tuple[Decline, ...]:
    """Which rules fit somewhere in a graph and do not fire, and why."""
    run = _Pass(graph, _by_root(_applicable(graph, rules)), Lineage(graph))
    run.outputs()
    return tuple(run.changes.declines.values())


def _applicable(graph: Graph, rules: Sequence[Rule]) -> list[Rule]:
    """The rules of whose ops the graph has each."""
    ops = {node.op.name for node in graph.nodes}  # only asked, never iterated
    return [one for one in rules if all(op in ops for op in one.needs)]


def _by_root(rules: Sequence[Rule]) -> Mapping[str, list[Rule]]:
    """The rules for each op, in their order."""
    index: dict[str, list[Rule]] = {}
    for one in rules:
        for root in one.roots:
            index.setdefault(root, []).append(one)
    return index


def _is_empty(node: Node) -> bool:
    """Whether an array without elements is involved: then there is nothing to save."""
    return any(0 in spec.shape for one in (node, *node.inputs) for spec in one.specs)


def _readings(graph: Graph) -> dict[Node, int]:
    """How often each node is read; being an output counts."""
    found: dict[Node, int] = dict.fromkeys(graph.nodes, 0)
    for node in graph.nodes:
        for part in node.inputs:
            found[part] += 1
    for node in graph.outputs:
        found[node] += 1
    return found


@dataclass
class _Frame:
    """Nodes to settle, each after its inputs; the last one is the result."""

    nodes: list[Node]
    at: int = 0
    settled: dict[Node, Node] = field(default_factory=dict)


class _Pass:
    """One visit to every node of a graph."""

    def __init__(
        self,
        graph: Graph,
        index: Mapping[str, list[Rule]],
        lineage: Lineage,
        keep: Sequence[Node] | None = None,
    ) -> None:
        """With `keep` rules fire whatever it costs; see `visit_once`."""
        self._graph = graph
        self._index = index
        self.lineage = lineage
        self._whatever_it_costs = keep is not None
        self._keep = dict.fromkeys(toposort(node for node in keep or () if node.inputs))
        self.changes = Changes()
        self._readings = _readings(graph)
        self._known_uses: dict[Node, int] | None = None
        self._present: dict[Node, None] = {}
        """What no rule changes any more, and the graph has."""

    def outputs(self) -> tuple[Node, ...]:
        """Rewrite everything; the outputs that result."""
        with recording("off"):
            return self._visit()

    def _visit(self) -> tuple[Node, ...]:
        new = self.changes.new
        nodes = self._graph.nodes
        first = len(nodes)
        for at, node in enumerate(nodes):  # up to the first firing nothing changes, and most passes have none
            found = self._fire(node, node, True) if node.op.name in self._index else None
            if found is not None:
                first, self._known_uses = at, self._uses
                break
            self._present[node] = None
            if self._known_uses is not None:
                self._known_uses[node] = self._readings[node]
        for node in nodes[first:]:
            rebuilt = self._rebuilt(node, new)
            if rebuilt is not node:
                self.changes.made.append((rebuilt, node))
            if found is None and rebuilt.op.name not in self._index:
                new[node] = result = rebuilt
            else:
                new[node] = result = self._settle(rebuilt, node, found)
                found = None
            self._acquire(result, self._readings[node])
            for part in rebuilt.inputs:
                self._release(part)
        return tuple(new.get(node, node) for node in self._graph.outputs)

    @property
    def _uses(self) -> dict[Node, int]:
        """For each node that is needed so far, how often it is read, by nodes that are still to come too. Counted when
        it is first asked for: until then nothing changed."""
        if self._known_uses is None:
            self._known_uses = {node: self._readings[node] for node in self._present}
        return self._known_uses

    def _rebuilt(self, node: Node, new: dict[Node, Node]) -> Node:
        """The node on what became of its inputs, whose specs are as they were."""
        inputs = tuple(new.get(part, part) for part in node.inputs)
        return node if inputs == node.inputs else intern_node(node.op, inputs, node.attrs, node.specs)

    def _settle(self, start: Node, reason: Node, first: Node | None) -> Node:
        """What a node becomes; and what becomes of the nodes that rules make on the way. `first` is what a rule has
        taken for it already."""
        frames = [_Frame([start])]
        while True:
            frame = frames[-1]
            if frame.at == len(frame.nodes):
                frames.pop()
                result = frame.settled[frame.nodes[-1]]
                if not frames:
                    return result
                self._finish(frames[-1], result)
                continue
            node = self._rebuilt(frame.nodes[frame.at], frame.settled)
            if len(frames) > 1:
                self.changes.made.append((node, reason))
            found, first = first, None
            if found is None and node not in self._present:
                found = self._fire(node, reason, len(frames) == 1)
            if found is None:
                self._present[node] = None
                self._finish(frame, node)
                continue
            made = toposort([found], stop=self._present)
            if self._whatever_it_costs:
                self.changes.made += [(one, reason) for one in made]
                self._present.update(dict.fromkeys(made))
                self._finish(frame, found)
            elif made:
                frames.append(_Frame(made))
            else:
                self._finish(frame, found)

    def _finish(self, frame: _Frame, result: Node) -> None:
        frame.settled[frame.nodes[frame.at]] = result
        frame.at += 1

    # ---- firing ----

    def _fire(self, node: Node, reason: Node, is_counted: bool) -> Node | None:
        """What the first rule that fits takes for a node."""
        rules = self._index.get(node.op.name)
        if rules is None or len(node.specs) != 1 or _is_empty(node):
            return None
        for rule in rules:
            found = self._attempt(rule, node)
            if found is None:
                continue
            written = self.lineage.sources(reason)[0]
            refused = (
                found
                if isinstance(found, Declined)
                else self._refusal(rule, node, found, written, is_counted)
            )
            if isinstance(found, Found) and refused is None:
                firing = Firing(rule.name, rule.safety, node, found.replacement, written)
                self.changes.firings.append(firing)
                self.changes.absorbed.update(dict.fromkeys(found.inner, reason))
                return found.replacement
            if refused is not None:
                decline = Decline(rule.name, written, refused.reason)
                self.changes.declines.setdefault((rule.name, written), decline)
        return None

    def _attempt(self, rule: Rule, node: Node) -> Outcome:
        try:
            return rule.attempt(node, self._present)
        except GraphgradError as error:
            error.add_note(f"in the rule {rule.name}")
            raise

    def _refusal(
        self, rule: Rule, node: Node, found: Found, written: Node, is_counted: bool
    ) -> Declined | None:
        """Check a replacement; where the graph would not get cheaper by it, say so."""
        if found.replacement.specs != node.specs:
            raise self._error(rule, f"takes {found.replacement.spec} for {node.spec}", node, found, written)
        if self._whatever_it_costs:
            return self._touches_what_is_kept(node, found)
        gone = self._needless(node, found.inner, is_counted)
        if total(self._added(found.replacement, gone)) < total(gone):
            return None
        if not total(self._added(found.replacement, [node])) < total([node, *found.inner]):
            if not all(map(is_comparable, (node, *found.inner))):
                return Declined("a size that is rounded down, a minimum or a maximum cannot be compared")
            problem = "makes nothing cheaper, so rewriting might not end"
            raise self._error(rule, problem, node, found, written)
        kept = next((part for part in found.inner if part not in gone), None)
        if kept is None:  # a variable of the pattern stands for it as well
            return Declined("nothing is gained: the replacement needs the same nodes")
        return Declined(f"nothing is gained: {self._graph.name(kept) or kept.op.name} is read elsewhere, too")

    def _touches_what_is_kept(self, node: Node, found: Found) -> Declined | None:
        """Gradients by a kept node are those of its own uses, of which none may go and none may come."""
        if not self._keep:
            return None
        own = [node, *found.inner]
        given = [part for one in own for part in one.inputs if part not in own]
        kept = next(
            (one for one in (*own, *toposort([found.replacement], stop=given)) if one in self._keep), None
        )
        return None if kept is None else Declined(f"gradients are asked by {self._graph.describe(kept)}")

    def _error(self, rule: Rule, problem: str, node: Node, found: Found, written: Node) -> VerificationError:
        return VerificationError(
            f"the rule {rule.name} {problem}",
            saw=[
                node.describe(),
                found.replacement.describe(),
                place(written, self.lineage.given, self.lineage.made_before),
            ],
        )

    def _added(self, replacement: Node, gone: Sequence[Node]) -> list[Node]:
        """The nodes that a replacement needs and that the graph does not have, or would lose."""
        found: dict[Node, None] = {}
        pending = [replacement]
        while pending:
            node = pending.pop()
            if node not in found and (node in gone or node not in self._present):
                found[node] = None
                pending += node.inputs
        return list(found)

    def _needless(self, node: Node, inner: Sequence[Node], is_counted: bool) -> list[Node]:
        """The node and those of `inner` that nobody reads without it."""
        fewer: dict[Node, int] = {}
        gone = [node]

        def drop(one: Node) -> None:
            for part in one.inputs:
                fewer[part] = fewer.get(part, 0) + 1

        if is_counted:
            drop(node)
        for part in inner:
            if self._uses.get(part, 0) <= fewer.get(part, 0):
                gone.append(part)
                if part in self._uses:
                    drop(part)
        return gone

    # ---- counting readers ----

    def _acquire(self, node: Node, times: int) -> None:
        """More readings of a node; if it had none, it reads its inputs from now on."""
        pending = [(node, times)]
        while pending:
            one, more = pending.pop()
            known = self._uses.get(one, 0)
            self._uses[one] = known + more
            if not known:
                self._present[one] = None
                pending += [(part, 1) for part in one.inputs]

    def _release(self, node: Node) -> None:
        """One reading less; what nobody reads any more is gone, and reads nothing."""
        pending = [node]
        while pending:
            one = pending.pop()
            self._uses[one] -= 1
            if not self._uses[one]:
                del self._uses[one]
                self._present.pop(one, None)
                pending += one.inputs
