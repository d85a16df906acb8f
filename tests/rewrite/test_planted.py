"""Rules that are wrong on purpose: every net that is meant to catch them does, and names the culprit."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.rewrite import passes
from graphgrad.rewrite.check import check_firings, wrong_firing
from graphgrad.rewrite.pattern import cast, sum, transpose
from graphgrad.rewrite.rule import rule
from tests.rewrite.samples import dtypes_of, examples_of
from tests.rewrite.test_rules import check_rule

WRONG = {
    "a sign": rule("planted", lambda x: x * 1, lambda x: -x, safety="exact"),
    "a value": rule("planted", lambda x: x * 1, lambda x: x + 1, safety="exact"),
    "an axis": rule(
        "planted", lambda x, p, a, k: sum(transpose(x, p), a, k), lambda x, a, k: sum(x, a, k), safety="rounding",
        examples=[{"x": (3, 3), "p": (1, 0), "a": (0,), "k": False}],
    ),
    "operands": rule("planted", lambda x, y: x * (1 / y), lambda x, y: y / x, safety="rounding"),
    "a reciprocal": rule("planted", lambda x, y: x / y, lambda x, y: y * 1 / x, safety="rounding"),
    "a dtype": rule(
        "planted", lambda x, a: cast(x, a), lambda x: x, safety="exact", examples=[{"x": (3,), "a": "float64"}],
        dtypes=["float32"],
    ),
    "minus zero": rule("planted", lambda x: x + 0, lambda x: x, safety="exact"),
    "nan": rule("planted", lambda x: x - x, lambda x: x * 0, safety="exact"),
    "a class": rule("planted", lambda x, y: -(x - y), lambda x, y: y - x, safety="exact"),
    "its own gradient": rule("planted", lambda x: x - 0, lambda x: gg.stop_gradient(x), safety="exact", after="x"),
    "nothing": rule("planted", lambda x: x + 3, lambda x: x, safety="exact", when=lambda x: False),
}  # fmt: skip


def run(wrong):
    for example in examples_of(wrong):
        for dtype in dtypes_of(wrong, example):
            check_rule(wrong, example, dtype)


@pytest.mark.parametrize("kind", list(WRONG))
def test_the_suite_of_rules_catches_it_and_names_it(kind):
    with pytest.raises((AssertionError, gg.VerificationError), match="the rule planted"):
        run(WRONG[kind])


def model_with(monkeypatch, wrong, output, leaves):
    monkeypatch.setattr(passes, "PASSES", (("planted", (wrong,)), *passes.PASSES))
    return gg.compile(output, wrt=leaves)


MODELS = {
    "a sign": lambda x, y: x * 1 + y,
    "an axis": lambda x, y: x.T.sum(0) * y[0],
    "operands": lambda x, y: x * (1 / y),
}


@pytest.mark.parametrize("kind", list(MODELS))
def test_a_compiled_model_differs_from_the_interpreter_and_the_culprit_is_found(monkeypatch, kind):
    x, y = gg.input("x", (3, 3), "float64"), gg.input("y", (3, 3), "float64")
    doubtful = MODELS[kind](x, y)
    model = model_with(monkeypatch, WRONG[kind], gg.sum(gg.tanh(doubtful) * gg.square(x) / 1), None)
    rng = np.random.default_rng(0)
    values = {leaf: rng.uniform(1, 2, (3, 3)) for leaf in (x, y)}
    with pytest.raises(gg.VerificationError, match="from the interpreter"):
        model.verify(x=values[x], y=values[y])
    assert wrong_firing(model.graph, values).rule == "planted"
    with pytest.raises(gg.VerificationError, match=r"the rule planted takes .* another value") as caught:
        check_firings(model.graph, values)
    assert "test_planted.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "build", "words"),
    [
        ("a value", lambda x, y: x * 1, "makes nothing cheaper"),
        ("a reciprocal", lambda x, y: x / y, "makes nothing cheaper"),
        ("a dtype", lambda x, y: gg.cast(x, "float32"), "takes float64"),
    ],
)
def test_the_engine_refuses_it_and_names_it_and_the_line(monkeypatch, kind, build, words):
    x, y = gg.input("x", (3, 3), "float64"), gg.input("y", (3, 3), "float64")
    with pytest.raises(gg.VerificationError, match=f"the rule planted {words}") as caught:
        model_with(monkeypatch, WRONG[kind], gg.sum(build(x, y)), [x])
    assert "test_planted.py:" in str(caught.value)


def test_a_right_model_has_no_culprit():
    x = gg.input("x", (4,))
    model = gg.compile(gg.sum((x * 1) ** 3), wrt=x)
    values = {
        leaf: np.ones(leaf.shape, np.float32)
        for leaf in (x, model.plan.schedule.interface.seeds[0].cotangent)
    }
    assert model.graph.rewriting.firings and wrong_firing(model.graph, values) is None
    check_firings(model.graph, values)
