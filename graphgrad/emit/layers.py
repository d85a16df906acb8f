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
        return graph.scope(node)
    forward = graph.current(origins[0].forward)
    return graph.scope(reader_of(forward) if is_free(forward) else origins[0].forward)


def _run_name(graph: Graph, run: Sequence[Node]) -> str:
    own = [name for node in run if node not in graph.origins and (name := graph.name(node))]
    if own:
        return own[-1]
    forwards = [_forward_name(graph, node) for node in run if node in graph.origins]
    return next((name for name in forwards if name), "")


def _forward_name(graph: Graph, node: Node) -> str | None:
    return graph.name(graph.current(graph.origins[node][0].forward))
