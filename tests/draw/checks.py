"""What holds for every scene, whatever its story."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from graphgrad.draw.scene import Card, Edge, Label, Line, Point, Scene
from graphgrad.draw.shapes import PAD_X, line_height
from graphgrad.draw.story import Story
from graphgrad.draw.style import CARDS, Role, contrast, palette

Box = tuple[float, float, float, float]
SLACK = 0.6


def check_scene(story: Story, scene: Scene, *, backward: bool = True) -> None:
    """Every promise that a scene makes."""
    check_pairs(scene)
    check_cards_apart(scene)
    check_edges_clear(scene)
    check_edges_join(scene)
    check_text_fits(scene)
    check_lines_once(story, scene, backward)
    check_ids(scene)
    check_contrast(scene)
    check_bands(scene)
    check_labels_clear(scene)


def check_pairs(scene: Scene) -> None:
    rows: dict[str, float] = {}
    axis: list[float] = []
    for card in main_cards(scene):
        if card.side == "left":
            rows[card.key] = card.y
    lefts = {card.key: card for card in main_cards(scene) if card.side == "left"}
    for card in main_cards(scene):
        if card.side == "right":
            assert card.y == rows[card.key]
            axis.append((card.x + lefts[card.key].x) / 2)
    assert max(axis, default=0.0) - min(axis, default=0.0) < 0.05  # mirror images of each other


def main_cards(scene: Scene) -> list[Card]:
    """Cards of steps and of the input band, not the pills docked at them."""
    return [card for card in scene.cards if card.id.split("-")[1][0] in "fbdp"]


def check_cards_apart(scene: Scene) -> None:
    cards = sorted(scene.cards, key=lambda card: card.box[1])
    for place, card in enumerate(cards):
        for other in cards[place + 1 :]:
            if other.box[1] >= card.box[3]:
                break
            assert not overlap(card.box, other.box), (card.id, other.id)
    for card in scene.cards:
        assert inside(card.box, (0.0, 0.0, scene.width, scene.height)), card.id


def overlap(one: Box, other: Box, slack: float = 0.0) -> bool:
    return (
        one[0] < other[2] - slack
        and other[0] < one[2] - slack
        and one[1] < other[3] - slack
        and other[1] < one[3] - slack
    )


def inside(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def sample(edge: Edge, steps: int = 8) -> Iterator[Point]:
    """Points along a spline."""
    for start in range(0, len(edge.points) - 1, 3):
        a, b, c, d = edge.points[start : start + 4]
        for step in range(steps + 1):
            t = step / steps
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            yield (
                sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
                sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
            )


def check_edges_clear(scene: Scene) -> None:
    """No line runs through a card, its own two included."""
    for edge in scene.edges:
        points = [*sample(edge, 24), edge.tip]
        for card in scene.cards:
            left, top, right, bottom = card.box
            for x, y in points:
                through = left + SLACK < x < right - SLACK and top + SLACK < y < bottom - SLACK
                assert not through, (edge.kind, edge.tail, edge.head, card.id)


def check_edges_join(scene: Scene) -> None:
    """Every line starts at its tail's border and points at its head's."""
    cards = {card.id: card for card in scene.cards}
    for edge in scene.edges:
        assert len(edge.points) % 3 == 1
        assert on_border(edge.points[0], cards[edge.tail].box), edge.id
        assert on_border(edge.tip, cards[edge.head].box), edge.id


def on_border(point: Point, box: Box) -> bool:
    x, y = point
    left, top, right, bottom = box
    beside = min(abs(x - left), abs(x - right)) < SLACK and top - SLACK < y < bottom + SLACK
    above = min(abs(y - top), abs(y - bottom)) < SLACK and left - SLACK < x < right + SLACK
    return beside or above


def width_of(line: Line) -> float:
    return sum(run.width for run in line)


def check_text_fits(scene: Scene) -> None:
    for card in scene.cards:
        assert max(map(width_of, card.text)) <= card.width - 2 * PAD_X + 0.01, card.id
        assert sum(map(line_height, card.text)) <= card.height, card.id
    for label in all_labels(scene):
        assert label.x >= 0 and label.x + label.width <= scene.width, label.id


def all_labels(scene: Scene) -> list[Label]:
    bands = [band.label for band in scene.bands]
    on_edges = [edge.label for edge in scene.edges if edge.label is not None]
    return [*scene.labels, *bands, *on_edges, *(swatch.label for swatch in scene.legend)]


def check_lines_once(story: Story, scene: Scene, backward: bool) -> None:
    told: Counter[str] = Counter()
    for step in story.steps:
        told.update(step.lines)
        if backward and step.has_backward:
            told.update(step.backward_lines)
    shown = Counter(line for card in scene.cards for line in card.code)
    assert shown == told


def check_ids(scene: Scene) -> None:
    ids = [
        thing.id for thing in (*scene.cards, *scene.edges, *scene.bands, *scene.legend, *all_labels(scene))
    ]
    assert len(ids) == len(set(ids))
    assert all(id.startswith(scene.prefix + "-") and id.isascii() for id in ids)


def check_contrast(scene: Scene) -> None:
    colors = palette(scene.theme)
    for card in scene.cards:
        for line in card.text:
            for run in line:
                assert contrast(colors[run.role], colors[CARDS[card.kind].fill]) >= 4.5, (run.role, card.kind)
    grounds: tuple[Role, ...] = ("paper", "band")
    for label in all_labels(scene):
        for run in label.text:
            for ground in grounds:
                assert contrast(colors[run.role], colors[ground]) >= 4.5, run.role


def check_bands(scene: Scene) -> None:
    for card in scene.cards:
        if card.band is not None:
            band = scene.bands[card.band]
            assert inside(card.box, (band.left, band.top, band.right, band.bottom)), (card.id, band.id)
    for number, band in enumerate(scene.bands):
        for other in scene.bands[number + 1 :]:
            apart = other.top >= band.bottom or other.bottom <= band.top
            nested = other.top >= band.top and other.bottom <= band.bottom and other.depth > band.depth
            assert apart or nested, (band.id, other.id)


def check_labels_clear(scene: Scene) -> None:
    """What is written between the cards stands on none of them; layer names are passed by no line."""
    for edge in scene.edges:
        if edge.label is not None:
            for card in scene.cards:
                assert not overlap(edge.label.box, card.box, SLACK), (edge.label.id, card.id)
    sideways = [
        (min(x0, x1), max(x0, x1), y0)
        for edge in scene.edges
        for (x0, y0), (x1, y1) in pairwise(edge.points[::3])
        if abs(y1 - y0) < 0.1
    ]
    for band in scene.bands:
        left, top, right, bottom = band.label.box
        for start, end, y in sideways:
            assert y < top or y > bottom + 2 or end < left or start > right, (band.label.id, y)
        for card in scene.cards:
            assert not overlap(band.label.box, card.box, SLACK), (band.label.id, card.id)


def emitted(compiled, *, backward: bool = True) -> Counter[str]:
    """The statements that a picture has to show: of the function that does both passes, or of forward and the first
    backward pass."""
    names = ["forward"]
    if backward and compiled.has_backward:
        both = re.search(
            r"^def forward_and_backward\b.*?(?=^def |\Z)", compiled.source, re.MULTILINE | re.DOTALL
        )
        first = re.search(r"^def (_?backward\w*)\(", compiled.source, re.MULTILINE)
        plain = (
            "outputs, residuals = forward(" in both[0] and compiled.plan.schedule.interface.level == "plain"
        )
        names = ["forward", first[1]] if plain else ["forward_and_backward"]
    return Counter(one.code for one in compiled.emitted.statements if one.function in names)


def told(story: Story) -> Counter[str]:
    """The statements that a story tells."""
    return Counter(line for step in story.steps for line in (*step.lines, *step.backward_lines))
