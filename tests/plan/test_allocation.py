"""What a call allocates after the first: its results, and next to nothing besides."""

import tracemalloc

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.emit.runtime.team import _team

ROWS = 20_000
ALLOWED = 64 * 1024
"""Bytes, on each thread that a loop runs on."""


def classifier(activate):
    x, label = gg.input("x", ("batch", 32)), gg.input("label", ("batch",), "int64")
    w1, b1, w2, b2 = (
        gg.param("w1", (32, 24)),
        gg.param("b1", (24,)),
        gg.param("w2", (24, 10)),
        gg.param("b2", (10,)),
    )
    return gg.nn.cross_entropy(activate(x @ w1 + b1) @ w2 + b2, label), [w1, b1, w2, b2]


def rows(width=64):
    return gg.input("x", ("batch", width))


def layer_norm():
    x, w, b = rows(), gg.param("w", (64,)), gg.param("b", (64,))
    centred = x - gg.mean(x, axis=-1, keepdims=True)
    spread = gg.mean(centred * centred, axis=-1, keepdims=True)
    return gg.mean(gg.tanh(centred / gg.sqrt(spread + 1e-5) * w + b)), [w, b]


def by_class():
    """Probabilities against one column for each class, and how many are right."""
    x, label, w = rows(32), gg.input("label", ("batch",), "int64"), gg.param("w", (32, 10))
    p = gg.nn.softmax(x @ w)
    wanted = gg.nn.one_hot(label, 10)
    right = gg.mean(gg.cast(gg.equal(gg.argmax(p, axis=1), label), "float32"))
    return (gg.mean((p - wanted) ** 2), right), [w]


def chain(build, gradients=True):
    def model():
        x, w = rows(), gg.param("w", (64,))
        return gg.mean(build(x * w)), [w] if gradients else None

    return model


MODELS = {
    "classifier with relu": lambda: classifier(gg.nn.relu),
    "classifier with sigmoid": lambda: classifier(gg.nn.sigmoid),
    "layer norm": layer_norm,
    "softmax against classes": by_class,
    "log softmax": chain(lambda x: gg.nn.log_softmax(x, axis=-1) ** 2),
    "clip and where": chain(
        lambda x: gg.where(gg.isfinite(x), gg.clip(x, -0.5, 0.5), 0.0) * gg.clip(x, 0.1, None)
    ),
    "cumsum": chain(lambda x: gg.cumsum(gg.tanh(x), axis=1) * gg.cumsum(x, axis=0)),
    "cumprod": chain(lambda x: gg.cumprod(1.0 + 0.01 * x, axis=1)),
    "roll, tile and repeat": chain(
        lambda x: gg.tile(gg.roll(x, 3, axis=0), (1, 2)) * gg.repeat(gg.tanh(x), 2, axis=1)
    ),
    "sorted rows": chain(lambda x: gg.sort(gg.tanh(x), axis=1) ** 2, gradients=False),
    "any, all and nan": chain(
        lambda x: gg.where(
            gg.any(x > 1, axis=1, keepdims=True) & ~gg.all(gg.isnan(x), axis=1, keepdims=True), x, 0.0
        )
    ),
    "set and taken along rows": chain(
        lambda x: (
            gg.take_along_axis(gg.at(x, (slice(None), 0)).set(1.0), gg.argmax(x, axis=1, keepdims=True), 1)
            ** 2
        )
    ),
}


def arguments(model):
    rng = np.random.default_rng(0)
    for leaf in model.plan.schedule.interface.arguments:
        shape = tuple(size if isinstance(size, int) else ROWS for size in leaf.shape)
        if leaf.dtype.kind == "i":
            yield rng.integers(0, 10, shape)
        else:
            yield rng.standard_normal(shape).astype(leaf.dtype)


def owned(result):
    if isinstance(result, np.ndarray):
        return result.nbytes
    if isinstance(result, dict):
        return sum(map(owned, result.values()))
    return sum(map(owned, result)) if isinstance(result, tuple) else 0


@pytest.mark.parametrize("name", MODELS)
def test_a_later_call_allocates_its_results_and_64_kib(name):
    output, wrt = MODELS[name]()
    model = gg.compile(output, wrt=wrt)
    values = tuple(arguments(model))
    model.function(*values)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result = model.function(*values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    beside = peak - before - owned(result)
    assert beside <= ALLOWED * _team.cores(), f"{beside} bytes beside the results\n{model.source}"
