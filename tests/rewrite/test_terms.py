"""Like terms: what is taken once, what is left as it is, and what comes out."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.graph import Graph
from graphgrad.interpret import interpret
from graphgrad.rewrite.engine import apply_rules
from graphgrad.rewrite.passes import rewrite
from graphgrad.rewrite.rules import terms

X, Y, Z = (gg.input(name, ("n",)) for name in "xyz")

ROW = gg.input("row", (1,))

LIKE = {
    "in another order": (lambda: X * Y * Z + Z * (Y * X), 3),
    "one is made of the other": (lambda: X * Y + X * Y * 2, 2),
    "a term and a factor": (lambda: X * 5 + X, 1),
    "a factor and a term": (lambda: X - X * -5, 1),
    "of opposite signs": (lambda: -X * Y - Y * X, 3),
    "of a square": (lambda: gg.square(X) * Y + X * Y * X, 3),
    "in a sum": (lambda: ((Z - X * Y) + gg.exp(Z)) - Y * X * 3, 6),
    "at the beginning of a sum": (lambda: (X * Y * 2 - Z) + Y * X, 4),
    "and several": (lambda: X * 2 + Z + X * 3 + X, 2),
    "of all factors but the numbers": (lambda: X * 0.5 * Y - Y * -2 * X, 3),
    "scaled alike": (lambda: X * 3 - Y * 3, 2),
}
UNLIKE = {
    "other factors": (lambda: X * Y + X * Z, 3),
    "more factors": (lambda: X * Y + X * Y * Y, 3),
    "they cancel": (lambda: X * 2 * Y - Y * 2 * X, 5),
    "they cancel in part": (lambda: X * 5 - X, 2),
    "of another shape": (lambda: X * ROW + ROW * gg.square(ROW), 4),
    "too large together": (lambda: X + gg.exp(X * 1e30) * 1e30, 4),
    "a number that is infinite": (lambda: X + X * np.inf, 2),
    "a number that is nan": (lambda: X + X * np.nan, 2),
    "scaled alike by less than 1": (lambda: X * 0.5 + Y * 0.5, 3),
}
VALUES = np.array([0, -0.0, 1, -2.5, 1e-3, 7, np.inf, -np.inf, np.nan], np.float32)


def gathered(build):
    graph = Graph((), (build(),))
    return graph, apply_rules(graph, terms.RULES)


def ops(graph):
    return sum(bool(node.inputs) for node in graph.nodes)


@pytest.mark.parametrize("kind", sorted(LIKE))
def test_like_terms_are_taken_once(kind):
    build, count = LIKE[kind]
    before, after = gathered(build)
    assert ops(after) <= count < ops(before)


@pytest.mark.parametrize("kind", sorted(UNLIKE))
def test_others_stay_as_they_are(kind):
    build, count = UNLIKE[kind]
    before, after = gathered(build)
    assert after is before and ops(before) == count


@pytest.mark.parametrize("kind", sorted(LIKE))
def test_what_comes_out_is_right(kind):
    """And nan and inf are where they were, for every three values together. How rules do at the limits of a dtype,
    test_rules tells."""
    before, after = gathered(LIKE[kind][0])
    grid = np.meshgrid(VALUES, VALUES, VALUES)
    given = dict(zip((X, Y, Z), (values.ravel() for values in grid), strict=True))
    with np.errstate(all="ignore"):
        (written,), (found,) = interpret(before.outputs, given), interpret(after.outputs, given)
    assert found.dtype == written.dtype
    np.testing.assert_allclose(found, written, rtol=1e-6, atol=1e-6)


def test_numbers_that_are_too_large_together_are_not_made_one():
    x = gg.input("x", (2,))
    node = x + x * 1e30 * 1e30
    graph = rewrite(Graph((x,), (node,)), "default")[-1][1]
    given = {x: np.array([0, 1e-40], np.float32)}
    with np.errstate(all="ignore"):
        assert interpret(graph.outputs, given)[0].tolist() == interpret([node], given)[0].tolist()


def test_the_gradient_of_a_product_with_itself_multiplies_once():
    def backward(build):
        return gg.compile(gg.sum(gg.exp(build(X))), wrt=[X]).source.split("def backward")[1].split("def ")[0]

    for build in (lambda x: -x * x, lambda x: 0.3 * x * x, lambda x: x * (2 * x)):
        assert backward(build).count("np.multiply(") <= 2 and "np.add(" not in backward(build)
