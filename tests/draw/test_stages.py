"""Pictures of passes: what went, what came, and what stays; two scenes as one keep what scenes promise."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.draw.compare import followed
from graphgrad.draw.picture import Picture
from graphgrad.draw.stages import changes
from graphgrad.interpret import interpret_all
from tests.draw.checks import check_scene
from tests.models import MODELS

version_1 = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "lesson8" / "versions.py"))[
    "version_1"
]


def first_version():
    loss, grads = version_1()
    return gg.compile([loss, *grads.values()], trace=True, name="version 1")


def by_mark(story, mark):
    return [step for step in story.steps if step.mark == mark]


def test_the_outer_product_becomes_a_product_of_matrices():
    picture = gg.draw(first_version(), stage="products")
    gone, new = by_mark(picture.story, "removed"), by_mark(picture.after, "new")
    assert [(step.op, step.details) for step in gone if step.op == "sum"] == [
        ("sum", ("became d_w",)),
        ("sum", ("became d_w_2",)),
    ]
    assert [step.lines for step in gone if step.op == "multiply"] == [
        ("product_2 = l2[:, :, None] * d_out[:, None]",),
        ("product_3 = x[:, :, None] * d_l1[:, None]",),
    ]
    assert [step.lines for step in new] == [("d_w = l2.T @ d_out",), ("d_w_2 = x.T @ d_l1",)]
    assert all(step.details[0].startswith("by ") for step in new)
    assert not by_mark(picture.story, "merged")
    assert len(by_mark(picture.story, "same")) == len(by_mark(picture.after, "same"))


def test_what_another_node_computes_already_is_merged():
    x = gg.input("x", (3,))
    root = gg.exp(x)
    picture = gg.draw(gg.sum(root * 1 + gg.sin(root)), stage="simplify")
    (merged,) = by_mark(picture.story, "merged")
    assert merged.op == "multiply" and merged.details == ("is root",)
    assert not by_mark(picture.after, "new")  # what reads it is as it was


def test_gradients_are_what_differentiation_adds():
    loss, wrt = MODELS["lesson8"].build()
    picture = gg.draw(loss, wrt=wrt, stage="differentiate")
    assert {step.mark for step in picture.story.steps} == {"same"}
    assert {"d_w1", "d_b1", "d_w2", "d_b2"} <= {step.name for step in by_mark(picture.after, "new")}


@pytest.mark.parametrize("name", list(MODELS))
def test_what_became_of_nodes_has_their_value(name):
    loss, wrt = MODELS[name].build()
    model = gg.compile(loss, wrt=wrt, trace=True)
    arrays = MODELS[name].arguments(np.random.default_rng(0))
    for stage, change in changes(model).items():
        if change.before is None or stage == "stabilize":
            continue
        seeds = {leaf: np.ones((), leaf.dtype) for leaf in change.after.leaves if leaf.name not in arrays}
        values = {leaf: arrays[leaf.name] for leaf in change.after.leaves if leaf.name in arrays} | seeds
        with np.errstate(all="ignore"):
            both = interpret_all([*change.before.outputs, *change.after.outputs], values)
        now, kept = followed(change.before, change.after)
        assert set(kept) <= set(now)
        assert len({now[node] for node in kept}) == len(kept)
        for node, new in now.items():
            if node.op.name != "run_time_size":
                np.testing.assert_allclose(both[new], both[node], rtol=2e-3, atol=1e-4)
        for node in kept:
            assert now[node].op is node.op and dict(now[node].attrs) == dict(node.attrs)


@pytest.mark.parametrize("name", list(MODELS))
def test_every_statement_of_both_graphs_is_marked(name):
    loss, wrt = MODELS[name].build()
    model = gg.compile(loss, wrt=wrt, trace=True)
    for stage, change in changes(model).items():
        picture = gg.draw(model, stage=stage)
        if picture.after is None:
            assert not any(step.mark for step in picture.story.steps)
            continue
        assert change.before is not change.after
        marks = [{step.mark for step in side.steps} for side in (picture.story, picture.after)]
        assert marks[0] <= {"same", "removed", "merged"} and marks[1] <= {"same", "new"}
        assert marks[0] | marks[1] != {"same"}
        stays = [len(by_mark(side, "same")) for side in (picture.story, picture.after)]
        if not picture.story.notes and not picture.after.notes:
            assert stays[0] == stays[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("stage", ["define", "products", "rewrite", "share"])
def test_two_scenes_keep_their_promises(stage, theme):
    picture = gg.draw(first_version(), stage=stage, theme=theme)
    if picture.after is None:
        check_scene(picture.story, picture.scene, backward=False)
        return
    both = picture.scene
    for half in (picture.story, picture.after):
        check_scene(half, Picture(half, theme=theme, backward=False).scene, backward=False)
    from tests.draw import checks

    for check in (
        checks.check_cards_apart,
        checks.check_edges_clear,
        checks.check_edges_join,
        checks.check_text_fits,
        checks.check_contrast,
        checks.check_labels_clear,
    ):
        check(both)
    ids = [thing.id for thing in (*both.cards, *both.edges, *both.bands, *both.legend, *both.labels)]
    assert len(ids) == len(set(ids))
    assert picture.source.startswith("digraph")


def test_of_many_statements_those_that_changed_are_shown():
    x = gg.input("x", (3,))
    for _ in range(60):
        x = gg.tanh(x)
    picture = gg.draw(gg.sum(x * 1), stage="simplify")
    assert len(picture.story.steps) < 6 and by_mark(picture.story, "merged")
    assert picture.story.notes == ("59 statements stay and are not shown",)
    check_scene(picture.story, Picture(picture.story, backward=False).scene, backward=False)


def test_passes_that_ran_again_have_a_number():
    x = gg.input("x", (3,))
    names = list(changes(gg.compile(gg.sum(gg.log(gg.exp(x)) * 1), trace=True)))
    assert names[0] == "define" and names[-1] == "rewrite" and len(names) == len(set(names))


def test_stages_that_cannot_be_drawn():
    x = gg.input("x", (3,))
    loss = gg.sum(x * 1)
    with pytest.raises(gg.ArgumentError, match="trace=True"):
        gg.draw(gg.compile(loss), stage="simplify")
    with pytest.raises(gg.InvalidValueError, match="'rewrite'"):
        gg.draw(gg.compile(loss, trace=True), stage="polish")
    for thing in (gg.Graph((x,), (loss,)), gg.nn.Linear(3, 4)):
        with pytest.raises(gg.ArgumentError, match="has no stages"):
            gg.draw(thing, stage="simplify")
    with pytest.raises(gg.ArgumentError):
        gg.draw(np.ones(3), stage="simplify")
