"""A residual net: each block adds what it computes to what it was given."""

import graphgrad as gg
from tests.models.model import Model, normal


class Block(gg.nn.Module):
    def __init__(self, width):
        self.first, self.second = gg.nn.Linear(width, width), gg.nn.Linear(width, width)

    def __call__(self, x):
        return x + self.second(gg.nn.relu(self.first(x)))


class Net(gg.nn.Module):
    def __init__(self):
        self.stem = gg.nn.Linear(12, 16)
        self.blocks = [Block(16) for _ in range(3)]
        self.head = gg.nn.Linear(16, 4)

    def __call__(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def build():
    x, target = gg.input("x", ("batch", 12)), gg.input("target", ("batch", 4))
    net = Net()
    loss = gg.nn.mse_loss(net(x), target)
    return loss, net.parameters()


def data(rng, batch):
    return {"x": normal(rng, batch, 12), "target": normal(rng, batch, 4)}


def torch(x, target, **layers):
    from torch.nn import functional

    def linear(name, x):
        return functional.linear(x, layers[f"{name}.weight"], layers[f"{name}.bias"])

    x = linear("stem", x)
    for at in range(3):
        x = x + linear(f"blocks.{at}.second", functional.relu(linear(f"blocks.{at}.first", x)))
    return functional.mse_loss(linear("head", x), target)


MODEL = Model("residual", "residual net", build, data, torch, {"batch": 8})
