"""Two scenes as one, side by side."""

from __future__ import annotations

from dataclasses import replace

from graphgrad.draw.shapes import Band, Card, Edge, Label, Point, Scene, Swatch

GAP = 12.0


def beside(left: Scene, right: Scene, title: str) -> Scene:
    """Both scenes in one, of which nothing is forward or backward; their ids have to differ already."""
    shift = left.width + GAP
    return Scene(
        left.prefix,
        title,
        left.theme,
        round(shift + right.width, 2),
        max(left.height, right.height),
        (*left.cards, *(_card(card, shift, len(left.bands)) for card in right.cards)),
        (*left.edges, *(_edge(edge, shift) for edge in right.edges)),
        (*left.bands, *(_band(band, shift) for band in right.bands)),
        (*_said(left), *(_label(label, shift) for label in _said(right))),
        (*left.legend, *(_swatch(swatch, shift) for swatch in right.legend)),
    )


def _said(scene: Scene) -> list[Label]:
    return [label for label in scene.labels if label.id != f"{scene.prefix}-forward"]


def _x(x: float, shift: float) -> float:
    return round(x + shift, 2)


def _card(card: Card, shift: float, bands: int) -> Card:
    return card._replace(x=_x(card.x, shift), band=None if card.band is None else card.band + bands)


def _edge(edge: Edge, shift: float) -> Edge:
    def moved(point: Point) -> Point:
        return _x(point[0], shift), point[1]

    label = None if edge.label is None else _label(edge.label, shift)
    return edge._replace(points=tuple(map(moved, edge.points)), tip=moved(edge.tip), label=label)


def _band(band: Band, shift: float) -> Band:
    return replace(
        band, left=_x(band.left, shift), right=_x(band.right, shift), label=_label(band.label, shift)
    )


def _label(label: Label, shift: float) -> Label:
    return label._replace(x=_x(label.x, shift))


def _swatch(swatch: Swatch, shift: float) -> Swatch:
    return replace(swatch, x=_x(swatch.x, shift), label=_label(swatch.label, shift))
