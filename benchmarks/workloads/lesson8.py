"""Lesson 8, 784-50-1 with a mean squared error: the model that graphgrad comes from."""

from dataclasses import replace

import numpy as np

from benchmarks.workload import Workload, dense, normal
from examples.lesson8 import by_hand, lesson8


def make_arrays(rng, rows):
    return {"x": normal(rng, rows, 784), "y": normal(rng, rows), **dense(rng, 784, 50, 1)}


def by_hand_with_input(x, y, w1, b1, w2, b2):
    """As `by_hand` in examples/lesson8.py, and the gradient by x."""
    l1 = x @ w1 + b1
    l2 = np.maximum(l1, 0)
    out = l2 @ w2 + b2
    error = out[:, 0] - y
    loss = np.mean(error**2)

    d_out = (2 * error / len(x))[:, None]
    d_w2 = l2.T @ d_out
    d_b2 = d_out.sum(axis=0)
    d_l1 = (d_out @ w2.T) * (l1 > 0)
    d_w1 = x.T @ d_l1
    d_b1 = d_l1.sum(axis=0)
    d_x = d_l1 @ w1.T
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2, "x": d_x}


def graphgrad():
    loss, _ = lesson8()
    return loss


def torch(x, y, w1, b1, w2, b2):
    import torch
    from torch.nn import functional

    out = torch.relu(torch.addmm(b1, x, w1)) @ w2 + b2
    return functional.mse_loss(out[:, 0], y)


def jax(x, y, w1, b1, w2, b2):
    import jax.numpy as jnp
    from jax import nn

    out = nn.relu(x @ w1 + b1) @ w2 + b2
    return jnp.mean((out[:, 0] - y) ** 2)


def autograd(x, y, w1, b1, w2, b2):
    import autograd.numpy as anp

    out = anp.maximum(x @ w1 + b1, 0) @ w2 + b2
    return anp.sum((out[:, 0] - y) ** 2) / len(y)


def pytensor(x, y, w1, b1, w2, b2):
    import pytensor.tensor as pt

    out = pt.maximum(x @ w1 + b1, 0) @ w2 + b2
    return pt.mean((out[:, 0] - y) ** 2)


WORKLOAD = Workload(
    name="lesson8",
    title="lesson 8: {rows:,} x 784 -> 50 -> 1, mean squared error, gradients of the parameters, float32",
    sizes={"rows": 50_000},
    quick={"rows": 5_000},
    wrt=("w1", "b1", "w2", "b2"),
    make_arrays=make_arrays,
    by_hand=by_hand,
    graphgrad=graphgrad,
    torch=torch,
    jax=jax,
    autograd=autograd,
    pytensor=pytensor,
    batched=("x", "y"),
    tolerance=2e-3,  # a unit within rounding of 0 may be on in one and off in another
)
WITH_INPUT = replace(
    WORKLOAD,
    name="lesson8_input",
    title="lesson 8: {rows:,} x 784 -> 50 -> 1, mean squared error, gradients of parameters and input, float32",
    wrt=("w1", "b1", "w2", "b2", "x"),
    by_hand=by_hand_with_input,
)
