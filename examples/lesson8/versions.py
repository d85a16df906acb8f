"""One network, 784 - 50 - 1 with relu and a squared error, six times: from a backward pass by hand to modules.

Each version returns (loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}). Versions 1, 3, 4 and 5 write the backward
pass by hand; 2 and 6 derive it. Level "default" makes the same graph of all (of 6 but for its weights' layout, which is
torch's), so all run at the same speed. docs/tutorials/lesson8.md tells the story.

    python examples/lesson8/versions.py [ROWS]      (times and memory of all six, at both levels)
"""

import functools
import sys
import time

import numpy as np

import graphgrad as gg


def leaves():
    x, y = gg.input("x", ("batch", 784)), gg.input("y", ("batch",))
    w1, b1 = gg.param("w1", (784, 50)), gg.param("b1", (50,))
    w2, b2 = gg.param("w2", (50, 1)), gg.param("b2", (1,))
    return x, y, w1, b1, w2, b2


# ---- version 1: functions ------------------------------------------------------------------------------------------
def lin(x, w, b):
    return x @ w + b


def relu(x):
    return gg.maximum(x, 0)


def mse(out, target):
    return gg.mean((out[:, 0] - target) ** 2)


def mse_grad(out, target):
    return (2.0 * (out[:, 0] - target) / out.shape[0])[:, None]


def relu_grad(inp, d_out):
    return gg.cast(inp > 0, "float32") * d_out


def lin_grad(inp, d_out, w):
    d_inp = d_out @ w.T
    d_w = (inp[:, :, None] * d_out[:, None, :]).sum(axis=0)  # an outer product per row, then a sum
    d_b = d_out.sum(axis=0)
    return d_inp, d_w, d_b


def version_1():
    x, y, w1, b1, w2, b2 = leaves()
    l1 = lin(x, w1, b1)
    l2 = relu(l1)
    out = lin(l2, w2, b2)
    loss = mse(out, y)  # not needed for the gradients
    d_out = mse_grad(out, y)
    d_l2, d_w2, d_b2 = lin_grad(l2, d_out, w2)
    d_l1 = relu_grad(l1, d_l2)
    _, d_w1, d_b1 = lin_grad(x, d_l1, w1)
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


# ---- version 2: automatic differentiation ----------------------------------------------------------------------------
def version_2():
    x, y, w1, b1, w2, b2 = leaves()
    loss = mse(lin(relu(lin(x, w1, b1)), w2, b2), y)
    return loss, gg.grad(loss, {"w1": w1, "b1": b1, "w2": w2, "b2": b2})


# ---- versions 3 to 5: layers as classes, which remember what they saw ------------------------------------------------
class Relu:
    def __call__(self, inp):
        self.inp = inp
        return gg.maximum(inp, 0)

    def backward(self, d_out):
        return gg.cast(self.inp > 0, "float32") * d_out


class Mse:
    def __call__(self, out, target):
        self.out, self.target = out, target
        return gg.mean((out[:, 0] - target) ** 2)

    def backward(self):
        return (2.0 * (self.out[:, 0] - self.target) / self.out.shape[0])[:, None]


class Lin:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def __call__(self, inp):
        self.inp = inp
        return inp @ self.w + self.b

    def weight_gradient(self, d_out):  # version 3
        return (self.inp[:, :, None] * d_out[:, None, :]).sum(axis=0)

    def backward(self, d_out):
        self.d_w = self.weight_gradient(d_out)
        self.d_b = d_out.sum(axis=0)
        return d_out @ self.w.T


class LinEinsum(Lin):  # version 4
    def weight_gradient(self, d_out):
        return gg.einsum("bi,bj->ij", self.inp, d_out)


class LinMatmul(Lin):  # version 5
    def weight_gradient(self, d_out):
        return self.inp.T @ d_out


class Model:
    def __init__(self, linear, w1, b1, w2, b2):
        self.layers = [linear(w1, b1), Relu(), linear(w2, b2)]
        self.loss = Mse()

    def __call__(self, x, target):
        for layer in self.layers:
            x = layer(x)
        return self.loss(x, target)

    def backward(self):
        d = self.loss.backward()
        for layer in reversed(self.layers):
            d = layer.backward(d)


def _layered(linear):
    x, y, w1, b1, w2, b2 = leaves()
    model = Model(linear, w1, b1, w2, b2)
    loss = model(x, y)
    model.backward()
    first, _, second = model.layers
    return loss, {"w1": first.d_w, "b1": first.d_b, "w2": second.d_w, "b2": second.d_b}


def version_3():
    return _layered(Lin)


def version_4():
    return _layered(LinEinsum)


def version_5():
    return _layered(LinMatmul)


# ---- version 6: nn.Linear and nn.Module ------------------------------------------------------------------------------
def version_6():
    class Net(gg.nn.Module):
        def __init__(self):
            self.hidden, self.relu, self.output = gg.nn.Linear(784, 50), gg.nn.ReLU(), gg.nn.Linear(50, 1)

        def __call__(self, x):
            return self.output(self.relu(self.hidden(x)))

    x, y = gg.input("x", ("batch", 784)), gg.input("y", ("batch",))
    net = Net()
    loss = mse(net(x), y)
    w = {"w1": net.hidden.weight, "b1": net.hidden.bias, "w2": net.output.weight, "b2": net.output.bias}
    return loss, gg.grad(loss, w)


VERSIONS = (version_1, version_2, version_3, version_4, version_5, version_6)


# ---- all six against each other --------------------------------------------------------------------------------------
def arrays_of(model, rows):
    """Standard normal data and parameters: what all versions are given, whatever their weights' layout."""
    rng = np.random.default_rng(0)
    shapes = {
        leaf.name: [rows if size == "batch" else size for size in leaf.shape] for leaf in model.graph.inputs
    }
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def quickest(calls, rounds, rest):
    """The least time of each of several calls, which take turns: the one that nobody else disturbed.

    Before each turn there is a rest: threads of BLAS spin on for a while and would take a core from who is next.
    """
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for at, call in enumerate(calls):
            time.sleep(rest)
            for _ in range(5):
                start = time.perf_counter()
                call()
                best[at] = min(best[at], time.perf_counter() - start)
    return best


def main(rows, rounds=10, rest=0.25):
    models = [
        gg.compile([loss, *grads.values()], level=level, name=build.__name__)
        for build in VERSIONS
        for loss, grads in [build()]
        for level in ("plain", "default")
    ]
    calls = [functools.partial(model, **arrays_of(model, rows)) for model in models]
    measured = [
        f"{1e3 * seconds:8.1f} ms {model.memory(batch=rows).peak / 1e6:7.1f} MB"
        for model, seconds in zip(models, quickest(calls, rounds, rest), strict=True)
    ]
    print(f"{rows:,} rows        plain                   default")
    for at, build in enumerate(VERSIONS):
        print(f"{build.__name__}  {'   '.join(measured[2 * at : 2 * at + 2])}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
