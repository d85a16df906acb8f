"""Where the nodes of a graph that is being rewritten come from, pass by pass, so that no rule has to think of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphgrad.core.graph import Graph, Origin, Origins
from graphgrad.core.node import Node
from graphgrad.core.rewriting import Firing, Rewriting


@dataclass(frozen=True)
class Decline:
    """A rule that fits and does not fire."""

    rule: str
    node: Node
    """The node of the original graph that it is about."""
    reason: str


@dataclass
class Changes:
    """What one pass over a graph did."""

    new: dict[Node, Node] = field(default_factory=dict)
    """For each node of the graph before, the one that computes its value after the pass."""
    made: list[tuple[Node, Node]] = field(default_factory=list)
    """Nodes that were made, each with the node of the graph before that it was made for."""
    absorbed: dict[Node, Node] = field(default_factory=dict)
    """Nodes that a rule matched below its root, with the node of the graph before that was the root."""
    firings: list[Firing] = field(default_factory=list)
    declines: dict[tuple[str, Node], Decline] = field(default_factory=dict)


class Lineage:
    """What became of the nodes of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._original = graph.original
        done = graph.rewriting
        self.given: Origins = self._original.origins if done is None else done.given
        """The origins of what differentiation made."""
        self.made_before: Mapping[Node, Node] = {} if done is None else done.made_for
        """What rewriting had made already."""
        self._own = dict.fromkeys(self._original.nodes)
        self._own.update(dict.fromkeys(self.given))  # also those that a pass has put others in the place of
        self._own.update(dict.fromkeys(node for node in graph.nodes if node not in self.made_before))
        self._now: dict[Node, Node] = {}
        self._made: dict[Node, dict[Node, None]] = {}
        self._absorbed: dict[Node, Node] = {}
        self._firings: list[Firing] = []
        if done is not None:
            self._now.update(done.replaced)
            self._made.update((made, {old: None}) for made, old in done.made_for.items())
            self._absorbed.update(done.absorbed)
            self._firings += done.firings

    def sources(self, node: Node) -> tuple[Node, ...]:
        """The nodes of the original graph that a node was made for: itself, if it is of it."""
        return (node,) if node in self._own else tuple(self._made[node])

    def advance(self, outputs: Sequence[Node], changes: Changes) -> Graph:
        """Note what a pass did, and give the graph with these outputs."""
        self._firings += changes.firings
        for made, reason in changes.made:
            if made not in self._own:
                self._made.setdefault(made, {}).update(dict.fromkeys(self.sources(reason)))
        new = changes.new
        for old in (*self._own, *self.made_before):
            before = self._now.get(old, old)
            after = new.get(before, before)
            if after is not before:
                self._now[old] = after
            if old in self._absorbed:
                self._absorbed[old] = new.get(self._absorbed[old], self._absorbed[old])
            elif after in changes.absorbed:
                self._absorbed[old] = new[changes.absorbed[after]]
        return self._graph(outputs)

    def _graph(self, outputs: Sequence[Node]) -> Graph:
        original = self._original
        bare = Graph(original.inputs, tuple(outputs))
        live = set(bare.nodes)  # only asked, never iterated
        made_for = dict(self.made_before)
        origins = {
            node: entries
            for node, entries in self.given.items()
            if node in live or not node.inputs  # a cotangent that nothing reads is still one
        }
        for node in bare.nodes:
            if node not in self._own:
                sources = tuple(self._made[node])
                by_hand = next((old for old in sources if old not in self.given), None)
                made_for[node] = sources[0] if by_hand is None else by_hand
                if by_hand is None:
                    origins[node] = self._inherited(node, sources)
        for old, now in self._now.items():
            if old in self.given and now in live and (now in origins or not now.inputs):
                origins[now] = _union(origins.get(now, ()), self.given[old])
        replaced = {old: _read_of(now, live) for old, now in self._now.items() if now is not old}
        absorbed = {
            old: into
            for old, into in self._absorbed.items()
            if into in live and replaced.get(old, old) not in live
        }
        rewriting = Rewriting(original, replaced, made_for, absorbed, self.given, tuple(self._firings))
        return Graph(original.inputs, bare.outputs, origins, rewriting)

    def _inherited(self, node: Node, sources: Sequence[Node]) -> tuple[Origin, ...]:
        """The origins of what it was made for; it is a whole cotangent only if it has that one's value."""
        entries: tuple[Origin, ...] = ()
        for old in sources:
            given = self.given[old]
            if self._now.get(old, old) is not node:
                given = tuple(one for one in given if one.role != "cotangent") or given
            entries = _union(entries, given)
        return entries


def _union(first: tuple[Origin, ...], second: tuple[Origin, ...]) -> tuple[Origin, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _read_of(node: Node, live: Collection[Node]) -> Node:
    """What a graph reads of a value: the node, or if all that is left of an array of one number is the number, that."""
    gone = node not in live and node.op.name == "expand_dims" and not node.inputs[0].shape
    return node.inputs[0] if gone and node.inputs[0] in live else node
