"""`to_networkx`: a graph for networkx, whose algorithms and exports then work on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphgrad.core.graph import Graph, collect_origins
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node
from graphgrad.core.structure import Structure

if TYPE_CHECKING:
    from graphgrad.run.compiled import Compiled

_compiled = lazy_import("graphgrad.run.compiled")
_networkx = lazy_import("networkx")


def to_networkx(
    x: Node | Sequence[Node] | Mapping[str, Node] | Graph | Compiled,
) -> Any:
    """A graph as a `networkx.MultiDiGraph`: every node, and an edge from each operand to what reads it.

    The keys are the nodes themselves, so ``network.nodes[loss]`` finds one. Its attributes:

    - ``op``: the op's name; ``attrs``: its static attributes, a dict
    - ``name``: what the user called it, or None
    - ``spec``: its `Spec`; a tuple of them where the op has several results
    - ``scope``: the layers it stands in, from the outside in
    - ``origin``: why differentiation made it, a tuple of origins; empty for the model's own nodes

    An edge's key, and its attribute ``argument``, is the operand's place: ``x * x`` has two edges. The order of nodes
    is one in which each comes after its operands. ``network.graph`` has the ``inputs`` and ``outputs``.

    Parameters
    ----------
    x:
        Nodes, a `Graph`, or a compiled model, whose graph holds model and gradients as they are emitted.

    Raises
    ------
    ArgumentError
        If `x` is neither.

    >>> x = gg.input("x", ("n", 3))
    >>> y = gg.sum(x * x)
    >>> network = gg.to_networkx(y)
    >>> [data["op"] for _, data in network.nodes(data=True)]
    ['input', 'multiply', 'sum']
    >>> [(network.nodes[tail]["name"], place) for tail, _, place in network.edges(keys=True)]
    [('x', 0), ('x', 1), (None, 0)]
    """
    graph = _graph_of(x)
    network = _networkx.MultiDiGraph(inputs=graph.inputs, outputs=graph.outputs)
    for node in graph.nodes:
        network.add_node(
            node,
            op=node.op.name,
            attrs=dict(node.attrs),
            name=graph.name(node),
            spec=node.specs[0] if len(node.specs) == 1 else node.specs,
            scope=graph.scope(node),
            origin=graph.origins.get(node, ()),
        )
    for node in graph.nodes:
        for argument, part in enumerate(node.inputs):
            network.add_edge(part, node, key=argument, argument=argument)
    return network


def _graph_of(x: Any) -> Graph:
    if isinstance(x, Graph):
        return x
    if isinstance(x, _compiled.Compiled):
        graph: Graph = x.graph
        return graph
    _, outputs = Structure.of(x, "what to convert")
    whole = Graph((), outputs, collect_origins(outputs))
    return Graph(whole.leaves, outputs, whole.origins)
