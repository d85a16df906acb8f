"""A chain of elementwise functions over a million numbers: GELU by its tanh formula, sigmoid and exp."""

import numpy as np

import graphgrad as gg
from benchmarks.workload import Workload, normal

SCALE = float(np.sqrt(2 / np.pi))  # of GELU, Hendrycks and Gimpel (2016)
CUBIC = 0.044715


def make_arrays(rng, elements):
    return {"x": normal(rng, elements)}


def by_hand(x):
    square = x * x
    inner = np.tanh(SCALE * x * (1 + CUBIC * square))
    h = 0.5 * x * (1 + inner)
    s = 1 / (1 + np.exp(-h))
    e = np.exp(-square)
    loss = np.mean(s * e)

    d_h = s * (1 - s) * e
    d_inner = 0.5 * x * (1 - inner * inner) * SCALE * (1 + 3 * CUBIC * square)
    d_x = (d_h * (0.5 * (1 + inner) + d_inner) - 2 * x * s * e) / x.size
    return loss, {"x": d_x}


def graphgrad():
    x = gg.input("x", ("elements",))
    h = 0.5 * x * (1 + gg.tanh(SCALE * x * (1 + CUBIC * x * x)))
    return gg.mean(gg.sigmoid(h) * gg.exp(-x * x))


def torch(x):
    import torch
    from torch.nn import functional

    h = functional.gelu(x, approximate="tanh")
    return torch.mean(torch.sigmoid(h) * torch.exp(-x * x))


def jax(x):
    import jax.numpy as jnp
    from jax import nn

    return jnp.mean(nn.sigmoid(nn.gelu(x, approximate=True)) * jnp.exp(-x * x))


def autograd(x):
    import autograd.numpy as anp

    h = 0.5 * x * (1 + anp.tanh(SCALE * x * (1 + CUBIC * x * x)))
    return anp.sum(1 / (1 + anp.exp(-h)) * anp.exp(-x * x)) / x.size


def pytensor(x):
    import pytensor.tensor as pt

    h = 0.5 * x * (1 + pt.tanh(SCALE * x * (1 + CUBIC * x * x)))
    return pt.mean(pt.sigmoid(h) * pt.exp(-x * x))


WORKLOAD = Workload(
    name="chain",
    title="elementwise chain: GELU (tanh), sigmoid and exp of {elements:,} numbers, gradient by them, float32",
    sizes={"elements": 1_000_000},
    quick={"elements": 100_000},
    wrt=("x",),
    make_arrays=make_arrays,
    by_hand=by_hand,
    graphgrad=graphgrad,
    torch=torch,
    jax=jax,
    autograd=autograd,
    pytensor=pytensor,
    batched=("x",),
)
