"""Dependence: what each value needs of one dimension, and so in which loop over its tiles it can be computed.

Time counts up in turns: at even times code runs once, on whole arrays; at odd times a loop runs, tile by tile. Every
value gets the earliest time it can have. What a loop adds up is there when the loop has ended, so a value that needs
it and tiles as well belongs to the next loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphgrad.core.dim import Size, floor_divide, multiply
from graphgrad.core.node import Node
from graphgrad.core.op import REDUCED, AxisRole, Blocks


@dataclass(frozen=True, slots=True)
class Cut:
    """How a value is cut into tiles: along an axis, with so many places for each row."""

    axis: int
    per_row: Size


Reading: TypeAlias = "Cut | None"
"""How an operand is read: in tiles, or whole."""
Kind: TypeAlias = Literal["mapped", "partial", "whole"]


@dataclass(frozen=True, slots=True)
class Need:
    """How a node is computed, and what it reads for that."""

    kind: Kind
    """``mapped``: tile by tile, from tiles. ``partial``: from tiles, and the parts are combined after the last one.
    ``whole``: at once."""
    reads: tuple[Reading, ...]
    """For each operand."""
    cut: Cut | None = None
    """How the tiles of a mapped node lie in the whole."""
    reason: str = ""
    """Why a node that reads what could be tiled is computed at once."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """What the nodes of one function need of one dimension."""

    rows: Size
    """The dimension."""
    needs: Mapping[Node, Need]
    times: Mapping[Node, int]
    """When a node is computed; a partial one in the loop before its value is there."""
    stored: Mapping[Node, None]
    """Mapped nodes that somebody needs whole."""
    whole_at: Mapping[Node, int]
    """When a value is there as a whole: arguments at 0, what a loop stores or adds up after it."""

    @property
    def loops(self) -> tuple[int, ...]:
        """The times at which there is a loop."""
        return tuple(sorted({time for time in self.times.values() if time % 2}))


def dependence(
    steps: Sequence[Node], results: Iterable[Node], rows: Size, whole: Collection[Node] = ()
) -> Dependence:
    """Find out what each step needs of the dimension `rows`, and when it can be computed.

    Those in `whole` are computed at once, whatever their roles say.
    """
    return _Analysis(rows, whole).run(steps, results)


class _Analysis:
    def __init__(self, rows: Size, whole: Collection[Node]) -> None:
        self.rows = rows
        self.whole = whole
        self.needs: dict[Node, Need] = {}
        self.times: dict[Node, int] = {}
        self.whole_at: dict[Node, int] = {}
        self.stored: dict[Node, None] = {}

    def run(self, steps: Sequence[Node], results: Iterable[Node]) -> Dependence:
        for node in steps:
            need = self.needs[node] = self._need(node)
            time = max(
                (
                    self._ready(part, read, need.kind)
                    for part, read in zip(node.inputs, need.reads, strict=True)
                ),
                default=0,
            )
            self.times[node] = time
            if need.kind == "whole":
                self.whole_at[node] = time
            elif need.kind == "partial":
                self.whole_at[node] = time + 1
        for node in results:
            if not self._is_mapped(node) or node in self.whole_at:
                continue
            if self._looks_at_whole(node):
                self._store(node)
            else:  # a view, too, is an array of its own then
                self.stored[node] = None
                self.whole_at[node] = self.times[node] + 1
        return Dependence(self.rows, self.needs, self.times, self.stored, self.whole_at)

    # ---- how a node is computed ----

    def _need(self, node: Node) -> Need:
        options = [] if node in self.whole else list(self._options(node))
        best = min(options, key=lambda option: self._stores(node, option.reads), default=None)
        if best is not None and any(
            read is not None and self._in_tiles(part, read)
            for part, read in zip(node.inputs, best.reads, strict=True)
        ):
            return best
        has_rows = any(self._has_rows(part) for part in node.inputs)
        rows = f"{self.rows:,} rows" if isinstance(self.rows, int) else str(self.rows)
        reason = f"{node.op.name} needs all of {rows} at once" if has_rows else ""
        return Need("whole", (None,) * len(node.inputs), reason=reason)

    def _options(self, node: Node) -> Iterator[Need]:
        """The ways to compute a node from tiles, those along leading axes first."""
        if len(node.specs) != 1 or not node.inputs or any(len(part.specs) != 1 for part in node.inputs):
            return
        roles = node.op.axes(*(part.spec for part in node.inputs), **node.attrs)
        if len(roles) != len(node.inputs):
            return
        for axis, size in enumerate(node.shape):
            per_row = self._per_row(size)
            reads = None if per_row is None else self._mapped_to(node, roles, axis)
            if per_row is not None and reads is not None:
                yield Need("mapped", reads, Cut(axis, per_row))
        if node.op.combines is not None:
            reads = self._reduced(node, roles)
            if reads is not None:
                yield Need("partial", reads)

    def _mapped_to(
        self, node: Node, roles: Sequence[Sequence[AxisRole]], axis: int
    ) -> tuple[Reading, ...] | None:
        """How operands are read for tiles along an axis of the result; None if that axis is made of none of theirs."""
        reads: list[Reading] = []
        for part, own in zip(node.inputs, roles, strict=True):
            found = [at for at, role in enumerate(own) if role in (axis, Blocks(axis))]
            per_row = self._per_row(part.shape[found[0]]) if found else None
            if found and per_row is None:
                return None
            reads.append(None if per_row is None else Cut(found[0], per_row))
        return tuple(reads) if any(reads) else None

    def _reduced(self, node: Node, roles: Sequence[Sequence[AxisRole]]) -> tuple[Reading, ...] | None:
        """How operands are read to reduce them part by part: each along one axis, at the same places."""
        reads: list[Reading] = []
        for part, own in zip(node.inputs, roles, strict=True):
            cuts = [
                Cut(at, per_row)
                for at, role in enumerate(own)
                if role == REDUCED and (per_row := self._per_row(part.shape[at])) is not None
            ]
            if not cuts:
                return None
            reads.append(next((cut for cut in cuts if self._in_tiles(part, cut)), cuts[0]))
        per_rows = {read.per_row for read in reads if read is not None}
        return tuple(reads) if len(per_rows) == 1 else None

    def _per_row(self, size: Size) -> Size | None:
        """How many places of an axis belong to one row; None if it is no multiple of the dimension."""
        if size == self.rows:
            return 1
        if size in (0, 1) or isinstance(size, int) != isinstance(self.rows, int):
            return None
        quotient = floor_divide(size, self.rows)
        return quotient if multiply(quotient, self.rows) == size else None

    def _has_rows(self, node: Node) -> bool:
        """Whether a value could be cut into tiles."""
        return any(self._per_row(size) is not None for spec in node.specs for size in spec.shape)

    # ---- what is there when ----

    def _is_mapped(self, node: Node) -> bool:
        need = self.needs.get(node)
        return need is not None and need.kind == "mapped"

    def _in_tiles(self, node: Node, read: Cut) -> bool:
        """Whether a loop can read a value so without anything being stored for it: it has its tiles, or the whole."""
        return not self._is_mapped(node) or node in self.whole_at or self.needs[node].cut == read

    def _stores(self, node: Node, reads: Sequence[Reading]) -> int:
        """How many values would have to be stored."""
        return sum(
            1
            for part, read in zip(node.inputs, reads, strict=True)
            if self._is_mapped(part)
            and part not in self.whole_at
            and (read is None or not self._in_tiles(part, read))
        )

    def _ready(self, part: Node, read: Reading, kind: Kind) -> int:
        """The earliest time at which a node of that kind can read an operand so."""
        if read is not None and self._is_mapped(part) and self.needs[part].cut == read:
            return self.times[part]
        if self._is_mapped(part) and part not in self.whole_at:
            self._store(part)
        there = self.whole_at.get(part, 0)
        return there if kind == "whole" else there + 1

    def _store(self, node: Node) -> None:
        """Make a mapped value available as a whole; of a view, what it is a view of."""
        pending = [node]
        while pending:
            one = pending[-1]
            missing = [part for part in one.inputs if self._is_mapped(part) and part not in self.whole_at]
            if _is_plain_view(one) and missing:
                pending += missing
                continue
            pending.pop()
            if one in self.whole_at:
                continue
            if _is_plain_view(one):
                self.whole_at[one] = max(self.whole_at.get(part, 0) for part in one.inputs)
            else:
                self.stored[one] = None
                self.whole_at[one] = self.times[one] + 1

    def _looks_at_whole(self, node: Node) -> bool:
        """Whether a value is a view of what is there as a whole."""
        while _is_plain_view(node) and self._is_mapped(node) and node not in self.whole_at:
            node = node.inputs[0]
        return not self._is_mapped(node) or node in self.whole_at


def _is_plain_view(node: Node) -> bool:
    """Whether a node is only another look at its operand, whatever the operand's memory looks like."""
    return node.op.view and node.op.name != "reshape"
