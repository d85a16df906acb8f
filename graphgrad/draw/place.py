"""Cards and edges in their places, on both halves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graphgrad.draw.faces import RULE_SIZE, TIE_WIDTH, Face
from graphgrad.draw.heights import PILL_GAP, TRACK, Heights, stack, unders
from graphgrad.draw.layout import Layout
from graphgrad.draw.pairs import Dock, Pair, Sheet
from graphgrad.draw.paths import rounded, swung
from graphgrad.draw.ports import Route
from graphgrad.draw.shapes import Card, Edge, Label, Line, Point, Run, Side
from graphgrad.draw.style import EdgeKind, Role, clean, clean_lines, line_width, shorten

DOCK_GAP = 42.0
TIE_DROP = 15.0
SPLIT = 9.0
"""Half the distance of two lines across the picture at one pair."""
_SYMBOLS = re.compile("[^A-Za-z0-9]+")


def text_label(id: str, line: Line, x: float, y: float, *, center: bool = False) -> Label:
    """A label whose left edge (or middle) is at ``x``."""
    width = sum([run.width for run in line])
    return Label(
        id, line, round(x - width / 2 if center else x, 2), round(y, 2), round(width, 2), 12.0, center
    )


@dataclass
class Placer:
    """Makes the cards and edges of a sheet; ``axis`` is where the left half is mirrored."""

    prefix: str
    sheet: Sheet
    layout: Layout
    heights: Heights
    axis: float
    dock_half: Sequence[float]
    """How far from the middle of each pair its pills begin (less the gap)."""
    bands: Sequence[int | None]
    """The band of each row."""

    def __post_init__(self) -> None:
        self.leaves = sum(map(len, self.sheet.rows[: self.sheet.inputs]))
        self.row_of = {pair: row for row, pairs in enumerate(self.sheet.rows) for pair in pairs}
        self.left: list[Card] = []
        self.right: list[Card | None] = []
        self.pills: list[Card] = []
        self.edges: list[Edge] = []

    def run(self) -> tuple[tuple[Card, ...], tuple[Edge, ...]]:
        """All cards, and all edges between them."""
        for number in range(len(self.sheet.pairs)):
            self._place_pair(number)
        self._route("left")
        self._route("right")
        for row in range(len(self.sheet.rows)):
            self._ties(row)
        cards = (*self.left, *(card for card in self.right if card), *self.pills)
        return cards, tuple(self.edges)

    def _place_pair(self, number: int) -> None:
        pair = self.sheet.pairs[number]
        y = self.heights.middle[self.row_of[number]]
        x = self.layout.x[number]
        leaf = number < self.leaves
        self.left.append(self._card(("d" if leaf else "f") + str(number), pair.key, pair.left, "left", x, y))
        right = None
        if pair.right:
            mirrored = 2 * self.axis - x
            right = self._card(
                ("p" if leaf else "b") + str(number), pair.key, pair.right, "right", mirrored, y
            )
        self.right.append(right)
        self._dock(number, pair.docks, "left")
        self._dock(number, pair.gradients, "right")

    def _card(
        self, name: str, key: str, face: Face, side: Side, x: float, y: float, row: int | None = None
    ) -> Card:
        row = self.row_of[int(name[1:])] if row is None else row
        return Card(
            f"{self.prefix}-{name}-{_slug(key)}",
            key,
            face.kind,
            side,
            round(x, 2),
            round(y, 2),
            face.width,
            face.height,
            face.text,
            face.code,
            clean_lines(face.tooltip),
            self.bands[row],
            face.folded,
            face.bar,
        )

    def _dock(self, number: int, docks: tuple[Dock, ...], side: Side) -> None:
        card = self.left[number] if side == "left" else self.right[number]
        x, y = self.layout.x[number], self.heights.middle[self.row_of[number]]
        edge_x = x - self.dock_half[number] - DOCK_GAP
        top = y - stack(docks) / 2
        for place, dock in enumerate(docks):
            middle = top + dock.face.height / 2
            top += dock.face.height + PILL_GAP
            center = edge_x - dock.face.width / 2
            name = f"{'l' if side == 'left' else 'g'}{number}_{place}"
            pill = self._card(
                name,
                dock.key,
                dock.face,
                side,
                center if side == "left" else 2 * self.axis - center,
                middle,
                self.row_of[number],
            )
            self.pills.append(pill)
            if card is not None:
                self._dock_edges(card, pill, dock, side)

    def _dock_edges(self, card: Card, pill: Card, dock: Dock, side: Side) -> None:
        kind: EdgeKind = "grad" if side == "right" else "param" if dock.kind == "param" else "data"
        again = dock.face.kind in ("again", "grad_again")
        width = 1.1 if again else line_width(dock.elements)
        left, top, right, bottom = card.box
        for count in range(dock.edges):
            # A leaf that is read twice has two lines.
            shift = (count - (dock.edges - 1) / 2) * min(8.0, 20 / dock.edges)
            at_card = min(max(pill.y, top + 13), bottom - 13) + shift
            start, end = (pill.box[2], pill.y + shift), (left, at_card)
            if side == "right":
                start, end = (right, at_card), (pill.box[0], pill.y + shift)
            points, tip = swung(start, end, arrow=True)
            tail, head = (pill, card) if side == "left" else (card, pill)
            self._edge(kind, tail, head, points, tip, width, None, pill.tooltip)

    def _edge(
        self,
        kind: EdgeKind,
        tail: Card,
        head: Card,
        points: tuple[Point, ...],
        tip: Point,
        width: float,
        label: Label | None,
        tooltip: str,
    ) -> None:
        name = f"{self.prefix}-e{len(self.edges)}"
        self.edges.append(
            Edge(name, kind, tail.id, head.id, points, tip, width, label, clean_lines(tooltip) or " ")
        )

    def _route(self, side: Side) -> None:
        """The edges of one half, down on the left and up on the right."""
        labelled = self._shape_labels(side)
        for route, link in zip(self.layout.routes, self.sheet.links, strict=True):
            tail = self.left[route.tail] if side == "left" else self.right[route.tail]
            head = self.left[route.head] if side == "left" else self.right[route.head]
            if tail is None or head is None or (side == "right" and not link.flows):
                continue
            pair = self.sheet.pairs[route.tail]
            corners = self._corners(route, tail.box[3], head.box[1])
            if side == "right":
                corners = [(2 * self.axis - x, y) for x, y in reversed(corners)]
                tail, head = head, tail
            points, tip = rounded(corners, arrow=True)
            kind: EdgeKind = "backward" if side == "right" or pair.derived else "forward"
            label = labelled.pop(route.tail, None)
            self._edge(kind, tail, head, points, tip, line_width(pair.elements), label, pair.shape)

    def _corners(self, route: Route, start: float, end: float) -> list[Point]:
        if route.lane is None and route.exit == route.entry:
            return [(route.exit, start), (route.entry, end)]
        leave = self.heights.exits[self.row_of[route.tail]] + TRACK * route.exit_track
        if route.lane is None:
            return [(route.exit, start), (route.exit, leave), (route.entry, leave), (route.entry, end)]
        enter = self.heights.entries[self.row_of[route.head] - 1] + TRACK * route.entry_track
        return [
            (route.exit, start),
            (route.exit, leave),
            (route.lane, leave),
            (route.lane, enter),
            (route.entry, enter),
            (route.entry, end),
        ]

    def _shape_labels(self, side: Side) -> dict[int, Label]:
        """The shape of each value, once: right of the edges below its card."""
        ports: dict[int, float] = {}
        for route, link in zip(self.layout.routes, self.sheet.links, strict=True):
            pair = self.sheet.pairs[route.tail]
            if not pair.shape or (side == "right" and not (link.flows and pair.right)):
                continue
            x = route.exit if side == "left" else 2 * self.axis - route.exit
            ports[route.tail] = max(ports.get(route.tail, x), x)
        labels = {}
        for number, x in ports.items():
            card = self.left[number] if side == "left" else self.right[number]
            assert card is not None
            room = card.x + card.width / 2 + DOCK_GAP - 8 - (x + 8)  # ends before the next card or pill
            text = shorten(clean(self.sheet.pairs[number].shape), room, RULE_SIZE)
            line = (Run(text, "muted", RULE_SIZE),)
            labels[number] = text_label(f"{card.id}-shape", line, x + 8, card.box[3] + 9.5)
        return labels

    def _ties(self, row: int) -> None:
        low = unders(self.sheet, row)
        for number in self.sheet.rows[row]:
            pair, left, right = self.sheet.pairs[number], self.left[number], self.right[number]
            if right is None or pair.tie is None:
                continue
            lines: list[tuple[EdgeKind, str, str]] = []
            if pair.tie.kind != "tie" or (not pair.seed and number == self.sheet.rows[row][-1]):
                lines.append((pair.tie.kind, pair.tie.label, pair.tie.full))
            if pair.seed:
                lines.append(("seed", shorten(clean(pair.seed), TIE_WIDTH, RULE_SIZE), pair.seed))
            for place, line in enumerate(lines):
                shift = (place - (len(lines) - 1) / 2) * 2 * SPLIT
                level = low.index(number) if number in low else None
                self._tie(
                    pair, left, right, line, shift, None if level is None else self.heights.under(row, level)
                )

    def _tie(
        self,
        pair: Pair,
        left: Card,
        right: Card,
        line: tuple[EdgeKind, str, str],
        shift: float,
        under: float | None,
    ) -> None:
        kind, text, full = line
        start, end = (left.box[2], left.y + shift), (right.box[0], left.y + shift)
        corners, y = [start, end], start[1]
        if under is not None:
            y = under + shift / 2
            out, back = start[0] + TIE_DROP - shift / 3, end[0] - TIE_DROP + shift / 3
            corners = [start, (out, start[1]), (out, y), (back, y), (back, end[1]), end]
        points, tip = rounded(corners, arrow=kind != "tie")
        roles: dict[str, Role] = {"kept": "kept", "seed": "result"}
        label = None
        if text:
            run = Run(text, roles.get(kind, "muted"), RULE_SIZE)
            label = text_label(f"{left.id}-{kind}", (run,), self.axis, y - 7.5, center=True)
        width = {"kept": 1.4, "seed": 1.8}.get(kind, 1.1)
        self._edge(kind, left, right, points, tip, width, label, full)


def _slug(key: str) -> str:
    return _SYMBOLS.sub("_", key)[:24].strip("_") or "x"
