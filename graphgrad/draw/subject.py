"""What can be drawn - nodes, a graph, a layer, a compiled model, a report of one - as a plan and emitted statements."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from graphgrad.autodiff.joint import differentiate
from graphgrad.core.errors import ArgumentError, GraphgradError
from graphgrad.core.graph import Graph, collect_origins
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.structure import Structure
from graphgrad.define import define
from graphgrad.emit.module import outline
from graphgrad.emit.source import Source
from graphgrad.ops.leaf import input
from graphgrad.plan.plan import Plan, plan_memory
from graphgrad.plan.schedule import schedule
from graphgrad.run.compiled import Compiled
from graphgrad.run.footprint import Footprint
from graphgrad.run.profile import Profile


def subject(x: Any, wrt: Any, backward: bool) -> tuple[Plan, Source]:
    """The plan and the statements of what is to be drawn; nodes, graphs and layers are written as level plain.

    Raises
    ------
    ArgumentError
        If `x` is nothing that can be drawn, or a compiled model is to be drawn with other gradients than its own.
    """
    if isinstance(x, Compiled) or is_report(x):
        if wrt is not None:
            raise ArgumentError(
                "a compiled model is drawn with the gradients it was compiled with",
                hint="gg.compile(..., wrt=...)",
            )
        return x.plan, x.emitted
    if isinstance(x, Graph):
        return _of_graph(x, wrt if backward else None)
    if callable(x) and hasattr(x, "parameters"):
        x, wrt, name = *_of_layer(x, wrt), type(x).__name__
    else:
        structure, outputs = Structure.of(x, "what to draw")
        if not outputs:
            raise ArgumentError("there is nothing to draw")
        wrt = _parameters(outputs) if wrt is None else wrt
        name = (structure.keys[0] if structure.keys else outputs[0].name) or "model"
    return _of_nodes(x, None, wrt if backward else None, name)


def is_report(x: Any) -> bool:
    """Whether it tells something of a compiled model, to be shown on its picture."""
    return isinstance(x, Footprint | Profile)


def _of_nodes(outputs: Any, inputs: Sequence[Node] | None, wrt: Any, name: str) -> tuple[Plan, Source]:
    defined, interface = define(outputs, inputs, wrt, None, "plain", name, False)
    return _written(differentiate(defined, interface, True), interface)


def _of_graph(graph: Graph, wrt: Any) -> tuple[Plan, Source]:
    """A graph as it is, with the gradients in it where they belong; or differentiated by `wrt`."""
    if wrt is not None:
        return _of_nodes(list(graph.outputs), _leaves(graph), wrt, "graph")
    return as_written(graph)


def as_written(graph: Graph) -> tuple[Plan, Source]:
    """The plan and the statements of everything in a graph, gradients and all in one function."""
    structure = Structure("list", len(graph.outputs))
    return _written(graph, Interface("graph", _leaves(graph), structure, level="plain"))


def _leaves(graph: Graph) -> tuple[Node, ...]:
    return tuple(dict.fromkeys((*graph.inputs, *graph.leaves)))


def _written(graph: Graph, interface: Interface) -> tuple[Plan, Source]:
    plan = plan_memory(schedule(graph, interface))
    return plan, outline(plan)


def _parameters(outputs: Sequence[Node]) -> list[Node] | None:
    """What to differentiate by if nobody says: every parameter, if the first output is a float scalar; and nothing, if
    gradients are among the outputs."""
    if outputs[0].shape != () or outputs[0].dtype.kind != "f":
        return None
    made = collect_origins(outputs)
    if any(node in made for node in outputs):
        return None
    leaves = Graph((), tuple(outputs)).leaves
    return [leaf for leaf in leaves if leaf.op.name == "param" and leaf.dtype.kind == "f"] or None


def _of_layer(layer: Any, wrt: Any) -> tuple[Node, Any]:
    """What a layer makes of an input that fits it, and its parameters and that input to differentiate by."""
    name = type(layer).__name__
    needed = [
        one
        for one in inspect.signature(layer).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    hint = "draw what it gives, such as gg.draw(layer(gg.input('x', shape)))"
    if len(needed) != 1:
        raise ArgumentError(f"{name} takes {len(needed)} arguments, and a picture can guess one", hint=hint)
    refused = ""
    parameters: list[Node] = layer.parameters()
    dtype = next((leaf.dtype for leaf in parameters if leaf.dtype.kind == "f"), "float32")
    for shape in _shapes(parameters):
        x = input(needed[0].name, shape, dtype)
        try:
            output = layer(x)
        except GraphgradError as error:
            refused = str(error).splitlines()[0]
            continue
        Structure.of(output, f"the result of {name}")
        return output, [*parameters, x] if wrt is None else wrt
    raise ArgumentError(f"no input that a picture can guess fits {name}", saw=[refused], hint=hint)


def _shapes(parameters: Sequence[Node]) -> Iterator[tuple[str | int, ...]]:
    """Shapes of an input, from any number of features to the sizes that the parameters have."""
    yield "batch", "features"
    for size in dict.fromkeys(size for leaf in parameters for size in leaf.shape):
        if isinstance(size, int):
            yield "batch", size
