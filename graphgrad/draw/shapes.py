"""The parts of a scene: cards, edges, bands and texts with coordinates, as plain data.

Points are in 1/72 inch, the origin is the top left corner, y grows downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from graphgrad.draw.style import CardKind, EdgeKind, Role, Theme, text_width

Point = tuple[float, float]
Side = Literal["left", "right"]

PAD_X = 11.0
PAD_Y = 7.0
BAR_WIDTH, BAR_HEIGHT = 88.0, 6.0
"""Bars are equally long on all cards, so that they can be compared."""


class Run(NamedTuple):
    """A piece of text in one colour and size."""

    text: str
    role: Role
    size: float
    bold: bool = False
    italic: bool = False
    mono: bool = False

    @property
    def width(self) -> float:
        """In points, by the embedded font table."""
        return text_width(self.text, self.size, bold=self.bold, mono=self.mono)


Line = tuple[Run, ...]


def line_height(line: Line) -> float:
    """The height of one line of text."""
    return 1.2 * max([run.size for run in line]) + 2


class Card(NamedTuple):
    """A box with text: an op, its chain-rule step, or the pill of a leaf or a gradient."""

    id: str
    key: str
    """The key of the step or leaf it stands for; a pair shares it."""
    kind: CardKind
    side: Side
    x: float
    """Of the centre."""
    y: float
    width: float
    height: float
    text: tuple[Line, ...]
    code: tuple[str, ...]
    """The emitted statements on this card, in full; the text may shorten them."""
    tooltip: str
    band: int | None = None
    """The innermost band it stands in."""
    folded: bool = False
    bar: float | None = None
    """How far its bar, which stands below the text, is filled, from 0 to 1; None: it has none."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h


class Label(NamedTuple):
    """Text that stands on its own; ``x`` is its left edge, ``y`` its middle."""

    id: str
    text: Line
    x: float
    y: float
    width: float
    height: float
    centered: bool = False
    """Which way a wider font may grow: to both sides, or to the right."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.x, self.y - self.height / 2, self.x + self.width, self.y + self.height / 2


class Edge(NamedTuple):
    """A line between two cards."""

    id: str
    kind: EdgeKind
    tail: str
    """The id of the card it starts at."""
    head: str
    points: tuple[Point, ...]
    """A cubic spline: 3 n + 1 points; it ends where the arrow head begins."""
    tip: Point
    """The point of the arrow; the last spline point if it has none."""
    width: float
    label: Label | None
    tooltip: str


@dataclass(frozen=True)
class Band:
    """The frame of a layer, across both halves."""

    id: str
    name: str
    depth: int
    left: float
    top: float
    right: float
    bottom: float
    label: Label


@dataclass(frozen=True)
class Swatch:
    """One entry of the legend: a small card or line, and what it means."""

    id: str
    card: CardKind | None
    edge: EdgeKind | None
    x: float
    """Of the left end."""
    y: float
    label: Label
    bar: bool = False
    """A bar instead of a card or line."""


@dataclass(frozen=True)
class Scene:
    """A picture before any writer: everything has a place, nothing has a format."""

    prefix: str
    """Starts every id, so that several pictures share one page."""
    title: str
    theme: Theme
    width: float
    height: float
    cards: tuple[Card, ...]
    edges: tuple[Edge, ...]
    bands: tuple[Band, ...]
    labels: tuple[Label, ...]
    legend: tuple[Swatch, ...]
