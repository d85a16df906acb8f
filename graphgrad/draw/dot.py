"""A scene as DOT in which everything already has its place, for Graphviz to draw without laying out.

Every text goes through `html.escape` or `_text`: names are the user's, and may hold what DOT or HTML reads as its own.
Lines are written here and not by the graphviz package, which looks three times at each of a hundred thousand values.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from graphgrad.core.lazy import lazy_import
from graphgrad.draw.faces import FOLD
from graphgrad.draw.shapes import (
    BAR_HEIGHT,
    BAR_WIDTH,
    PAD_X,
    PAD_Y,
    Card,
    Edge,
    Label,
    Line,
    Point,
    Run,
    Scene,
    Swatch,
)  # fmt: skip
from graphgrad.draw.style import (
    CARDS,
    EDGES,
    MONO,
    SANS,
    SUBSTITUTE,
    CardKind,
    EdgeKind,
    Palette,
    Role,
    clean_lines,
    palette,
)

graphviz: Any = lazy_import("graphviz")

_GRAPH = {"outputorder": "edgesfirst", "pad": "0", "splines": "true", "fontname": SANS}
_NODE = {"shape": "box", "style": "rounded,filled", "fixedsize": "true", "margin": "0", "fontname": SANS}
_EDGE = {"arrowsize": "0.75", "fontname": SANS, "fontsize": "10"}
_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"{width}>{rows}</TABLE>'


def dot_source(scene: Scene) -> str:
    """The DOT text of a scene; draw it with ``neato -n2``, which keeps every place."""
    source: str = _Writer(scene).digraph().source
    return source


class _Writer:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.colors: Palette = palette(scene.theme)
        self.lines: list[str] = []

    def digraph(self) -> Any:
        scene, colors = self.scene, self.colors
        self._bands()
        for card in scene.cards:
            if card.band is None:
                self._card(card)
        for label in (*scene.labels, *(band.label for band in scene.bands)):
            self._label(label)
        for card in scene.cards:
            if card.bar is not None:
                border = FOLD if card.folded else 0.0
                left, _, _, bottom = card.box
                middle = bottom - border - PAD_Y - (1.2 * BAR_HEIGHT + 2) / 2
                self._bar(card.id, (left + border + PAD_X, middle), card.bar)
        for swatch in scene.legend:
            self._swatch(swatch)
        for number, corner in enumerate(((0.0, 0.0), (scene.width, scene.height))):
            self._nothing(f"{scene.prefix}-corner{number}", corner)  # holds the margins open
        for edge in scene.edges:
            self._edge(edge)
        about = {
            "id": f"{scene.prefix}-graph",
            "bgcolor": colors.paper,
            "tooltip": clean_lines(scene.title) or " ",
        }
        return graphviz.Digraph(
            "graphgrad",
            engine="neato",
            graph_attr={**_GRAPH, **{key: graphviz.escape(value) for key, value in about.items()}},
            node_attr=_NODE,
            edge_attr={**_EDGE, "fontcolor": colors.muted},
            body=self.lines,
        )

    def _write(self, what: str, attributes: dict[str, str]) -> None:
        self.lines.append(f"{what} [{' '.join(f'{key}={value}' for key, value in attributes.items())}]\n")

    def _node(self, name: str, **attributes: str) -> None:
        self._write(f'"{name}"', attributes)

    def _pos(self, *points: Point) -> str:
        height = self.scene.height
        return " ".join([f"{x:.2f},{height - y:.2f}" for x, y in points])

    def _bands(self) -> None:
        """Each band is a cluster inside the one around it; bands come outer before inner."""
        inside: list[list[Card]] = [[] for _ in self.scene.bands]
        for card in self.scene.cards:
            if card.band is not None:
                inside[card.band].append(card)
        depth = 0
        for band, cards in zip(self.scene.bands, inside, strict=True):
            self.lines += ["}\n"] * (depth - band.depth)
            depth = band.depth + 1
            self.lines.append(f'subgraph "cluster_{band.id}" {{\n')
            attributes = {
                "bb": f'"{self._pos((band.left, band.bottom))},{self._pos((band.right, band.top))}"',
                "id": f'"{band.id}"',
                "class": '"layer"',
                "label": '""',
                "style": '"rounded,filled"',
                "color": f'"{self.colors.band_line}"',
                "fillcolor": f'"{self.colors.band}"',
                "tooltip": _text(band.name),
            }
            self._write("graph", attributes)
            for card in cards:
                self._card(card)
        self.lines += ["}\n"] * depth

    def _box(self, kind: CardKind) -> dict[str, str]:
        """How a kind of card is drawn."""
        style = CARDS[kind]
        return {
            "color": f'"{self.colors[style.line]}"',
            "fillcolor": f'"{self.colors[style.fill]}"',
            "penwidth": f'"{_number(style.penwidth)}"',
            **({"style": '"rounded,filled,dashed"'} if style.dashed else {}),
        }

    def _card(self, card: Card) -> None:
        extra = 2 * FOLD if card.folded else 0.0  # Graphviz draws the second border outside the node
        self._node(
            card.id,
            label=_table(card.text, card.width - extra - 2 * PAD_X, self.colors, center=len(card.text) == 1),
            pos=f'"{self._pos((card.x, card.y))}"',
            width=_inches(card.width - extra),
            height=_inches(card.height - extra),
            id=f'"{card.id}"',
            tooltip=_text(card.tooltip),
            **self._box(card.kind),
            **{"class": f'"{card.kind} {card.side}"'},
            **({"peripheries": "2"} if card.folded else {}),
        )

    def _label(self, label: Label) -> None:
        width = _room(label)
        self._node(
            label.id,
            label=_table((label.text,), width, self.colors),
            pos=f'"{self._pos((label.x + width / 2, label.y))}"',
            width=_inches(width + 4),
            height=_inches(1.2 * max(run.size for run in label.text) + 6),
            id=f'"{label.id}"',
            shape="plaintext",
            style='""',
            tooltip='" "',
            **{"class": '"label"'},
        )

    def _nothing(self, name: str, point: Point) -> None:
        pos = f'"{self._pos(point)}"'
        self._node(name, label='""', pos=pos, shape="point", style="invis", width="0.01", height="0.01")

    def _bar(self, name: str, start: Point, share: float) -> None:
        """A bar from a point on, filled so far: its length is what is read, on paper and in any colours."""
        x, y = start
        parts: tuple[tuple[str, float, Role, Role], ...]
        parts = (("whole", BAR_WIDTH, "muted", "paper"), ("full", BAR_WIDTH * share, "ink", "ink"))
        for part, width, line, fill in parts:
            self._node(
                f"{name}-{part}",
                label='""',
                pos=f'"{self._pos((x + width / 2, y))}"',
                width=_inches(width),
                height=_inches(BAR_HEIGHT),
                id=f'"{name}-{part}"',
                style="filled",
                color=f'"{self.colors[line]}"',
                fillcolor=f'"{self.colors[fill]}"',
                penwidth="0.8",
                tooltip='" "',
                **{"class": '"bar"'},
            )

    def _swatch(self, swatch: Swatch) -> None:
        self._label(swatch.label)
        if swatch.card is not None:
            self._node(
                swatch.id,
                label='""',
                pos=f'"{self._pos((swatch.x + 11, swatch.y))}"',
                width=_inches(22),
                height=_inches(13),
                id=f'"{swatch.id}"',
                tooltip=_text(CARDS[swatch.card].means),
                **self._box(swatch.card),
                **{"class": f'"{swatch.card} legend"'},
            )
        if swatch.bar:
            self._bar(swatch.id, (swatch.x, swatch.y), 1.0)
        if swatch.edge is not None:
            line = EDGES[swatch.edge]
            (x0, y), (x1, _) = ends = (swatch.x, swatch.y), (swatch.x + 26, swatch.y)
            for number, end in enumerate(ends):
                self._nothing(f"{swatch.id}-{number}", end)
            points = ((x0, y), (x0 + 6, y), (x1 - 13, y), (x1 - 7, y))
            attributes = {
                "id": f'"{swatch.id}"',
                "class": f'"{swatch.edge} legend"',
                "pos": f'"e,{self._pos(ends[1])} {self._pos(*points)}"',
                "penwidth": "1.4",
                "tooltip": _text(line.means),
            }
            self._write(f'"{swatch.id}-0" -> "{swatch.id}-1"', {**attributes, **self._line(swatch.edge)})

    def _line(self, kind: EdgeKind) -> dict[str, str]:
        """How a kind of edge is drawn."""
        style = EDGES[kind]
        return {"color": f'"{self.colors[style.line]}"', "style": style.dash, "arrowhead": style.head}

    def _edge(self, edge: Edge) -> None:
        end = "" if EDGES[edge.kind].head == "none" else f"e,{self._pos(edge.tip)} "
        attributes = {
            "id": f'"{edge.id}"',
            "class": f'"{edge.kind}"',
            "pos": f'"{end}{self._pos(*edge.points)}"',
            "penwidth": _number(edge.width),
            "tooltip": _text(edge.tooltip),
            **self._line(edge.kind),
        }
        if edge.label is not None:
            label = edge.label
            text, width = _runs(label.text, self.colors), _room(label)
            attributes["label"] = f"<{text}>" if label.centered else _table((label.text,), width, self.colors)
            attributes["lp"] = f'"{self._pos((label.x + width / 2, label.y))}"'
            attributes["labeltooltip"] = attributes["tooltip"]
        self._write(f'"{edge.tail}" -> "{edge.head}"', attributes)


def _room(label: Label) -> float:
    """The width of the box that a label stands in, at its left end unless it is centred."""
    return label.width if label.centered else label.width * SUBSTITUTE


def _table(lines: Sequence[Line], width: float, colors: Palette, *, center: bool = False) -> str:
    align = "CENTER" if center else "LEFT"
    rows = "".join(f'<TR><TD ALIGN="{align}">{_runs(line, colors)}</TD></TR>' for line in lines)
    return "<" + _TABLE.format(width=f' WIDTH="{int(width)}"', rows=rows) + ">"


def _runs(line: Line, colors: Palette) -> str:
    return "".join(_run(run, colors) for run in line)


def _run(run: Run, colors: Palette) -> str:
    # Graphviz rejects empty text, folds spaces that are not hard, and reads backslashes twice.
    text = html.escape(run.text).replace(" ", "&#160;").replace("\\", "&#92;&#92;") or "&#160;"
    if run.bold:
        text = f"<B>{text}</B>"
    if run.italic:
        text = f"<I>{text}</I>"
    face = f' FACE="{MONO}"' if run.mono else ""
    return f'<FONT COLOR="{colors[run.role]}" POINT-SIZE="{_number(run.size)}"{face}>{text}</FONT>'


def _text(text: str) -> str:
    """A quoted attribute in which every character means itself."""
    text = clean_lines(text) if text.strip() else " "
    return '"' + text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


def _inches(points: float) -> str:
    return f"{points / 72:.4f}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
