"""The distance of two distributions on a line: projections of two samples, both sorted over the batch."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, y = gg.input("x", ("batch", 5)), gg.input("y", ("batch", 3))
    w, shift = gg.param("w", (5, 3)), gg.param("shift", (3,))
    moved = gg.tanh(x @ w) + shift
    apart = gg.sort(moved, axis=0) - gg.sort(y, axis=0)
    loss = gg.mean(gg.abs(apart)) + gg.mean(apart**2)
    return loss, [w, shift]


def data(rng, batch):
    return {"x": normal(rng, batch, 5), "y": normal(rng, batch, 3)}


def torch(x, y, w, shift):
    import torch

    apart = torch.sort(torch.tanh(x @ w) + shift, 0).values - torch.sort(y, 0).values
    return apart.abs().mean() + (apart**2).mean()


MODEL = Model("sorted_rows", "distance of sorted samples", build, data, torch, {"batch": 9})
