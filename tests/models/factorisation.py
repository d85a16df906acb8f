"""A matrix factorised: a few known entries, whose rows and columns repeat."""

import graphgrad as gg
from tests.models.model import Model, normal

USERS, ITEMS, RANK = 7, 5, 3


def build():
    user, item = gg.input("user", ("batch",), "int64"), gg.input("item", ("batch",), "int64")
    rating = gg.input("rating", ("batch",))
    users, items = gg.param("users", (USERS, RANK)), gg.param("items", (ITEMS, RANK))
    bias = gg.param("bias", (ITEMS,))
    guess = gg.sum(users[user] * items[item], axis=1) + bias[item]
    loss = gg.nn.mse_loss(guess, rating) + 0.01 * (gg.sum(users**2) + gg.sum(items**2))
    return loss, [users, items, bias]


def data(rng, batch):
    return {
        "user": rng.integers(0, USERS, batch),
        "item": rng.integers(0, ITEMS, batch),
        "rating": normal(rng, batch),
    }


def torch(user, item, rating, users, items, bias):
    import torch

    guess = torch.einsum("br,br->b", users[user], items[item]) + bias[item]
    return torch.mean((guess - rating) ** 2) + 0.01 * ((users**2).sum() + (items**2).sum())


MODEL = Model("factorisation", "matrix factorisation", build, data, torch, {"batch": 20})
