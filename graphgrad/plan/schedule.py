"""Schedule: which statements each emitted function runs, and in which order.

The model's own nodes keep the order in which the user wrote them. Gradients follow the chain rule backwards, one
forward op after the other. What the user computes from gradients comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graphgrad.core.dim import symbols
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface, Seed
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort

Phase = Literal["forward", "backward", "update"]


@dataclass(frozen=True, eq=False)
class Routine:
    """One emitted function: what it computes, in order, and what it gives back."""

    kind: Literal["forward", "backward", "step"]
    steps: tuple[Node, ...]
    results: tuple[Node, ...]
    seed: Seed | None = None


@dataclass(frozen=True, eq=False)
class Schedule:
    """The functions of a module, and what forward hands to backward."""

    graph: Graph
    interface: Interface
    routines: tuple[Routine, ...]
    residuals: tuple[Node, ...]
    residual_sizes: tuple[str, ...]
    """Named sizes that backward needs and cannot see from any residual."""
    phases: Mapping[Node, Phase]

    @property
    def forward(self) -> Routine:
        return self.routines[0]

    @property
    def backwards(self) -> tuple[Routine, ...]:
        return tuple(routine for routine in self.routines if routine.kind == "backward")

    @property
    def step(self) -> Routine | None:
        return self.routines[-1] if self.routines[-1].kind == "step" else None


def is_free(node: Node) -> bool:
    """Whether a node costs nothing to have anywhere: a leaf is an argument, a constant or size is written in place."""
    return node.op.is_leaf or node.op.name in ("const", "run_time_size")


def schedule(graph: Graph, interface: Interface) -> Schedule:
    """Put the nodes of a graph in order, function by function."""
    phases = _phases(graph, graph.outputs[interface.outputs])
    order = _order(graph, phases)
    outputs = graph.outputs[interface.outputs]
    forward = _routine("forward", outputs, order, ())
    routines = [forward]
    backwards = []
    for number, seed in enumerate(interface.seeds):
        grads = graph.outputs[interface.gradients(number)]
        backwards.append(_routine("backward", grads, order, forward.steps, seed))
    routines += backwards
    if interface.updates:
        results = (*outputs, *graph.outputs[interface.step_gradients], *graph.outputs[interface.new_values])
        routines.append(_routine("step", results, order, ()))
    residuals = _residuals(forward, backwards)
    return Schedule(
        graph, interface, tuple(routines), residuals, _hidden_sizes(interface, backwards, residuals), phases
    )


def _routine(
    kind: Literal["forward", "backward", "step"],
    results: Sequence[Node],
    order: Mapping[Node, int],
    known: Iterable[Node],
    seed: Seed | None = None,
) -> Routine:
    needed = [node for node in toposort(results, stop=set(known)) if not is_free(node)]
    return Routine(kind, tuple(sorted(needed, key=order.__getitem__)), tuple(results), seed)


def _phases(graph: Graph, outputs: Sequence[Node]) -> dict[Node, Phase]:
    """Which part of the story each node belongs to: the model, its gradients, or what is made of them."""
    phases: dict[Node, Phase] = {}
    told = set(toposort(outputs))
    for node in reversed(
        graph.nodes
    ):  # what a gradient reads belongs to the model, wanted as an output or not
        if node in graph.origins or node in told:
            told.update(node.inputs)
    for node in graph.nodes:
        if node in graph.origins and not is_free(node):
            phases[node] = "backward"
        elif not is_free(node) and (
            node not in told or any(phases[part] != "forward" for part in node.inputs)
        ):
            phases[node] = "update"
        else:
            phases[node] = "forward"
    return phases


def _order(graph: Graph, phases: Mapping[Node, Phase]) -> dict[Node, int]:
    """The place of every node; each comes after its inputs."""
    varies = _varying(graph)
    found_at = {node: at for at, node in enumerate(graph.nodes)}

    def as_written(node: Node) -> tuple[int, int]:
        return graph.age(node), found_at[node]

    forward = toposort(
        sorted((n for n in graph.nodes if phases[n] == "forward" and n in varies), key=as_written)
    )
    place = {node: at for at, node in enumerate(forward)}
    first_use: dict[
        Node, int
    ] = {}  # a shared parameter's gradient is whole after its first reader was passed
    for at, node in enumerate(forward):
        for part in node.inputs:
            first_use.setdefault(part, at)

    def backwards(node: Node) -> tuple[int, int]:
        origin = graph.home(graph.origins[node][0].forward)
        own = (
            first_use.get(origin, -1)
            if is_free(origin)
            else place.get(origin, len(place) + found_at.get(origin, 0))
        )
        return -own, found_at[node]

    backward = sorted((n for n in graph.nodes if phases[n] == "backward"), key=backwards)
    update = sorted((n for n in graph.nodes if phases[n] == "update"), key=as_written)
    return {node: at for at, node in enumerate(toposort([*forward, *backward, *update, *graph.nodes]))}


def _varying(graph: Graph) -> set[Node]:
    """What depends on an argument. Constants are shared between models, so their age says nothing about this one."""
    varies: set[Node] = set()  # only asked, never iterated
    for node in graph.nodes:
        if node.op.is_leaf or any(part in varies for part in node.inputs):
            varies.add(node)
    return varies


def _residuals(forward: Routine, backwards: Sequence[Routine]) -> tuple[Node, ...]:
    """What backward reads of what forward knew: arguments first, then values in the order they were made."""
    own = {node for routine in backwards for node in routine.steps}
    seeds = {routine.seed.cotangent for routine in backwards if routine.seed is not None}
    read: dict[Node, None] = {}
    for routine in backwards:
        for node in routine.steps:
            read.update(dict.fromkeys(part for part in node.inputs if part not in own))
        read.update(dict.fromkeys(node for node in routine.results if node not in own))
    made = {node: at for at, node in enumerate(forward.steps)}
    kept = [node for node in read if node not in seeds and (node.op.is_leaf or node in made)]
    return tuple(sorted(kept, key=lambda node: (not node.op.is_leaf, made.get(node, node.serial))))


def sizes_in(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The named sizes that statements of these nodes spell out, in order of appearance."""
    found: dict[str, None] = {}
    for node in nodes:
        for value in () if node.op.is_leaf else node.attrs.values():
            _collect(value, found)
        for part in node.inputs:
            if part.op.name == "run_time_size":
                _collect(part.attrs["size"], found)
    return tuple(found)


def _collect(value: object, found: dict[str, None]) -> None:
    if isinstance(value, tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, slice):
        _collect((value.start, value.stop), found)
    elif hasattr(value, "terms"):
        found.update(dict.fromkeys(symbols(value)))  # type: ignore[arg-type]  # only a Dim has terms


def sizes_of(nodes: Iterable[Node]) -> tuple[str, ...]:
    """The named sizes in the shapes of these nodes."""
    return tuple(dict.fromkeys(name for node in nodes for size in node.shape for name in symbols(size)))


def _hidden_sizes(
    interface: Interface, backwards: Sequence[Routine], residuals: Sequence[Node]
) -> tuple[str, ...]:
    seen = {getattr(size, "name", None) for node in residuals for size in node.shape}
    needed: dict[str, None] = {}
    for routine in backwards:
        needed.update(dict.fromkeys(sizes_in([*routine.steps, *routine.results])))
    if interface.structure.kind != "one":  # every cotangent may be None, and then there is nothing but shapes
        needed.update(dict.fromkeys(sizes_of(interface.wrt or ())))
    return tuple(name for name in needed if name not in seen)
