"""Folding: which layers become one card, what that card says, and how to open it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.draw.repeats import LONGEST, repeats
from tests.draw.checks import check_scene


def deep(blocks=12, scope="block{}", width=64):
    """A residual net of equal blocks."""
    x, t = gg.input("x", (32, width)), gg.input("t", (32, 8))
    with gg.scope("embed"):
        h = x @ gg.param("we", (width, width))
    for k in range(1, blocks + 1):
        with gg.scope(scope.format(k)):
            z = h @ gg.param(f"w{k}", (width, width)) + gg.param(f"b{k}", (width,))
            h = gg.maximum(z, 0) @ gg.param(f"v{k}", (width, width)) + h
    with gg.scope("head"):
        y = h @ gg.param("wh", (width, 8))
    with gg.scope("mse"):
        return gg.mean((y - t) ** 2)


def steps(picture):
    return {step.op: step for step in picture.story.steps}


def check(picture):
    check_scene(picture.story, picture.scene, backward=picture.story.mirrored)


def test_equal_layers_become_one_card_that_counts_what_is_in_them():
    picture = gg.draw(deep())
    check(picture)
    block = steps(picture)["block  × 12"]
    assert block.folded and not block.lines
    assert block.details == ("32×64 → 32×64", "5 ops each", "8,256 params each")
    assert block.backward_details[1:] == ("→ gradient of input", "3 param gradients each")
    whole = gg.draw(deep(), detail="op").story
    inside = [step for step in whole.steps if step.scope and step.scope[0].startswith("block")]
    assert len(inside) == 12 * 5
    lines = sum(len(step.backward_lines) for step in inside)
    assert block.backward_details[0] == (
        f"{lines // 12} lines each" if lines % 12 == 0 else f"{lines} lines in all"
    )
    kept = {kept.name: kept.nbytes for step in inside for kept in step.keeps}
    assert (
        sum(kept.values()) == 12 * 3 * 32 * 64 * 4
    )  # what each block read, and what is before and after its relu
    assert block.keeps[0].size == "295 kB"
    assert picture.story.facts == whole.facts
    assert len([card for card in picture.scene.cards if card.folded]) == 2


def test_the_picture_says_what_was_folded_and_how_to_open_it():
    picture = gg.draw(deep())
    note = picture.story.notes[-1]
    assert "block1 to block12" in note and "expand='block7'" in note
    assert any(note in run.text for label in picture.scene.labels for run in label.text)
    opened = gg.draw(deep(), expand="block7")
    check(opened)
    assert list(steps(opened))[:2] == ["matmul", "block  × 6"]
    assert "block  × 5" in steps(opened)
    assert "block7" in [band.name for band in opened.scene.bands]
    shown = [line for card in opened.scene.cards for line in card.code]
    assert len([line for line in shown if "w7" in line]) == 4 and not [line for line in shown if "w6" in line]


def test_small_pictures_show_everything_unless_asked():
    story = gg.draw(deep(3)).story
    assert not any(step.folded for step in story.steps)
    assert "block  × 3" in steps(gg.draw(deep(3), fold="block*"))
    assert "block2" in steps(gg.draw(deep(3), fold=["block2"]))
    layers = gg.draw(deep(3), detail="layer")
    assert [step.op for step in layers.story.steps] == ["embed", "block  × 3", "head", "mse"]
    assert layers.story.results[0].key == layers.story.steps[-1].key and layers.story.results[0].seed
    check(layers)
    assert not any(step.folded for step in gg.draw(deep(30), detail="op").story.steps)


@pytest.mark.slow
def test_many_layers_fold_where_nothing_repeats():
    x = gg.input("x", ("n", 8))
    h = x
    for k in range(150):
        with gg.scope(f"layer{k}"):
            for _ in range(1 + k % 7):  # of seven kinds, so that none stands beside its like
                h = gg.tanh(h @ gg.param(f"w{len(gg.Graph((), (h,)).nodes)}", (8, 8)))
    picture = gg.draw(gg.mean(h**2))
    check(picture)
    names = [step.op for step in picture.story.steps]
    assert len(picture.scene.cards) < 150 and names[0].startswith("layer") and names[-1] == "mean"
    assert not any(step.lines for step in picture.story.steps if step.folded)


def test_layers_within_layers():
    x = gg.input("x", ("n", 8))
    h = x
    for k in range(30):
        with gg.scope("encoder" if k < 15 else "decoder"), gg.scope(f"block{k}"):
            h = gg.tanh(h @ gg.param(f"w{k}", (8, 8)) + gg.param(f"b{k}", (8,))) + h
    loss = gg.mean(h**2)
    picture = gg.draw(loss)
    check(picture)
    assert [step.op for step in picture.story.steps[:2]] == ["block  × 15", "block  × 15"]
    assert [band.name for band in picture.scene.bands][1:3] == ["encoder", "decoder"]
    opened = gg.draw(loss, detail="layer", expand="encoder/block3")
    check(opened)
    assert [step.op for step in opened.story.steps if step.folded] == ["block  × 3", "block  × 11", "decoder"]


def test_a_model_in_one_layer_does_not_become_one_card():
    with gg.scope("model"):
        loss = deep(40)
    picture = gg.draw(loss)
    assert [step.op for step in picture.story.steps if step.folded] == ["block  × 40"]
    layers = gg.draw(loss, detail="layer")
    assert [step.op for step in layers.story.steps if step.folded] == ["embed", "block  × 40", "head", "mse"]


def test_what_lies_between_layers_repeats_with_them():
    x = gg.input("x", ("n", 8))
    h = x
    for k in range(30):
        with gg.scope(f"attention{k}"):
            inner = gg.tanh(h @ gg.param(f"a{k}", (8, 8)))
        h = h + inner
        with gg.scope(f"mlp{k}"):
            inner = gg.maximum(h @ gg.param(f"m{k}", (8, 8)), 0)
        h = h + inner
    picture = gg.draw(gg.mean(h**2))
    check(picture)
    folded = [step for step in picture.story.steps if step.folded]
    assert [step.op for step in folded] == ["attention + mlp  × 30"]
    assert folded[0].details[1] == "6 ops each"


def test_ops_of_no_layer_fold_where_there_are_too_many():
    h = gg.input("x", ("n", 8))
    w = gg.param("w", (8, 8))
    for _ in range(400):
        h = gg.tanh(h @ w)
    picture = gg.draw(gg.mean(h**2))
    check(picture)
    folded = [step for step in picture.story.steps if step.folded]
    assert [step.op for step in folded] == ["2 ops  × 400"]
    assert folded[0].details[1:] == ("2 ops each", "64 params, shared")
    assert "gg.scope" in picture.story.notes[-1]


def test_equal_layers_of_other_names_or_shapes_stay_apart():
    x = gg.input("x", ("n", 8))
    h = x
    for name in ("up", "down", "block1", "block2"):
        with gg.scope(name):
            h = gg.tanh(h @ gg.param(f"w {name}", (8, 8)))
    assert [step.op for step in gg.draw(gg.mean(h), detail="layer").story.steps][:3] == [
        "up",
        "down",
        "block  × 2",
    ]


def test_results_and_gradients_inside_a_folded_layer_stay_visible():
    x, w = gg.input("x", (3, 4)), gg.param("w", (4, 4))
    with gg.scope("hidden"):
        h = gg.tanh(x @ w)
        z = gg.exp(h)
    loss = gg.sum(z)
    picture = gg.draw({"loss": loss, "h": h}, wrt=[w, h], fold="hidden")
    check(picture)
    hidden = steps(picture)["hidden"]
    assert hidden.gradient == ("∂loss/∂h",)
    assert {result.label for result in picture.story.results} == {"loss", "h"}
    assert Counter(card.kind for card in picture.scene.cards)["result"] == 2


@pytest.mark.parametrize("option", ["expand", "fold"])
def test_a_layer_that_does_not_exist_is_refused_by_name(option):
    with pytest.raises(gg.InvalidValueError, match=r"no layer 'blok'.*\n?.*'embed'"):
        gg.draw(deep(3), **{option: ["blok"]})


@pytest.mark.slow
def test_thousands_of_nodes_fold_to_a_few_cards():
    loss = deep(300, width=4)
    assert len(gg.Graph((), (loss,)).nodes) > 2_000
    picture = gg.draw(loss)
    assert len(picture.scene.cards) < 50
    check(picture)


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_runs_cover_the_sequence_and_repeat(items):
    at = 0
    for start, length, times in repeats(items):
        assert start == at and 1 <= length <= LONGEST and times >= 1
        unit = items[start : start + length]
        assert items[start : start + length * times] == unit * times
        at += length * times
    assert at == len(items)
    assert repeats(["x", *"ab" * 5, "y"]) == [(0, 1, 1), (1, 2, 5), (11, 1, 1)]
