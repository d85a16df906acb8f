"""The plan: a schedule with every decision about memory made. What is left is writing it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphgrad.core.dim import Size, add, multiply, symbols
from graphgrad.core.node import Node
from graphgrad.core.spec import Spec
from graphgrad.core.traverse import toposort
from graphgrad.plan.alias import copies, passed_views
from graphgrad.plan.buffers import Buffer, Placement, place, small
from graphgrad.plan.check import check_ownership, check_placement
from graphgrad.plan.inline import inlined, written_with
from graphgrad.plan.memory import Memory, allocated, kept, kept_bytes, larger, total_bytes
from graphgrad.plan.schedule import Routine, Schedule


@dataclass(frozen=True, eq=False)
class PlannedRoutine:
    """A routine, its statements, where their values lie, and its copies."""

    routine: Routine
    statements: Mapping[Node, tuple[Node, ...]]
    """For each statement, by the node it assigns: all nodes it computes, that one last."""
    inside: Mapping[Node, None]
    """The steps that stand inside another's statement."""
    copies: tuple[bool, ...]
    """For each result, whether it is copied."""
    placement: Placement | None
    """Where values lie; None where every statement makes a new array, as in a textbook."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the emitter writes down."""

    schedule: Schedule
    routines: tuple[PlannedRoutine, ...]
    workspace: tuple[Buffer, ...]
    """The buffers of all functions; only one of them runs at a time in a workspace."""
    memory: Memory

    @property
    def workspace_sizes(self) -> tuple[str, ...]:
        """The named sizes that the buffers depend on."""
        sizes = (size for buffer in self.workspace for size in buffer.spec.shape)
        return tuple(dict.fromkeys(name for size in sizes for name in symbols(size)))

    @property
    def constants(self) -> tuple[Node, ...]:
        """The constant arrays that functions read, each once."""
        results = [node for planned in self.routines for node in planned.routine.results]
        return tuple(node for node in toposort(results) if node.op.name == "const" and node.shape)

    def routine(self, kind: str) -> PlannedRoutine:
        """The first routine of a kind; there has to be one."""
        return next(planned for planned in self.routines if planned.routine.kind == kind)

    @property
    def main(self) -> PlannedRoutine:
        """The function that people call most."""
        return self.routine("fused") if self.schedule.has("fused") else self.routines[0]


def plan_memory(schedule: Schedule) -> Plan:
    """Decide what is written inside what, where values lie, and what is copied; and count the bytes."""
    planned = tuple(_plan(schedule, routine) for routine in schedule.routines)
    workspace: dict[Buffer, None] = {}
    for one in sorted(planned, key=lambda one: one.routine.kind != "fused"):
        if one.placement is not None:
            workspace.update(dict.fromkeys(one.placement.used))
    return Plan(schedule, planned, tuple(workspace), _memory(schedule, planned, tuple(workspace)))


def _plan(schedule: Schedule, routine: Routine) -> PlannedRoutine:
    residuals = schedule.residuals if routine.kind == "forward" else ()
    textbook = schedule.interface.level == "plain" or routine.kind == "reference"
    anew = None if textbook else small(routine.steps)
    graph = schedule.graph.original if routine.kind == "reference" else schedule.graph
    inside = inlined(graph, routine, residuals, anew)
    statements = written_with(routine.steps, inside)
    copied = copies(routine.results, _held(schedule, routine))
    placement = None
    if anew is not None:
        returned = [*routine.results, *residuals]
        given = [node for node, copy in zip(routine.results, copied, strict=True) if not copy]
        kept = [part for node in residuals for part in passed_views(node)]
        placement = place(statements, returned, [*given, *kept], anew)
        check_placement(statements, returned, placement)
        check_ownership([*given, *residuals], placement)
    return PlannedRoutine(routine, statements, inside, copied, placement)


def _held(schedule: Schedule, routine: Routine) -> Sequence[Node]:
    """What is still needed after a routine returned, or belongs to somebody else."""
    return schedule.residuals if routine.kind in ("forward", "backward") else ()


def _memory(schedule: Schedule, planned: Sequence[PlannedRoutine], workspace: Sequence[Buffer]) -> Memory:
    """Of the call that people make most: forward and the first backward, or forward alone."""
    interface = schedule.interface
    arguments = total_bytes(leaf for leaf in interface.arguments if leaf.op.name != "rng")
    results = _results(schedule.forward.results)
    residuals: Size = 0
    buffers = [buffer.spec for buffer in workspace]
    if schedule.backwards:
        residuals = kept_bytes(schedule.residuals)
        results = add(results, _results(planned[1].routine.results))
    fused = next((one for one in planned if one.routine.kind == "fused"), None)
    if fused is not None:
        peak = _peak(fused, buffers)
    else:
        peak = _peak(planned[0], buffers)
        if schedule.backwards:
            held = [node.spec for node in (*kept(schedule.residuals), *schedule.forward.results)]
            peak = larger(peak, _peak(planned[1], held))
    return Memory(arguments, results, residuals, add(peak, multiply(results, -1)), peak)


def _peak(planned: PlannedRoutine, held: Sequence[Spec]) -> Size:
    copied = [node for node, copy in zip(planned.routine.results, planned.copies, strict=True) if copy]
    placed = planned.placement.buffers if planned.placement is not None else {}
    return allocated(planned.statements, held, copied, placed)


def _results(nodes: Sequence[Node]) -> Size:
    total: Size = 0
    for node in nodes:
        total = add(total, node.spec.nbytes)
    return total
