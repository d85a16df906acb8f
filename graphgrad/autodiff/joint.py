"""`differentiate`: a graph and its gradients as one graph."""

from __future__ import annotations

from dataclasses import replace

from graphgrad.autodiff.reverse import fill_in, pull_back
from graphgrad.core.graph import Graph, Origin
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.provenance import recording
from graphgrad.ops.leaf import const


def differentiate(graph: Graph, interface: Interface, allow_unused: bool) -> Graph:
    """Add the gradients to a graph's outputs, in the places that the interface says.

    Each float output is a seed of its own, so that an output without a cotangent costs nothing and spoils nothing.
    Of a graph that was rewritten the gradients are those of what it is now; its original gets its own.
    """
    if interface.wrt is None:
        return graph
    joint = _joint(graph, interface, allow_unused)
    done = graph.rewriting
    if done is None:
        return joint
    live = set(joint.nodes)  # only asked, never iterated
    rewriting = replace(
        done,
        original=_joint(graph.original, interface, allow_unused),
        absorbed={old: into for old, into in done.absorbed.items() if old not in live},
        given={**done.given, **joint.origins},
    )
    return replace(joint, rewriting=rewriting)


def _joint(graph: Graph, interface: Interface, allow_unused: bool) -> Graph:
    count = interface.structure.size
    outputs, new_values = graph.outputs[:count], graph.outputs[count:]
    origins: dict[Node, tuple[Origin, ...]] = dict(graph.origins)
    gradients: list[Node] = []
    again: tuple[Node, ...] = ()
    with recording("off"):
        for seed in interface.seeds:
            may_lack = allow_unused or seed is not interface.seeds[0]  # a metric may depend on nothing
            gradients += _gradients(outputs[seed.output], seed.cotangent, interface, may_lack, origins)
        if interface.updates:
            # for step, from the same seed that `grad` uses, so that it shares what updates computed
            first = outputs[interface.seeds[0].output]
            one = const(1, first.dtype) if first.shape == () else interface.seeds[0].cotangent
            again = _gradients(first, one, interface, allow_unused, origins)
    for (
        node
    ) in graph.nodes:  # what the model itself computes stays the model's, though a gradient reads it too
        if node not in graph.origins:
            origins.pop(node, None)
    return Graph(graph.inputs, (*outputs, *gradients, *new_values, *again), origins)


def _gradients(
    output: Node,
    seed: Node,
    interface: Interface,
    allow_unused: bool,
    origins: dict[Node, tuple[Origin, ...]],
) -> tuple[Node, ...]:
    wrt = interface.wrt or ()
    pulled = pull_back({output: seed}, wrt)
    for node, entries in pulled.origins.items():
        origins.setdefault(node, entries)
    return fill_in(wrt, pulled.cotangents, allow_unused, origins)
