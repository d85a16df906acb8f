"""What emitted code computes by other means than NumPy's function of that name: choices, sums of rows, logaddexp."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.testing import assert_same
from tests.ops.test_elementwise import FLOATS, SPECIAL

LEVELS = ["plain", "default"]
CHOICES = {
    "kept": lambda xp, mask, x, y, fill: xp.where(mask, x, fill),
    "dropped": lambda xp, mask, x, y, fill: xp.where(mask, fill, x),
    "one of two": lambda xp, mask, x, y, fill: xp.where(mask, x, y),
}


@pytest.mark.parametrize("fill", [0.0, -0.0, 2.5, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "int64"])
@pytest.mark.parametrize("choice", CHOICES)
def test_choices_have_the_bits_that_numpys_have(choice, dtype, fill):
    values = SPECIAL if dtype.startswith("float") else range(-7, 8)
    x = np.resize(np.asarray(values, dtype), (400, 15))
    fill = np.dtype(dtype).type(fill if np.isfinite(fill) or dtype.startswith("float") else 3)
    node_x, node_y = gg.input("x", ("n", 15), dtype), gg.input("y", ("n", 15), dtype)
    for width in (15, 1):  # a mask of its own for each element, or for each row
        mask = np.resize([True, False, False, True, False], (400, width))
        node_mask = gg.input("mask", ("n", width), "bool")
        expected = CHOICES[choice](np, mask, x, x[::-1], fill)
        node = CHOICES[choice](gg, node_mask, node_x, node_y, fill)
        model = gg.compile({"result": node, "buffer": gg.negative(node)}, inputs=[node_mask, node_x, node_y])
        found = model(mask, x, x[::-1])
        assert found["result"].dtype == expected.dtype
        assert found["result"].tobytes() == expected.tobytes()
        assert found["buffer"].tobytes() == (-expected).tobytes()


@pytest.mark.parametrize("width", [1, 3, 50])
@pytest.mark.parametrize("rows", [0, 1, 127, 128, 129, 5000])
def test_sums_of_rows_are_accurate_and_keep_nan_where_it_is(rows, width):
    x = np.random.default_rng(rows).standard_normal((rows, width), np.float32)
    node = gg.input("x", ("n", width))
    for values in (x, np.asfortranarray(x), np.where(np.arange(width) == 1, np.nan, x).astype(np.float32)):
        for output in (gg.sum(node, 0), gg.sum(node * 1, 0) + 0):
            found = gg.compile(output)(values)
            expected = values.astype(float).sum(0)
            assert_same(found.astype(float), expected, 1e-6, 2e-5 if rows > 1000 else 4e-6)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("number", [0.0, -0.0, 2.5, np.inf, -np.inf])
@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
def test_logaddexp_with_a_number_is_numpys_and_has_its_gradient(function, number, level):
    own = getattr(gg, function.__name__)
    x = np.resize(np.array([value for value in SPECIAL if not np.isnan(value)], np.float32), 700)
    base = np.e if function is np.logaddexp else 2
    with np.errstate(all="ignore"):
        expected = function(x, np.float32(number))
        gap = np.float64(number) - x
        slope = 1 / (1 + base ** np.where(np.isnan(gap), 0, gap))
    for order in (lambda node: own(node, number), lambda node: own(number, node)):
        node = gg.input("x", ("n",))
        model = gg.compile(order(node), wrt=node, level=level)
        with np.errstate(all="ignore"):
            found, grads = model(x, cotangent=np.ones_like(x))
        assert_same(found, expected, 3e-6, 1e-7)
        assert_same(grads["x"].astype(float), slope, 3e-6, 1e-30)


@pytest.mark.parametrize("level", LEVELS)
def test_logaddexp_of_numbers_alone_is_a_number(level):
    assert gg.compile(gg.logaddexp(0.0, 0.0), level=level)() == pytest.approx(np.log(2))
    x = gg.input("x", (2,))
    nan = np.array([np.nan, 1.0], np.float32)
    assert np.isnan(gg.compile(gg.logaddexp(x, 0), level=level)(nan)).tolist() == [True, False]
