"""How high everything is: the rows, the gaps between them, and the bands around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphgrad.draw.pairs import Dock, Pair, Sheet

PILL_GAP = 6.0
LABEL_ZONE = 17.0
"""Below a row: the shapes of what leaves it."""
ARROW_ZONE = 18.0
"""Above a row: arrow heads, and the bend before them."""
QUIET_ZONE = 8.0
"""Where there is nothing of the kind."""
UNDER = 15.0
"""For each line that crosses the picture below a row."""
TRACK = 9.0
BAND_GAP = 7.0
BAND_HEAD = 12.0
HEAD_ROOM = 4.0
"""Between the name of a band and a line that runs below it."""
BAND_FOOT = 5.0


@dataclass(frozen=True)
class Frame:
    """A band before it has a left and a right side."""

    name: str
    depth: int
    top: float
    bottom: float
    first: int
    """The rows inside."""
    last: int


@dataclass(frozen=True)
class Heights:
    """Every y of a picture but the header's."""

    middle: tuple[float, ...]
    """Of each row."""
    below: tuple[float, ...]
    """Where each row ends."""
    exits: tuple[float, ...]
    """The first track for edges that leave a row."""
    entries: tuple[float, ...]
    """The first track for edges that enter the row after it."""
    frames: tuple[Frame, ...]
    bottom: float

    def under(self, row: int, level: int) -> float:
        """The line that crosses the picture below ``row``, the first one nearest to it."""
        return self.below[row] + LABEL_ZONE + UNDER * (level + 0.7)


def stack(docks: Sequence[Dock]) -> float:
    """The height of pills above one another."""
    return sum(dock.face.height + PILL_GAP for dock in docks) - PILL_GAP if docks else 0.0


def pair_height(pair: Pair) -> float:
    """The height a pair gives its row."""
    right = pair.right.height if pair.right else 0.0
    return max(pair.left.height, right, stack(pair.docks), stack(pair.gradients))


def unders(sheet: Sheet, row: int) -> tuple[int, ...]:
    """The pairs of a row whose lines must pass below their neighbours, the top line first."""
    inner = sheet.rows[row][:-1]
    return tuple(
        pair
        for pair in reversed(inner)
        if (tie := sheet.pairs[pair].tie) and (tie.kind != "tie" or sheet.pairs[pair].seed)
    )


def stack_rows(
    sheet: Sheet, rows: Sequence[Sequence[int]], exits: Sequence[int], entries: Sequence[int], top: float
) -> Heights:
    """Put the rows under each other, with room for what runs between them."""
    heights = [max(pair_height(sheet.pairs[pair]) for pair in row) for row in rows]
    middle, below, exit_y, entry_y = [], [], [], []
    frames: list[Frame] = []
    open_frames: list[tuple[str, int, float, int]] = []
    y = top
    for row, height in enumerate(heights):
        entry_y_above = y
        opened = _shared(sheet, row)
        for depth in range(opened, len(sheet.scopes[row])):
            y += BAND_GAP
            open_frames.append((sheet.scopes[row][depth], depth, y, row))
            y += BAND_HEAD
        if row:
            y += HEAD_ROOM if entries[row - 1] and opened < len(sheet.scopes[row]) else 0.0
            entry_y_above = y
            y += entries[row - 1] * TRACK
            entry_y.append(entry_y_above + TRACK / 2)
        y += ARROW_ZONE if row >= max(sheet.inputs, 1) else QUIET_ZONE
        middle.append(round(y + height / 2, 2))
        y += height
        below.append(y)
        last = row + 1 == len(rows)
        labelled = not last and any(sheet.pairs[pair].shape for pair in sheet.rows[row])
        y += (LABEL_ZONE if labelled or exits[row] else QUIET_ZONE) + UNDER * len(unders(sheet, row))
        exit_y.append(y + TRACK / 2)
        y += exits[row] * TRACK
        keep = 0 if last else _shared(sheet, row + 1)
        while len(open_frames) > keep:
            name, depth, start, first = open_frames.pop()
            y += BAND_FOOT
            frames.append(Frame(name, depth, round(start, 2), round(y, 2), first, row))
            if not last and keep == len(open_frames) == len(sheet.scopes[row + 1]):
                y += BAND_GAP  # what follows opens no band of its own
    frames.sort(key=lambda frame: (frame.first, frame.depth))
    return Heights(tuple(middle), tuple(below), tuple(exit_y), (*entry_y, y), tuple(frames), y)


def _shared(sheet: Sheet, row: int) -> int:
    """How many open layers a row shares with the row before it; the data's band is no layer of the model."""
    if row in (0, sheet.inputs):
        return 0
    one, other = sheet.scopes[row - 1], sheet.scopes[row]
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count
