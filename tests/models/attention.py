"""A block of a transformer, without dropout: attention of several heads to the past, behind a layer norm."""

import numpy as np

import graphgrad as gg
from tests.models.model import Model, normal

WIDTH, HEADS = 16, 2


def layer_norm(x, scale, shift):
    centred = x - gg.mean(x, axis=-1, keepdims=True)
    spread = gg.sqrt(gg.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    return centred / spread * scale + shift


def build():
    x, target = gg.input("x", ("batch", "time", WIDTH)), gg.input("target", ("batch", "time", WIDTH))
    scale, shift = gg.param("scale", (WIDTH,), init=gg.init.ones()), gg.param("shift", (WIDTH,))
    wq, wk, wv, wo = (gg.param(name, (WIDTH, WIDTH)) for name in ("wq", "wk", "wv", "wo"))
    batch, time, _ = x.shape

    def split(rows):
        return rows.reshape(batch, time, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    with gg.scope("norm"):
        normed = layer_norm(x, scale, shift)
    with gg.scope("attention"):
        queries, keys, values = split(normed @ wq), split(normed @ wk), split(normed @ wv)
        scores = queries @ gg.matrix_transpose(keys) / np.sqrt(WIDTH // HEADS).item()
        step = gg.arange(time)
        seen = gg.where(step[:, None] >= step[None, :], scores, -np.inf)
        weights = gg.nn.softmax(seen)
        mixed = (weights @ values).transpose(0, 2, 1, 3).reshape(batch, time, WIDTH)
        out = x + mixed @ wo
    loss = gg.nn.mse_loss(out, target)
    return loss, [scale, shift, wq, wk, wv, wo]


def data(rng, batch, time):
    return {"x": normal(rng, batch, time, WIDTH), "target": normal(rng, batch, time, WIDTH)}


def torch(x, target, scale, shift, wq, wk, wv, wo):
    from torch.nn import functional

    batch, time, _ = x.shape
    normed = functional.layer_norm(x, (WIDTH,), scale, shift)
    queries, keys, values = (
        (normed @ w).reshape(batch, time, HEADS, WIDTH // HEADS).transpose(1, 2) for w in (wq, wk, wv)
    )
    mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    out = x + mixed.transpose(1, 2).reshape(batch, time, WIDTH) @ wo
    return functional.mse_loss(out, target)


MODEL = Model("attention", "attention block", build, data, torch, {"batch": 4, "time": 6})
