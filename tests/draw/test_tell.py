"""The story that a picture tells is the module that was emitted: every statement once, and what flows where."""

from functools import cache

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.draw.tell import tell
from graphgrad.draw.words import shape_words, size_words
from tests.draw.checks import check_lines_once, emitted, told
from tests.emit.models import MODELS


@cache
def model(name):
    return MODELS[name]()


def story_of(compiled, title=None):
    return tell(compiled.plan, compiled.emitted, title)


def by_name(story):
    return {step.name: step for step in story.steps}


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("backward", [True, False])
def test_every_emitted_statement_is_told_once(name, backward):
    compiled = model(name)
    story = tell(compiled.plan, compiled.emitted, backward=backward)
    assert told(story) == emitted(compiled, backward=backward)
    assert max(told(story).values()) == 1
    check_lines_once(story, gg.draw(compiled, backward=backward).scene, backward)


@pytest.mark.parametrize("name", list(MODELS))
def test_inputs_are_leaves_or_earlier_steps(name):
    story = story_of(model(name))
    known = {leaf.key for leaf in story.leaves}
    assert len(known) == len(story.leaves)
    for step in story.steps:
        assert set(step.inputs) <= known, step
        assert len(step.flows) == len(step.inputs)
        assert step.key not in known
        known.add(step.key)
    assert {result.key for result in story.results} <= known


def test_lesson8_is_told_as_it_is_taught():
    story = story_of(model("lesson8"))
    assert story.title == "lesson8"
    steps = by_name(story)
    assert [step.op for step in story.steps] == [
        "matmul", "add", "maximum", "matmul", "add", "subtract", "square", "mean"
    ]  # fmt: skip
    first = steps["x_w1"]
    assert first.scope == ("hidden",) and first.shape == "batch×50" and first.rule == "∂B = Aᵀ·G"
    assert first.flows == (False, True) and first.backward_lines == ("d_w1 = x.T @ d_l1",)
    assert [kept.name for kept in first.uses] == ["x"] and not first.keeps
    assert steps["l1"].passes == ("d_x_w1 = d_l1",) and "summed" in steps["l1"].rule
    assert [(kept.name, kept.size) for kept in steps["l2"].keeps] == [("l1", "200·batch B")]
    assert steps["l2_w2"].rule == "∂A = G·Bᵀ,  ∂B = Aᵀ·G"
    assert [kept.name for kept in steps["l2_w2"].keeps] == ["l2"]
    assert [kept.name for kept in steps["l2_w2"].uses] == ["w2"]
    assert [result.label for result in story.results] == ["loss"]
    assert story.results[0].seed == "seed ∂loss/∂loss = 1"
    assert "39,301 parameters" in story.facts and "forward 8 ops" in story.facts


def test_leaves_are_told_with_their_kind_shape_and_gradient():
    leaves = {leaf.name: leaf for leaf in story_of(model("lesson8")).leaves}
    assert [(leaf.kind, leaf.shape, leaf.elements) for leaf in (leaves["x"], leaves["w1"])] == [
        ("input", "batch×784", None),
        ("param", "784×50", 39_200),
    ]
    assert leaves["w1"].gradient == ("∂loss/∂w1",) and leaves["x"].gradient is None
    assert story_of(model("momentum")).leaves[3].kind == "state"


def test_a_shared_parameter_is_accumulated():
    x, w = gg.input("x", (2, 3)), gg.param("w", (3, 3))
    hidden = gg.tanh(x @ w)
    out = hidden @ w
    story = story_of(gg.compile(gg.sum(out), wrt=[w]))
    lines = [line for step in story.steps for line in step.backward_lines if line.startswith("d_w = ")]
    assert len(lines) == 1 and lines[0].count("+") == 1
    assert (
        sum(
            flows
            for step in story.steps
            for key, flows in zip(step.inputs, step.flows, strict=True)
            if key == "w"
        )
        == 2
    )


def test_several_outputs_are_told_with_one_start():
    story = story_of(model("two_outputs"))
    assert [result.label for result in story.results] == ["loss", "code"]
    assert story.results[0].seed and story.results[1].seed is None


def test_the_gradient_by_an_intermediate_is_told_at_its_step():
    x = gg.input("x", (3,))
    y = gg.exp(x)
    loss = gg.sum(y * y)
    steps = by_name(story_of(gg.compile(loss, wrt=[y])))
    assert steps["y"].gradient == ("∂loss/∂y",)
    assert steps["y"].backward_lines == (
        "d_y = d_y_product + d_y_product",
    )  # of its two uses, and no further


def test_no_gradient_no_backward():
    x = gg.input("x", (3,))
    story = story_of(gg.compile(gg.exp(x) * 2))
    assert not any(step.has_backward or step.backward_lines for step in story.steps)


def test_what_no_gradient_reaches_has_no_backward():
    x, w = gg.input("x", (3,)), gg.param("w", (3,))
    mask = x > 0
    loss = gg.sum(gg.where(mask, w, 0))
    steps = by_name(story_of(gg.compile(loss, wrt=w)))
    assert not steps["mask"].has_backward


# ---- draw ------------------------------------------------------------------------------------------------------------


def loss_of(dtype="float32"):
    x, w = gg.input("x", ("batch", 3), dtype), gg.param("w", (3,), dtype)
    return gg.mean((x @ w) ** 2), w


def test_a_loss_is_drawn_with_the_gradients_of_its_parameters():
    loss, _ = loss_of()
    assert "d_w" in gg.draw(loss).source
    assert "d_w" not in gg.draw(loss, backward=False).source


def test_what_can_be_drawn():
    loss, w = loss_of()
    compiled = gg.compile(loss, wrt=w)
    for thing in (loss, [loss], (loss,), {"a loss": loss}, compiled, compiled.graph):
        assert gg.draw(thing).source.startswith("digraph")
    assert compiled.draw(title="a title").source.startswith("digraph")


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_themes(theme, tmp_path):
    path = tmp_path / "picture.svg"
    gg.draw(loss_of()[0], theme=theme).render(path)
    assert path.read_text(encoding="utf-8").rstrip().endswith("</svg>")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"detail": "everything"}, gg.InvalidValueError),
        ({"expand": ("hidden",)}, gg.InvalidValueError),
        ({"fold": "hidden"}, gg.InvalidValueError),
        ({"stage": "polish"}, gg.InvalidValueError),
        ({"theme": "pink"}, gg.InvalidValueError),
        ({"wrt": "w"}, gg.GraphgradError),
    ],
)
def test_options_that_cannot_be(options, error):
    with pytest.raises(error):
        gg.draw(loss_of()[0], **options)


@pytest.mark.parametrize("thing", [None, 3, "loss", [], {}, [1], np.ones(3)])
def test_what_cannot_be_drawn(thing):
    with pytest.raises(gg.ArgumentError):
        gg.draw(thing)


def test_a_compiled_model_is_drawn_with_its_own_gradients():
    loss, w = loss_of()
    with pytest.raises(gg.ArgumentError, match="compiled with"):
        gg.draw(gg.compile(loss), wrt=w)


def test_words():
    batch = gg.input("x", ("batch",)).shape[0]
    assert shape_words((batch, 784)) == "batch×784" and shape_words(()) == ""
    assert shape_words((batch * 2 - 1, 3)) == "(2·batch - 1)×3"
    assert (
        size_words(200 * batch) == "200·batch B"
        and size_words(16_000) == "16 kB"
        and size_words(12) == "12 B"
    )


def test_gradients_that_pass_go_by_the_names_of_the_pass_that_is_drawn():
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3, 3))
    start = x @ w
    h = gg.tanh(start) + start
    model = gg.compile({"loss": gg.mean(h**2), "h": h}, wrt=w)
    story = tell(model.plan, model.emitted)
    (add,) = [step for step in story.steps if step.op == "add"]
    written = " ".join(line for step in story.steps for line in step.backward_lines)
    assert add.passes
    for line in add.passes:
        assert f"{line.split(' = ')[1]} = " in written
