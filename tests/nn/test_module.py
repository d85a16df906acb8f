"""Modules and layers against torch.nn: keys, shapes, values, gradients, initial values; names and scopes."""

import copy
import threading
from dataclasses import dataclass

import numpy as np
import pytest

import graphgrad as gg


class Net(gg.nn.Module):
    def __init__(self):
        self.hidden, self.relu, self.output = gg.nn.Linear(784, 50), gg.nn.ReLU(), gg.nn.Linear(50, 1)

    def __call__(self, x):
        return self.output(self.relu(self.hidden(x)))


def torch_net():
    import torch

    class Twin(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.relu, self.output = (
                torch.nn.Linear(784, 50),
                torch.nn.ReLU(),
                torch.nn.Linear(50, 1),
            )

        def forward(self, x):
            return self.output(self.relu(self.hidden(x)))

    return Twin()


def torch_sequential():
    import torch

    return torch.nn.Sequential(torch.nn.Linear(784, 50), torch.nn.ReLU(), torch.nn.Linear(50, 1, bias=False))


def torch_linear():
    import torch

    return torch.nn.Linear(784, 1)


TWINS = {
    "net": (Net, torch_net),
    "sequential": (
        lambda: gg.nn.Sequential(gg.nn.Linear(784, 50), gg.nn.ReLU(), gg.nn.Linear(50, 1, bias=False)),
        torch_sequential,
    ),
    "linear": (lambda: gg.nn.Linear(784, 1), torch_linear),
}


def compiled(net, level="default", shape=("batch", 784), dtype="float32"):
    x, y = gg.input("x", shape, dtype), gg.input("y", shape[:-1], dtype)
    out = net(x)
    loss = gg.mean((out[..., 0] - y) ** 2)
    return gg.compile((loss, out), wrt=[*net.parameters(), x], level=level)


@pytest.mark.parametrize("twin", TWINS)
def test_keys_and_shapes_are_torchs(twin):
    pytest.importorskip("torch")
    ours, theirs = (make() for make in TWINS[twin])
    found = {key: leaf.shape for key, leaf in ours.named_parameters()}
    expected = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    assert found == expected
    assert list(found) == list(expected)
    assert [leaf.name for leaf in ours.parameters()] == list(expected)


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("shape", [("batch", 784), ("batch", "seq", 784)], ids=["matrix", "three axes"])
@pytest.mark.parametrize("twin", TWINS)
def test_values_and_gradients_with_torchs_parameters(twin, shape, level):
    torch = pytest.importorskip("torch")
    ours, theirs = (make() for make in TWINS[twin])
    values = {key: value.numpy() for key, value in theirs.state_dict().items()}
    rng = np.random.default_rng(0)
    xs = rng.standard_normal((5, 3, 784)[-len(shape) :], np.float32)
    ys = rng.standard_normal(xs.shape[:-1], np.float32)
    (loss, out), grads = compiled(ours, level, shape)(**values, x=xs, y=ys)

    given = torch.tensor(xs, requires_grad=True)
    seen = theirs(given)
    error = ((seen[..., 0] - torch.tensor(ys)) ** 2).mean()
    error.backward()
    np.testing.assert_allclose(out, seen.detach().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(loss, error.item(), rtol=1e-4)
    np.testing.assert_allclose(grads["x"], given.grad.numpy(), rtol=1e-3, atol=1e-5)
    for key, value in theirs.named_parameters():
        np.testing.assert_allclose(grads[key], value.grad.numpy(), rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initial_values_are_spread_as_torchs(dtype):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    ours, theirs = gg.nn.Linear(400, 300, dtype=dtype), torch.nn.Linear(400, 300)
    values = compiled(ours, shape=("batch", 400), dtype=dtype).init(np.random.default_rng(0))
    assert list(values) == ["weight", "bias"]
    for key, value in theirs.named_parameters():
        drawn, expected = values[key], value.detach().numpy()
        assert drawn.dtype == dtype
        assert abs(drawn).max() <= drawn.dtype.type(1 / 20)
        assert abs(drawn).max() == pytest.approx(abs(expected).max(), rel=0.02)
        assert drawn.std() == pytest.approx(1 / 20 / 3**0.5, rel=0.01 if drawn.ndim == 2 else 0.1)
        assert abs(drawn.mean()) < 4 * drawn.std() / drawn.size**0.5
    assert not np.array_equal(values["weight"][0, :300], values["bias"])


def test_linear_of_nothing():
    values = gg.compile(gg.nn.Linear(0, 2)(np.ones((3, 0), np.float32))).init(np.random.default_rng(0))
    assert values["weight"].shape == (2, 0) and values["bias"].shape == (2,)


def test_study_notes_model_is_written_as_in_torch():
    x, y = gg.input("x", ("batch", 784)), gg.input("y", ("batch",))
    net = Net()
    loss = gg.mean((net(x)[:, 0] - y) ** 2)
    grads = gg.grad(loss, {"w1": net.hidden.weight, "b1": net.hidden.bias})
    assert grads["w1"].shape == (50, 784)
    model = gg.compile(loss, wrt=net.parameters(), name="lesson8")
    assert model.signature == ("x", "y", "hidden.weight", "hidden.bias", "output.weight", "output.bias")
    for layer in ("hidden", "relu", "output"):
        assert f"# forward: {layer}\n" in model.source
        assert f"# backward: {layer}\n" in model.source
    picture = gg.draw(loss, wrt=net.parameters()).source
    assert all(layer in picture for layer in ("hidden", "relu", "output"))


# ---- names --------------------------------------------------------------------------------------------------------


def test_parameters_have_one_order_whichever_is_asked_for_first():
    for ask in (lambda net: net.output.bias, lambda net: net(gg.input("x", (3, 784))), Net.parameters):
        net = Net()
        ask(net)
        leaves = [net.hidden.weight, net.hidden.bias, net.output.weight, net.output.bias]
        assert net.parameters() == leaves
        assert sorted(leaves, key=lambda leaf: leaf.serial) == leaves
        assert net.hidden.weight is net.hidden.weight


def test_names_say_where_a_module_stands():
    class Block(gg.nn.Module):
        def __init__(self):
            self.linear, self.scale = gg.nn.Linear(4, 4), gg.nn.parameter((4,))

        def __call__(self, x):
            return self.linear(x) * self.scale

    class Tower(gg.nn.Module):
        def __init__(self):
            self.blocks = []
            for _ in range(2):
                self.blocks.append(Block())
            self.heads = {"small": gg.nn.Linear(4, 1), "large": gg.nn.Linear(4, 8)}

        def __call__(self, x):
            for block in self.blocks:
                x = block(x)
            return self.heads["small"](x), self.heads["large"](x)

    small, large = (tower := Tower())(gg.input("x", ("batch", 4)))
    names = [f"blocks.{at}.{end}" for at in range(2) for end in ("scale", "linear.weight", "linear.bias")] + [
        f"heads.{size}.{end}" for size in ("small", "large") for end in ("weight", "bias")
    ]
    assert [key for key, _ in tower.named_parameters()] == names == [leaf.name for leaf in tower.parameters()]
    assert small.scope == ("heads.small",) and large.scope == ("heads.large",)
    assert tower.blocks[1].parameters()[0].name == "blocks.1.scale"
    assert [key for key, _ in tower.blocks[1].named_parameters()] == ["scale", "linear.weight", "linear.bias"]


def test_scopes_nest_as_modules_do_and_names_of_values_are_the_users():
    class Outer(gg.nn.Module):
        def __init__(self):
            self.net = Net()

        def __call__(self, x):
            first = self.net.hidden(x)
            second = gg.tanh(self.net(x))
            return second + first[:, :1]

    with gg.scope("tower"):
        result = Outer()(gg.input("x", ("batch", 784)))
    second, _ = result.inputs
    assert result.scope == ("tower",) and result.name == "result"
    assert second.name == "second" and second.scope == ("tower",)
    assert second.inputs[0].scope == ("tower", "net", "output") and second.inputs[0].name is None
    assert "second = gg.tanh" not in second.notes.site.text and "gg.tanh" in second.notes.site.text


def test_what_a_layer_computes_on_the_way_does_not_take_its_results_name():
    net = gg.nn.Sequential(gg.nn.Linear(4, 4), gg.nn.ReLU(), gg.nn.Linear(4, 1))
    out = net(gg.input("x", ("batch", 4)))
    names = [node.name for node in gg.Graph((), (out,)).nodes if not node.op.is_leaf and node is not out]
    assert out.name == "out" and set(names) == {None}
    assert out.scope == ("2",) and "net(gg.input" in out.notes.site.text


def test_super_call_stays_in_its_scope():
    class Shifted(gg.nn.Linear):
        def __call__(self, x):
            y = super().__call__(x)
            return y + 1

    class Model(gg.nn.Module):
        def __init__(self):
            self.shifted = Shifted(3, 2)

        def __call__(self, x):
            return self.shifted(x)

    out = Model()(gg.input("x", ("batch", 3)))
    assert out.scope == ("shifted",) == out.inputs[0].scope
    assert out.inputs[0].name == "y" and out.name == "out"


def test_shared_modules_and_parameters_count_once():
    shared = gg.nn.Linear(4, 4)
    net = gg.nn.Sequential(shared, gg.nn.ReLU(), shared)
    net(gg.input("x", ("batch", 4)))
    assert [key for key, _ in net.named_parameters()] == ["0.weight", "0.bias"]

    class Tied(gg.nn.Module):
        def __init__(self):
            self.encode, self.decode = gg.nn.Linear(4, 4), gg.nn.Linear(4, 4)
            self.decode.weight = self.encode.weight

        def __call__(self, x):
            return self.decode(self.encode(x))

    tied = Tied()
    assert [key for key, _ in tied.named_parameters()] == ["encode.weight", "encode.bias", "decode.bias"]
    assert tied.decode.weight is tied.encode.weight


def test_leaves_that_the_user_named_are_parameters_too():
    class Lin(gg.nn.Module):
        def __init__(self, w, b):
            self.w, self.b = w, b

        def __call__(self, inp):
            self.inp = inp
            return inp @ self.w + self.b

    w, b = gg.param("w1", (3, 2)), gg.param("b1", (2,))
    net = gg.nn.Sequential(Lin(w, b))
    net(gg.input("x", ("batch", 3)))
    assert net.parameters() == [w, b]
    assert [key for key, _ in net.named_parameters()] == ["0.w", "0.b"]


def test_copies_of_a_layer_have_parameters_of_their_own():
    layer = gg.nn.Linear(3, 3)
    net = gg.nn.Sequential(*(copy.deepcopy(layer) for _ in range(2)))
    loss = gg.sum(net(gg.input("x", ("batch", 3))))
    assert list(gg.compile(loss, wrt=net.parameters()).init()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_dataclasses_may_be_modules():
    @dataclass
    class Pair(gg.nn.Module):
        left: gg.nn.Module
        right: gg.nn.Module

        def __call__(self, x):
            return self.left(x) + self.right(x)

    pair = Pair(gg.nn.Linear(2, 2), gg.nn.Linear(2, 2, bias=False))
    assert [leaf.name for leaf in pair.parameters()] == ["left.weight", "left.bias", "right.weight"]
    assert gg.compile(pair(gg.input("x", (1, 2)))).signature[0] == "x"


def test_threads_see_the_same_leaves():
    net, seen, barrier = Net(), [], threading.Barrier(8)

    def ask():
        barrier.wait()
        seen.append(net.hidden.weight)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 and len(set(seen)) == 1


def test_many_modules_in_each_other_need_no_recursion():
    class Wrapped(gg.nn.Module):
        def __init__(self, inner):
            self.inner = inner

    net = gg.nn.Linear(2, 2)
    for _ in range(3000):
        net = Wrapped(net)
    assert [leaf.name for leaf in net.parameters()] == ["inner." * 3000 + "weight", "inner." * 3000 + "bias"]


# ---- mistakes -------------------------------------------------------------------------------------------------------


def test_two_layers_that_no_module_holds_are_told_apart_by_nothing():
    hidden, output = gg.nn.Linear(4, 4), gg.nn.Linear(4, 1)
    out = output(hidden(gg.input("x", ("batch", 4))))
    with pytest.raises(gg.InvalidNameError, match=r"two different leaves are called 'weight'"):
        gg.compile(out)


def test_a_module_cannot_hold_itself():
    inner, outer = gg.nn.Sequential(), gg.nn.Sequential()
    outer.inner = inner
    with pytest.raises(gg.ArgumentError, match="cannot hold itself"):
        inner.outer = outer


def test_a_model_prints_its_layers_as_torch_does():
    import torch

    def layers(nn):
        return nn.Sequential(
            nn.Linear(3, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1, bias=False)), nn.Sequential()
        )

    assert repr(layers(gg.nn)) == repr(layers(torch.nn))


def test_printing_a_layer_does_not_name_its_parameters():
    layer = gg.nn.Linear(3, 2)
    assert "bias=True" in repr(layer)
    assert gg.nn.Sequential(layer)[0].bias.name == "0.bias"


def test_what_a_class_of_the_users_prints():
    class Scale(gg.nn.Module):
        def __init__(self):
            self.factor, self.steps = gg.nn.parameter((3,)), [gg.nn.ReLU()]

        def extra_repr(self):
            return "size=3"

    scale = Scale()
    assert repr(scale) == "Scale(\n  size=3\n  (steps.0): ReLU()\n)"
    scale.steps.append(scale)
    assert "(steps.1): ...\n" in repr(scale), "a call refuses it, printing does not"


MISTAKES = {
    "function": (lambda: gg.nn.Sequential(gg.nn.relu), gg.ArgumentError, "holds modules, not function"),
    "method": (lambda: gg.nn.Sequential({"parameters": gg.nn.ReLU()}), gg.InvalidNameError, "'parameters'"),
    "size": (lambda: gg.nn.Linear("k", 2), gg.ArgumentError, "in_features is an int"),
    "negative": (lambda: gg.nn.Linear(3, -1), gg.ShapeError, "out_features cannot be negative"),
    "dtype": (lambda: gg.nn.Linear(3, 1, dtype="complex64"), gg.DTypeError, "complex64"),
    "features": (
        lambda: gg.nn.Linear(3, 1)(gg.input("x", ("batch", 4))),
        gg.ShapeError,
        r"takes 3 in the last axis\n  x: float32 \(batch, 4\)\n  weight",
    ),
    "scalar": (lambda: gg.nn.Linear(3, 1)(1.0), gg.ShapeError, "takes 3"),
    "no call": (lambda: gg.nn.Module()(1), gg.UnsupportedError, "Module has no __call__"),
    "list": (
        lambda: setattr(gg.nn.Module(), "weights", [gg.nn.parameter((2,))]),
        gg.ArgumentError,
        "attribute of its own",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    make, kind, words = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        make()
