"""Two experts, chosen by the first column; then choices of which one branch has no value: a root, a logarithm."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, y = gg.input("x", ("batch", 6)), gg.input("y", ("batch",))
    left, right = gg.param("left", (6,)), gg.param("right", (6,))
    with gg.scope("experts"):
        out = gg.where(x[:, 0] > 0, x @ left, gg.tanh(x @ right))
    with gg.scope("stretch"):
        stretched = gg.where(out > 0, gg.sqrt(out), gg.log1p(-out))
    with gg.scope("huber"):
        e = gg.abs(stretched - y)
        loss = gg.mean(gg.where(e < 1, 0.5 * e**2, e - 0.5))
    return loss, [left, right]


def data(rng, batch):
    return {"x": normal(rng, batch, 6), "y": normal(rng, batch)}


def torch(x, y, left, right):
    import torch

    out = torch.where(x[:, 0] > 0, x @ left, torch.tanh(x @ right))
    positive = (
        out > 0
    )  # by hand what a where needs that must not give nan: both branches stay where they exist
    root = torch.sqrt(torch.where(positive, out, 1))
    stretched = torch.where(positive, root, torch.log1p(torch.where(positive, 0, -out)))
    return torch.nn.functional.huber_loss(stretched, y)


MODEL = Model("choice", "experts and choices", build, data, torch, {"batch": 12})
