"""The plan: a schedule with every decision about memory made. What is left is writing it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from graphgrad.core.dim import symbols
from graphgrad.core.node import Node
from graphgrad.core.operators import bound
from graphgrad.core.traverse import toposort
from graphgrad.plan.alias import copies, passed_views
from graphgrad.plan.buffers import Buffer, Placement, place, small
from graphgrad.plan.check import check_order, check_ownership, check_placement
from graphgrad.plan.inline import inlined, written_with
from graphgrad.plan.limit import fit
from graphgrad.plan.loops import Item, PlannedLoop, arrange, plan_loop
from graphgrad.plan.memory import Memory, count
from graphgrad.plan.rows import LARGEST
from graphgrad.plan.schedule import Routine, Schedule
from graphgrad.plan.space import TileSpace, tile_spaces
from graphgrad.plan.tile import Loop


@dataclass(frozen=True, eq=False)
class PlannedRoutine:
    """A routine, its statements, where their values lie, and its copies."""

    routine: Routine
    statements: Mapping[Node, tuple[Node, ...]]
    """For each statement, by the node it assigns: all nodes it computes, that one last. What a loop makes counts as
    one statement for each value."""
    inside: Mapping[Node, None]
    """The steps that stand inside another's statement."""
    copies: tuple[bool, ...]
    """For each result, whether it is copied."""
    placement: Placement | None
    """Where values lie; None where every statement makes a new array, as in a textbook."""
    loops: tuple[PlannedLoop, ...] = ()
    at_once: Mapping[Node, str] = field(default_factory=dict)
    """Why steps that read tiles are in no loop."""

    @cached_property
    def by_loop(self) -> Mapping[Node, PlannedLoop]:
        """The values that loops make."""
        return {node: loop for loop in self.loops for node in loop.outputs}


@dataclass(frozen=True, eq=False)
class Plan:
    """What the emitter writes down."""

    schedule: Schedule
    routines: tuple[PlannedRoutine, ...]
    workspace: tuple[Buffer, ...]
    """The buffers of all functions; only one of them runs at a time in a workspace."""
    tiles: tuple[TileSpace, ...]
    """The buffers of all loops, which each thread has."""
    most_threads: int | None = None
    """How many threads there is memory for; None if that is no question."""

    @cached_property
    def memory(self) -> Memory:
        """What the call that people make most takes on one thread; formulas in the symbolic sizes."""
        return self.memory_on(1)

    def __str__(self) -> str:
        """What was tiled and what was not, with the reason, function by function."""
        text: str = bound("plan_text")(self)  # in the names of the emitted module
        return text

    def memory_on(self, threads: int) -> Memory:
        """The same on so many threads."""
        return count(self, threads)

    @property
    def workspace_sizes(self) -> tuple[str, ...]:
        """The named sizes that the buffers depend on."""
        sizes = (size for buffer in self.workspace for size in buffer.spec.shape)
        return tuple(dict.fromkeys(name for size in sizes for name in symbols(size)))

    @cached_property
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
    """Decide what runs in loops, what is written inside what, where values lie, and what is copied.

    Raises
    ------
    InvalidValueError
        If there is a limit to the memory, and no size of tiles keeps it.
    """
    limit, threads = schedule.interface.memory_limit, schedule.interface.threads

    def attempt(keeps: bool = True, most: int = LARGEST) -> Plan:
        return _plan(schedule, keeps, most)

    return attempt() if limit is None else fit(attempt, limit, threads)


def _plan(schedule: Schedule, keeps: bool, most: int) -> Plan:
    planned = tuple(_plan_routine(schedule, routine, keeps, most) for routine in schedule.routines)
    workspace: dict[Buffer, None] = {}
    main, *others = sorted(planned, key=lambda one: one.routine.kind != "fused")
    for one in (main, *others):
        if one.placement is not None:
            workspace.update(dict.fromkeys(one.placement.used))
    spaces = tile_spaces(main.loops, [loop for one in others for loop in one.loops])
    return Plan(schedule, planned, tuple(workspace), spaces)


def _plan_routine(schedule: Schedule, routine: Routine, keeps: bool, most: int) -> PlannedRoutine:
    residuals = schedule.residuals if routine.kind == "forward" else ()
    if schedule.interface.level == "plain" or routine.kind == "reference":
        graph = schedule.graph.original if routine.kind == "reference" else schedule.graph
        inside = inlined(graph, routine, residuals, None)
        copied = copies(routine.results, _held(schedule, routine))
        return PlannedRoutine(routine, written_with(routine.steps, inside), inside, copied, None)
    graph = schedule.graph
    arranged = arrange(graph, routine, residuals, keeps)
    loops = {item: plan_loop(graph, routine, item, most) for item in arranged.items if isinstance(item, Loop)}
    made = {node: loop for loop in loops.values() for node in loop.outputs}
    own = [item for item in arranged.items if isinstance(item, Node)]
    anew = small([*own, *made])
    fixed = [*residuals, *(node for loop in loops for node in loop.reads)]
    inside = inlined(graph, replace(routine, steps=tuple(own)), fixed, anew)
    statements = _statements(arranged.items, written_with(own, inside))
    filled = dict.fromkeys(loop.whole_of[node] for loop in loops for node in loop.stored)
    copied = copies(routine.results, _held(schedule, routine), made)
    returned = [*routine.results, *residuals]
    given = [node for node, copy in zip(routine.results, copied, strict=True) if not copy]
    kept = [part for node in residuals for part in ([node] if node in made else passed_views(node))]
    combined = dict.fromkeys(node for node in made if node not in filled)
    placement = place(statements, returned, [*given, *kept], anew, combined, filled)
    check_order(statements, made)
    check_placement(statements, returned, placement)
    check_ownership((node for node in (*given, *residuals) if node not in made), placement)
    at_once = {node: why for node, why in arranged.at_once.items() if node in statements}
    return PlannedRoutine(routine, statements, inside, copied, placement, tuple(loops.values()), at_once)


def _statements(
    items: Sequence[Item], single: Mapping[Node, tuple[Node, ...]]
) -> Mapping[Node, tuple[Node, ...]]:
    """What each statement computes, in order. A loop is one for each value that is there afterwards; the last of them
    counts as what does all the work, and the others as nothing, so that all it reads is there till then."""
    found: dict[Node, tuple[Node, ...]] = {}
    for item in items:
        if isinstance(item, Node):
            if item in single:
                found[item] = single[item]
            continue
        *first, last = item.outputs
        found.update((node, ()) for node in first)
        found[last] = (*(other for other in item.covered if other is not last), last)
    return found


def _held(schedule: Schedule, routine: Routine) -> Sequence[Node]:
    """What is still needed after a routine returned, or belongs to somebody else."""
    return schedule.residuals if routine.kind in ("forward", "backward") else ()
