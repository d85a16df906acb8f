"""Which layer a statement is shown under."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.plan.schedule import is_free


def layer_names(graph: Graph, steps: Sequence[Node], reader_of: Callable[[Node], Node]) -> dict[Node, str]:
    """The layer of each step, as ``block/hidden``; a backward step stands in its forward op's layer.

    Steps in no layer go by the last name among the model's steps of their run: what they lead to. Where there are no
    layers at all, all names are empty.
    """
    layers = {node: "/".join(_scope(graph, node, reader_of)) for node in steps}
    if not any(layers.values()):
        return layers
    run: list[Node] = []
    for node in (*steps, None):
        if node is not None and not layers[node]:
            run.append(node)
        elif run:
            layers.update(dict.fromkeys(run, _run_name(graph, run)))
            run = []
    return layers


def _scope(graph: Graph, node: Node, reader_of: Callable[[Node], Node]) -> tuple[str, ...]:
    origins = graph.origins.get(node)
    if not origins:
        return node.scope
    forward = origins[0].forward
    return (reader_of(forward) if is_free(forward) else forward).scope


def _run_name(graph: Graph, run: Sequence[Node]) -> str:
    own = [node.name for node in run if node not in graph.origins and node.name]
    if own:
        return own[-1]
    forwards = [graph.origins[node][0].forward.name for node in run if node in graph.origins]
    return next((name for name in forwards if name), "")
