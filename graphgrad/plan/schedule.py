"""Schedule: which statements each emitted function runs, and in which order.

The model's own nodes keep the order in which the user wrote them; but where memory is planned, results that nothing
else reads come as soon as they can. Gradients follow the chain rule backwards, one
forward op after the other. What the user computes from gradients comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graphgrad.core.dim import symbols, usual
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface, Seed
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort

Phase = Literal["forward", "backward", "update"]
Kind = Literal["forward", "backward", "fused", "step", "reference"]
"""What a function does. "fused" is forward and the first output's backward in one; "reference" is the model as the
user wrote it, which a module's own check compares with."""


@dataclass(frozen=True, eq=False)
class Routine:
    """One emitted function: what it computes, in order, and what it gives back."""

    kind: Kind
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

    def has(self, kind: Kind) -> bool:
        return any(routine.kind == kind for routine in self.routines)


def is_free(node: Node) -> bool:
    """Whether a node costs nothing to have anywhere: a leaf is an argument, a constant or size is written in place."""
    return node.op.is_leaf or node.op.name in ("const", "run_time_size")


def schedule(graph: Graph, interface: Interface) -> Schedule:
    """Put the nodes of a graph in order, function by function."""
    phases = _phases(graph, graph.outputs[interface.outputs])
    planned = interface.level != "plain"
    order = _order(graph, phases, planned)
    outputs = graph.outputs[interface.outputs]
    forward = _routine("forward", outputs, order, ())
    routines = [forward]
    backwards = []
    for number, seed in enumerate(interface.seeds):
        grads = graph.outputs[interface.gradients(number)]
        backwards.append(_routine("backward", grads, order, forward.steps, seed))
    routines += backwards
    if planned and backwards:
        results = (*outputs, *graph.outputs[interface.gradients(0)])
        routines.append(_routine("fused", results, order, (), interface.seeds[0]))
    if interface.updates:
        results = (*outputs, *graph.outputs[interface.step_gradients], *graph.outputs[interface.new_values])
        routines.append(_routine("step", results, order, ()))
    if planned:
        written = graph.original.outputs[interface.outputs]
        as_written = _order(graph.original, _phases(graph.original, written), False)
        routines.append(_routine("reference", written, as_written, ()))
    residuals = _residuals(forward, backwards)
    return Schedule(
        graph,
        interface,
        tuple(routines),
        residuals,
        _hidden_sizes(interface, routines, residuals),
        phases,
    )


def _routine(
    kind: Kind,
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


def _order(graph: Graph, phases: Mapping[Node, Phase], planned: bool) -> dict[Node, int]:
    """The place of every node; each comes after its inputs."""
    varies = _varying(graph)
    found_at = {node: at for at, node in enumerate(graph.nodes)}

    def as_written(node: Node) -> tuple[int, int]:
        return graph.age(node), found_at[node]

    forward = toposort(
        sorted((n for n in graph.nodes if phases[n] == "forward" and n in varies), key=as_written)
    )
    if planned:
        forward = _results_early(graph, forward)
    place = {node: at for at, node in enumerate(forward)}
    first_use: dict[
        Node, int
    ] = {}  # a shared parameter's gradient is whole after its first reader was passed
    for at, node in enumerate(forward):
        for part in node.inputs:
            first_use.setdefault(part, at)

    def passed(node: Node) -> int:
        """How far back the chain rule is when it makes a node."""
        origin = graph.home(graph.origins[node][0].forward)
        if is_free(origin):
            return -first_use.get(origin, -1)
        return -place.get(origin, len(place) + found_at.get(origin, 0))

    at_end = _leading_nowhere(graph, phases, passed)

    def backwards(node: Node) -> tuple[int, bool, int]:
        return passed(node), node not in at_end, found_at[node]

    backward = sorted((n for n in graph.nodes if phases[n] == "backward"), key=backwards)
    if planned:
        backward = _results_early(graph, backward)
    update = sorted((n for n in graph.nodes if phases[n] == "update"), key=as_written)
    return {node: at for at, node in enumerate(toposort([*forward, *backward, *update, *graph.nodes]))}


def _results_early(graph: Graph, order: Sequence[Node]) -> list[Node]:
    """Results that nothing else reads, as soon as what they read is known, so that it can be dropped. Of several
    those that take the least work come first, while what they read is in the cache; of equal ones the last: gradients
    that a user derived by hand then stand as those of the chain rule do."""
    ours = set(order)  # only asked, never iterated
    readings: dict[Node, int] = dict.fromkeys(graph.outputs, 1)
    for node in graph.nodes:
        for part in node.inputs:
            readings[part] = readings.get(part, 0) + 1
    groups: dict[Node, list[Node]] = {}
    missing: dict[Node, int] = {}
    awaited: dict[Node, list[Node]] = {}
    for end in dict.fromkeys(reversed(graph.outputs)):
        if end not in ours or readings[end] != 1:
            continue
        group = [end]
        needs: dict[Node, None] = {}
        for node in group:  # grows on the way: views that are made for the result alone go with it
            for part in node.inputs:
                if part in ours and part.op.view and readings[part] == 1:
                    group.append(part)
                elif part in ours and not part.op.is_leaf:
                    needs[part] = None
        if needs:
            groups[end], missing[end] = group[::-1], len(needs)
            for part in needs:
                awaited.setdefault(part, []).append(end)
    moved = {node for group in groups.values() for node in group}  # only asked, never iterated
    early: list[Node] = []
    for node in order:
        if node in moved:
            continue
        early.append(node)
        for end in awaited.get(node, ()):
            missing[end] -= 1
        ready = [end for end in awaited.get(node, ()) if not missing[end]]
        for end in sorted(ready, key=lambda end: usual(end.flops)):
            early += groups[end]
    return early


def _leading_nowhere(graph: Graph, phases: Mapping[Node, Phase], passed: Callable[[Node], int]) -> set[Node]:
    """Gradients that the rest of the backward pass does not read, and what is made for them alone: they come first, so
    that what they read can be dropped before the pass goes on."""
    found: set[Node] = set()  # only asked, never iterated
    goes_on: set[Node] = set()
    for node in reversed(graph.nodes):
        if phases[node] != "backward":
            continue
        if node not in goes_on:
            found.add(node)
        for part in node.inputs:
            if node not in found or (phases[part] == "backward" and passed(part) != passed(node)):
                goes_on.add(part)
    return found


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
    specs = dict.fromkeys(spec for node in nodes for spec in node.specs)
    return tuple(dict.fromkeys(name for spec in specs for size in spec.shape for name in symbols(size)))


def _hidden_sizes(
    interface: Interface, routines: Sequence[Routine], residuals: Sequence[Node]
) -> tuple[str, ...]:
    seen = {getattr(size, "name", None) for node in residuals for size in node.shape}
    needed: dict[str, None] = {}
    backwards = [routine for routine in routines if routine.kind == "backward"]
    for routine in backwards:
        needed.update(dict.fromkeys(sizes_in([*routine.steps, *routine.results])))
    if backwards and interface.level != "plain":  # the workspace is made for all of them
        needed.update(dict.fromkeys(sizes_of(node for routine in routines for node in routine.steps)))
    if interface.structure.kind != "one":  # every cotangent may be None, and then there is nothing but shapes
        needed.update(dict.fromkeys(sizes_of(interface.wrt or ())))
    return tuple(name for name in needed if name not in seen)
