"""The plan in words: the loops of each function, what goes in and out of them, and what is computed at once and why."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from graphgrad.core.node import Node
from graphgrad.emit.namer import Namer
from graphgrad.emit.source import WIDTH
from graphgrad.emit.spelling import clean
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.plan import Plan, PlannedRoutine
from graphgrad.plan.schedule import Kind, is_free

_FUNCTIONS: dict[Kind, str] = {
    "fused": "forward_and_backward",
    "forward": "forward",
    "backward": "backward",
    "step": "step",
    "reference": "_reference",
}
"""What the function of each kind is called."""
_SHOWN: tuple[Kind, ...] = ("fused", "forward", "backward", "step")


def plan_text(plan: Plan) -> str:
    """What was tiled and what was not, with the reason, function by function in the names of the emitted module."""
    names = Namer(plan)
    rows: list[str] = []
    for planned in sorted(plan.routines, key=lambda one: (*_SHOWN, "reference").index(one.routine.kind)):
        if planned.routine.kind in _SHOWN:
            rows += _function(plan, planned, names.within(planned.routine))
    return "\n".join(rows)


def routine_of(plan: Plan, function: str, node: Node) -> PlannedRoutine | None:
    """The routine that a function of the module was written from, if it has a statement for that node."""
    kind = next((kind for kind, name in _FUNCTIONS.items() if name == function), "backward")
    return next(
        (one for one in plan.routines if one.routine.kind == kind and node in one.statements),
        None,
    )


def which_loop(plan: Plan, loop: PlannedLoop) -> str:
    """A loop in a line: which of its function's it is, over what, and how many rows it takes at a time."""
    loops = next(one.loops for one in plan.routines if loop in one.loops)
    number = f"loop {loops.index(loop) + 1} of {len(loops)}" if len(loops) > 1 else "the loop"
    return f"{number} over {_rows(loop)}, {how_often(plan, loop)}"


def how_often(plan: Plan, loop: PlannedLoop) -> str:
    """How a loop runs: ``up to 1,024 rows at a time, on every core``."""
    space = next(space for space in plan.tiles if space.rows == loop.loop.rows)
    threads, at_most = plan.schedule.interface.threads, plan.most_threads
    if threads == 1 or (threads is None and at_most == 1):
        where = ""
    elif threads is not None:
        where = f", on {threads} threads"
    elif at_most is not None:
        where = f", on up to {at_most} cores"
    else:
        where = ", on every core"
    most = space.most
    rows = (
        f"{most:,} row{'s' * (most != 1)}" if isinstance(most, int) else f"{bytes_text(space.room)} of rows"
    )
    return f"up to {rows} at a time{where}"


def _rows(loop: PlannedLoop) -> str:
    rows = loop.loop.rows
    return f"{rows:,} rows" if isinstance(rows, int) else clean(str(rows))


def _function(plan: Plan, planned: PlannedRoutine, names: Namer) -> list[str]:
    seed = planned.routine.seed
    several = planned.routine.kind == "backward" and len(plan.schedule.backwards) > 1
    of = f" from {names[seed.cotangent]}" if several and seed is not None else ""
    rows = [_FUNCTIONS[planned.routine.kind] + of]
    for number, loop in enumerate(planned.loops, 1):
        rows.append(f"  loop {number} over {_rows(loop)}, {how_often(plan, loop)}")
        rows += _rows_of_loop(plan, planned, number - 1, names)
    if not planned.loops:
        rows.append("  no loop")
    if planned.at_once:
        rows.append("  at once")
        called = [names[node] for node in planned.at_once]
        width = max(map(len, called))
        rows += [
            f"    {name:<{width}}  {reason}"
            for name, reason in zip(called, planned.at_once.values(), strict=True)
        ]
    return rows


def _rows_of_loop(plan: Plan, planned: PlannedRoutine, at: int, names: Namer) -> list[str]:
    """What a loop reads in tiles and whole, what it adds up or otherwise combines, and what it writes and why."""
    loop = planned.loops[at].loop
    in_tiles = dict.fromkeys(whole for whole, _ in loop.slices.values())
    combined: dict[str, dict[str, list[str]]] = {}
    for tile in loop.partial:
        whole = loop.whole_of[tile]
        how = "adds up" if whole.op.combines in ("add", None) else f"combines by {whole.op.combines}"
        _append(combined.setdefault(how, {}), _who_reads(planned, at, whole), names[whole])
    written: dict[str, list[str]] = {}
    for tile in loop.stored:
        whole = loop.whole_of[tile]
        _append(written, _what_for(plan, planned, at, whole), names[whole])
    return [
        *_row("in tiles", {"": list(map(names.base_of, in_tiles))}),
        *_row(
            "whole", {"": [names[node] for node in loop.reads if node not in in_tiles and _is_array(node)]}
        ),
        *(row for how, found in combined.items() for row in _row(how, found)),
        *_row("writes", written),
    ]


def _append(found: dict[str, list[str]], key: str, text: str) -> None:
    found.setdefault(key, []).append(text)


def _row(what: str, found: Mapping[str, Sequence[str]]) -> list[str]:
    """What is done, with which values, those for one purpose together."""
    texts = [
        ", ".join(names) + (f" ({purpose})" if purpose else "") for purpose, names in found.items() if names
    ]
    if not texts:
        return []
    head = f"    {what:<8}  "
    return textwrap.wrap(
        "; ".join(texts), WIDTH, initial_indent=head, subsequent_indent=" " * 14, break_on_hyphens=False
    )


def _is_array(node: Node) -> bool:
    return node.op.is_leaf or not is_free(node)


def _what_for(plan: Plan, planned: PlannedRoutine, at: int, node: Node) -> str:
    """Why a value is written as a whole."""
    if node in planned.routine.results:
        return "a result"
    if planned.routine.kind == "forward" and node in plan.schedule.residuals:
        return "for backward"
    return _who_reads(planned, at, node) or "needed at once"


def _who_reads(planned: PlannedRoutine, at: int, node: Node) -> str:
    """The later loops that read what a loop leaves, itself or a view of it."""
    known = {node, *_views(planned.routine.steps, node)}  # only asked, never iterated
    later = [
        number
        for number, other in enumerate(planned.loops[at + 1 :], at + 2)
        if any(part in known for part in other.loop.reads)
    ]
    return f"for {_listed(later)}" if later else ""


def _views(steps: Sequence[Node], node: Node) -> Iterable[Node]:
    """The views of a value among a function's steps."""
    found = {node: None}
    for step in steps:
        if step.op.view and any(part in found for part in step.inputs):
            found[step] = None
    return found


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"loop{'s' * bool(first)} {', '.join(first)}{' and ' * bool(first)}{last}"
