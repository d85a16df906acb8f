"""Whatever things are called is shown as text, or shortened, and breaks nothing."""

import xml.etree.ElementTree as ElementTree

import pytest

import graphgrad as gg
from tests.draw.checks import check_scene

NAMES = [
    "a -> b", "<b>x</b>", "{x|y}", '"', "'", "\\", "\\N\\G\\l", "%s {0}", "&amp;", "]]>", "<!--", "-->", ";", "a:b:c",
    "#", "🎉", "👩‍👩‍👧", "größe", "変数", "עברית", "\u202edesrever", "a\u0301\u0301\u0301", " ", "digraph", "node",
    "subgraph x {", "</TABLE>", "x" * 500, "word " * 100, "🎉" * 500, "\u200b", "\ufeff", "\ufffe", "\U0010ffff",
]  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def called(name):
    """A model in which a leaf, a size, a layer, an intermediate, an output and a gradient have that name."""
    x = gg.input(name, (name, 3))
    w = gg.param(name + "w", (3,))
    with gg.scope(name), gg.scope(name):
        y = gg.named(gg.tanh(x * w), name + "y")
    return {name: gg.sum(y), "y" + name: y}, {name: w, name + "2": y}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_can_be_drawn(name):
    outputs, wrt = called(name)
    for options in ({}, {"fold": [name]}, {"detail": "line"}, {"expand": name, "title": name}):
        picture = gg.draw(outputs, wrt=wrt, **options)
        check_scene(picture.story, picture.scene, backward=picture.story.mirrored)
        assert max(run.width for card in picture.scene.cards for line in card.text for run in line) < 420


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_in_the_picture_as_text(name):
    outputs, wrt = called(name)
    picture = gg.draw(outputs, wrt=wrt)
    root = ElementTree.fromstring(picture._repr_mimebundle_()["image/svg+xml"])
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "g", "a", "path", "polygon", "polyline", "ellipse", "text"}
    shown = [(element.text or "").replace("\u00a0", " ") for element in root.iter(f"{SVG}text")]
    for card in picture.scene.cards:
        for line in card.text:
            for run in line:
                assert run.text in shown or not run.text.strip()
    if len(name) < 10 and name.isprintable():
        assert any(name in text for text in shown)
