"""Batch norm between two linear layers: every row's gradient depends on all rows."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, target = gg.input("x", ("batch", 6)), gg.input("target", ("batch",))
    w1, scale, shift = (
        gg.param("w1", (6, 8)),
        gg.param("scale", (8,), init=gg.init.ones()),
        gg.param("shift", (8,)),
    )
    w2 = gg.param("w2", (8,))
    with gg.scope("hidden"):
        h = x @ w1
    with gg.scope("norm"):
        centre = gg.mean(h, axis=0)
        spread = gg.var(h, axis=0)
        normed = (h - centre) / gg.sqrt(spread + 1e-5) * scale + shift
    with gg.scope("output"):
        out = gg.nn.relu(normed) @ w2
    loss = gg.nn.mse_loss(out, target)
    return loss, [w1, scale, shift, w2]


def data(rng, batch):
    return {"x": normal(rng, batch, 6), "target": normal(rng, batch)}


def torch(x, target, w1, scale, shift, w2):
    import torch

    h = x @ w1
    spread, centre = torch.var_mean(h, 0, correction=0)  # functional.batch_norm refuses a single row
    normed = (h - centre) * torch.rsqrt(spread + 1e-5) * scale + shift
    return torch.nn.functional.mse_loss(torch.relu(normed) @ w2, target)


MODEL = Model("batch_norm", "batch norm", build, data, torch, {"batch": 8})
