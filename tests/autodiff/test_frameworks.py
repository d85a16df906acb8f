"""Gradients of composed models against torch and JAX."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from graphgrad.testing import assert_same, check_grads


def torch_grads(function, arrays):
    """The value of `function` of tensors, and its gradients."""
    import torch

    tensors = [torch.tensor(array, requires_grad=array.dtype.kind == "f") for array in arrays]
    value = function(*tensors)
    value.backward()
    return value.detach().numpy(), [tensor.grad.numpy() for tensor in tensors if tensor.requires_grad]


def own_grads(output, leaves, arrays):
    by = [leaf for leaf in leaves if leaf.dtype.kind == "f"]
    value, *grads = interpret([output, *gg.grad(output, by)], dict(zip(leaves, arrays, strict=True)))
    return value, grads


def assert_torch_agrees(output, leaves, arrays, function, rtol=1e-10, atol=1e-12):
    value, grads = own_grads(output, leaves, arrays)
    other_value, other_grads = torch_grads(function, arrays)
    assert_same(value, other_value, rtol, atol, "the value")
    assert_same(grads, other_grads, rtol, atol, "the gradients")


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.mark.parametrize(("dtype", "rtol", "atol"), [("float64", 1e-10, 1e-12), ("float32", 1e-4, 1e-5)])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_lesson_8_is_what_torch_gives(rng, dtype, rtol, atol, batch):
    import torch

    x = gg.input("x", ("batch", 784), dtype)
    y = gg.input("y", ("batch",), dtype)
    w1, b1 = gg.param("w1", (784, 50), dtype), gg.param("b1", (50,), dtype)
    w2, b2 = gg.param("w2", (50, 1), dtype), gg.param("b2", (1,), dtype)
    with gg.scope("hidden"):
        l1 = x @ w1 + b1
        l2 = gg.maximum(l1, 0)
    with gg.scope("output"):
        out = l2 @ w2 + b2
    loss = gg.mean((out[:, 0] - y) ** 2)

    leaves = [x, y, w1, b1, w2, b2]
    shapes = [(batch, 784), (batch,), (784, 50), (50,), (50, 1), (1,)]
    arrays = [(rng.normal(size=shape) / 10).astype(dtype) for shape in shapes]

    def lesson(x, y, w1, b1, w2, b2):
        return torch.mean(((torch.relu(x @ w1 + b1) @ w2 + b2)[:, 0] - y) ** 2)

    assert_torch_agrees(loss, leaves, arrays, lesson, rtol, atol)


@pytest.mark.parametrize("form", ["classes", "probabilities", "axis"])
def test_cross_entropy_is_what_torch_gives(rng, form):
    import torch

    logits, w = gg.input("logits", ("batch", 4), "float64"), gg.param("w", (4, 3), "float64")
    arrays = [rng.normal(size=(5, 4)), rng.normal(size=(4, 3))]
    if form == "classes":
        target, values = gg.input("target", ("batch",), "int64"), np.array([0, 2, 1, 1, 0])
        loss = gg.nn.cross_entropy(logits @ w, target)
    elif form == "probabilities":
        values = rng.dirichlet(np.ones(3), 5)
        target = gg.input("target", ("batch", 3), "float64")
        loss = gg.nn.cross_entropy(logits @ w, target)
    else:
        target, values = gg.input("target", ("batch",), "int64"), np.array([0, 2, 1, 1, 0])
        loss = gg.nn.cross_entropy((logits @ w).T, target, axis=0)

    def other(logits, w, target):
        return torch.nn.functional.cross_entropy(logits @ w, target)

    assert_torch_agrees(loss, [logits, w, target], [*arrays, values], other)


def test_softmax_and_log_softmax_are_what_torch_gives(rng):
    import torch

    x = gg.input("x", (3, 4), "float64")
    weights = rng.normal(size=(3, 4))
    for axis in (0, 1):
        output = gg.sum(gg.nn.softmax(x, axis) * weights) + gg.sum(gg.nn.log_softmax(x, axis) ** 2)

        def other(x, axis=axis):
            return (torch.softmax(x, axis) * torch.tensor(weights)).sum() + (
                torch.log_softmax(x, axis) ** 2
            ).sum()

        assert_torch_agrees(output, [x], [100 * rng.normal(size=(3, 4))], other)


def test_broadcasting_both_ways_and_shared_parameters_are_what_torch_gives(rng):
    import torch

    a, b = gg.input("a", (3, 1), "float64"), gg.input("b", (1, 4), "float64")
    c, s = gg.param("c", (4,), "float64"), gg.param("s", (), "float64")
    h = a * b + c
    output = gg.mean(gg.tanh(h / (s * s + 1)) * (a - c) * s) + gg.sum(b / (gg.exp(s) + c**2))
    arrays = [rng.normal(size=leaf.shape) for leaf in (a, b, c, s)]

    def other(a, b, c, s):
        h = a * b + c
        return torch.mean(torch.tanh(h / (s * s + 1)) * (a - c) * s) + torch.sum(b / (torch.exp(s) + c**2))

    assert_torch_agrees(output, [a, b, c, s], arrays, other)
    check_grads(output)


def test_batched_products_and_slices_are_what_torch_gives(rng):
    import torch

    x, w = gg.input("x", ("batch", 5, 3), "float64"), gg.param("w", (3, 4), "float64")
    h = gg.tanh(x @ w)
    scores = h @ gg.matrix_transpose(h) / 2.0
    mixed = gg.nn.softmax(scores) @ h
    output = gg.sum(mixed[:, 1:, ::2] * h[:, :-1, 1::2]) + gg.max(mixed, axis=1).sum()
    arrays = [rng.normal(size=(2, 5, 3)), rng.normal(size=(3, 4))]

    def other(x, w):
        h = torch.tanh(x @ w)
        mixed = torch.softmax(h @ h.mT / 2.0, -1) @ h
        return torch.sum(mixed[:, 1:, ::2] * h[:, :-1, 1::2]) + torch.amax(mixed, 1).sum()

    assert_torch_agrees(output, [x, w], arrays, other)


@pytest.mark.slow
def test_second_derivatives_are_what_jax_gives(rng):
    import jax

    jax.config.update("jax_enable_x64", True)
    x, w = gg.input("x", (4,), "float64"), gg.param("w", (4,), "float64")
    loss = gg.sum(gg.tanh(x * w) ** 3) + gg.exp(gg.mean(x)) * gg.sum(gg.sqrt(1 + w * w))
    d_x = gg.grad(loss, x)
    v = rng.normal(size=4)
    hvp_x, mixed = gg.grad(gg.sum(d_x * v), [x, w])
    forward = gg.jvp(d_x, [x], [gg.const(v)])
    at = {x: rng.normal(size=4), w: rng.normal(size=4)}
    found = interpret([hvp_x, mixed, forward], at)

    def other(x, w):
        return jax.numpy.sum(jax.numpy.tanh(x * w) ** 3) + jax.numpy.exp(jax.numpy.mean(x)) * jax.numpy.sum(
            jax.numpy.sqrt(1 + w * w)
        )

    first = jax.grad(other)
    along = jax.grad(lambda x, w: first(x, w) @ v, (0, 1))(*at.values())
    assert_same(list(found), [np.asarray(along[0]), np.asarray(along[1]), np.asarray(along[0])], 1e-10, 1e-12)


# ---- random graphs ----

UNARY = ["tanh", "sigmoid", "square", "abs", "relu", "negative", "exp", "sqrt", "log", "cube"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "ratio", "product", "where", "concatenate"]
SHAPING = ["T", "row", "column", "reverse", "part", "total", "mean", "max", "flat"]


def apply_step(kind, x, y, lib):
    """One step on graphgrad's nodes (`lib` is gg) or on torch's tensors."""
    import torch

    own = lib is gg
    match kind:
        case "exp":
            return lib.exp(lib.tanh(x))
        case "sqrt":
            return lib.sqrt(1 + x * x)
        case "log":
            return lib.log(2 + lib.abs(x))
        case "cube":
            return x**3
        case "relu":
            return gg.nn.relu(x) if own else torch.relu(x)
        case "ratio":
            return x / (2 + lib.tanh(y))
        case "product":
            return x @ y
        case "where":
            return lib.where(x < y, x, y * y)
        case "concatenate":
            return (gg.concatenate([x, y]) if own else torch.cat([x, y]))[1:4]
        case "T":
            return x.T
        case "row":
            return x[0:1]
        case "column":
            return x[:, -1:]
        case "reverse":
            return x[::-1] if own else torch.flip(x, (0,))
        case "part":
            return x[:2, 1]
        case "total":
            return x.sum(0, keepdims=True) if own else x.sum(0, keepdim=True)
        case "mean":
            return x.mean(1, keepdims=True) if own else x.mean(1, keepdim=True)
        case "max":
            return x.max(axis=1) if own else torch.amax(x, 1)
        case "flat":
            return x.reshape(-1)[:3]
    return getattr(lib, kind)(x, y) if kind in BINARY else getattr(lib, kind)(x)


def grow(steps, leaves, lib):
    """Values made by following the steps, each on two earlier values; all are 3 by 3, 1 by 3 and the like."""
    made = list(leaves)
    for kind, first, second in steps:
        x, y = made[first % len(made)], made[second % len(made)]
        square = len(x.shape) == 2 and tuple(x.shape) == (3, 3) and tuple(y.shape) == (3, 3)
        if (kind in SHAPING or kind in ("product", "concatenate")) and not square:
            continue
        if kind in BINARY and {3, 2} <= {*x.shape, *y.shape}:
            continue  # these would not broadcast
        made.append(apply_step(kind, x, y, lib))
    total = 0.0
    for weight, value in enumerate(made):
        total = total + lib.mean(lib.tanh(value)) * (weight + 1.0)
    return total


steps_of = st.lists(
    st.tuples(st.sampled_from([*UNARY, *BINARY, *SHAPING]), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=15,
)


@given(steps=steps_of, seed=st.integers(0, 2**16))
def test_random_graphs_have_the_gradients_that_torch_gives(steps, seed):
    import torch

    rng = np.random.default_rng(seed)
    shapes = [(3, 3), (3, 3), (3,), (1, 3), ()]
    leaves = [gg.input(f"x{at}", shape, "float64") for at, shape in enumerate(shapes)]
    arrays = [rng.normal(size=shape) / 2 for shape in shapes]
    arrays = [np.asarray(array) for array in arrays]
    assert_torch_agrees(
        grow(steps, leaves, gg), leaves, arrays, lambda *xs: grow(steps, xs, torch), 1e-8, 1e-10
    )


@given(steps=steps_of, seed=st.integers(0, 2**16))
def test_random_graphs_have_derivatives_that_agree_to_second_order(steps, seed):
    rng = np.random.default_rng(seed)
    shapes = [(3, 3), (3,), ()]
    leaves = [gg.input(f"x{at}", shape, "float64") for at, shape in enumerate(shapes)]
    output = grow([step for step in steps if step[0] not in ("cube", "square")][:6], leaves, gg)
    values = {leaf.name: np.asarray(rng.normal(size=leaf.shape) / 2) for leaf in leaves}
    check_grads(output, values=values, rng=rng)
