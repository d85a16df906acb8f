"""A choice far from what is singular: the gradient is finite and right however the elements went from there to it."""

import numpy as np
import pytest

import graphgrad as gg

X = np.array([[4.0, 2.0, 1.0], [0.0, 1.0, 3.0], [0.25, 0.5, 1.0]])
W = np.array([[1.0, -2.0], [0.5, 0.25], [3.0, 1.0]])
STEP = 1e-6


def is_positive(x):
    """Of each row, as a column: every function below is finite where this holds."""
    return gg.min(x, axis=1, keepdims=True) > 0


PICKED = np.array([2, 0, 2])

CASES = {
    "matmul of sqrt": lambda x, w: gg.where(is_positive(x), gg.sqrt(x) @ w, 0),
    "matmul of log": lambda x, w: gg.where(is_positive(x), gg.log(x) @ w, 0),
    "matmul of a reciprocal": lambda x, w: gg.where(is_positive(x), (1 / x) @ w, 0),
    "matmul of a power": lambda x, w: gg.where(is_positive(x), (x**-1.5) @ w, 0),
    "refused": lambda x, w: gg.where(gg.logical_not(is_positive(x)), 0, gg.log(x) @ w),
    "three matmuls": lambda x, w: gg.where(is_positive(x), gg.tanh(gg.log(x) @ w) @ w.T @ w, 0),
    "matmul from the left": lambda x, w: gg.where(is_positive(x).T, w.T @ gg.log(x).T, 0),
    "matmul with a vector": lambda x, w: gg.where(is_positive(x)[:, 0], gg.log(x) @ w[:, 0], 0),
    "batched matmul": lambda x, w: gg.where(is_positive(x)[:, None], gg.log(x)[:, None, :] @ w, 0),
    "einsum": lambda x, w: gg.where(is_positive(x)[:, 0], gg.einsum("ij,jk->ki", gg.log(x), w), 0),
    "tensordot": lambda x, w: gg.where(is_positive(x), gg.tensordot(gg.log(x), w, axes=1), 0),
    "sum of products": lambda x, w: gg.where(is_positive(x)[:, 0], gg.sum(gg.log(x) * x, axis=1), 0),
    "sum of a matmul": lambda x, w: gg.where(is_positive(x)[:, 0], gg.sum(gg.log(x) @ w, axis=1), 0),
    "gather": lambda x, w: gg.where(is_positive(x)[PICKED], gg.log(x)[PICKED], 0),
    "take": lambda x, w: gg.where(is_positive(x), gg.take(gg.log(x), PICKED % 2, axis=1), 0) @ w,
    "slice": lambda x, w: gg.where(is_positive(x)[1:], gg.log(x)[1:], 0),
    "row": lambda x, w: gg.where(is_positive(x)[1, 0], gg.log(x)[1], 0),
    "concatenated rows": lambda x, w: gg.where(
        gg.concatenate([is_positive(x), is_positive(x)]), gg.concatenate([gg.log(x), x]), 0
    ),
    "concatenated columns": lambda x, w: gg.where(is_positive(x), gg.concatenate([gg.log(x), x], axis=1), 0),
    "stack": lambda x, w: gg.where(is_positive(x), gg.stack([gg.log(x), x]), 0),
    "split": lambda x, w: gg.where(is_positive(x), gg.split(gg.log(x), 3, axis=1)[0], 0),
    "stretched operand": lambda x, w: gg.where(
        is_positive(x)[:, 0], gg.log(x[:, 0]) * gg.broadcast_to(gg.sum(w), (2, 3)), 0
    ),
    "broadcast": lambda x, w: gg.where(is_positive(x)[:, 0], gg.broadcast_to(gg.log(x[:, 0]), (5, 3)), 0),
    "cumsum": lambda x, w: gg.where(is_positive(x), gg.cumsum(gg.log(x), axis=1), 0),
    "max": lambda x, w: gg.where(is_positive(x), gg.max(gg.log(x), axis=1, keepdims=True), 0),
    "prod": lambda x, w: gg.where(is_positive(x), gg.prod(1 / x, axis=1, keepdims=True), 0),
    "sort": lambda x, w: gg.where(is_positive(x), gg.sort(gg.log(x), axis=1), 0),
    "roll": lambda x, w: gg.where(gg.roll(is_positive(x), 1, 0), gg.roll(gg.log(x), 1, 0), 0),
    "tile": lambda x, w: gg.where(gg.tile(is_positive(x), (2, 1)), gg.tile(gg.log(x), (2, 1)), 0),
    "repeat": lambda x, w: gg.where(gg.repeat(is_positive(x), 2, 0), gg.repeat(gg.log(x), 2, 0), 0),
    "pad": lambda x, w: gg.where(
        gg.pad(is_positive(x), ((1, 0), (0, 0))), gg.pad(gg.log(x), ((1, 0), (0, 0))), 0
    ),
    "diagonal": lambda x, w: gg.where(is_positive(x)[:, 0], gg.diagonal(gg.log(x)), 0),
    "trace": lambda x, w: gg.where(gg.min(x) > 0, gg.trace(gg.log(x)), 0),
    "triangle": lambda x, w: gg.where(is_positive(x), gg.tril(gg.log(x)), 0),
    "set": lambda x, w: gg.where(is_positive(x), gg.at(gg.log(x), (slice(None), 0)).set(1.0), 0),
    "logsumexp": lambda x, w: gg.where(
        is_positive(x), gg.logsumexp(gg.log(x), axis=1, keepdims=True) * x, 0
    ),
    "softmax": lambda x, w: gg.where(is_positive(x), gg.nn.softmax(gg.log(x)), 0),
    "variance": lambda x, w: gg.where(is_positive(x), gg.var(gg.log(x), axis=1, keepdims=True), 0),
}  # fmt: skip


def slopes(model, arrays, at):
    """The gradient of a model's value by one of its arguments, from differences."""
    found = np.zeros_like(arrays[at])
    for place in np.ndindex(found.shape):
        ends = []
        for step in (STEP, -STEP):
            moved = [array.copy() for array in arrays]
            moved[at][place] += step
            ends.append(model(*moved)[0])
        found[place] = (ends[0] - ends[1]) / (2 * STEP)
    return found


@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("case", list(CASES))
def test_what_is_not_chosen_spoils_nothing(case, level):
    x, w = gg.input("x", (3, 3), "float64"), gg.input("w", (3, 2), "float64")
    chosen = CASES[case](x, w)
    model = gg.compile(gg.sum(chosen * chosen), inputs=[x, w], wrt=[x, w], level=level)
    with np.errstate(all="ignore"):
        _, grads = model(X, W)
        by_x, by_w = (slopes(model, [X, W], at) for at in (0, 1))
    by_x[X == 0] = 0  # a step from there takes the row, or is not defined
    np.testing.assert_allclose(grads["x"], by_x, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grads["w"], by_w, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", list(CASES))
def test_what_is_chosen_keeps_its_gradient(case, monkeypatch):
    """With a choice of elements, in no order that an op knows of, no guard may take anything away."""
    masks = []

    def choose(condition, *branches):
        shape = np.broadcast_shapes(condition.shape, *(getattr(branch, "shape", ()) for branch in branches))
        masks.append(np.random.default_rng(len(masks)).random(shape) < 0.5)
        return where(gg.const(masks[-1]), *branches)

    where = gg.where
    monkeypatch.setattr(gg, "where", choose)
    x, w = gg.input("x", (3, 3), "float64"), gg.input("w", (3, 2), "float64")
    chosen = CASES[case](x, w)
    monkeypatch.undo()
    model = gg.compile(gg.sum(chosen * chosen), inputs=[x, w], wrt=[x, w])
    assert masks
    arrays = [np.random.default_rng(1).uniform(0.5, 2, (3, 3)), W]
    _, grads = model(*arrays)
    for at, name in enumerate("xw"):
        np.testing.assert_allclose(grads[name], slopes(model, arrays, at), rtol=1e-5, atol=1e-7)


def test_the_comment_says_so_for_what_is_multiplied_too():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3, 2))
    logs = gg.log(x)
    source = gg.compile(gg.sum(gg.where(is_positive(x), logs @ w, 0)), wrt=w).source
    assert "guard:     0 where logs was not chosen, never 0 * inf" in source


def test_no_guard_where_nothing_is_singular():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3, 2))
    source = gg.compile(gg.sum(gg.where(is_positive(x), gg.tanh(x) @ w, 0)), wrt=[x, w]).source
    assert "guard:" not in source
