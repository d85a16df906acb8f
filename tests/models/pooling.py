"""Attention as a pool: a softmax over the rows of the batch weighs them, and their mean is classified."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, label = gg.input("x", ("batch", 12)), gg.input("label", (), "float32")
    v, u, w = gg.param("v", (12, 8)), gg.param("u", (8,)), gg.param("w", (12,))
    with gg.scope("weigh"):
        scores = gg.tanh(x @ v) @ u
        weights = gg.nn.softmax(scores, axis=0)
    with gg.scope("pool"):
        pooled = weights @ x
    z = pooled @ w
    loss = -(label * gg.log(gg.sigmoid(z)) + (1 - label) * gg.log(1 - gg.sigmoid(z)))
    return loss, [v, u, w]


def data(rng, batch):
    return {"x": normal(rng, batch, 12), "label": (normal(rng) > 0).astype("float32")}


def torch(x, label, v, u, w):
    import torch
    from torch.nn import functional

    pooled = torch.softmax(torch.tanh(x @ v) @ u, 0) @ x
    return functional.binary_cross_entropy_with_logits(pooled @ w, label)


MODEL = Model("pooling", "attention over the batch", build, data, torch, {"batch": 8})
