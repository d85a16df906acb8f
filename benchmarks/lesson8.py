"""Lesson 8, 50,000 x 784 -> 50 -> 1: forward and the gradients, next to NumPy by hand, torch and JAX.

python -m benchmarks.lesson8
"""

import importlib.util

import numpy as np

import graphgrad as gg
from benchmarks.measure import in_blocks, report
from examples.lesson8 import by_hand, lesson8

ROWS = 50_000
PARAMETERS = ("w1", "b1", "w2", "b2")


def graphgrad_contender(arrays, level="default"):
    loss, parameters = lesson8()
    model = gg.compile(loss, wrt=parameters, level=level)
    return lambda: model(**arrays)


def torch_contender(arrays):
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    x, y, w1, b1, w2, b2 = (tensors[name] for name in ("x", "y", *PARAMETERS))
    parameters = [parameter.requires_grad_() for parameter in (w1, b1, w2, b2)]

    def call():
        out = torch.relu(x @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.mse_loss(out[:, 0], y)
        grads = torch.autograd.grad(loss, parameters)
        return loss.detach().numpy(), {
            name: grad.numpy() for name, grad in zip(PARAMETERS, grads, strict=True)
        }

    return call


def jax_contender(arrays):
    import jax
    import jax.numpy as jnp

    def loss(parameters, x, y):
        hidden = jnp.maximum(x @ parameters["w1"] + parameters["b1"], 0)
        out = hidden @ parameters["w2"] + parameters["b2"]
        return jnp.mean((out[:, 0] - y) ** 2)

    compiled = jax.jit(jax.value_and_grad(loss))
    given = {name: jax.device_put(array) for name, array in arrays.items()}
    parameters = {name: given[name] for name in PARAMETERS}
    return lambda: jax.block_until_ready(compiled(parameters, given["x"], given["y"]))


def pytensor_contender(arrays):
    import pytensor
    import pytensor.tensor as pt

    leaves = {
        name: pt.tensor(name, shape=(None,) * array.ndim, dtype="float32") for name, array in arrays.items()
    }
    x, y, w1, b1, w2, b2 = (leaves[name] for name in ("x", "y", *PARAMETERS))
    out = pt.maximum(x @ w1 + b1, 0) @ w2 + b2
    loss = ((out[:, 0] - y) ** 2).mean()
    grads = pytensor.grad(loss, [w1, b1, w2, b2])
    function = pytensor.function([*leaves.values()], [loss, *grads], mode="NUMBA")
    function.trust_input = True
    given = list(arrays.values())

    def call():
        value, *gradients = function(*given)
        return value, dict(zip(PARAMETERS, gradients, strict=True))

    return call


def contenders(arrays):
    """{name: function}; torch, JAX and PyTensor where they are installed."""
    found = {"NumPy by hand": lambda: by_hand(**arrays)}
    for level in ("plain", "default"):
        found[f"graphgrad, {level}"] = graphgrad_contender(arrays, level)
    if importlib.util.find_spec("torch"):
        found["torch, eager"] = torch_contender(arrays)
    if importlib.util.find_spec("jax"):
        found["JAX, jit"] = jax_contender(arrays)
    if importlib.util.find_spec("pytensor"):
        found["PyTensor, Numba"] = pytensor_contender(arrays)
    return found


def check_agreement(found, arrays):
    """Every contender against NumPy in float64; the largest difference, by the gradient's size.

    A unit within rounding of 0 may be on in one and off in another, which shows as some 1e-4.
    """
    loss, grads = by_hand(**{name: array.astype(np.float64) for name, array in arrays.items()})
    worst = {}
    for name, call in found.items():
        own_loss, own_grads = call()
        np.testing.assert_allclose(own_loss, loss, rtol=1e-4, err_msg=name)
        errors = [
            np.linalg.norm(own_grads[key] - grads[key]) / np.linalg.norm(grads[key]) for key in PARAMETERS
        ]
        worst[name] = float(max(errors))
        assert worst[name] < 2e-3, f"{name} is off by {worst[name]:.1e}"
    return worst


def sample(rows):
    """Arguments by name: standard normal data, Kaiming-normal weights."""
    rng = np.random.default_rng(0)
    shapes = {"x": (rows, 784), "y": (rows,), "w1": (784, 50), "b1": (50,), "w2": (50, 1), "b2": (1,)}
    arrays = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    arrays["w1"] *= np.float32((2 / 784) ** 0.5)
    arrays["w2"] *= np.float32((2 / 50) ** 0.5)
    return arrays


def main():
    arrays = sample(ROWS)
    print(f"lesson 8: {ROWS:,} x 784 -> 50 -> 1, forward and gradients of the parameters, float32")
    found = contenders(arrays)
    errors = check_agreement(found, arrays)
    times = in_blocks(found)
    base = times["NumPy by hand"]
    for name, time in times.items():
        print(f"  {name:<20} {1e3 * time:6.1f} ms  {time / base:5.2f} x NumPy by hand")
    report("lesson8", {"milliseconds": {name: 1e3 * time for name, time in times.items()}, "errors": errors})


if __name__ == "__main__":
    main()
