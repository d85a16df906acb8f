"""A model so small that a call is overhead: 10-32-32-1 with tanh, one row."""

import numpy as np

import graphgrad as gg
from benchmarks.workload import Workload, dense, normal


def make_arrays(rng, rows):
    return {"x": normal(rng, rows, 10), "y": normal(rng, rows, 1), **dense(rng, 10, 32, 32, 1)}


def by_hand(x, y, w1, b1, w2, b2, w3, b3):
    l1 = np.tanh(x @ w1 + b1)
    l2 = np.tanh(l1 @ w2 + b2)
    error = l2 @ w3 + b3 - y
    loss = np.mean(error**2)

    d_out = 2 * error / error.size
    d_w3 = l2.T @ d_out
    d_b3 = d_out.sum(axis=0)
    d_l2 = (d_out @ w3.T) * (1 - l2**2)
    d_w2 = l1.T @ d_l2
    d_b2 = d_l2.sum(axis=0)
    d_l1 = (d_l2 @ w2.T) * (1 - l1**2)
    d_w1 = x.T @ d_l1
    d_b1 = d_l1.sum(axis=0)
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2, "w3": d_w3, "b3": d_b3}


def graphgrad():
    x, y = gg.input("x", ("batch", 10)), gg.input("y", ("batch", 1))
    w1, b1 = gg.param("w1", (10, 32)), gg.param("b1", (32,))
    w2, b2 = gg.param("w2", (32, 32)), gg.param("b2", (32,))
    w3, b3 = gg.param("w3", (32, 1)), gg.param("b3", (1,))
    l1 = gg.tanh(x @ w1 + b1)
    l2 = gg.tanh(l1 @ w2 + b2)
    return gg.mean((l2 @ w3 + b3 - y) ** 2)


def torch(x, y, w1, b1, w2, b2, w3, b3):
    import torch
    from torch.nn import functional

    l1 = torch.tanh(torch.addmm(b1, x, w1))
    l2 = torch.tanh(torch.addmm(b2, l1, w2))
    return functional.mse_loss(torch.addmm(b3, l2, w3), y)


def jax(x, y, w1, b1, w2, b2, w3, b3):
    import jax.numpy as jnp

    l1 = jnp.tanh(x @ w1 + b1)
    l2 = jnp.tanh(l1 @ w2 + b2)
    return jnp.mean((l2 @ w3 + b3 - y) ** 2)


def autograd(x, y, w1, b1, w2, b2, w3, b3):
    import autograd.numpy as anp

    l1 = anp.tanh(x @ w1 + b1)
    l2 = anp.tanh(l1 @ w2 + b2)
    return anp.sum((l2 @ w3 + b3 - y) ** 2) / y.size


def pytensor(x, y, w1, b1, w2, b2, w3, b3):
    import pytensor.tensor as pt

    l1 = pt.tanh(x @ w1 + b1)
    l2 = pt.tanh(l1 @ w2 + b2)
    return pt.mean((l2 @ w3 + b3 - y) ** 2)


WORKLOAD = Workload(
    name="tiny",
    title="tiny: {rows} x 10 -> 32 -> 32 -> 1, tanh, mean squared error, gradients of the parameters, float32",
    sizes={"rows": 1},
    quick={},
    wrt=("w1", "b1", "w2", "b2", "w3", "b3"),
    make_arrays=make_arrays,
    by_hand=by_hand,
    graphgrad=graphgrad,
    torch=torch,
    jax=jax,
    autograd=autograd,
    pytensor=pytensor,
    batched=("x", "y"),
)
