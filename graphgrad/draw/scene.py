"""A scene: a story with every card, line and text in its place, as plain data.

    story -> pairs in rows -> columns and lanes of the forward half -> heights -> both halves -> frame

Tests look at scenes, not at pixels; writers (`graphgrad.draw.dot`) turn one into a picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from graphgrad.draw.faces import RULE_SIZE, TIE_WIDTH
from graphgrad.draw.frame import MARGIN, column_heads, header, legend, make_bands
from graphgrad.draw.heights import Heights, stack_rows
from graphgrad.draw.layout import Block, Layout, Link, arrange
from graphgrad.draw.pairs import Pair, Sheet, make_sheet
from graphgrad.draw.place import DOCK_GAP, Placer
from graphgrad.draw.ports import Route
from graphgrad.draw.shapes import Band, Card, Edge, Label, Line, Point, Run, Scene, Side, Swatch
from graphgrad.draw.story import Story
from graphgrad.draw.style import Theme, text_width

__all__ = ["Band", "Card", "Edge", "Label", "Line", "Point", "Run", "Scene", "Side", "Swatch", "build_scene"]

ALIGN = 80.0
"""Pills of one layer stand in a column if that makes no line longer than this."""
BAND_PAD, BAND_INSET = 16.0, 9.0
MIN_WIDTH = 440.0


def build_scene(
    story: Story, *, theme: Theme = "light", backward: bool = True, title: str | None = None
) -> Scene:
    """Lay ``story`` out; without ``backward`` only its forward half. ``title`` replaces the story's own."""
    title = story.title if title is None else title
    what = repr((story, theme, backward, title)).encode("utf-8", "replace")
    prefix = "g" + hashlib.blake2b(what, digest_size=4).hexdigest()
    sheet = make_sheet(story, backward=backward)
    dock_half = _dock_halves(sheet)
    blocks = [_block(pair, half) for pair, half in zip(sheet.pairs, dock_half, strict=True)]
    links = [Link(link.tail, link.head) for link in sheet.links]
    layout = arrange(sheet.rows, blocks, links)
    sheet = _in_order(sheet, layout)
    depth = max(map(len, sheet.scopes), default=0)
    pad = BAND_PAD + BAND_INSET * max(depth - 1, 0)
    shift = MARGIN + pad - min(layout.left, default=0.0)
    axis = _axis(sheet, layout)
    right = 2 * axis - min(layout.left, default=0.0) if backward else max(layout.right, default=0.0)
    width = max(right + pad + shift + MARGIN, MIN_WIDTH)
    if width == MIN_WIDTH:  # a small graph stands in the middle
        shift += (MIN_WIDTH - (right + pad + shift + MARGIN)) / 2
    layout, axis = _moved(layout, shift), axis + shift
    labels, y = header(prefix, title, story.facts, width)
    trunk = shift
    labels += column_heads(
        prefix,
        trunk,
        2 * axis - trunk if backward else None,
        y + 14,
        any(step.derived for step in story.steps),
    )
    heights = stack_rows(sheet, sheet.rows, layout.exits, layout.entries, y + 26)
    placer = Placer(prefix, sheet, layout, heights, axis, dock_half, _band_of_row(heights, len(sheet.rows)))
    cards, edges = placer.run()
    bands = make_bands(prefix, heights.frames, MARGIN, width - MARGIN, BAND_INSET, edges)
    swatches, notes, y = legend(prefix, cards, edges, story.notes, story.scale, heights.bottom + 24, width)
    return Scene(
        prefix,
        title,
        theme,
        round(width, 2),
        round(y + MARGIN, 2),
        cards,
        edges,
        bands,
        (*labels, *notes),
        swatches,
    )


def _dock_halves(sheet: Sheet) -> list[float]:
    """How far from the middle of each card its pills stand: in a column, where cards are alike."""
    halves = [_half(pair) for pair in sheet.pairs]
    section = 0
    alone: dict[int, int] = {}
    widest: dict[int, float] = {}
    for number, row in enumerate(sheet.rows):
        section += number > 0 and sheet.scopes[number] != sheet.scopes[number - 1]
        if len(row) == 1 and (sheet.pairs[row[0]].docks or sheet.pairs[row[0]].gradients):
            alone[row[0]] = section
            widest[section] = max(widest.get(section, 0.0), halves[row[0]])
    return [min(widest[alone[i]], half + ALIGN) if i in alone else half for i, half in enumerate(halves)]


def _half(pair: Pair) -> float:
    return max(pair.left.width, pair.right.width if pair.right else 0.0) / 2


def _block(pair: Pair, dock_half: float) -> Block:
    narrow = min(pair.left.width, pair.right.width if pair.right else pair.left.width) / 2
    half = _half(pair)
    pills = max((dock.face.width for dock in (*pair.docks, *pair.gradients)), default=0.0)
    outer = dock_half + DOCK_GAP + pills if pills else half
    return Block(half, narrow, outer, bool(pair.seed or (pair.tie and pair.tie.kind != "tie")))


def _in_order(sheet: Sheet, layout: Layout) -> Sheet:
    rows = tuple(tuple(sorted(row, key=layout.x.__getitem__)) for row in sheet.rows)
    return Sheet(sheet.pairs, rows, sheet.scopes, sheet.inputs, sheet.links)


def _axis(sheet: Sheet, layout: Layout) -> float:
    """Half way between the halves: far enough for every line's text."""
    axis = max(layout.right, default=0.0) + 50
    for row, pairs in enumerate(sheet.rows):
        members = [sheet.pairs[pair] for pair in pairs]
        texts = [text for pair in members for text in (pair.tie.label if pair.tie else "", pair.seed or "")]
        widest = min(max(text_width(text, RULE_SIZE) for text in texts), TIE_WIDTH + RULE_SIZE)
        beside = max(layout.right[row : row + 2])
        axis = max(axis, beside + widest / 2 + 30 if widest else 0.0)
    return round(axis, 2)


def _moved(layout: Layout, shift: float) -> Layout:
    routes = tuple(
        Route(
            route.tail,
            route.head,
            route.exit + shift,
            route.entry + shift,
            None if route.lane is None else route.lane + shift,
            route.exit_track,
            route.entry_track,
        )
        for route in layout.routes
    )
    return replace(
        layout,
        x=tuple(x + shift for x in layout.x),
        routes=routes,
        left=tuple(x + shift for x in layout.left),
        right=tuple(x + shift for x in layout.right),
    )


def _band_of_row(heights: Heights, rows: int) -> Sequence[int | None]:
    """The innermost band around each row."""
    bands: list[int | None] = [None] * rows
    for number, frame in enumerate(heights.frames):
        bands[frame.first : frame.last + 1] = [number] * (frame.last + 1 - frame.first)
    return bands
