"""A scene as DOT in which everything already has its place, for Graphviz to draw without laying out.

Every text goes through `html.escape`: names are the user's, and may hold what DOT or HTML reads as its own.
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
)
from graphgrad.draw.style import CARDS, EDGES, MONO, SANS, SUBSTITUTE, Palette, Role, clean_lines, palette

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

    def digraph(self) -> Any:
        scene, colors = self.scene, self.colors
        root = graphviz.Digraph(
            "graphgrad",
            engine="neato",
            graph_attr={
                **_GRAPH,
                "id": f"{scene.prefix}-graph",
                "bgcolor": colors.paper,
                "tooltip": _text(scene.title),
            },
            node_attr=_NODE,
            edge_attr={**_EDGE, "fontcolor": colors.muted},
        )
        self._bands(root)
        for card in scene.cards:
            if card.band is None:
                self._card(root, card)
        for label in (*scene.labels, *(band.label for band in scene.bands)):
            self._label(root, label)
        for card in scene.cards:
            if card.bar is not None:
                left, _, _, bottom = card.box
                middle = bottom - (FOLD if card.folded else 0.0) - PAD_Y - (1.2 * BAR_HEIGHT + 2) / 2
                self._bar(root, card.id, (left + (FOLD if card.folded else 0.0) + PAD_X, middle), card.bar)
        for swatch in scene.legend:
            self._swatch(root, swatch)
        for number, corner in enumerate(((0.0, 0.0), (scene.width, scene.height))):
            self._nothing(root, f"{scene.prefix}-corner{number}", corner)  # holds the margins open
        for edge in scene.edges:
            self._edge(root, edge)
        return root

    def _pos(self, *points: Point) -> str:
        return " ".join(f"{_number(x)},{_number(self.scene.height - y)}" for x, y in points)

    def _bands(self, root: Any) -> None:
        """Each band is a cluster inside the one around it; bands come outer before inner."""
        inside: list[list[Card]] = [[] for _ in self.scene.bands]
        for card in self.scene.cards:
            if card.band is not None:
                inside[card.band].append(card)
        open_bands: list[Any] = []

        def close(down_to: int) -> None:
            while len(open_bands) > down_to:
                done = open_bands.pop()
                (open_bands[-1] if open_bands else root).subgraph(done)

        for band, cards in zip(self.scene.bands, inside, strict=True):
            close(band.depth)
            left, bottom = self._pos((band.left, band.bottom)).split(",")
            right, top = self._pos((band.right, band.top)).split(",")
            cluster = graphviz.Digraph(
                f"cluster_{band.id}",
                graph_attr={
                    "bb": f"{left},{bottom},{right},{top}",
                    "id": band.id,
                    "class": "layer",
                    "label": "",
                    "style": "rounded,filled",
                    "color": self.colors.band_line,
                    "fillcolor": self.colors.band,
                    "tooltip": _text(band.name),
                },
            )
            for card in cards:
                self._card(cluster, card)
            open_bands.append(cluster)
        close(0)

    def _card(self, graph: Any, card: Card) -> None:
        style = CARDS[card.kind]
        extra = 2 * FOLD if card.folded else 0.0  # Graphviz draws the second border outside the node
        graph.node(
            card.id,
            label=_table(card.text, card.width - extra - 2 * PAD_X, self.colors, center=len(card.text) == 1),
            pos=self._pos((card.x, card.y)),
            width=_inches(card.width - extra),
            height=_inches(card.height - extra),
            id=card.id,
            color=self.colors[style.line],
            fillcolor=self.colors[style.fill],
            penwidth=_number(style.penwidth),
            tooltip=_text(card.tooltip),
            **{"class": f"{card.kind} {card.side}"},
            **({"peripheries": "2"} if card.folded else {}),
            **({"style": "rounded,filled,dashed"} if style.dashed else {}),
        )

    def _label(self, graph: Any, label: Label) -> None:
        width = _room(label)
        graph.node(
            label.id,
            label=_table((label.text,), width, self.colors),
            pos=self._pos((label.x + width / 2, label.y)),
            width=_inches(width + 4),
            height=_inches(1.2 * max(run.size for run in label.text) + 6),
            id=label.id,
            shape="plaintext",
            style="",
            tooltip=" ",
            **{"class": "label"},
        )

    def _nothing(self, graph: Any, name: str, point: Point) -> None:
        graph.node(
            name, label="", pos=self._pos(point), shape="point", style="invis", width="0.01", height="0.01"
        )

    def _bar(self, graph: Any, name: str, start: Point, share: float) -> None:
        """A bar from a point on, filled so far: its length is what is read, on paper and in any colours."""
        x, y = start
        roles: tuple[Role, Role] = ("muted", "paper")
        for part, width in (("whole", BAR_WIDTH), ("full", BAR_WIDTH * share)):
            graph.node(
                f"{name}-{part}",
                label="",
                pos=self._pos((x + width / 2, y)),
                width=_inches(width),
                height=_inches(BAR_HEIGHT),
                id=f"{name}-{part}",
                style="filled",
                color=self.colors[roles[0]],
                fillcolor=self.colors[roles[1]],
                penwidth="0.8",
                tooltip=" ",
                **{"class": "bar"},
            )
            roles = ("ink", "ink")

    def _swatch(self, graph: Any, swatch: Swatch) -> None:
        self._label(graph, swatch.label)
        if swatch.card is not None:
            style = CARDS[swatch.card]
            graph.node(
                swatch.id,
                label="",
                pos=self._pos((swatch.x + 11, swatch.y)),
                width=_inches(22),
                height=_inches(13),
                id=swatch.id,
                color=self.colors[style.line],
                fillcolor=self.colors[style.fill],
                penwidth=_number(style.penwidth),
                tooltip=style.means,
                style="rounded,filled,dashed" if style.dashed else "rounded,filled",
                **{"class": f"{swatch.card} legend"},
            )
        if swatch.bar:
            self._bar(graph, swatch.id, (swatch.x, swatch.y), 1.0)
        if swatch.edge is not None:
            line = EDGES[swatch.edge]
            ends = (swatch.x, swatch.y), (swatch.x + 26, swatch.y)
            for number, end in enumerate(ends):
                self._nothing(graph, f"{swatch.id}-{number}", end)
            (x0, y), (x1, _) = ends
            points = ((x0, y), (x0 + 6, y), (x1 - 13, y), (x1 - 7, y))
            graph.edge(
                f"{swatch.id}-0",
                f"{swatch.id}-1",
                id=swatch.id,
                pos=f"e,{self._pos(ends[1])} {self._pos(*points)}",
                color=self.colors[line.line],
                penwidth="1.4",
                style=line.dash,
                arrowhead=line.head,
                tooltip=line.means,
                **{"class": f"{swatch.edge} legend"},
            )

    def _edge(self, graph: Any, edge: Edge) -> None:
        style = EDGES[edge.kind]
        end = "" if style.head == "none" else f"e,{self._pos(edge.tip)} "
        attributes = {
            "id": edge.id,
            "class": edge.kind,
            "pos": end + self._pos(*edge.points),
            "color": self.colors[style.line],
            "penwidth": _number(edge.width),
            "style": style.dash,
            "arrowhead": style.head,
            "tooltip": _text(edge.tooltip),
        }
        if edge.label is not None:
            label = edge.label
            text = _runs(label.text, self.colors)
            attributes["label"] = (
                f"<{text}>" if label.centered else _table((label.text,), _room(label), self.colors)
            )
            attributes["lp"] = self._pos((label.x + _room(label) / 2, label.y))
            attributes["labeltooltip"] = attributes["tooltip"]
        graph.edge(edge.tail, edge.head, **attributes)


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


def _text(text: str) -> Any:
    """An attribute in which backslashes and angle brackets mean themselves."""
    return graphviz.escape(clean_lines(text)) if text.strip() else " "


def _inches(points: float) -> str:
    return f"{points / 72:.4f}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
