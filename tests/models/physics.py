"""A network that is to solve u'' = -u: derivatives of it by its input stand inside its loss."""

import graphgrad as gg
from tests.models.model import Model, normal

UNITS = 8


def build():
    t = gg.input("t", ("points", 1))
    w1, b1 = gg.param("w1", (1, UNITS)), gg.param("b1", (UNITS,))
    w2, b2 = gg.param("w2", (UNITS, 1)), gg.param("b2", (1,))

    def network(t):
        return gg.tanh(t @ w1 + b1) @ w2 + b2

    u = network(t)
    slope = gg.grad(gg.sum(u), t)
    bend = gg.grad(gg.sum(slope), t)
    start = network(gg.zeros((1, 1)))
    loss = gg.mean((bend + u) ** 2) + (start[0, 0] - 1) ** 2
    return loss, [w1, b1, w2, b2]


def data(rng, points):
    return {"t": normal(rng, points, 1)}


def torch(t, w1, b1, w2, b2):
    import torch

    def network(t):
        return torch.tanh(t @ w1 + b1) @ w2 + b2

    if not t.requires_grad:
        t = t.clone().requires_grad_()
    u = network(t)
    (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
    start = network(torch.zeros(1, 1, dtype=t.dtype))
    return torch.mean((bend + u) ** 2) + (start[0, 0] - 1) ** 2


MODEL = Model("physics", "u'' = -u", build, data, torch, {"points": 8})
