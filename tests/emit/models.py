"""The models whose emitted modules are kept under tests/golden. A line moved here moves in their comments."""

import numpy as np

import graphgrad as gg


def lesson8():
    x = gg.input("x", ("batch", 784))
    y = gg.input("y", ("batch",))
    w1 = gg.param("w1", (784, 50), init=gg.init.kaiming_normal())
    b1 = gg.param("b1", (50,))
    w2 = gg.param("w2", (50, 1), init=gg.init.kaiming_normal())
    b2 = gg.param("b2", (1,))
    with gg.scope("hidden"):
        l1 = x @ w1 + b1
        l2 = gg.maximum(l1, 0)
    with gg.scope("output"):
        out = l2 @ w2 + b2
    loss = gg.mean((out[:, 0] - y) ** 2)
    return gg.compile(loss, wrt=[w1, b1, w2, b2], level="plain", name="lesson8")


def digits():
    x = gg.input("x", ("batch", 64))
    label = gg.input("label", ("batch",), "int64")
    w1 = gg.param("w1", (64, 50), init=gg.init.kaiming_normal())
    b1 = gg.param("b1", (50,))
    w2 = gg.param("w2", (50, 10), init=gg.init.kaiming_normal())
    b2 = gg.param("b2", (10,))
    with gg.scope("hidden"):
        hidden = gg.nn.relu(x @ w1 + b1)
    with gg.scope("output"):
        logits = hidden @ w2 + b2
    loss = gg.nn.cross_entropy(logits, label)
    return gg.compile(loss, wrt=[w1, b1, w2, b2], name="digits")


def momentum():
    x = gg.input("x", ("batch", 3))
    y = gg.input("y", ("batch",))
    rate = gg.input("rate", ())
    w = gg.param("w", (3,))
    v = gg.state("v", (3,))
    error = x @ w - y
    loss = gg.mean(error**2)
    slope = gg.grad(loss, w)
    velocity = 0.9 * v - rate * slope
    return gg.compile(loss, wrt=[w], updates={v: velocity, w: w + velocity}, name="momentum")


def two_outputs():
    x = gg.input("x", ("n", 4), "float64")
    w = gg.param("w", (4, 2), "float64")
    with gg.scope("encoder"):
        code = gg.tanh(x @ w)
    with gg.scope("decoder"):
        back = gg.sigmoid(code @ w.T)
    outputs = {"loss": gg.sum((back - x) ** 2), "code": code}
    return gg.compile(outputs, wrt=[w, x], name="two_outputs")


def weird_names():
    x = gg.input("class", ("größe", 3))
    scale = gg.param('x"); import os; ("', (3,))
    shift = gg.param("np", ())
    with gg.scope('"""'), gg.scope("a/b \\"):
        total = gg.named(x * scale + shift, "lambda: 0")
    loss = gg.named(gg.sum(total**2) / x.shape[0], "forward")
    return gg.compile(loss, wrt={"{x}": scale, "a, b": shift, "print()": total}, name="weird names")


def pieces():
    series = gg.input("series", ("time", 2))
    smooth = gg.param("smooth", (3,))
    low, high = series[:-1], series[1:]
    change = gg.named(high - low, "change")
    both = gg.named(gg.concatenate([change, series[::2]], axis=0), "both")
    filled = gg.at(both, 0).set(1.0)
    weighted = gg.named(gg.max(filled, axis=0, keepdims=True) * smooth[:2], "weighted")
    table = gg.const(np.linspace(0, 1, 100, dtype=np.float32))
    return gg.compile(gg.sum(weighted) + gg.mean(table * smooth[2]), wrt=[smooth, series], name="pieces")


MODELS = {
    "lesson8": lesson8,
    "digits": digits,
    "momentum": momentum,
    "two_outputs": two_outputs,
    "weird_names": weird_names,
    "pieces": pieces,
}
