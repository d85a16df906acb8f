"""A classifier on mini-batches: 784-512-256-10 with a cross-entropy."""

import numpy as np

import graphgrad as gg
from benchmarks.workload import Workload, dense, normal


def make_arrays(rng, rows):
    return {
        "x": normal(rng, rows, 784),
        "label": rng.integers(0, 10, rows),
        **dense(rng, 784, 512, 256, 10),
    }


def by_hand(x, label, w1, b1, w2, b2, w3, b3):
    l1 = np.maximum(x @ w1 + b1, 0)
    l2 = np.maximum(l1 @ w2 + b2, 0)
    logits = l2 @ w3 + b3
    rows = np.arange(len(x))
    shifted = logits - logits.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=1, keepdims=True)
    loss = -np.mean((shifted - np.log(total))[rows, label])

    d_logits = exps / total
    d_logits[rows, label] -= 1
    d_logits /= len(x)
    d_w3 = l2.T @ d_logits
    d_b3 = d_logits.sum(axis=0)
    d_l2 = (d_logits @ w3.T) * (l2 > 0)
    d_w2 = l1.T @ d_l2
    d_b2 = d_l2.sum(axis=0)
    d_l1 = (d_l2 @ w2.T) * (l1 > 0)
    d_w1 = x.T @ d_l1
    d_b1 = d_l1.sum(axis=0)
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2, "w3": d_w3, "b3": d_b3}


def graphgrad():
    x, label = gg.input("x", ("batch", 784)), gg.input("label", ("batch",), "int64")
    w1, b1 = gg.param("w1", (784, 512)), gg.param("b1", (512,))
    w2, b2 = gg.param("w2", (512, 256)), gg.param("b2", (256,))
    w3, b3 = gg.param("w3", (256, 10)), gg.param("b3", (10,))
    l1 = gg.nn.relu(x @ w1 + b1)
    l2 = gg.nn.relu(l1 @ w2 + b2)
    return gg.nn.cross_entropy(l2 @ w3 + b3, label)


def torch(x, label, w1, b1, w2, b2, w3, b3):
    import torch
    from torch.nn import functional

    l1 = torch.relu(torch.addmm(b1, x, w1))
    l2 = torch.relu(torch.addmm(b2, l1, w2))
    return functional.cross_entropy(torch.addmm(b3, l2, w3), label)


def jax(x, label, w1, b1, w2, b2, w3, b3):
    import jax.numpy as jnp
    from jax import nn

    l1 = nn.relu(x @ w1 + b1)
    l2 = nn.relu(l1 @ w2 + b2)
    log_p = nn.log_softmax(l2 @ w3 + b3)
    return -jnp.mean(jnp.take_along_axis(log_p, label[:, None], axis=1))


def autograd(x, label, w1, b1, w2, b2, w3, b3):
    import autograd.numpy as anp

    l1 = anp.maximum(x @ w1 + b1, 0)
    l2 = anp.maximum(l1 @ w2 + b2, 0)
    logits = l2 @ w3 + b3
    shifted = logits - anp.max(logits, axis=1, keepdims=True)
    log_p = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
    return -anp.sum(log_p[np.arange(len(label)), label]) / len(label)


def pytensor(x, label, w1, b1, w2, b2, w3, b3):
    import pytensor.tensor as pt
    from pytensor.tensor.special import log_softmax

    l1 = pt.maximum(x @ w1 + b1, 0)
    l2 = pt.maximum(l1 @ w2 + b2, 0)
    log_p = log_softmax(l2 @ w3 + b3, axis=1)
    return -pt.mean(log_p[pt.arange(label.shape[0]), label])


WORKLOAD = Workload(
    name="classifier",
    title="classifier: {rows} x 784 -> 512 -> 256 -> 10, relu, cross-entropy, gradients of the parameters, float32",
    sizes={"rows": 128},
    quick={},
    wrt=("w1", "b1", "w2", "b2", "w3", "b3"),
    make_arrays=make_arrays,
    by_hand=by_hand,
    graphgrad=graphgrad,
    torch=torch,
    jax=jax,
    autograd=autograd,
    pytensor=pytensor,
    batched=("x", "label"),
    tolerance=2e-3,  # a unit within rounding of 0 may be on in one and off in another
)
