"""What a thread computes tiles into: arrays for one tile, shared by all loops over a dimension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

from graphgrad.core.dim import Size, add, evaluate, floor_divide, maximum, minimum, multiply, symbols, usual
from graphgrad.core.spec import Spec
from graphgrad.plan.buffers import Buffer
from graphgrad.plan.loops import PlannedLoop
from graphgrad.plan.rows import LARGEST, OTHER

WIDE_ELEMENTS = 4096
"""Up to so many elements, sums are added up in float64, as `graphgrad.emit.runtime.tiles` has it."""
_NARROW = (np.dtype(np.float32), np.dtype(np.float16))


@dataclass(frozen=True, eq=False)
class TileSpace:
    """The arrays of one thread for loops over one dimension."""

    rows: Size
    """The dimension."""
    tile: Size
    """The number of rows of a tile, as it stands in the buffers' specs."""
    buffers: tuple[Buffer, ...]
    """Where a tile's values lie."""
    parts: tuple[Buffer, ...]
    """Where a tile's part of a large sum lies, until it is added."""
    temporaries: tuple[Spec, ...]
    """What a statement makes on the way and drops, that which makes most."""
    height: int
    """How many rows a tile has, if there are as many and other named sizes are `rows.OTHER`."""
    wide: Size = 0
    """Bytes of sums that are added up in float64, on each thread."""

    @property
    def sizes(self) -> tuple[str, ...]:
        """The named sizes that the buffers depend on, besides the tile's rows."""
        return _sizes(self.buffers, self.tile)

    @property
    def part_sizes(self) -> tuple[str, ...]:
        """The named sizes that the parts depend on."""
        return _sizes(self.parts, self.tile)

    @property
    def most(self) -> Size:
        """How many rows a tile has, if there are as many: the fewer, the more a row takes."""
        if isinstance(self._row_nbytes, int):
            return self.height
        return maximum(1, minimum(LARGEST, floor_divide(self.room, add(self._row_nbytes, 1))))  # it may be 0

    @cached_property
    def _row_nbytes(self) -> Size:
        """Bytes for a row, of buffers and what is made on the way."""
        return _added(floor_divide(size, self.tile) for size in self._nbytes(True))

    @property
    def room(self) -> int:
        """Bytes for the rows of a tile, if there are as many; a row may take more."""
        sizes = dict.fromkeys(symbols(self._row_nbytes), OTHER)
        return self.height * evaluate(self._row_nbytes, sizes)

    def _nbytes(self, in_rows: bool) -> list[Size]:
        """Bytes of each array that has the tile's rows, or of each that has not."""
        specs = (*(buffer.spec for buffer in self.buffers), *self.temporaries)
        return [spec.nbytes for spec in specs if (str(self.tile) in symbols(spec.nbytes)) is in_rows]

    def tile_nbytes(self, threads: int) -> Size:
        """Bytes for a tile on each of so many threads, buffers and what is made on the way.

        Together the tiles have as many rows as there are at most.
        """
        others = multiply(_added(self._nbytes(False)), threads)
        if isinstance(self._row_nbytes, int):
            return add(others, multiply(self._row_nbytes, minimum(self.rows, self.height * threads)))
        at_most = multiply(maximum(self._row_nbytes, self.room), threads)
        return add(others, minimum(multiply(self._row_nbytes, self.rows), at_most))

    @property
    def part_nbytes(self) -> Size:
        """Bytes of the parts of one tile."""
        return _added(buffer.spec.nbytes for buffer in self.parts)

    def on(self, threads: int) -> Size:
        """Bytes on so many threads: each has a tile, its parts and wide sums, and all but one sums of their own."""
        sums = add(multiply(self.part_nbytes, 2 * threads - 1), multiply(self.wide, threads))
        return add(self.tile_nbytes(threads), sums)


def _added(sizes: Iterable[Size]) -> Size:
    total: Size = 0
    for size in sizes:
        total = add(total, size)
    return total


def _wide(loop: PlannedLoop) -> Size:
    """Bytes of what a loop adds up in float64: the sums, and the largest part again, which is converted first."""
    total: Size = 0
    largest: Size = 0
    for node in loop.parts:
        if node.dtype in _NARROW and not (isinstance(node.size, int) and node.size > WIDE_ELEMENTS):
            size = multiply(minimum(node.size, WIDE_ELEMENTS), 8)
            total, largest = add(total, size), maximum(largest, size)
    return add(total, largest)


def _sizes(buffers: Iterable[Buffer], tile: Size) -> tuple[str, ...]:
    names = (name for buffer in buffers for size in buffer.spec.shape for name in symbols(size))
    return tuple(name for name in dict.fromkeys(names) if name != tile)


def tile_spaces(main: Sequence[PlannedLoop], others: Sequence[PlannedLoop]) -> tuple[TileSpace, ...]:
    """One for each dimension that loops run over, in the order of the loops; as high as those of `main` want."""
    found: list[TileSpace] = []
    loops = (*main, *others)
    for rows in dict.fromkeys(one.loop.rows for one in loops):
        own = [one for one in loops if one.loop.rows == rows]
        first = [one for one in main if one.loop.rows == rows] or own
        buffers = dict.fromkeys(buffer for one in own for buffer in one.placement.used)
        parts = dict.fromkeys(buffer for one in own for buffer in one.parts.values())
        found.append(
            TileSpace(
                rows,
                own[0].loop.tile,
                tuple(buffers),
                tuple(parts),
                max((one.temporaries for one in first), key=_bytes),
                _height(first),
                reduce(maximum, map(_wide, own)),
            )
        )
    return tuple(found)


def _height(loops: Sequence[PlannedLoop]) -> int:
    """The rows of a tile that does for several loops: as many as one of them wants, but no more than any that computes
    rows whose size is not known, or those could be as large as they like."""
    wide = [
        one.most
        for one in loops
        if any(len(symbols(buffer.spec.nbytes)) > 1 for buffer in one.placement.used)
    ]
    return min(wide) if wide else max(one.most for one in loops)


def _bytes(specs: Iterable[Spec]) -> int:
    return sum(usual(spec.nbytes) for spec in specs)
