"""A contrastive loss: two views of each row have to find each other among all rows of the batch."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    left, right = gg.input("left", ("batch", 10)), gg.input("right", ("batch", 10))
    w = gg.param("w", (10, 6))
    log_scale = gg.param("log_scale", ())

    def embed(x):
        h = x @ w
        return h / gg.linalg.norm(h, axis=1, keepdims=True)

    similar = embed(left) @ embed(right).T * gg.exp(log_scale)
    own = gg.diagonal(similar)
    loss = gg.mean(gg.logsumexp(similar, axis=0) + gg.logsumexp(similar, axis=1) - 2 * own) / 2
    return loss, [w, log_scale]


def data(rng, batch):
    return {"left": normal(rng, batch, 10), "right": normal(rng, batch, 10)}


def torch(left, right, w, log_scale):
    import torch
    from torch.nn import functional

    similar = functional.normalize(left @ w) @ functional.normalize(right @ w).T * log_scale.exp()
    own = torch.arange(len(left))
    return (functional.cross_entropy(similar, own) + functional.cross_entropy(similar.T, own)) / 2


MODEL = Model("contrastive", "contrastive loss", build, data, torch, {"batch": 7})
