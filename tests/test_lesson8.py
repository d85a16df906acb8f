"""The network that everything started from, against torch: one compiled module for every batch size."""

from functools import cache

import numpy as np
import pytest

import graphgrad as gg

NAMES = ("w1", "b1", "w2", "b2", "x", "l1", "l2", "out")
LARGE = pytest.param(50_000, marks=pytest.mark.slow)


@cache
def model(dtype):
    """One module, with the gradient by everything that has one."""
    x = gg.input("x", ("batch", 784), dtype)
    y = gg.input("y", ("batch",), dtype)
    w1 = gg.param("w1", (784, 50), dtype, init=gg.init.kaiming_normal())
    b1 = gg.param("b1", (50,), dtype)
    w2 = gg.param("w2", (50, 1), dtype, init=gg.init.kaiming_normal())
    b2 = gg.param("b2", (1,), dtype)
    with gg.scope("hidden"):
        l1 = x @ w1 + b1
        l2 = gg.maximum(l1, 0)
    with gg.scope("output"):
        out = l2 @ w2 + b2
    loss = gg.mean((out[:, 0] - y) ** 2)
    return gg.compile((loss, out, l1, l2), wrt=[w1, b1, w2, b2, x, l1, l2, out], name="lesson8")


@cache
def arrays(rows):
    rng = np.random.default_rng(8)
    values = {
        "x": rng.standard_normal((rows, 784)),
        "y": rng.standard_normal(rows),
        "w1": rng.standard_normal((784, 50)) * (2 / 784) ** 0.5,
        "b1": rng.standard_normal(50) * 0.1,
        "w2": rng.standard_normal((50, 1)) * (2 / 50) ** 0.5,
        "b2": rng.standard_normal(1) * 0.1,
    }
    return {name: value.astype(np.float32) for name, value in values.items()}  # exact in both dtypes


def run_graphgrad(rows, dtype):
    given = {name: value.astype(dtype) for name, value in arrays(rows).items()}
    (loss, out, l1, l2), grads = model(dtype)(**given)
    return {"loss": loss, "out": out, "l1": l1, "l2": l2}, grads


def run_torch(rows, dtype):
    torch = pytest.importorskip("torch")
    given = {name: torch.tensor(value.astype(dtype)) for name, value in arrays(rows).items()}
    for name in ("w1", "b1", "w2", "b2", "x"):
        given[name].requires_grad_()
    l1 = given["x"] @ given["w1"] + given["b1"]
    l2 = l1.clamp(min=0)
    out = l2 @ given["w2"] + given["b2"]
    loss = ((out[:, 0] - given["y"]) ** 2).mean()
    made = {**given, "l1": l1, "l2": l2, "out": out}
    for name in ("l1", "l2", "out"):
        made[name].retain_grad()
    loss.backward()
    values = {"loss": loss, "out": out, "l1": l1, "l2": l2}
    return {name: value.detach().numpy() for name, value in values.items()}, {
        name: made[name].grad.numpy() for name in NAMES
    }


def distance(a, b):
    return float(np.max(np.abs(a.astype(np.float64) - b), initial=0.0))


@pytest.mark.parametrize("rows", [1, 7, 64, LARGE])
def test_float64_agrees_with_torch(rows):
    values, grads = run_graphgrad(rows, "float64")
    expected, slopes = run_torch(rows, "float64")
    for name, ours, theirs in [
        *((name, values[name], expected[name]) for name in expected),
        *((f"d_{name}", grads[name], slopes[name]) for name in NAMES),
    ]:
        assert ours.shape == theirs.shape and ours.dtype == np.float64, name
        assert distance(ours, theirs) <= 1e-12 * np.max(np.abs(theirs)), name


@pytest.mark.parametrize("rows", [1, 7, 64, LARGE])
def test_float32_is_as_close_to_the_truth_as_torch(rows):
    exact_values, exact_grads = run_graphgrad(rows, "float64")
    values, grads = run_graphgrad(rows, "float32")
    expected, slopes = run_torch(rows, "float32")
    for name, ours, theirs, exact in [
        *((name, values[name], expected[name], exact_values[name]) for name in expected),
        *((f"d_{name}", grads[name], slopes[name], exact_grads[name]) for name in NAMES),
    ]:
        assert ours.dtype == np.float32, name
        scale = np.max(np.abs(exact))
        assert distance(ours, exact) <= 2 * distance(theirs, exact) + 1e-6 * scale, name


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero encountered:RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_of_nothing(dtype):
    values, grads = run_graphgrad(0, dtype)
    expected, slopes = run_torch(0, dtype)
    assert np.isnan(values["loss"]) and np.isnan(expected["loss"])
    for name in NAMES:
        assert grads[name].shape == slopes[name].shape
        np.testing.assert_array_equal(grads[name], slopes[name])


def test_one_module_serves_every_batch_size():
    source = model("float32").source
    run_graphgrad(7, "float32")
    run_graphgrad(64, "float32")
    assert model("float32").source == source


# ---- complex steps: derivatives exact to rounding, from the emitted forward function alone -----------------------


def smooth():
    x = gg.input("x", ("n", 4), "float64")
    w = gg.param("w", (4, 3), "float64")
    b = gg.param("b", (3,), "float64")
    hidden = gg.tanh(x @ w + b)
    gate = 0.5 * (1 + gg.tanh(hidden / 2))  # the sigmoid, in a form that holds for complex numbers
    scores = gg.exp(gate[:, :2] - gate[:, 1:]) / gg.sqrt(1 + gate[:, :1] ** 2)
    loss = gg.mean(gg.log(1 + scores**3)) + gg.sum(gg.concatenate([w.T, x[:3]]) ** 2) / 7
    return loss, [x, w, b]


def test_gradients_agree_with_complex_steps():
    loss, wrt = smooth()
    forward = gg.compile(loss, level="plain").function
    compiled = gg.compile(loss, wrt=wrt)
    rng = np.random.default_rng(1)
    given = {"x": rng.standard_normal((5, 4)), "w": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}
    _, grads = compiled(**given)
    step = 1e-200
    for name, array in given.items():
        for at in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[at] += 1j * step
            slope = forward(**{**given, name: moved}).imag / step
            assert slope == pytest.approx(grads[name][at], rel=1e-13, abs=1e-14)
