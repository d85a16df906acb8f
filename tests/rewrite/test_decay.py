"""Sigmoids, softplus and cross-entropies as functions of exp(-abs(x)): as accurate as extended precision says, at both
ends too, and the exponential computed once."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.ops.entropy import sigmoid_cross_entropy

ENDS = [0.0, -0.0, 1e-30, -1e-30, 15.0, -15.0, 80.0, -80.0, 700.0, -700.0, np.inf, -np.inf, np.nan]


def wide(x):
    """The sigmoid in extended precision."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x.astype(np.longdouble)))


EXACT = {
    "sigmoid": (gg.sigmoid, wide),
    "softplus": (lambda x: gg.logaddexp(x, 0), lambda x: np.logaddexp(x.astype(np.longdouble), 0)),
    "softplus, turned": (lambda x: gg.logaddexp(0, x), lambda x: np.logaddexp(x.astype(np.longdouble), 0)),
    "loss": (
        lambda x: sigmoid_cross_entropy(x, 0.25),
        lambda x: (
            (np.logaddexp(-x.astype(np.longdouble), 0) + 3 * np.logaddexp(x.astype(np.longdouble), 0)) / 4
        ),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 100, 1000])  # a few numbers are computed in another way than many
@pytest.mark.parametrize("name", EXACT)
def test_values_agree_with_extended_precision(name, count, dtype):
    build, exact = EXACT[name]
    rng = np.random.default_rng(0)
    x = np.concatenate([ENDS, rng.normal(scale=20, size=count)]).astype(dtype)
    leaf = gg.input("x", ("n",), dtype)
    model = gg.compile(gg.stack([build(leaf), -leaf]), inputs=[leaf])
    assert "sigmoid" not in {node.op.name for node in model.graph.nodes}
    with np.errstate(all="ignore"):
        found, right = model(x=x)[0], exact(x)
    np.testing.assert_allclose(found, right.astype(dtype), 8 * np.finfo(dtype).eps, np.finfo(dtype).tiny)


def test_a_loss_and_its_gradient_have_one_exponential():
    x, y = gg.input("x", ("n",)), gg.input("y", ("n",))
    for loss in (sigmoid_cross_entropy(x, y), gg.logaddexp(x, 0) * y, gg.sigmoid(x) * gg.logaddexp(0, x)):
        model = gg.compile(gg.mean(loss), wrt=x)
        assert [node.op.name for node in model.graph.nodes].count("exp") == 1
        assert model.firings[-1].rule.endswith(("by_decay", "by_decay_turned", "mean_by_parts"))
