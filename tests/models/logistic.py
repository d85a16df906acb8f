"""Logistic regression, its loss written as the formula has it, which overflows for large scores."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, y = gg.input("x", ("batch", 10)), gg.input("y", ("batch",))
    w, b = gg.param("w", (10,)), gg.param("b", ())
    z = x @ w + b
    loss = gg.mean(gg.log(1 + gg.exp(z)) - y * z)
    return loss, [w, b]


def data(rng, batch):
    return {"x": normal(rng, batch, 10), "y": rng.integers(0, 2, batch).astype("float32")}


def torch(x, y, w, b):
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(x @ w + b, y)


MODEL = Model("logistic", "logistic regression", build, data, torch, {"batch": 16})
