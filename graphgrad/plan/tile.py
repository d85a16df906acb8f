"""Tiles: the steps of a function that one loop computes for some rows at a time, and what goes in and out of it.

The body of a loop is a graph of its own, whose leaves are slices. Its nodes are made by the same ops as the whole ones,
so that their specs are inferred again: what does not come out as a tile of the whole is computed at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from graphgrad.core.dim import Size, multiply, named_size, usual
from graphgrad.core.errors import GraphgradError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.provenance import recording
from graphgrad.core.rewriting import Rewriting
from graphgrad.core.spec import Shape, size_of
from graphgrad.ops.leaf import input
from graphgrad.plan.dependence import Cut, Dependence, dependence

_STORE = 0.35
"""Nanoseconds to write an element and read it again, from memory or a cache; those below are for an operation's turn at
an element and for a flop. Only their proportions count: is a value that two loops need kept, or computed again?"""
_PASS, _FLOP = 0.15, 0.015


@dataclass(frozen=True, eq=False)
class Loop:
    """Steps that are computed tile by tile, in one loop."""

    rows: Size
    """The dimension that is cut."""
    tile: Size
    """How many rows a tile has."""
    steps: tuple[Node, ...]
    """The body: nodes of a tile, in order."""
    slices: Mapping[Node, tuple[Node, Cut]]
    """The leaves of the body: what they are slices of."""
    whole_of: Mapping[Node, Node]
    """For nodes of a tile, the node of the function that they are a tile or a part of."""
    partial: tuple[Node, ...]
    """Those of the steps whose results for all tiles are combined."""
    stored: tuple[Node, ...]
    """Those of the steps whose tiles are written into a whole array."""
    cuts: Mapping[Node, Cut]
    """For what is stored, where."""

    @cached_property
    def outputs(self) -> tuple[Node, ...]:
        """What is there when the loop has ended, as nodes of the function."""
        return tuple(self.whole_of[node] for node in (*self.partial, *self.stored))

    def is_copied(self, node: Node) -> bool:
        """Whether a tile's value is made by itself and then copied to its place in the whole.

        Between the rows of a slice that is cut further in lies what belongs to other tiles. Only functions of elements
        are trusted to write there: `np.dot` refuses, and a scatter would write to a copy that `reshape` has made.
        """
        return node in self.cuts and self.cuts[node].axis > 0 and not node.op.elementwise

    @cached_property
    def covered(self) -> tuple[Node, ...]:
        """The nodes of the function that it computes, tile by tile."""
        return tuple(self.whole_of[node] for node in self.steps)

    @cached_property
    def reads(self) -> tuple[Node, ...]:
        """What it reads, whole or in slices, of what the function had before."""
        own = dict.fromkeys((*self.steps, *self.slices))
        inputs = (part for node in self.steps for part in node.inputs if part not in own)
        return tuple(dict.fromkeys((*(node for node, _ in self.slices.values()), *inputs)))

    def graph(self, whole: Graph) -> Graph:
        """The body as a graph that knows where its nodes come from, as `whole` does of its own."""
        outputs = (*self.partial, *self.stored)
        tiles = {node: tile for tile, node in self.whole_of.items() if tile is not node}
        origins = {
            **whole.origins,
            **{tile: whole.origins[node] for node, tile in tiles.items() if node in whole.origins},
        }
        done = whole.rewriting
        before = {} if done is None else done.replaced
        replaced = {
            **before,
            **{old: tiles[now] for old, now in before.items() if now in tiles},
            **{node: tile for node, tile in tiles.items() if done is None or node not in done.made_for},
        }
        made_for = {
            **({} if done is None else done.made_for),
            **{tile: whole.written(node) for node, tile in tiles.items()},
        }
        rewriting = (
            Rewriting(whole, replaced, made_for, {}, whole.origins)
            if done is None
            else replace(done, replaced=replaced, made_for=made_for)
        )
        return Graph(whole.inputs, outputs, origins, rewriting)


@dataclass(frozen=True, eq=False)
class Tiling:
    """A function's steps in loops over one dimension, and what is computed at once between them."""

    items: tuple[Node | Loop, ...]
    at_once: Mapping[Node, str]
    """Steps that need all rows of what a loop could have in tiles: why."""


def tile(
    steps: Sequence[Node], results: Iterable[Node], rows: Size, taken: Collection[str], keeps: bool = True
) -> Tiling:
    """Put steps into loops over the dimension `rows`; `taken` are the names of sizes there are.

    Without `keeps` a value that two loops need is computed in each, whatever it takes.
    """
    results = tuple(results)
    whole: dict[Node, None] = {}
    name = "rows"
    while name in taken:
        name += "_"
    while True:
        found = _with_stores(steps, dependence(steps, results, rows, whole), keeps)
        try:
            loops = {time: _Body(found, named_size(name)).loop(steps, time) for time in found.loops}
        except _NoTile as error:
            whole[error.node] = None
            continue
        return Tiling(_in_order(steps, results, found, loops), {
            node: need.reason for node, need in found.needs.items() if need.reason
        })  # fmt: skip


class _NoTile(Exception):
    """A node whose tile is not the op of its inputs' tiles."""

    def __init__(self, node: Node) -> None:
        self.node = node


def _in_order(
    steps: Sequence[Node], results: Sequence[Node], found: Dependence, loops: Mapping[int, Loop | None]
) -> tuple[Node | Loop, ...]:
    """Loops, and what is computed at once, each just before the first that reads it."""
    at: dict[int, list[Node | Loop]] = {time: [loop] for time, loop in loops.items() if loop is not None}
    latest = _latest(steps, results, found)
    for node in steps:
        if node not in found.stored and found.needs[node].kind != "partial" and node in found.whole_at:
            at.setdefault(latest[node], []).append(node)
    return tuple(item for time in sorted(at) for item in at[time])


def _latest(steps: Sequence[Node], results: Sequence[Node], found: Dependence) -> dict[Node, int]:
    """For what is computed at once, the time just before the first that reads it."""
    latest = {node: found.whole_at[node] for node in results if node in found.whole_at}
    for node in reversed(steps):
        need, time = found.needs[node], found.times[node]
        at_once = node in found.whole_at and need.kind != "partial" and node not in found.stored
        if at_once:
            latest.setdefault(node, found.whole_at[node])
        for part, read in zip(node.inputs, need.reads, strict=True):
            readings = [latest[node]] if at_once else []
            if need.kind != "whole" and (
                read is None or not _computed_here(part, read, found, found.stored, time)
            ):
                readings.append(time - 1)
            if readings:
                latest[part] = min(latest.get(part, readings[0]), *readings)
    return latest


# ---- what crosses from one loop to another ----


def _with_stores(steps: Sequence[Node], found: Dependence, keeps: bool) -> Dependence:
    """The same, with those values stored that a later loop needs and that are dearer to compute again.

    From the last loop to the first: what is stored has to be computed in an earlier one.
    """
    stored, whole_at = dict(found.stored), dict(found.whole_at)
    for time in reversed(found.loops) if keeps else ():
        needed = _needed(steps, found, stored, time)
        readings = _readings(needed, found, stored, time)
        for node in reversed(needed):
            if readings[node]:
                if node.op.view or found.times[node] == time:
                    continue
                if _again(node, found, stored, time, readings) <= _STORE * usual(size_of(node.shape)):
                    continue
                stored[node] = None
                whole_at[node] = found.times[node] + 1
            for part in _computed_for(node, found, stored, time):  # it is not computed here any more
                readings[part] -= 1
    return replace(found, stored=stored, whole_at=whole_at)


def _needed(
    steps: Sequence[Node], found: Dependence, stored: Mapping[Node, None], time: int
) -> tuple[Node, ...]:
    """The steps that the loop at a time computes, in order: what it stores and adds up, and what that needs."""
    needed: dict[Node, None] = {}
    for node in reversed(steps):
        if found.times[node] == time and (found.needs[node].kind == "partial" or node in stored):
            needed[node] = None
        if node in needed:
            needed.update(dict.fromkeys(_computed_for(node, found, stored, time)))
    return tuple(node for node in steps if node in needed)


def _readings(
    needed: Sequence[Node], found: Dependence, stored: Mapping[Node, None], time: int
) -> dict[Node, int]:
    """How often each of the steps of a loop is read in it, or at its end."""
    counts = {node: int(found.needs[node].kind == "partial" or node in stored) for node in needed}
    for node in needed:
        for part in _computed_for(node, found, stored, time):
            counts[part] += 1
    return counts


def _computed_for(node: Node, found: Dependence, stored: Mapping[Node, None], time: int) -> Iterator[Node]:
    """The operands of a step that the loop at a time computes, instead of reading slices of them."""
    for part, read in zip(node.inputs, found.needs[node].reads, strict=True):
        if read is not None and _computed_here(part, read, found, stored, time):
            yield part


def _computed_here(part: Node, read: Cut, found: Dependence, stored: Mapping[Node, None], time: int) -> bool:
    """Whether the loop at a time computes an operand, instead of reading slices of it."""
    need = found.needs.get(part)
    if need is None or need.kind != "mapped" or need.cut != read:
        return False
    return part not in stored or found.times[part] == time


def _again(
    node: Node, found: Dependence, stored: Mapping[Node, None], time: int, readings: Mapping[Node, int]
) -> float:
    """What it costs a loop to compute a value once more: what nothing else reads there is computed for it as well,
    unless it will be stored since it is dear itself."""
    total = 0.0
    fewer: dict[Node, int] = {}
    pending = [node]
    while pending:
        one = pending.pop()
        total += _own_cost(one)
        for part in _computed_for(one, found, stored, time):
            fewer[part] = fewer.get(part, 0) + 1
            if fewer[part] == readings[part] and (
                found.times[part] == found.times[node] or not _is_dear(part)
            ):
                pending.append(part)
    return total


def _own_cost(node: Node) -> float:
    if node.op.view:
        return 0.0
    return _PASS * usual(size_of(node.shape)) + _FLOP * usual(node.flops)


def _is_dear(node: Node) -> bool:
    """Whether a value is dearer to compute than to keep, whatever it is computed from."""
    return _own_cost(node) > _STORE * usual(size_of(node.shape))


# ---- the body of a loop ----


class _Body:
    """Makes the nodes of a tile."""

    def __init__(self, found: Dependence, tile: Size) -> None:
        self.found = found
        self.tile = tile
        self.slices: dict[Node, tuple[Node, Cut]] = {}
        self._sliced: dict[tuple[Node, Cut], Node] = {}
        self._tiles: dict[Node, Node] = {}
        self._whole_of: dict[Node, Node] = {}

    def loop(self, steps: Sequence[Node], time: int) -> Loop | None:
        """The loop at a time; None if nothing is left of it, because all of it is computed where it is needed."""
        found = self.found
        needed = _needed(steps, found, found.stored, time)
        if not needed:
            return None
        with recording("off"):
            for node in needed:
                self._tiles[node] = self._made(node, time)
        tiles = self._tiles
        stored = [node for node in needed if node in found.stored and found.times[node] == time]
        return Loop(
            found.rows,
            self.tile,
            tuple(tiles.values()),
            self.slices,
            self._whole_of,
            tuple(tiles[node] for node in needed if found.needs[node].kind == "partial"),
            tuple(tiles[node] for node in stored),
            {tiles[node]: cut for node in stored if (cut := found.needs[node].cut) is not None},
        )

    def _made(self, node: Node, time: int) -> Node:
        need = self.found.needs[node]
        inputs = tuple(
            part if read is None else self._read(part, read, time)
            for part, read in zip(node.inputs, need.reads, strict=True)
        )
        shape = node.shape if need.cut is None else self._shape(node.shape, need.cut)
        attrs = dict(node.attrs)
        if attrs.get("shape") == node.shape:
            attrs["shape"] = shape
        try:
            made = node.op(*inputs, **attrs)
        except GraphgradError:
            raise _NoTile(node) from None
        if (
            made.specs != (replace(node.spec, shape=shape),)
            or self._whole_of.setdefault(made, node) is not node
        ):
            raise _NoTile(node)
        return made

    def _read(self, part: Node, read: Cut, time: int) -> Node:
        """The tile of an operand."""
        if part in self._tiles and _computed_here(part, read, self.found, self.found.stored, time):
            return self._tiles[part]
        key = (part, read)
        if key not in self._sliced:
            leaf = input("slice", self._shape(part.shape, read), part.dtype)
            self._sliced[key] = leaf
            self.slices[leaf] = key
        return self._sliced[key]

    def _shape(self, shape: Shape, cut: Cut) -> Shape:
        return tuple(
            multiply(self.tile, cut.per_row) if axis == cut.axis else size for axis, size in enumerate(shape)
        )
