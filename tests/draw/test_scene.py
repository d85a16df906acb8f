"""Scenes: what holds for all of them, and what the hand-written stories look like in particular."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgrad.draw.scene import Scene, build_scene
from graphgrad.draw.story import Kept, Leaf, LeafKind, Result, Step, Story
from graphgrad.draw.style import Theme
from tests.draw import stories
from tests.draw.checks import check_scene, sample

STORIES: dict[str, Callable[[], Story]] = {
    "lesson8": stories.lesson8,
    "gated": stories.gated,
    "several_results": stories.several_results,
    "attention": stories.attention,
    "single": stories.single,
    "weird": stories.weird,
    "tower": lambda: stories.tower(5),
    "empty": lambda: Story("nothing", (), (), ()),
    "leaf": lambda: Story("x", (stories.lesson8().leaves[2],), (), (Result("w1", "out"),)),
}


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
@pytest.mark.parametrize("name", STORIES)
def test_every_promise(name: str, theme: Theme) -> None:
    story = STORIES[name]()
    check_scene(story, build_scene(story, theme=theme))
    check_scene(story, build_scene(story, theme=theme, backward=False), backward=False)


TEXT = st.one_of(st.sampled_from(["x", "l1", "n×784", *stories.WEIRD]), st.text(max_size=30))
SCOPES = st.lists(st.sampled_from(["a", "b", "input", stories.WEIRD[1]]), max_size=3).map(tuple)


@st.composite
def any_story(draw: st.DrawFn) -> Story:
    """A random graph with random texts: arguments repeat, leaves are shared, some steps have no backward."""
    kinds: list[LeafKind] = ["input", "param", "state", "rng", "const"]
    leaves = []
    for number in range(draw(st.integers(0, 5))):
        gradient = draw(st.none() | st.tuples(TEXT))
        elements = draw(st.none() | st.integers(0, 10**9))
        leaves.append(
            Leaf(f"v{number}", draw(TEXT), draw(st.sampled_from(kinds)), draw(TEXT), elements, gradient)
        )
    keys = [leaf.key for leaf in leaves]
    steps = []
    for number in range(draw(st.integers(0, 14))):
        inputs = tuple(draw(st.lists(st.sampled_from(keys), max_size=4))) if keys else ()
        flows = tuple(draw(st.booleans()) for _ in inputs)
        kept = st.lists(st.builds(Kept, TEXT, TEXT), max_size=2).map(tuple)
        back = draw(st.booleans())
        steps.append(
            Step(
                f"s{number}",
                draw(TEXT),
                draw(SCOPES),
                tuple(f"f{number}.{i} {draw(TEXT)}" for i in range(draw(st.integers(0, 2)))),
                inputs,
                flows,
                draw(TEXT),
                draw(st.none() | st.integers(0, 10**6)),
                has_backward=back,
                backward_lines=tuple(f"b{number}.{i} {draw(TEXT)}" for i in range(draw(st.integers(0, 3)))),
                passes=tuple(draw(st.lists(TEXT, max_size=2))),
                rule=draw(TEXT),
                keeps=draw(kept),
                uses=draw(kept),
                gradient=draw(st.none() | st.tuples(TEXT)),
                folded=draw(st.booleans()),
                details=tuple(draw(st.lists(TEXT, max_size=1))),
            )
        )
        keys.append(f"s{number}")
    results = []
    if keys:
        for key in draw(st.lists(st.sampled_from(keys), max_size=3)):
            results.append(Result(key, draw(TEXT), draw(st.none() | TEXT)))
    facts = tuple(draw(st.lists(TEXT, max_size=6)))
    return Story(draw(TEXT), tuple(leaves), tuple(steps), tuple(results), facts, facts[:2])


@given(any_story(), st.booleans())
@pytest.mark.slow
def test_every_promise_for_random_stories(story: Story, backward: bool) -> None:
    check_scene(story, build_scene(story, backward=backward), backward=backward)


def test_a_scene_is_deterministic() -> None:
    assert build_scene(stories.gated()) == build_scene(stories.gated())


def edge(scene: Scene, tail: str, head: str, kind: str) -> bool:
    keys = {card.id: card.key for card in scene.cards}
    return any(keys[e.tail] == tail and keys[e.head] == head and e.kind == kind for e in scene.edges)


def test_lesson8_has_every_edge_in_both_halves() -> None:
    scene = build_scene(stories.lesson8())
    chain = ["x_w1", "l1", "l2", "l2_w2", "out", "column", "error", "squared", "loss"]
    for one, other in pairwise(chain):
        assert edge(scene, one, other, "forward")
        assert edge(scene, other, one, "backward")
    assert edge(scene, "x", "x_w1", "forward")
    assert edge(scene, "y", "error", "data")
    for name, step in {"w1": "x_w1", "b1": "l1", "w2": "l2_w2", "b2": "out"}.items():
        assert edge(scene, name, step, "param")
        assert edge(scene, step, name, "grad")
    assert edge(scene, "loss", "loss", "seed")
    ties = {e.kind: e.label and e.label.text[0].text for e in scene.edges if e.kind in ("kept", "uses")}
    assert ties == {"uses": "uses x", "kept": "keeps error 4·batch B"}
    assert [band.name for band in scene.bands] == ["input", "hidden", "output"]


def test_the_trunk_is_straight() -> None:
    scene = build_scene(stories.lesson8())
    assert len({card.x for card in scene.cards if card.kind in ("op", "result")}) == 1
    for line in scene.edges:
        if line.kind in ("forward", "backward"):
            assert len({x for x, _ in line.points}) == 1


def crossings(scene: Scene) -> int:
    """How often lines of the left half cross each other, by samples along them."""
    pieces = []
    for number, line in enumerate(e for e in scene.edges if e.kind in ("forward", "param", "data")):
        points = list(sample(line, 6))
        pieces += [(number, line.tail, a, b) for a, b in pairwise(points)]
    found = 0
    for place, (number, tail, (ax, ay), (bx, by)) in enumerate(pieces):
        for other, other_tail, (cx, cy), (dx, dy) in pieces[place + 1 :]:
            if number == other or tail == other_tail:
                continue
            one = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax), (bx - ax) * (dy - ay) - (by - ay) * (dx - ax)
            two = (dx - cx) * (ay - cy) - (dy - cy) * (ax - cx), (dx - cx) * (by - cy) - (dy - cy) * (bx - cx)
            found += one[0] * one[1] < -1e-6 and two[0] * two[1] < -1e-6
    return found


@pytest.mark.parametrize("name", ["lesson8", "gated", "attention", "several_results", "tower"])
def test_nothing_crosses_on_the_left_half(name: str) -> None:
    assert crossings(build_scene(STORIES[name]())) == 0


def test_a_repeated_input_has_two_edges_on_both_halves() -> None:
    scene = build_scene(stories.several_results())
    keys = {card.id: card.key for card in scene.cards}
    pairs = [(keys[e.tail], keys[e.head], e.kind) for e in scene.edges]
    assert pairs.count(("c", "sq", "forward")) == 2
    assert pairs.count(("sq", "c", "backward")) == 2


def test_a_shared_parameter_stands_once_and_is_shown_again() -> None:
    scene = build_scene(stories.attention())
    kinds = sorted(card.kind for card in scene.cards if card.key == "wo")
    assert kinds == ["again", "grad", "grad_again", "param"]


def test_where_no_gradient_passes_nothing_stands_on_the_right() -> None:
    scene = build_scene(stories.single())
    assert {card.side for card in scene.cards} == {"left"}
    scene = build_scene(stories.several_results())
    assert [card.side for card in scene.cards if card.key == "top"] == ["left"]


def test_the_gradient_of_data_and_of_an_intermediate_is_a_pill() -> None:
    scene = build_scene(stories.several_results())
    assert [card.key for card in scene.cards if card.kind == "grad"] == ["x", "scale", "c"]
    assert edge(scene, "xs", "x", "backward")
    assert edge(scene, "c", "c", "grad")


def test_nested_layers_stand_inside_each_other() -> None:
    bands = build_scene(stories.attention()).bands
    assert [(band.name, band.depth) for band in bands] == [
        ("input", 0),
        ("encoder", 0),
        ("embed", 1),
        ("attention", 1),
    ]


def test_very_long_statements_are_cut_and_kept_in_the_tooltip() -> None:
    scene = build_scene(stories.attention())
    card = next(c for c in scene.cards if c.key == "p" and c.side == "right")
    assert "d_m = p * (d_p - np.sum(d_p * p, axis=-1, keepdims=True))" in card.tooltip
    long = stories.single().steps[0]._replace(lines=("y = " + "x + " * 200 + "x",))
    scene = build_scene(replace(stories.single(), steps=(long,)))
    shown = [line[0].text for line in scene.cards[1].text[1:]]
    assert len(shown) == 3 and shown[2].endswith("…") and all(45 <= len(line) <= 52 for line in shown)
    assert scene.cards[1].code == long.lines


def test_statements_go_on_in_the_next_line_within_as_few_brackets_as_possible() -> None:
    line = "total = np.exp(np.minimum(first, 0)) / (1 + np.exp(-np.abs(first)))"
    long = stories.single().steps[0]._replace(lines=(line,))
    scene = build_scene(replace(stories.single(), steps=(long,)))
    shown = [line[0].text for line in scene.cards[1].text[1:]]
    assert shown == ["total = np.exp(np.minimum(first, 0))", "    / (1 + np.exp(-np.abs(first)))"]


def test_the_legend_has_only_what_the_picture_has() -> None:
    legend = build_scene(stories.single()).legend
    assert [swatch.label.text[0].text for swatch in legend] == ["result", "data"]


def test_a_wide_step_and_a_long_tower() -> None:
    wide = [Leaf(f"x{n}", f"x{n}", "input", "3", 3) for n in range(60)]
    keys = tuple(leaf.key for leaf in wide)
    add = Step("s", "concat", (), ("s = np.concatenate(...)",), keys, (False,) * 60, "3", 3)
    story = Story("wide", tuple(wide), (add,), (Result("s", "s"),))
    check_scene(story, build_scene(story))
    tall = build_scene(stories.tower(400))
    # The names grow, the lanes do not.
    assert tall.width < 1.2 * build_scene(stories.tower(4)).width
