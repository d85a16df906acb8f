"""Lesson 8: two linear layers with a relu between them, and a mean squared error."""

from examples.lesson8 import lesson8
from tests.models.model import Model, normal


def data(rng, batch):
    return {"x": normal(rng, batch, 784), "y": normal(rng, batch)}


def torch(x, y, w1, b1, w2, b2):
    import torch

    out = torch.relu(x @ w1 + b1) @ w2 + b2
    return torch.mean((out[:, 0] - y) ** 2)


MODEL = Model("lesson8", "lesson 8", lesson8, data, torch, {"batch": 8})
