"""Logistic regression: one product with a tall matrix each way, and a loss that must not overflow."""

import numpy as np

import graphgrad as gg
from benchmarks.workload import Workload, normal


def make_arrays(rng, rows):
    return {
        "x": normal(rng, rows, 100),
        "y": rng.integers(0, 2, rows).astype(np.float32),
        "w": normal(rng, 100, scale=0.1),
        "b": normal(rng),
    }


def by_hand(x, y, w, b):
    z = x @ w + b
    small = np.exp(-np.abs(z))
    loss = np.mean(np.maximum(z, 0) - y * z + np.log1p(small))

    p = np.where(z >= 0, 1, small) / (1 + small)
    d_z = (p - y) / len(x)
    return loss, {"w": x.T @ d_z, "b": d_z.sum()}


def graphgrad():
    x, y = gg.input("x", ("batch", 100)), gg.input("y", ("batch",))
    w, b = gg.param("w", (100,)), gg.param("b", ())
    z = x @ w + b
    return gg.mean(gg.maximum(z, 0) - y * z + gg.log(1 + gg.exp(-gg.abs(z))))


def torch(x, y, w, b):
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(x @ w + b, y)


def jax(x, y, w, b):
    import jax.numpy as jnp
    from jax import nn

    z = x @ w + b
    return jnp.mean(nn.softplus(z) - y * z)


def autograd(x, y, w, b):
    import autograd.numpy as anp

    z = anp.dot(x, w) + b
    return anp.sum(anp.maximum(z, 0) - y * z + anp.log1p(anp.exp(-anp.abs(z)))) / len(y)


def pytensor(x, y, w, b):
    import pytensor.tensor as pt

    z = x @ w + b
    return pt.mean(pt.softplus(z) - y * z)


WORKLOAD = Workload(
    name="logistic",
    title="logistic regression: {rows:,} x 100, gradients of the parameters, float32",
    sizes={"rows": 200_000},
    quick={"rows": 20_000},
    wrt=("w", "b"),
    make_arrays=make_arrays,
    by_hand=by_hand,
    graphgrad=graphgrad,
    torch=torch,
    jax=jax,
    autograd=autograd,
    pytensor=pytensor,
    batched=("x", "y"),
    tolerance=1e-3,  # 200,000 float32 numbers are summed
)
