"""Loops: which steps of a function run tile by tile, what lies where in a tile, and how many rows it has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphgrad.core.dim import Size, evaluate, named_size, symbols, usual
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.spec import Spec
from graphgrad.core.traverse import users
from graphgrad.ops import tall
from graphgrad.plan.buffers import Buffer, Placement, is_small, place, small
from graphgrad.plan.check import check_ownership, check_placement
from graphgrad.plan.inline import inlined, is_number, same_term, written_with
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.rows import CACHE, OTHER, rows_for
from graphgrad.plan.schedule import Routine
from graphgrad.plan.tile import Loop, tile

Item: TypeAlias = "Node | Loop"
_MOST_LOOPS = 16
"""Loops that a run of steps may be put in: with more, so much crosses between them that nothing is gained."""
_LARGE = 4 * CACHE
"""Bytes that steps make of arrays of known size from which on these are tiled."""


@dataclass(frozen=True, eq=False)
class PlannedLoop:
    """A loop, and its body as `PlannedRoutine` has a function."""

    loop: Loop
    routine: Routine
    """The body."""
    graph: Graph
    statements: Mapping[Node, tuple[Node, ...]]
    inside: Mapping[Node, None]
    placement: Placement
    parts: Mapping[Node, Buffer]
    """For large results that are combined, the array that each tile but the first computes its part into."""
    most: int
    """Rows of a tile, where other named sizes are `rows.OTHER`."""
    many_rows: Size | None
    """The size that a tile's rows are, if they may be so many that products are computed as `ops.tall` has it."""

    @property
    def temporaries(self) -> tuple[Spec, ...]:
        """What the statement that makes most on the way makes, and drops; what has scratch space makes it there."""
        own = (node for node in self.loop.steps if node not in self.placement.scratch)
        made = (
            (*node.op.temporaries(node), *(node.specs if self.loop.is_copied(node) else ())) for node in own
        )
        return max(made, key=lambda specs: sum(usual(spec.nbytes) for spec in specs), default=())

    @property
    def outputs(self) -> tuple[Node, ...]:
        return self.loop.outputs


@dataclass(frozen=True, eq=False)
class Arranged:
    """The steps of a function in the order in which they run: one by one, or in loops."""

    items: tuple[Item, ...]
    at_once: Mapping[Node, str]
    """Why some are not in a loop."""


def arrange(graph: Graph, routine: Routine, kept: Sequence[Node], keeps: bool = True) -> Arranged:
    """Put what can be tiled into loops: over the named size that leaves least to do at once, then over others for what
    is left, then over the leading sizes of large arrays.

    `kept` is what has to be there afterwards besides the results; for `keeps` see `tile`.
    """
    results = (*routine.results, *kept)
    items: tuple[Item, ...] = routine.steps
    reasons: dict[Node, dict[str, None]] = {}
    left: list[Size] = [named_size(name) for name in _names(routine)]
    while left:
        tilings = {rows: _tiled(graph, items, results, rows, keeps) for rows in left}
        best = min(left, key=lambda rows: tilings[rows].left)
        items = tilings[best].items
        _collect(reasons, tilings[best].at_once)
        left.remove(best)
    for rows in _large_sizes(routine):
        tiled = _tiled(graph, items, results, rows, keeps)
        items = tiled.items
        _collect(reasons, tiled.at_once)
    return Arranged(items, {
        item: "; ".join(reasons[item])
        for item in items
        if isinstance(item, Node) and item in reasons
    })  # fmt: skip


def _collect(reasons: dict[Node, dict[str, None]], more: Mapping[Node, str]) -> None:
    """Add what stands against each node over one more dimension."""
    for node, why in more.items():
        reasons.setdefault(node, {})[why] = None


@dataclass(frozen=True)
class _Tiled:
    items: tuple[Item, ...]
    at_once: Mapping[Node, str]
    left: int
    """Bytes that are made whole, or stored."""


def _tiled(graph: Graph, items: Sequence[Item], results: Sequence[Node], rows: Size, keeps: bool) -> _Tiled:
    """What stands between loops, in loops over one more dimension where that is worth it."""
    arranged: list[Item] = []
    reasons: dict[Node, str] = {}
    for run in _runs(items):
        if isinstance(run, Loop):
            arranged.append(run)
            continue
        tiling = tile(run, _needed_after(run, items, results), rows, graph.symbols, keeps)
        loops = [item for item in tiling.items if isinstance(item, Loop)]
        if len(loops) > _MOST_LOOPS:
            many = f"it would take {len(loops)} loops over {rows}, one after the other"
            reasons.update(dict.fromkeys(run, many))
            arranged += run
        elif any(_why_not(loop) is None for loop in loops):
            arranged += _with_views(graph, tiling.items, results)
            reasons.update(tiling.at_once)
        else:
            reasons.update(tiling.at_once)
            reasons.update({node: why for loop in loops if (why := _why_not(loop)) for node in loop.covered})
            arranged += run
    return _Tiled(tuple(arranged), reasons, sum(map(_bytes_left, arranged)))


def _bytes_left(item: Item) -> int:
    """The bytes that an item makes whole."""
    nodes = [item.whole_of[node] for node in item.stored] if isinstance(item, Loop) else [item]
    return sum(usual(spec.nbytes) for node in nodes if not node.op.view for spec in node.specs)


def _sized(routine: Routine) -> Iterator[Node]:
    """What a function computes, and the operands of vectors' products, whose sizes the results do not show."""
    for node in routine.steps:
        yield node
        if node.op.name == "matmul" and node.ndim < 2:
            yield from node.inputs


def _names(routine: Routine) -> tuple[str, ...]:
    """The named sizes of what a function computes, in order of appearance."""
    sizes = (size for node in _sized(routine) for spec in node.specs for size in spec.shape)
    return tuple(dict.fromkeys(name for size in sizes for name in symbols(size)))


def _large_sizes(routine: Routine) -> list[int]:
    """The leading sizes of large arrays of known size, those first of which there is most."""
    known: dict[int, int] = {}
    for node in _sized(routine):
        for spec in node.specs if not node.op.view else ():
            leading = spec.shape[0] if spec.shape else 1
            if isinstance(leading, int) and leading > 1 and isinstance(spec.nbytes, int):
                known[leading] = known.get(leading, 0) + spec.nbytes
    return sorted((size for size in known if known[size] >= _LARGE), key=lambda size: -known[size])


def _runs(items: Sequence[Item]) -> Iterator[tuple[Node, ...] | Loop]:
    """Loops, and what stands between them."""
    run: list[Node] = []
    for item in items:
        if isinstance(item, Loop):
            if run:
                yield tuple(run)
            run = []
            yield item
        else:
            run.append(item)
    if run:
        yield tuple(run)


def _needed_after(run: Sequence[Node], items: Sequence[Item], results: Sequence[Node]) -> tuple[Node, ...]:
    """What of a run of steps is read outside it."""
    own = dict.fromkeys(run)
    outside = [
        part
        for item in items
        if item not in own
        for part in (item.reads if isinstance(item, Loop) else item.inputs)
    ]
    return tuple(dict.fromkeys(node for node in (*outside, *results) if node in own))


def _why_not(loop: Loop) -> str | None:
    """Why a loop is not worth it: it does no more than one product of matrices, or than moving a few bytes. Of one that
    only looks at memory there is nothing to say. A vector's product with all rows is worth it: BLAS adds up as many
    float32 numbers as there are one after the other, and of ten million it loses three digits."""
    own = [node for node in loop.covered if not node.op.view]
    if not own:
        return ""
    is_product = own[0].op.name == "matmul"
    is_sum = is_product and own[0].ndim < 2 and bool(loop.partial)
    if len(own) == 1 and is_product and not is_sum:
        return "it is one product of matrices, which BLAS cuts better"
    made = sum(usual(node.spec.nbytes) for node in (*own, *(own[0].inputs if is_sum else ())))
    if isinstance(loop.rows, int) and made < _LARGE:
        return f"a loop over its {loop.rows:,} rows would make less than {bytes_text(_LARGE)}"
    return None


def _with_views(graph: Graph, items: Sequence[Item], results: Sequence[Node]) -> list[Item]:
    """The same, with what is written inside a statement of a loop moved into it: ``w.T``, a factor of a term."""
    readers: dict[Node, list[int]] = {}
    within: dict[int, dict[Node, list[Node]]] = {}
    for at, item in enumerate(items):
        for part in item.reads if isinstance(item, Loop) else item.inputs:
            readers.setdefault(part, []).append(at)
        if isinstance(item, Loop):
            within[at] = users((*item.reads, *item.steps))
            for whole, _ in item.slices.values():
                readers.setdefault(whole, []).append(at)  # so that it has two
    fixed = dict.fromkeys(results)
    moved: dict[int, list[Node]] = {}
    gone: set[int] = set()  # only asked, never iterated
    for at, node in reversed([*enumerate(items)]):
        if isinstance(node, Loop) or node in fixed or len(readers.get(node, ())) != 1:
            continue
        (reader,) = readers[node]
        loop = items[reader]
        reading = within[reader][node] if isinstance(loop, Loop) else []
        if not isinstance(loop, Loop) or len(reading) != 1:
            continue
        term = loop.whole_of.get(reading[0], reading[0])
        if node.op.light or is_number(node) or (node.shape == () and same_term(graph, node, term)):
            moved.setdefault(reader, []).insert(0, node)
            gone.add(at)
            for part in node.inputs:
                readers[part] = [reader if other == at else other for other in readers[part]]
                within[reader].setdefault(part, []).append(node)
    return [
        replace(
            item,
            steps=(*moved[at], *item.steps),
            whole_of={**item.whole_of, **{one: one for one in moved[at]}},
        )
        if isinstance(item, Loop) and at in moved
        else item
        for at, item in enumerate(items)
        if at not in gone
    ]


# ---- the body ----


def plan_loop(graph: Graph, routine: Routine, loop: Loop, most: int) -> PlannedLoop:
    """Decide for the body of a loop what is written inside what and where values lie."""
    own = loop.graph(graph)
    given = (*loop.partial, *loop.stored)
    body = Routine(routine.kind, loop.steps, given)
    anew = small(loop.steps)
    inside = inlined(own, body, (), anew)
    statements = written_with(loop.steps, inside)
    placement = place(statements, given, given, anew)
    rows = _rows(loop, placement, most)
    many = loop.tile if rows > tall.MANY else None
    if many is not None:
        placement = place(
            statements, given, given, anew, scratch_of=lambda node: tall.scratch(node, loop.tile)
        )
    check_placement(statements, given, placement)
    check_ownership([node for node in given if not node.op.view], placement)
    numbers: dict[Spec, int] = {}
    parts: dict[Node, Buffer] = {}
    for node in loop.partial:
        if node.op.into is not None and not is_small(node):
            numbers[node.spec] = numbers.get(node.spec, -1) + 1
            parts[node] = Buffer(node.spec, numbers[node.spec])
    return PlannedLoop(loop, body, own, statements, inside, placement, parts, rows, many)


def _rows(loop: Loop, placement: Placement, most: int) -> int:
    """How many rows a tile should have."""

    def of_one_row(sizes: Iterable[Size]) -> int:
        return sum(evaluate(size, {name: _count(loop, name) for name in symbols(size)}) for size in sizes)

    own = [node for node in loop.steps if not node.op.view]
    sizes = [max(_of_each_row(loop, part.size) for part in (node, *node.inputs)) for node in own]
    touched = [
        size for node, size in zip(own, sizes, strict=True) if size and not _takes_long(loop, node, size)
    ]
    moved = [spec.nbytes for spec in dict.fromkeys(node.spec for node in (*loop.slices, *loop.stored))]
    return rows_for(
        of_one_row(buffer.spec.nbytes for buffer in placement.used),
        of_one_row(moved),
        of_one_row(node.spec.nbytes for node in loop.partial),
        of_one_row(node.flops for node in loop.steps),
        sum(touched) / len(touched) if touched else math.inf,
        min(loop.rows, most) if isinstance(loop.rows, int) else most,
    )


def _takes_long(loop: Loop, node: Node, touched: int) -> bool:
    """Whether it is a product of matrices. One with a vector takes as long as it takes to read the matrix."""
    return node.op.name == "matmul" and _of_each_row(loop, node.flops) > 2 * touched


def _of_each_row(loop: Loop, size: Size) -> int:
    """By how much a size grows with a row; 0 for the sum over rows."""
    one, two = (evaluate(size, {name: _count(loop, name, rows) for name in symbols(size)}) for rows in (1, 2))
    return two - one


def _count(loop: Loop, name: str, rows: int = 1) -> int:
    return rows if name == loop.tile else OTHER
