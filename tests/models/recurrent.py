"""A recurrent cell, unrolled over a fixed number of steps: the same weights in each."""

import graphgrad as gg
from tests.models.model import Model, normal

STEPS, INPUTS, UNITS = 6, 5, 8


def build():
    x, target = gg.input("x", ("batch", STEPS, INPUTS)), gg.input("target", ("batch",))
    wx, wh, b = gg.param("wx", (INPUTS, UNITS)), gg.param("wh", (UNITS, UNITS)), gg.param("b", (UNITS,))
    w_out = gg.param("w_out", (UNITS,))
    h = gg.tanh(x[:, 0] @ wx + b)
    for step in range(1, STEPS):
        with gg.scope(f"step{step}"):
            h = gg.tanh(x[:, step] @ wx + h @ wh + b)
    loss = gg.nn.mse_loss(h @ w_out, target)
    return loss, [wx, wh, b, w_out]


def data(rng, batch):
    return {"x": normal(rng, batch, STEPS, INPUTS), "target": normal(rng, batch)}


def torch(x, target, wx, wh, b, w_out):
    import torch

    h = x.new_zeros(len(x), UNITS)
    for step in range(STEPS):
        h = torch.rnn_tanh_cell(x[:, step], h, wx.T, wh.T, b, torch.zeros_like(b))
    return torch.nn.functional.mse_loss(h @ w_out, target)


MODEL = Model("recurrent", "recurrent cell, unrolled", build, data, torch, {"batch": 8})
