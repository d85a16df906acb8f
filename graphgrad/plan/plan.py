"""The plan: a schedule with every decision about memory made. What is left is writing it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphgrad.core.dim import Size, add, multiply
from graphgrad.core.node import Node
from graphgrad.plan.alias import copies
from graphgrad.plan.inline import inlined, written_with
from graphgrad.plan.memory import Memory, allocated, kept, kept_bytes, larger, total_bytes
from graphgrad.plan.schedule import Routine, Schedule


@dataclass(frozen=True, eq=False)
class PlannedRoutine:
    """A routine, its statements and its copies."""

    routine: Routine
    statements: Mapping[Node, tuple[Node, ...]]
    """For each statement, by the node it assigns: all nodes it computes, that one last."""
    inside: Mapping[Node, None]
    """The steps that stand inside another's statement."""
    copies: tuple[bool, ...]
    """For each result, whether it is copied."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What the emitter writes down."""

    schedule: Schedule
    routines: tuple[PlannedRoutine, ...]
    memory: Memory


def plan_memory(schedule: Schedule) -> Plan:
    """Decide what is written inside what, and what is copied; and count the bytes."""
    planned = []
    for routine in schedule.routines:
        kept = schedule.residuals if routine.kind == "forward" else ()
        inside = inlined(schedule.graph, routine, kept)
        planned.append(
            PlannedRoutine(
                routine,
                written_with(routine.steps, inside),
                inside,
                copies(routine.results, _held(schedule, routine)),
            )
        )
    return Plan(schedule, tuple(planned), _memory(schedule, planned))


def _held(schedule: Schedule, routine: Routine) -> Sequence[Node]:
    """What is still needed after a routine returned, or belongs to somebody else."""
    return () if routine.kind == "step" else schedule.residuals


def _memory(schedule: Schedule, planned: Sequence[PlannedRoutine]) -> Memory:
    """Of the call that people make most: forward and the first backward, or forward alone."""
    interface = schedule.interface
    arguments = total_bytes(leaf for leaf in interface.arguments if leaf.op.name != "rng")
    outputs = _results(schedule.forward.results)
    peak = allocated(planned[0].statements, (), _copied(planned[0]))
    residuals: Size = 0
    results = outputs
    if schedule.backwards:
        residuals = kept_bytes(schedule.residuals)
        first = planned[1]
        results = add(results, _results(first.routine.results))
        held = [node.spec for node in (*kept(schedule.residuals), *schedule.forward.results)]
        peak = larger(peak, allocated(first.statements, held, _copied(first)))
    return Memory(arguments, results, residuals, add(peak, multiply(results, -1)), peak)


def _results(nodes: Sequence[Node]) -> Size:
    total: Size = 0
    for node in nodes:
        total = add(total, node.spec.nbytes)
    return total


def _copied(planned: PlannedRoutine) -> list[Node]:
    return [node for node, copied in zip(planned.routine.results, planned.copies, strict=True) if copied]
