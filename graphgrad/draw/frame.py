"""What stands around the graph: title, facts, column heads, bands, legend, notes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from graphgrad.draw.heights import Frame
from graphgrad.draw.place import text_label
from graphgrad.draw.shapes import BAR_WIDTH, Band, Card, Edge, Label, Run, Swatch
from graphgrad.draw.style import CARDS, EDGES, SUBSTITUTE, CardKind, EdgeKind, clean, shorten

MARGIN = 24.0
TITLE_SIZE, FACT_SIZE, HEAD_SIZE, BAND_SIZE, LEGEND_SIZE = 19.0, 11.0, 16.0, 12.0, 10.0
SWATCH = 22.0
FACT_LINE = 16.0
DOT = "   ·   "


def header(prefix: str, title: str, facts: Sequence[str], width: float) -> tuple[list[Label], float]:
    """Title and facts, beside each other if there is room; and where they end."""
    room = width - 2 * MARGIN
    shown = shorten(clean(title), room / SUBSTITUTE, TITLE_SIZE, bold=True)
    y = MARGIN + 6.0
    head = text_label(f"{prefix}-title", (Run(shown, "ink", TITLE_SIZE, bold=True),), MARGIN, y)
    labels = [head]
    lines = _wrap([clean(fact) for fact in facts], DOT, room / SUBSTITUTE)
    start = head.width * SUBSTITUTE + 24
    beside = len(lines) == 1 and start + Run(lines[0], "muted", FACT_SIZE).width * SUBSTITUTE <= room
    x, y = (MARGIN + start, y + 2.5) if beside else (MARGIN, y + 24)
    for number, line in enumerate(lines):
        run = Run(shorten(line, room / SUBSTITUTE, FACT_SIZE), "muted", FACT_SIZE)
        labels.append(text_label(f"{prefix}-facts{number}", (run,), x, y))
        y += FACT_LINE
    return labels, (y if lines and not beside else MARGIN + 6.0 + 16)


def _wrap(parts: Sequence[str], between: str, width: float) -> list[str]:
    lines: list[str] = []
    for part in parts:
        longer = lines[-1] + between + part if lines else part
        if lines and Run(longer, "muted", FACT_SIZE).width <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def column_heads(prefix: str, left: float, right: float | None, y: float, both: bool) -> list[Label]:
    """``forward ↓`` and ``backward ↑`` above their halves; or `both` above one column."""
    text = "forward, then backward  ↓" if both else "forward  ↓"
    run = Run(text, "ink" if both else "forward", HEAD_SIZE, bold=True)
    heads = [text_label(f"{prefix}-forward", (run,), left, y, center=True)]
    if right is not None:
        run = Run("backward  ↑", "backward", HEAD_SIZE, bold=True)
        heads.append(text_label(f"{prefix}-backward", (run,), right, y, center=True))
    return heads


def make_bands(
    prefix: str, frames: Sequence[Frame], left: float, right: float, inset: float, edges: Sequence[Edge]
) -> tuple[Band, ...]:
    """The frames of the layers; a name moves aside for a line that passes its place."""
    heads = [frame.top + 10.5 for frame in frames]
    passing = _passing(edges, heads)
    bands = []
    for number, frame in enumerate(frames):
        start = left + inset * frame.depth
        middle = heads[number]
        end = right - inset * frame.depth
        x, room = _clear(start + 10, end - 10, passing[number])
        # A name too long for its place is cut; one that fits moves right of the lines in its way.
        run = Run(shorten(clean(frame.name), room, BAND_SIZE, bold=True), "muted", BAND_SIZE, bold=True)
        label = text_label(f"{prefix}-band{number}-name", (run,), x, middle)
        bands.append(
            Band(
                f"{prefix}-band{number}",
                frame.name,
                frame.depth,
                round(start, 2),
                frame.top,
                round(end, 2),
                frame.bottom,
                label,
            )
        )
    return tuple(bands)


def _passing(edges: Sequence[Edge], heads: Sequence[float]) -> list[list[float]]:
    """The x of every line that crosses each head, from left to right."""
    found: list[list[float]] = [[] for _ in heads]
    order = sorted(range(len(heads)), key=heads.__getitem__)
    levels = [heads[number] for number in order]
    for edge in edges:
        heights = [y for _, y in edge.points[::3]]
        if bisect_left(levels, min(heights) - 7) == bisect_right(levels, max(heights) + 7):
            continue  # as nearly all
        for (x0, y0), (x1, y1) in pairwise(edge.points[::3]):
            if abs(y1 - y0) < 0.1:
                continue  # runs sideways: those stay clear of heads
            low, high = (y0 - 7, y1 + 7) if y0 < y1 else (y1 - 7, y0 + 7)
            for at in range(bisect_left(levels, low), bisect_right(levels, high)):
                found[order[at]].append(min(x0, x1))
    return [sorted(xs) for xs in found]


def _clear(start: float, end: float, lines: Sequence[float]) -> tuple[float, float]:
    """The first place of at least 70 points between lines, and the room there."""
    x = start
    for line in lines:
        if line < x - 6:
            continue
        if line - 6 - x >= 70:
            return x, line - 6 - x
        x = max(x, line + 8)
    return x, max(end - x, 12.0)


def legend(
    prefix: str,
    cards: Sequence[Card],
    edges: Sequence[Edge],
    notes: Sequence[str],
    scale: str,
    y: float,
    width: float,
) -> tuple[tuple[Swatch, ...], list[Label], float]:
    """One entry for each kind that the picture has, and for its bars; then the notes; and where they end."""
    card_kinds = {card.kind: None for card in cards}
    edge_kinds = {edge.kind: None for edge in edges}
    kinds: list[tuple[CardKind | None, EdgeKind | None, str]]
    kinds = [(kind, None, style.means) for kind, style in CARDS.items() if kind in card_kinds]
    lines = {kind: style.means for kind, style in EDGES.items() if kind in edge_kinds and style.means}
    kinds += [(None, kind, means) for kind, means in lines.items()]
    kinds += [(None, None, scale)] * bool(scale)
    swatches = []
    x = MARGIN
    for number, (card, edge, means) in enumerate(kinds):
        run = Run(shorten(clean(means), width - 2 * MARGIN - BAR_WIDTH, LEGEND_SIZE), "muted", LEGEND_SIZE)
        start = SWATCH + (6 if card else 12) if card or edge else BAR_WIDTH + 8
        if x > MARGIN and x + start + run.width * SUBSTITUTE > width - MARGIN:
            x, y = MARGIN, y + 20
        label = text_label(f"{prefix}-legend{number}-text", (run,), x + start, y)
        swatches.append(Swatch(f"{prefix}-legend{number}", card, edge, x, y, label, not (card or edge)))
        x = label.x + label.width * SUBSTITUTE + 16
    labels = []
    for number, note in enumerate(notes):
        y += 18
        run = Run(shorten(clean(note), (width - 2 * MARGIN) / SUBSTITUTE, LEGEND_SIZE), "muted", LEGEND_SIZE)
        labels.append(text_label(f"{prefix}-note{number}", (run,), MARGIN, y))
    return tuple(swatches), labels, y
