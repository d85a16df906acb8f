"""A gate, a residual block behind it, and a squared error: branches that meet again, twice."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, t = gg.input("x", ("batch", 64)), gg.input("t", ("batch", 8))
    wv, wg = gg.param("wv", (64, 64)), gg.param("wg", (64, 64))
    w1, b1, w2 = gg.param("w1", (64, 64)), gg.param("b1", (64,)), gg.param("w2", (64, 8))
    with gg.scope("gate"):
        v = gg.tanh(x @ wv)
        q = gg.sigmoid(x @ wg)
        u = v * q
    with gg.scope("block"):
        h1 = gg.nn.relu(u @ w1 + b1)
        r1 = h1 + u
    with gg.scope("head"):
        y = r1 @ w2
    with gg.scope("mse"):
        e = y - t
        loss = gg.mean(e * e)
    return loss, [wv, wg, w1, b1, w2]


def data(rng, batch):
    return {"x": normal(rng, batch, 64), "t": normal(rng, batch, 8)}


def torch(x, t, wv, wg, w1, b1, w2):
    import torch

    u = torch.tanh(x @ wv) * torch.sigmoid(x @ wg)
    e = (torch.relu(u @ w1 + b1) + u) @ w2 - t
    return torch.mean(e * e)


MODEL = Model("gated", "gated residual block", build, data, torch, {"batch": 32})
