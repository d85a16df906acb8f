"""A graph: inputs, outputs, and where each node comes from. Frozen; membership is reachability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from graphgrad.core.dim import symbols
from graphgrad.core.errors import GraphgradError, InvalidNameError, VerificationError
from graphgrad.core.flat import Flat, flatten, unflatten
from graphgrad.core.node import Node
from graphgrad.core.provenance import Site
from graphgrad.core.rewriting import Firing, Rewriting, Safety
from graphgrad.core.text import write_nodes
from graphgrad.core.traverse import toposort

Role = Literal["chain", "cotangent", "unbroadcast", "accumulate", "spread", "seed", "zero", "guard"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Why differentiation made a node.

    ``chain``: the term of the chain rule for input `index` of `forward`. ``cotangent``: this is the whole
    gradient by `forward`. ``unbroadcast``: summed over what `forward` was broadcast to. ``accumulate``: the
    sum over several uses of `forward`. ``spread``: the cotangent of `forward` written out in full. ``seed``:
    where the backward pass of `forward` starts. ``zero``: nothing depends on `forward`. ``guard``: the
    term for input `index` of `forward`, made zero where a choice did not take `forward`.
    """

    role: Role
    forward: Node
    index: int | None = None


Origins = Mapping[Node, tuple[Origin, ...]]


@dataclass(frozen=True, eq=False)
class Graph:
    """What is computed from what. It also says where a node comes from, for nodes that rewriting made as for others.

    >>> x = gg.input("x", (2,))
    >>> graph = Graph((x,), (gg.exp(x) * 2,))
    >>> [node.op.name for node in graph.nodes]
    ['input', 'exp', 'const', 'multiply']
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    origins: Origins = field(default_factory=dict, repr=False)
    rewriting: Rewriting | None = field(default=None, repr=False)
    """What became of the nodes that were written; None if all are as they were."""

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that the outputs need, each after its inputs."""
        return tuple(toposort(self.outputs))

    @cached_property
    def leaves(self) -> tuple[Node, ...]:
        """The leaves among the nodes, in the order they were made."""
        return tuple(sorted((node for node in self.nodes if node.op.is_leaf), key=lambda node: node.serial))

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbolic sizes of the inputs, each once, in order of appearance."""
        found: dict[str, None] = {}
        for leaf in self.inputs:
            for size in leaf.shape:
                found.update(dict.fromkeys(symbols(size)))
        return tuple(found)

    # ---- where nodes come from -------------------------------------------------------------------------

    @property
    def original(self) -> Graph:
        """The graph before rewriting: itself, if nothing was rewritten."""
        return self if self.rewriting is None else self.rewriting.original

    def current(self, node: Node) -> Node:
        """The node that computes the value of `node` in this graph; `node` may be one that was rewritten."""
        return node if self.rewriting is None else self.rewriting.replaced.get(node, node)

    def home(self, node: Node) -> Node:
        """Where the gradient of a node of the model is told: at the node itself, or what its value went into."""
        now = self.current(node)
        return now if self.rewriting is None else self.rewriting.absorbed.get(node, now)

    def written(self, node: Node) -> Node:
        """The node that was written and that `node` was made for: itself, unless rewriting made it."""
        return node if self.rewriting is None else self.rewriting.made_for.get(node, node)

    def site(self, node: Node) -> Site | None:
        """The user's line that a node comes from."""
        return self.written(node).notes.site

    def scope(self, node: Node) -> tuple[str, ...]:
        """The layers that a node stands in."""
        return self.written(node).scope

    def age(self, node: Node) -> int:
        """Counts up in the order in which the user wrote what the nodes come from."""
        return self.written(node).serial

    def name(self, node: Node) -> str | None:
        """What the user called a node, or what he called one whose value it computes now."""
        if node.op.is_leaf:
            return node.name
        known = self._known_as(node)
        explicit = (one.name for one in known if one.notes.explicit)
        return next(explicit, None) or next((one.name for one in known if one.name is not None), None)

    def describe(self, node: Node) -> str:
        """One line for a message: what the user called a node and its specs."""
        return (self._known_as(node) or (node,))[0].describe()

    def has_explicit_name(self, node: Node) -> bool:
        """Whether the user named a node by `named`, and not by assigning it."""
        return any(one.notes.explicit for one in self._known_as(node))

    def _known_as(self, node: Node) -> tuple[Node, ...]:
        """The nodes that were written and have this one's value: first itself."""
        if self.rewriting is None:
            return (node,)
        own = () if node in self.rewriting.made_for else (node,)
        return (*own, *self.rewriting.stands_for.get(node, ()))

    # ---- checking, writing, pickling -------------------------------------------------------------------

    def verify(self) -> Graph:
        """Check that the graph is whole, and return it.

        Raises
        ------
        VerificationError
            If a node's spec is not what its op infers, or a leaf is no input.
        InvalidNameError
            If two different leaves have one name.
        """
        given = set(self.inputs)
        for node in self.nodes:
            if node.op.is_leaf:
                if node not in given:
                    raise VerificationError(
                        f"the leaf {node.name!r} is no input of the graph", site=node.notes.site
                    )
            elif len(node.specs) == 1 and node.op.name != "result":
                _check_spec(node)
        names: dict[str, Node] = {}
        for leaf in self.inputs:
            other = names.setdefault(leaf.name or "", leaf)
            if other is not leaf:
                raise InvalidNameError(
                    f"two different leaves are called {leaf.name!r}",
                    saw=[
                        f"{one.describe()}, made at {one.notes.site.place if one.notes.site else '?'}"
                        for one in (other, leaf)
                    ],
                    hint="another name for one of them, or the same leaf in both places",
                    site=leaf.notes.site,
                )
        return self

    def __str__(self) -> str:
        """The text form; `graphgrad.core.text.read_nodes` reads it back to the identical nodes."""
        return write_nodes(self.outputs, self.inputs)

    def __reduce__(self) -> tuple[object, ...]:
        done = self.rewriting
        noted = (self.origins,) if done is None else (self.origins, done.given)
        pairs = () if done is None else (done.replaced, done.made_for, done.absorbed)
        roots = [*self.inputs, *self.outputs]
        plain = []
        for origins in noted:
            roots += origins
            for entries in origins.values():
                for origin in entries:
                    roots.append(origin.forward)
                    plain.append((origin.role, origin.index))
        counts = tuple(tuple(map(len, origins.values())) for origins in noted)
        for mapping in pairs:
            roots += [node for pair in mapping.items() for node in pair]
        firings = () if done is None else done.firings
        for one in firings:
            roots += [one.node, one.replacement, one.written]
        lengths = (len(self.inputs), len(self.outputs), *map(len, pairs))
        rules = tuple((one.rule, one.safety) for one in firings)
        original = None if done is None else done.original
        return (_restore, (original, flatten(roots), lengths, counts, tuple(plain), rules))


def _restore(
    original: Graph | None,
    flat: Flat,
    lengths: tuple[int, ...],
    counts: tuple[tuple[int, ...], ...],
    plain: tuple[tuple[Role, int | None], ...],
    rules: tuple[tuple[str, Safety], ...],
) -> Graph:
    nodes = iter(unflatten(flat))
    inputs, outputs = (tuple(next(nodes) for _ in range(length)) for length in lengths[:2])
    described = iter(plain)
    noted: list[Origins] = []
    for sizes in counts:
        order = [next(nodes) for _ in sizes]
        noted.append(
            {
                node: tuple(_origin(next(described), next(nodes)) for _ in range(size))
                for node, size in zip(order, sizes, strict=True)
            }
        )
    if original is None:
        return Graph(inputs, outputs, noted[0])
    replaced, made_for, absorbed = (
        {next(nodes): next(nodes) for _ in range(length)} for length in lengths[2:]
    )
    firings = tuple(Firing(*rule, next(nodes), next(nodes), next(nodes)) for rule in rules)
    return Graph(
        inputs, outputs, noted[0], Rewriting(original, replaced, made_for, absorbed, noted[1], firings)
    )


def _origin(described: tuple[Role, int | None], forward: Node) -> Origin:
    role, index = described
    return Origin(role, forward, index)


def _check_spec(node: Node) -> None:
    try:
        inferred = node.op.infer(*(part.spec for part in node.inputs), **node.attrs)
    except GraphgradError as error:
        raise VerificationError(
            f"{node.op.name} does not fit its inputs: {error.what}", site=node.notes.site
        ) from error
    if inferred != node.spec:
        raise VerificationError(
            f"{node.op.name} has spec {node.spec}, its op infers {inferred}", site=node.notes.site
        )


def collect_origins(outputs: Sequence[Node]) -> Origins:
    """The origins noted when `grad` made nodes, for those that `outputs` need."""
    found: dict[Node, tuple[Origin, ...]] = {}
    order = toposort(outputs)
    for node in order:
        for part, entries in node.notes.beneath.items():
            found.setdefault(part, entries)
    for node in order:
        derived = node.notes.derived
        if derived is not None and node.notes.site is None:  # the user did not write it too
            found.setdefault(node, derived)
    return found
