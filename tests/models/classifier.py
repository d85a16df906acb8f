"""A multilayer perceptron made of layers, with a cross-entropy."""

import graphgrad as gg
from tests.models.model import Model, normal


def build():
    x, label = gg.input("x", ("batch", 20)), gg.input("label", ("batch",), "int64")
    net = gg.nn.Sequential(
        gg.nn.Linear(20, 16), gg.nn.ReLU(), gg.nn.Linear(16, 12), gg.nn.ReLU(), gg.nn.Linear(12, 5)
    )
    loss = gg.nn.cross_entropy(net(x), label)
    return loss, net.parameters()


def data(rng, batch):
    return {"x": normal(rng, batch, 20), "label": rng.integers(0, 5, batch)}


def torch(x, label, **layers):
    from torch.nn import functional

    for at in ("0", "2"):
        x = functional.relu(functional.linear(x, layers[f"{at}.weight"], layers[f"{at}.bias"]))
    return functional.cross_entropy(functional.linear(x, layers["4.weight"], layers["4.bias"]), label)


MODEL = Model("classifier", "MLP with cross-entropy", build, data, torch, {"batch": 8})
