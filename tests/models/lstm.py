"""One step of an LSTM; its four gates are slices of one product, in torch's order."""

import graphgrad as gg
from tests.models.model import Model, normal

INPUTS, UNITS = 6, 8


def build():
    x, target = gg.input("x", ("batch", INPUTS)), gg.input("target", ("batch", UNITS))
    h, c = gg.input("h", ("batch", UNITS)), gg.input("c", ("batch", UNITS))
    wx, wh = gg.param("wx", (INPUTS, 4 * UNITS)), gg.param("wh", (UNITS, 4 * UNITS))
    b = gg.param("b", (4 * UNITS,))
    with gg.scope("gates"):
        gates = x @ wx + h @ wh + b
        take, keep, new, show = gg.split(gates, 4, axis=1)
    with gg.scope("cell"):
        c_next = gg.sigmoid(keep) * c + gg.sigmoid(take) * gg.tanh(new)
        h_next = gg.sigmoid(show) * gg.tanh(c_next)
    loss = gg.nn.mse_loss(h_next, target)
    return loss, [wx, wh, b]


def data(rng, batch):
    rows = {name: normal(rng, batch, UNITS) for name in ("target", "h", "c")}
    return {"x": normal(rng, batch, INPUTS), **rows}


def torch(x, target, h, c, wx, wh, b):
    import torch

    h_next, _ = torch.lstm_cell(x, (h, c), wx.T, wh.T, b)
    return torch.nn.functional.mse_loss(h_next, target)


MODEL = Model("lstm", "LSTM cell", build, data, torch, {"batch": 8})
