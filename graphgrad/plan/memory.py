"""How many bytes a call takes: sums of array sizes, as formulas in the symbolic sizes or as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from graphgrad.core.dim import Size, add, evaluate, maximum, multiply, symbols
from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.core.node import Node
from graphgrad.core.spec import Spec
from graphgrad.plan.alias import base
from graphgrad.plan.schedule import is_free

if TYPE_CHECKING:
    from graphgrad.plan.plan import Plan, PlannedRoutine

_REFERENCES = (1_000_000, 1_000, 1)
"""The sizes that formulas are compared at, to say which moments can be the peak: results may be most of it where there
are few rows, and what is made on the way where there are many."""


_IN_PLACE = ("add", "subtract", "multiply", "divide", "negative")


@dataclass(frozen=True)
class Memory:
    """Bytes of one call; each field is an int, or a `Dim` in the symbolic sizes.

    arguments: what the caller passes. results: what a call gives back. residuals: what forward keeps for backward
    beyond the arguments. working: what a call allocates besides results. peak: the most it has allocated at one time.
    """

    arguments: Size
    results: Size
    residuals: Size
    working: Size
    peak: Size

    def at(self, sizes: Mapping[str, int]) -> Memory:
        """With the symbolic sizes filled in.

        Raises
        ------
        ArgumentError, InvalidValueError
            If a size is unknown, missing or negative.
        """
        needed = {name for item in fields(self) for name in symbols(getattr(self, item.name))}
        unknown = [name for name in sizes if name not in needed]
        if unknown:
            known = ", ".join(sorted(needed)) or "none"
            raise ArgumentError(
                f"memory depends on no size {unknown[0]!r:.60}", saw=[f"it depends on {known}"]
            )
        for name, value in sizes.items():
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise InvalidValueError(f"the size {name} is a number from 0 up, not {value!r:.60}")
        sizes = {name: int(value) for name, value in sizes.items()}
        missing = sorted(needed - set(sizes))
        if missing:
            raise ArgumentError(
                f"memory needs the size of {', '.join(missing)}", hint=f"memory({missing[0]}=64)"
            )
        return Memory(*(evaluate(getattr(self, item.name), sizes) for item in fields(self)))

    def __str__(self) -> str:
        return "\n".join(f"{item.name:<10} {bytes_text(getattr(self, item.name))}" for item in fields(self))


def bytes_text(size: Size) -> str:
    """Bytes for people: ``157 kB``, or ``400*batch B`` where the size is symbolic."""
    if not isinstance(size, int):
        return f"{size} B"
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"


def owned(node: Node) -> tuple[Spec, ...]:
    """The specs of a node's own arrays; none for a view."""
    return () if node.op.view or is_free(node) else node.specs


def nbytes(node: Node) -> Size:
    """What a node's own arrays take; nothing for a view."""
    return _sum(Counter(owned(node)))


def total_bytes(nodes: Iterable[Node]) -> Size:
    """The bytes of several arrays, each counted once."""
    return _sum(Counter(node.spec for node in dict.fromkeys(nodes)))


def _sum(specs: Counter[Spec]) -> Size:
    total: Size = 0
    for spec, count in specs.items():
        total = add(total, multiply(spec.nbytes, count))
    return total


def _roughly(specs: Iterable[Spec], known: dict[Spec, int], reference: int = _REFERENCES[0]) -> int:
    """Bytes where every symbolic size is that large, to compare moments by; `known` has those of specs seen before."""
    total = 0
    for spec in specs:
        if spec not in known:
            known[spec] = evaluate(spec.nbytes, dict.fromkeys(symbols(spec.nbytes), reference))
        total += known[spec]
    return total


def allocated(
    statements: Mapping[Node, Sequence[Node]],
    held: Sequence[Spec],
    copied: Sequence[Node],
    placed: Container[Node],
    by_loops: Container[Node] = (),
) -> Size:
    """The most a routine holds at one time, `held` from the start: its variables live until it returns.

    What is `placed` lies in a buffer. Of what is made `by_loops` the array counts, and nothing on the way.
    """
    own = [() if node in placed else node.specs if node in by_loops else owned(node) for node in statements]
    known: dict[Spec, int] = {}
    moments = [
        [] if node in placed else list(own[at]) if node in by_loops else _moment(nodes, known)
        for at, (node, nodes) in enumerate(statements.items())
    ]
    moments.append([node.spec for node in copied])
    highest: Size = 0
    for at in dict.fromkeys(_highest(own, moments, reference) for reference in _REFERENCES):
        before = Counter(spec for specs in own[:at] for spec in specs)
        highest = maximum(highest, _sum(before + Counter(moments[at]) + Counter(held)))
    return highest


def _highest(own: Sequence[Sequence[Spec]], moments: Sequence[Sequence[Spec]], reference: int) -> int:
    """The number of the moment at which most is held, where every symbolic size is that large.

    At each moment it is what was made before, each statement's `own`, and what the moment itself takes.
    """
    known: dict[Spec, int] = {}
    live = highest = 0
    at = len(own)
    for number, moment in enumerate(moments):
        now = live + _roughly(moment, known, reference)
        if now > highest:
            highest, at = now, number
        if number < len(own):
            live += _roughly(own[number], known, reference)
    return at


def _moment(nodes: Sequence[Node], known: dict[Spec, int]) -> list[Spec]:
    """The most that one statement has allocated at a time; `nodes` is what it computes, each after its inputs."""
    held: dict[Node, list[Spec]] = {}  # what waits for its reader within the statement
    worst: list[Spec] = []
    for node in nodes:
        waiting = [spec for specs in held.values() for spec in specs]
        temporary = [spec for part in node.inputs for spec in held.pop(part, ())]
        made = [] if _reuses(node, temporary) else list(owned(node))
        now = [*waiting, *made, *node.op.temporaries(node)]
        if _roughly(now, known) > _roughly(worst, known):
            worst = now
        held[node] = temporary if node.op.view else list(owned(node))
    return worst


def _reuses(node: Node, temporary: Sequence[Spec]) -> bool:
    """Whether NumPy's operators write the result over an operand that nobody else can see, as for large arrays."""
    if node.op.name not in _IN_PLACE or not temporary:
        return False
    sides = [part for part in node.inputs if not is_free(part)]
    swaps = node.op.name in ("add", "multiply")
    return node.spec in temporary and (
        swaps or (node.inputs[0] is sides[0] and node.inputs[0].spec == node.spec)
    )


def kept(residuals: Iterable[Node], own: Container[Node] = ()) -> list[Node]:
    """What residuals hold beyond the arguments: the nodes whose memory they lie in. Those in `own` are views, and yet
    arrays of their own."""
    owners = (base(node, own) for node in residuals)
    return list(dict.fromkeys(owner for owner in owners if not is_free(owner)))


def kept_bytes(residuals: Iterable[Node], own: Container[Node] = ()) -> Size:
    """What residuals take beyond the arguments."""
    return total_bytes(kept(residuals, own))


def count(plan: Plan, threads: int) -> Memory:
    """The bytes of the call that people make most: forward and the first backward, or forward alone."""
    schedule = plan.schedule
    arguments = total_bytes(leaf for leaf in schedule.interface.arguments if leaf.op.name != "rng")
    results = _results(schedule.forward.results)
    residuals: Size = 0
    buffers = [buffer.spec for buffer in plan.workspace]
    forward = plan.routines[0]
    if schedule.backwards:
        residuals = kept_bytes(schedule.residuals, forward.by_loop)
        results = add(results, _results(plan.routines[1].routine.results))
    if schedule.has("fused"):
        peak = _peak(plan.routine("fused"), buffers)
    else:
        peak = _peak(forward, buffers)
        if schedule.backwards:
            held = [node.spec for node in (*kept(schedule.residuals), *schedule.forward.results)]
            peak = maximum(peak, _peak(plan.routines[1], held))
    for space in plan.tiles:
        peak = add(peak, space.on(threads))
    return Memory(arguments, results, residuals, add(peak, multiply(results, -1)), peak)


def _peak(planned: PlannedRoutine, held: Sequence[Spec]) -> Size:
    copied = [node for node, copy in zip(planned.routine.results, planned.copies, strict=True) if copy]
    placed = planned.placement.buffers if planned.placement is not None else {}
    return allocated(planned.statements, held, copied, placed, planned.by_loop)


def _results(nodes: Sequence[Node]) -> Size:
    total: Size = 0
    for node in nodes:
        total = add(total, node.spec.nbytes)
    return total
