"""The oracle: node by node, by the references alone."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.interpret import interpret, interpret_all


@pytest.fixture
def x():
    return gg.input("x", ("n", 3))


def test_every_node_gets_its_value(x):
    node = gg.exp(x) * 2
    values = interpret_all([node], {x: np.zeros((1, 3), np.float32)})
    assert {part.op.name for part in values} == {"input", "exp", "const", "multiply"}
    assert values[node].tolist() == [[2.0, 2.0, 2.0]]


def test_value_may_be_given_for_any_node(x):
    inner = gg.exp(x)
    assert interpret([inner * 2], {inner: np.ones((1, 3), np.float32)})[0].tolist() == [[2.0] * 3]


def test_symbolic_sizes_come_from_the_values_of_the_leaves(x):
    mean = gg.sum(x, axis=0) / x.shape[0]
    assert interpret([mean], {x: np.full((4, 3), 2, np.float32)})[0].tolist() == [2.0] * 3


def test_missing_value_is_an_error(x):
    with pytest.raises(gg.ArgumentError, match="no value is given for x"):
        interpret([gg.exp(x)], {})


@pytest.mark.parametrize("shape", [(2, 4), (3,), (2, 3, 1)])
def test_value_of_another_shape_is_an_error(x, shape):
    with pytest.raises(gg.ShapeError, match="x: float32"):
        interpret([gg.exp(x)], {x: np.ones(shape, np.float32)})


def test_values_that_differ_about_a_size_are_an_error(x):
    y = gg.input("y", ("n",))
    with pytest.raises(gg.ShapeError, match="the size n is 5 here, and not 2"):
        interpret([gg.sum(x) + gg.sum(y)], {x: np.ones((2, 3), np.float32), y: np.ones(5, np.float32)})
