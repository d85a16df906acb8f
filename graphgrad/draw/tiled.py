"""What a function has only a tile of at a time: that much of it is kept for the backward pass, and not all rows."""

from __future__ import annotations

from graphgrad.core.dim import Size, floor_divide, minimum, multiply, symbols
from graphgrad.core.node import Node
from graphgrad.plan.memory import nbytes
from graphgrad.plan.plan import Plan, PlannedRoutine


def tiled_bytes(plan: Plan, planned: PlannedRoutine) -> dict[Node, Size]:
    """The values that loops of a function compute and drop tile by tile, with the bytes of one tile."""
    most = {space.rows: space.most for space in plan.tiles}
    found: dict[Node, Size] = {}
    for loop in (one.loop for one in planned.loops):
        rows = minimum(loop.rows, most[loop.rows])
        for tile in loop.steps:
            node, size = loop.whole_of[tile], nbytes(tile)
            if str(loop.tile) in symbols(size):
                size = multiply(floor_divide(size, loop.tile), rows)
            if node not in planned.by_loop:
                found[node] = size
    return found
