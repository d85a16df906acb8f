"""A limit to working memory: the largest tiles that keep it, or what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from graphgrad.core.dim import Size, evaluate, symbols
from graphgrad.core.errors import InvalidValueError
from graphgrad.core.node import Node
from graphgrad.core.rewriting import place
from graphgrad.plan.buffers import reads
from graphgrad.plan.memory import bytes_text, nbytes
from graphgrad.plan.rows import LARGEST

if TYPE_CHECKING:
    from graphgrad.plan.plan import Plan, PlannedRoutine

ANY = 10**9
"""A size larger than any tile."""
_NAMED = 6
"""How many values a message names."""


def fit(attempt: Callable[..., Plan], limit: int, threads: int | None) -> Plan:
    """The plan with the largest tiles whose working memory is within `limit` bytes.

    `attempt(keeps, most)` plans with at most so many rows a tile, and with or without values that are kept from one
    loop to the next. Memory is what all threads take together; if their number is not given, as many run as fit.

    Raises
    ------
    InvalidValueError
        If tiles of one row take more, or memory grows with a size whatever the tiles are: says which, and why.
    """
    smallest: Plan | None = None
    for keeps in (True, False):
        most = LARGEST
        while most:
            plan = attempt(keeps, most)
            lower = min([most, *(space.height for space in plan.tiles)]) // 2 if plan.tiles else 0
            if bytes_at_any_size(plan, threads or 1) <= limit:
                number = threads or _threads_within(plan, limit)
                if number == 1 and threads is None and lower:
                    other = attempt(keeps, lower)
                    if bytes_at_any_size(other, 2) <= limit and _are_half_as_high(other, plan):
                        plan, number = other, _threads_within(other, limit)  # worth more than higher tiles
                return replace(plan, most_threads=number)
            smallest = _smaller(smallest, plan, threads or 1)
            most = lower
    assert smallest is not None  # there was an attempt
    raise _refusal(smallest, limit, threads or 1)


def bytes_at_any_size(plan: Plan, threads: int, size: int = ANY) -> int:
    """Bytes of working memory, however large the named sizes are."""
    working = plan.memory_on(threads).working
    return evaluate(working, dict.fromkeys(symbols(working), size))


def _are_half_as_high(other: Plan, plan: Plan) -> bool:
    """Whether no tile is lower than that: what one dimension needs may be next to nothing for another."""
    heights = {space.rows: space.height for space in plan.tiles}
    return all(2 * space.height >= heights.get(space.rows, 0) for space in other.tiles)


def _threads_within(plan: Plan, limit: int) -> int:
    """How many threads there is memory for."""
    one, two = bytes_at_any_size(plan, 1), bytes_at_any_size(plan, 2)
    return 1 + (limit - one) // max(two - one, 1)


def _smaller(one: Plan | None, other: Plan, threads: int) -> Plan:
    """The plan that works in less; the first of two that work in the same."""
    if one is not None and bytes_at_any_size(one, threads) <= bytes_at_any_size(other, threads):
        return one
    return other


def _refusal(plan: Plan, limit: int, threads: int) -> InvalidValueError:
    """Why not even the plan that works in least keeps the limit."""
    working: Size = plan.memory_on(threads).working
    least = bytes_at_any_size(plan, threads)
    on = f" on {threads} threads" if threads > 1 else ""
    if least == bytes_at_any_size(plan, threads, 2 * ANY):
        return InvalidValueError(
            f"memory_limit={limit} is too little: with one row at a time a call works in {least:,} bytes{on}",
            saw=_largest(plan),
            hint=f"memory_limit={least}" + (", or fewer threads" if threads > 1 else ""),
        )
    return InvalidValueError(
        f"memory_limit={limit} cannot be kept: what a call works in grows with the data, however few rows a tile has",
        saw=[f"it takes {bytes_text(working)}{on}", *_needed_whole(plan)],
        hint="smaller batches and no limit, or a model that needs no whole batch at once",
    )


def _largest(plan: Plan) -> list[str]:
    """What there is least to do about: arrays that are not made of rows."""
    parts = [buffer.spec for space in plan.tiles for buffer in space.parts]
    whole = [buffer.spec for buffer in plan.workspace]
    found = [
        *(f"{spec}: where a tile's part of a sum is computed" for spec in parts),
        *(f"{spec}: computed at once" for spec in whole),
    ]
    return list(dict.fromkeys(found))[:_NAMED]


def _needed_whole(plan: Plan) -> list[str]:
    """The values that grow with the data and are no results, each with its line and the reason."""
    main, graph = plan.main, plan.schedule.graph
    made_for = {} if graph.rewriting is None else graph.rewriting.made_for

    def says(node: Node, why: str) -> str:
        return f"{graph.describe(node)}, {place(node, graph.origins, made_for)}: {why}"

    whole = [
        node
        for node in main.statements
        if node not in main.at_once and node not in main.routine.results and symbols(nbytes(node))
    ]
    found = [
        *(says(node, why) for node, why in main.at_once.items()),
        *(says(node, _who_needs(main, node)) for node in whole),
    ]
    return list(dict.fromkeys(found))[:_NAMED]


def _who_needs(main: PlannedRoutine, node: Node) -> str:
    """Why a value is there as a whole."""
    if node not in main.by_loop:
        return "it is computed at once"
    looks = {node: None}  # at its memory
    for other in main.routine.steps:
        if other.op.view and any(part in looks for part in other.inputs):
            looks[other] = None
    for at_once in main.at_once:
        if any(part in looks for part in reads(main.statements[at_once])):
            return f"{at_once.op.name} needs all of it"
    for loop in main.loops:
        in_tiles = dict.fromkeys(whole for whole, _ in loop.loop.slices.values())
        if any(part in looks and part not in in_tiles for part in loop.loop.reads):
            return "each tile of a loop reads all of it"
        for view in loop.loop.steps:
            if any(part in looks for part in view.inputs):
                return f"{view.op.name} looks at more of it than a tile"
    return "one loop writes it and another reads it"
