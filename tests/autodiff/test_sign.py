"""What is said to be above 0 is, whatever the arguments; and it needs no guard."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.autodiff.sign import above_zero
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret_all

x = gg.input("x", ("n", 3), "float64")
ABOVE = {
    "a variance and a small number": gg.mean(x**2, axis=1, keepdims=True) + 1e-5,
    "its root": gg.sqrt(gg.sum(gg.square(x), axis=1) + 1e-12),
    "a bound": gg.maximum(x, 1e-3),
    "moved": gg.reshape(gg.maximum(x, 0.5).T, -1)[::-1],
    "the largest": gg.max(gg.abs(x) + 1, axis=1),
    "softplus of what is not below 0": gg.logaddexp(gg.abs(x), 0.5),
    "a sum of three": gg.sum(gg.abs(x) + 0.1, axis=1),
}
NOT_ABOVE = {
    "a square": gg.square(x),
    "a difference": 1 - gg.sigmoid(x),
    "a product of small numbers": gg.square(gg.maximum(x, 1e-300)),
    "a sum of as many as there are": gg.sum(gg.maximum(x, 0.5), axis=0),
    "exp, which rounds to 0": gg.exp(x),
    "something and a small number": x + 1e-5,
    "a negative bound": gg.maximum(x, -1.0),
    "a ratio": (gg.abs(x) + 1) / (gg.abs(x) + 1),
}
EXTREME = np.array([[0.0, -0.0, 1e-300], [-1e150, 1e150, 3.0], [-745.0, 2.0, -1e-200], [-3.0, 1.0, 0.5]])


@pytest.mark.parametrize("name", ABOVE)
def test_what_is_said_to_be_above_zero_is(name):
    node = ABOVE[name]
    order = toposort([node])
    assert node in above_zero(order)
    values = interpret_all(order, {x: EXTREME})
    for one in above_zero(order):
        assert np.all(values[one] > 0), one


@pytest.mark.parametrize("name", NOT_ABOVE)
def test_of_others_nothing_is_said(name):
    assert NOT_ABOVE[name] not in above_zero(toposort([NOT_ABOVE[name]]))


def normed(x, small):
    centred = x - gg.mean(x, axis=-1, keepdims=True)
    return centred / gg.sqrt(gg.mean(centred**2, axis=-1, keepdims=True) + small)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's, of the row that is left out
@pytest.mark.parametrize(("small", "count"), [(1e-5, 0), (0.0, 1)])
def test_what_is_above_zero_needs_no_guard(small, count):
    """Layer norm and a masked choice, as in every transformer; without the small number it may divide by 0."""
    mask = gg.input("mask", ("n", 3), "bool")
    loss = gg.sum(gg.where(mask, normed(x, small), 0))
    graph = gg.Graph((x, mask), (gg.grad(loss, x),))
    guards = [node for node in graph.nodes if any(one.role == "guard" for one in graph.origins.get(node, ()))]
    notes = gg.explain(loss, wrt=x).guarded
    assert bool(notes) == bool(count), (guards, notes)
    if count:  # and with it, a row of equal numbers that the mask leaves out gives 0
        model = gg.compile(loss, wrt=x)
        rows, taken = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]]), np.array([[False] * 3, [True] * 3])
        assert np.all(model(x=rows, mask=taken)[1]["x"][0] == 0)
