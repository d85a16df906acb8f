"""What is rewritten before differentiation: gradients by what was asked for, names, lines, and what verify compares."""

import pickle

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.rewrite import passes
from graphgrad.rewrite.pattern import log
from graphgrad.rewrite.rule import rule


@pytest.fixture
def x():
    return gg.input("x", (3,), "float64")


VALUES = np.array([0.5, -0.3, 2.0])


def test_the_gradient_by_a_sum_of_exponentials_is_that_of_its_uses(x):
    total = gg.sum(gg.exp(x))
    model = gg.compile(gg.log(total), wrt=[total, x])
    _, grads = model(VALUES)
    np.testing.assert_allclose(grads["total"], 1 / np.sum(np.exp(VALUES)))
    np.testing.assert_allclose(grads["x"], np.exp(VALUES) / np.sum(np.exp(VALUES)))
    assert not any(one.rule == "log_sum_exp" for one in model.firings)


def test_a_node_that_gradients_are_asked_for_gets_no_new_reader(x):
    near = gg.log1p(x)
    written = gg.log(1 + x)
    model = gg.compile(gg.sum(near * 2 + written), wrt={"near": near, "x": x})
    _, grads = model(VALUES)
    np.testing.assert_allclose(grads["near"], np.full(3, 2.0))
    np.testing.assert_allclose(grads["x"], 3 / (1 + VALUES))


def test_the_gradient_by_what_a_rule_would_take_away(x):
    ratio = gg.exp(x) / gg.sum(gg.exp(x))
    model = gg.compile(gg.sum(gg.log(ratio) * VALUES), wrt={"ratio": ratio})
    _, grads = model(VALUES)
    p = np.exp(VALUES) / np.sum(np.exp(VALUES))
    np.testing.assert_allclose(grads["ratio"], VALUES / p)


def test_lines_and_terms_of_stable_forms_are_the_users(x):
    level = gg.log(gg.sum(gg.exp(x)))
    model = gg.compile(level * level, wrt=x)
    lines = model.source.splitlines()
    for at, line in enumerate(lines, 1):
        if "np.exp(" in line or "np.divide(" in line:
            assert "test_stable_graph.py" in model.explain(at).model_line
    body = model.source.split("def forward_and_backward(")[1]
    assert "level = " in body and "d_x = " in body


def test_a_stable_model_survives_pickling_and_further_rewriting(x):
    model = gg.compile(gg.log(gg.sum(gg.exp(x))) * 1 + gg.sum(x**3), wrt=x)
    again = pickle.loads(pickle.dumps(model))
    assert again.source == model.source and again.declines is not None
    assert passes.rewrite(model.graph, "default")[-1][1] is model.graph


def test_the_users_own_gradients_are_stable_too(x):
    level = gg.log(gg.sum(gg.exp(x)))
    model = gg.compile([level, gg.grad(level, x)])
    value, slope = model(np.array([1e4, 1e4, -1e4]))
    np.testing.assert_allclose(value, 1e4 + np.log(2))
    np.testing.assert_allclose(slope, [0.5, 0.5, 0])


@pytest.mark.parametrize("values", [VALUES, np.array([1e3, -1e3, 800.0]), np.full(3, 1e-20)])
def test_verify_compares_with_what_was_written(x, values):
    output = gg.log(gg.sum(gg.exp(x))) + gg.sum(gg.log(1 + x * x))
    with np.errstate(all="ignore"):  # the interpreter does what was written
        errors = gg.compile(output, wrt=x).verify(x=values)
    assert errors["output 0"] < 1e-8 and errors["x"] < 1e-8


def test_verify_finds_a_wrong_stable_rule(monkeypatch, x):
    wrong = rule("planted", lambda x: log(1 + x), lambda x: gg.log1p(-x), safety="widening", after="wrong")
    monkeypatch.setattr(passes, "STABLE", (wrong,))
    model = gg.compile(gg.sum(gg.log(1 + x)), wrt=x)
    with pytest.raises(gg.VerificationError):
        model.verify(x=VALUES / 3)


def test_level_plain_is_as_written(x):
    model = gg.compile(gg.log(gg.sum(gg.exp(x))), wrt=x, level="plain")
    assert not model.firings and "np.max" not in model.source
