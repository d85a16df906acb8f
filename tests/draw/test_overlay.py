"""What reports say stands on the cards it is about, and adds up to what the report says of the whole."""

from functools import cache

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.dim import add, evaluate
from graphgrad.draw.shapes import BAR_WIDTH
from graphgrad.draw.story import Measure
from graphgrad.run.profile import Profile, Timed
from tests.draw.checks import check_scene
from tests.draw.models import NAMES
from tests.models import MODELS


@cache
def compiled(name, level="default"):
    loss, wrt = MODELS[name].build()
    return gg.compile(loss, wrt=wrt, level=level, name=name)


def profile_of(model, seconds):
    """A profile in which each statement of a call took ``seconds(line)``."""
    statements = model.emitted.statements
    whole = [one for one in statements if one.function == "forward_and_backward"]
    run = whole or [one for one in statements if one.function in ("forward", "backward")]
    timed = tuple(Timed(one.lines[0], one.function, one.code, seconds(one.lines[0])) for one in run)
    return Profile(timed, model.plan, model.emitted, dict.fromkeys(model.graph.symbols, 9))


def measures(story):
    return [one for step in story.steps for one in (step.measure, step.backward_measure) if one is not None]


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("name", NAMES)
def test_times_of_the_cards_add_up_to_the_statements(name, level):
    report = profile_of(compiled(name, level), lambda line: 1.0 + line / 1024)
    for detail in ("op", "layer", "line"):
        found = measures(report.draw(detail=detail).story)
        assert sum(one.seconds for one in found) == pytest.approx(report.seconds)
        longest = max(one.seconds for one in found)
        assert [one.share for one in found if one.seconds] == [
            one.seconds / longest for one in found if one.seconds
        ]


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_operations_of_the_cards_add_up(name):
    model = compiled(name)
    sizes = dict.fromkeys(model.graph.symbols, 8)
    work = 0
    for node in dict.fromkeys(node for one in model.plan.main.statements.values() for node in one):
        work = add(work, node.op.cost(tuple(part.spec for part in node.inputs), node.spec))
    for report in (model.memory(), model.memory(**sizes)):
        for detail in ("op", "layer", "line"):
            total = Measure.total(measures(report.draw(detail=detail).story))
            assert evaluate(total.kept, sizes) == evaluate(
                report.residuals, sizes
            )  # of so few rows, all are kept
            assert total.flops == (evaluate(work, sizes) if report.sizes else work)


@pytest.mark.parametrize("name", NAMES)
def test_what_tiles_keep_fits_into_what_a_call_allocates(name):
    model = compiled(name)
    assert model.plan.tiles
    report = model.memory(**dict.fromkeys(model.graph.symbols, 500_000))  # more than a tile has
    kept = Measure.total(measures(report.draw(detail="op").story)).kept
    assert kept <= report.peak and (kept < report.residuals or not kept)


@pytest.mark.parametrize("name", ["lesson8", "gated"])
def test_bars_take_the_place_that_they_need(name):
    for report in (compiled(name).memory(), profile_of(compiled(name), float)):
        for theme in ("light", "dark"):
            picture = report.draw(theme=theme)
            check_scene(picture.story, picture.scene)
            assert picture.scene.legend[-1].bar


def test_a_statement_counts_for_its_own_card():
    model = compiled("lesson8")
    line = next(one.lines[0] for one in model.emitted.statements if one.code.startswith("l2 = "))
    story = profile_of(model, lambda at: 3.0 if at == line else 1 / 64).draw().story
    slowest = max(story.steps, key=lambda step: step.measure.seconds)
    assert slowest.name == "l2" and slowest.measure.share == 1 and slowest.measure.text.startswith("3 s   ")
    assert story.scale == "time: the whole bar is 3 s"
    assert story.facts[0].endswith(" s a call in one thread at batch = 9")


def test_a_real_profile_is_drawn():
    arrays = MODELS["lesson8"].arguments(np.random.default_rng(0), batch=4)
    report = compiled("lesson8").profile(**arrays)
    assert report.sizes == {"batch": 4}
    picture = report.draw(title="times")
    assert 0 < sum(one.seconds for one in measures(picture.story)) <= report.seconds
    (run,) = picture.scene.legend[-1].label.text
    assert run.text.startswith("time: the whole bar is ")


def test_lines_across_the_picture_say_bytes_too():
    story = compiled("lesson8").memory(batch=50_000).draw().story
    assert {one.name: one.size for step in story.steps for one in step.keeps}[
        "l1"
    ] == "819 kB"  # of 4,096 rows
    assert story.facts[0].startswith("allocates ") and "batch = 50,000" in story.facts[0]


def test_bytes_of_tiles_are_formulas_where_sizes_are_not_known():
    story = compiled("lesson8").draw().story
    assert "keeps 404·min(batch, 4096) B of activations" in story.facts
    assert {one.name: one.size for step in story.steps for one in step.keeps}[
        "l1"
    ] == "200·min(batch, 4096) B"
    forward = gg.draw(compiled("lesson8"), backward=False).story
    assert not [fact for fact in forward.facts if "backward" in fact or "keeps" in fact]


def test_bars_are_as_long_as_their_share():
    picture = compiled("lesson8").memory(batch=50_000).draw()
    bars = [card for card in picture.scene.cards if card.bar is not None]
    assert {round(card.bar, 3) for card in bars} == {1.0, 0.02}
    for card in bars:
        full = next(one for one in picture.source.split("];") if f'id="{card.id}-full"' in one)
        assert f"width={card.bar * BAR_WIDTH / 72:.4f}" in full


def test_a_report_is_still_what_it_was():
    model = compiled("lesson8")
    assert str(model.memory(batch=3)) == str(model.plan.memory_on(model._threads()).at({"batch": 3}))
    assert model.memory(batch=3) == model.memory(batch=3) != model.memory(batch=4)
    with pytest.raises(gg.ArgumentError, match="no size"):
        model.memory(rows=3)


def test_models_without_gradients_and_halves_have_reports_too():
    assert measures(compiled("lesson8").memory(batch=5).draw(backward=False).story)
    loss, _ = MODELS["lesson8"].build()
    report = gg.compile(loss, level="plain").memory(batch=5)
    whole = Measure.total(measures(report.draw().story))
    lines = report.draw(detail="line").story
    assert len(lines.steps) > len(report.draw().story.steps)
    assert Measure.total(measures(lines)) == whole and whole.flops > 0
