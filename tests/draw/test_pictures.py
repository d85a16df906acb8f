"""Pictures of real models, and of random graphs: what every scene promises, and every statement on a card."""

from itertools import cycle

import pytest

import graphgrad as gg
from graphgrad.draw.words import size_words
from tests.draw.checks import check_scene, emitted, told
from tests.fuzz.graphs import Recipe, build
from tests.models import MODELS

LEVELS = ("plain", "default")


def check_picture(compiled, **options):
    """The picture of a compiled model keeps every promise and shows what was emitted, each statement once."""
    picture = gg.draw(compiled, **options)
    check_scene(picture.story, picture.scene, backward=picture.story.mirrored)
    assert told(picture.story) == emitted(compiled)
    return picture


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", MODELS)
def test_pictures_of_models(name, level):
    loss, wrt = MODELS[name].build()
    compiled = gg.compile(loss, wrt=wrt, level=level)
    picture = check_picture(compiled, detail="op")
    memory = compiled.plan.memory
    (kept,) = [fact for fact in picture.story.facts if "of activations" in fact]
    assert (kept == f"keeps {size_words(memory.residuals)} of activations") == (not compiled.plan.tiles)
    assert picture.story.mirrored == (name != "physics")  # which has second derivatives
    if picture.story.mirrored:
        pills = [card for card in picture.scene.cards if card.kind == "grad"]
        assert len(pills) == len(wrt)


@pytest.mark.parametrize(("name", "theme"), list(zip(MODELS, cycle(["light", "dark", "auto"]), strict=False)))
def test_pictures_of_nodes_are_those_of_level_plain(name, theme):
    loss, wrt = MODELS[name].build()
    drawn = gg.draw(loss, wrt=wrt, theme=theme)
    check_scene(drawn.story, drawn.scene, backward=drawn.story.mirrored)
    compiled = gg.draw(gg.compile(loss, wrt=wrt, level="plain", name=drawn.story.title), theme=theme)
    assert drawn.scene == compiled.scene


@pytest.mark.parametrize(
    "first", [pytest.param(first, marks=[pytest.mark.slow] * (first >= 40)) for first in range(0, 200, 20)]
)
def test_pictures_of_random_graphs(first):
    for seed in range(first, first + 20):
        model = build(Recipe.of(seed))
        compiled = gg.compile(model.outputs, wrt=model.wrt or None, level=LEVELS[seed % 2])
        check_picture(compiled, detail="op")


@pytest.mark.parametrize("seed", range(200, 212))
@pytest.mark.parametrize("options", [{"detail": "line"}, {"detail": "layer"}, {"detail": "auto"}], ids=str)
def test_other_views_of_random_graphs(seed, options):
    model = build(Recipe.of(seed))
    compiled = gg.compile(model.outputs, wrt=model.wrt or None)
    picture = gg.draw(compiled, **options)
    check_scene(picture.story, picture.scene, backward=picture.story.mirrored)
    if options["detail"] == "line":
        assert told(picture.story) == emitted(compiled)
