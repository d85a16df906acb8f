"""The chain rule as formulas says what the picture's backward half says, card by card."""

import re

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.op import registry
from tests.draw.test_latex import mathml
from tests.models import MODELS


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("level", ["plain", "default"])
def test_steps_are_the_backward_cards_of_the_picture_from_the_bottom_up(name, level):
    loss, wrt = MODELS[name].build()
    model = gg.compile(loss, wrt=wrt, level=level)
    chain = gg.equations(model)
    picture = gg.draw(model)
    cards = {card.key: card for card in picture.scene.cards if card.kind in ("backward", "pass", "result")}
    if picture.story.mirrored:
        told = {step.key for step in picture.story.steps if step.has_backward}
        cards = {card.key: card for card in cards.values() if card.side == "right"}
        assert set(cards) == told
    else:  # what is written within another's statement has no line of its own
        told = {step.key for step in picture.story.steps if step.derived and step.lines}
    assert {step.key for step in chain.steps} == told
    for step in chain.steps:
        assert cards[step.key].code == tuple(line for line in step.backward if line in cards[step.key].code)
        assert len(step.backward) == len(step.formulas)
    if level != "plain":
        return  # there, steps may share what one of them made
    known: set[str] = set()
    made = {name for step in chain.steps for line in step.backward if (name := line.partition(" = ")[0])}
    for step in chain.steps:
        for line in step.backward:
            left, _, right = line.partition(" = ")
            used = {word for word in re.findall(r"\bd_\w+", right) if word in made and word != left}
            assert used <= known, f"{line} comes before what it uses"
            known.add(left)


@pytest.mark.parametrize("name", list(MODELS))
def test_formulas_are_latex(name):
    loss, wrt = MODELS[name].build()
    chain = gg.equations(loss, wrt=wrt)
    for step in chain.steps:
        for formula in step.formulas:
            mathml(formula)
    mathml(chain.latex.replace("aligned", "align*"))  # the same within a display and as one
    assert chain._repr_latex_() == f"$$\n{chain.latex}\n$$"
    for formula in (one for step in chain.steps for one in step.formulas):
        assert f"$$\n{formula}\n$$" in chain._repr_markdown_()


def with_gradient():
    """A node of each op that a gradient passes through, and the leaves it can be differentiated by."""
    for name, (op, build) in registry().items():
        sample = next(op.samples(np.random.default_rng(0)), None)
        if sample is None or not any(op.rule.values()):
            continue
        leaves = [gg.input(f"x{at}", array.shape, array.dtype) for at, array in enumerate(sample.arrays)]
        node = build(leaves, **sample.kwargs) if sample.packed else build(*leaves, **sample.kwargs)
        wrt = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
        if wrt and len(node.specs) == 1 and node.dtype.kind == "f":
            yield pytest.param(node, wrt, id=name)


@pytest.mark.parametrize(("node", "wrt"), [*with_gradient()])
def test_every_op_has_its_formulas(node, wrt):
    chain = gg.equations(gg.sum(node * 1.5), wrt=wrt)
    formulas = [formula for step in chain.steps for formula in step.formulas]
    assert formulas
    for formula in formulas:
        mathml(formula)


def test_every_variable_has_its_shape_below():
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3, 4))
    hidden = gg.tanh(x @ w)
    chain = gg.equations(gg.sum(hidden), wrt=w)
    (product,) = chain.steps[-1].formulas
    assert product.startswith(
        r"\underset{3 \times 4}{d_{w}} = \underset{3 \times \mathit{batch}}{x^{\top}}\thinspace "
    )
    assert product.count(r"\underset") == 3


def test_the_seed_of_a_scalar_is_one_and_that_of_an_array_is_given():
    x = gg.input("x", (2,))
    assert gg.equations(gg.sum(x), wrt=x).steps[0].formulas[0].endswith(" = 1")
    steps = gg.equations(gg.exp(x) * 2, wrt=x).steps
    assert not any(formula.endswith("= 1") for step in steps for formula in step.formulas)


def test_names_of_users_stay_text():
    x = gg.input("x_1$ & {y}", ("a b",))
    with gg.scope("*lay_er* <b>"):
        hidden = gg.named(gg.exp(x), "50% \\frac")
    loss = gg.named(gg.sum(hidden), "**loss** $1")
    chain = gg.equations(loss, wrt=x)
    mathml(chain.latex.replace("aligned", "align*"))
    words = re.sub(r"\$\$.*?\$\$|`[^`]*`", "", chain.markdown, flags=re.DOTALL)
    assert "<b>" not in words and "**loss**" not in words and "&#60;b&#62;" in words


def test_without_anything_to_differentiate_by_there_is_no_chain_rule():
    x = gg.input("x", (2,))
    for thing in (gg.sum(x), gg.compile(gg.sum(x))):
        with pytest.raises(gg.ArgumentError, match="nothing to differentiate by"):
            gg.equations(thing)
    with pytest.raises(gg.ArgumentError, match="compiled with"):
        gg.equations(gg.compile(gg.sum(x), wrt=x), wrt=x)
