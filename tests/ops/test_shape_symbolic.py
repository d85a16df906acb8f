"""Functions that move elements, along axes whose sizes have names; and what becomes of each axis."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.op import WHOLE, Blocks
from graphgrad.interpret import interpret

# What to do to a (batch, 3) array, in graphgrad and NumPy alike; `n` is the batch.
ROWS = {
    "ravel": lambda m, x, n: m.ravel(x),
    "transpose": lambda m, x, n: m.transpose(x, (-1, 0)),
    "moveaxis": lambda m, x, n: m.moveaxis(x, 0, -1),
    "expand_dims": lambda m, x, n: m.expand_dims(x, (0, -1)),
    "atleast_3d": lambda m, x, n: m.atleast_3d(x),
    "flip": lambda m, x, n: m.flip(x),
    "flipud": lambda m, x, n: m.flipud(x),
    "rot90": lambda m, x, n: m.rot90(x),
    "backwards by 2": lambda m, x, n: x[::-2],
    "roll rows": lambda m, x, n: m.roll(x, 2, axis=0),
    "roll both": lambda m, x, n: m.roll(x, (-1, 2), axis=(0, 1)),
    "roll flat": lambda m, x, n: m.roll(x, 4),
    "roll by the size": lambda m, x, n: m.roll(x, n, axis=1),
    "tile": lambda m, x, n: m.tile(x, (2, 3)),
    "tile no copies": lambda m, x, n: m.tile(x, 0),
    "tile by the size": lambda m, x, n: m.tile(x, (n, 1)),
    "repeat rows": lambda m, x, n: m.repeat(x, 2, axis=0),
    "repeat columns": lambda m, x, n: m.repeat(x, [1, 0, 2], axis=1),
    "repeat by the size": lambda m, x, n: m.repeat(x, n, axis=1),
    "repeat flat": lambda m, x, n: m.repeat(x, 2),
    "pad": lambda m, x, n: m.pad(x, ((1, 2), (0, 1))),
    "pad with 7": lambda m, x, n: m.pad(x, ((1, 0), (0, 2)), constant_values=7.0),
    "pad with two constants": lambda m, x, n: m.pad(x, 1, constant_values=(1.0, 2.0)),
    "pad by the size": lambda m, x, n: m.pad(x, ((0, n), (n, 0))),
    "pad columns": lambda m, x, n: m.pad(x, ((0, 0), (2, 2)), mode="reflect"),
    "concatenate": lambda m, x, n: m.concatenate([x, x[:, :1]], axis=1),
    "concatenate rows": lambda m, x, n: m.concatenate([x, x * 2, x[::2]]),
    "concatenate flat": lambda m, x, n: m.concatenate([x, x[0:0]], axis=None),
    "stack": lambda m, x, n: m.stack([x, x * 2], axis=1),
    "hstack": lambda m, x, n: m.hstack([x, x]),
    "vstack": lambda m, x, n: m.vstack([x, x]),
    "dstack": lambda m, x, n: m.dstack([x, x]),
    "column_stack": lambda m, x, n: m.column_stack([x[:, 0], x]),
    "split": lambda m, x, n: m.split(x, 3, axis=1)[1],
    "array_split": lambda m, x, n: m.array_split(x, 2)[1],
    "array_split in front": lambda m, x, n: m.array_split(x, 4)[0],
    "tril": lambda m, x, n: m.tril(x, -1),
    "triu": lambda m, x, n: m.triu(x, 1),
    "diagonal": lambda m, x, n: m.diagonal(x),
    "diag of a vector": lambda m, x, n: m.diag(x[:, 0], 1),
    "trace": lambda m, x, n: m.trace(x),
    "trace of a product": lambda m, x, n: m.trace(m.matmul(x, m.transpose(x))),
    "eye": lambda m, x, n: m.matmul(m.eye(n), x),
    "zeros": lambda m, x, n: x + m.zeros((n, 1)),
    "ones and full": lambda m, x, n: x * m.full((n, 3), 2.0) + m.ones_like(x),
    "arange": lambda m, x, n: x * m.expand_dims(m.arange(n), 1),
    "arange by 2": lambda m, x, n: x[::2] * m.expand_dims(m.arange(0, n, 2), 1),
    "linspace": lambda m, x, n: x * m.expand_dims(m.linspace(0, 1, n), 1),
    "meshgrid": lambda m, x, n: m.meshgrid(x[:, 0], x[:, 1])[1],
    "broadcast_to": lambda m, x, n: m.broadcast_to(x, (2, n, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ROWS))
def test_batches_of_any_size_are_numpys(name):
    """One compiled model for a batch of none, of one and of several, with the gradient."""
    x = gg.input("x", ("batch", 3), "float64")
    node = ROWS[name](gg, x, x.shape[0])
    cotangent = gg.input("g", node.shape, "float64")
    found_by = gg.compile({"y": node, "d_x": gg.grad(node, x, cotangent)}, inputs=[x, cotangent])
    for batch in (0, 1, 5):
        array = np.random.default_rng(batch).normal(size=(batch, 3))

        def numpys(array, batch=batch):
            return np.asarray(ROWS[name](np, array, batch), np.float64)

        expected = numpys(array)
        weights = np.random.default_rng(7).normal(size=expected.shape)
        found = found_by(array, weights)
        np.testing.assert_allclose(found["y"], expected, rtol=1e-6 if name == "linspace" else 1e-12)
        if name in ("trace of a product",):  # not linear
            np.testing.assert_allclose(found["d_x"], 2 * weights * array)
            continue
        base = numpys(np.zeros_like(array))
        for place in np.ndindex(array.shape):
            unit = np.zeros_like(array)
            unit[place] = 1
            wanted = np.sum((numpys(unit) - base) * weights)
            np.testing.assert_allclose(found["d_x"][place], wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", list(ROWS))
def test_values_on_the_way_lie_in_planned_memory(name):
    """What is moved, and its gradient, are read by other ops and not given back: then they are written into buffers."""
    x = gg.input("x", ("batch", 3), "float64")
    loss = gg.sum(gg.exp(ROWS[name](gg, 1.5 * x, x.shape[0])))
    planned, plain = (gg.compile(loss, wrt=[x], level=level) for level in ("default", "plain"))
    for batch in (4, 0, 4, 1):  # buffers are used again, and not for another batch
        array = np.random.default_rng(batch).normal(size=(batch, 3))
        (value, grads), (expected, wanted) = planned(array), plain(array)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(grads["x"], wanted["x"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
def test_border_along_a_named_size_is_numpys_where_there_is_enough(mode):
    x = gg.input("x", (2, "n"), "float64")
    padded = gg.pad(x, ((0, 0), (2, 1)), mode=mode)
    assert padded.shape == (2, "n + 3")
    model = gg.compile(padded)
    for n in (3, 4, 7):
        array = np.random.default_rng(n).normal(size=(2, n))
        np.testing.assert_array_equal(model(array), np.pad(array, ((0, 0), (2, 1)), mode=mode))
    if mode != "edge":
        for n in (0, 1):
            with pytest.raises((gg.ShapeError, ValueError)):
                model(np.ones((2, n)))


# ---- refused ----


REFUSED = {
    "split of a size that may not divide": (lambda x: gg.split(x, 2), gg.ShapeError, "does not divide"),
    "counts along a named size": (lambda x: gg.repeat(x, [1, 2], 0), gg.UnsupportedError, "fixed size"),
    "border of an unknown width": (
        lambda x: gg.pad(x, x.shape[0], mode="reflect"), gg.UnsupportedError, "fixed widths"),
    "unknown mode": (lambda x: gg.pad(x, 1, mode="mean"), gg.UnsupportedError, "mode 'mean'"),
    "border of nothing": (lambda x: gg.pad(x[:, :0], 1, mode="edge"), gg.ShapeError, "nothing to pad"),
    "negative width": (lambda x: gg.pad(x, -1), gg.ShapeError, "negative"),
    "three widths": (lambda x: gg.pad(x, (1, 2, 3)), gg.ShapeError, "no pair"),
    "three pairs": (lambda x: gg.pad(x, ((1, 2),) * 3), gg.ShapeError, "3 pairs"),
    "axis of a dict": (lambda x: gg.pad(x, {2: 1}), gg.ShapeError, "axis 2"),
    "constants that do not fit": (lambda x: gg.pad(x, 1, constant_values=(1, 2, 3)), gg.ArgumentError, "side"),
    "moved twice": (lambda x: gg.moveaxis(x, (0, 0), (0, 1)), gg.ShapeError, "twice"),
    "moved to fewer": (lambda x: gg.moveaxis(x, (0, 1), (0,)), gg.ShapeError, "2 axes"),
    "flipped twice": (lambda x: gg.flip(x, (0, -2)), gg.ShapeError, "twice"),
    "turned in one axis": (lambda x: gg.rot90(x, 1, (0, -2)), gg.ShapeError, "one and the same"),
    "turned in three axes": (lambda x: gg.rot90(x, 1, (0, 1, 2)), gg.ArgumentError, "two axes"),
    "left and right of a vector": (lambda x: gg.fliplr(x[:, 0]), gg.ShapeError, "at least 2"),
    "diag of a scalar": (lambda x: gg.diag(x[0, 0]), gg.ShapeError, "vector or a matrix"),
    "stack of nothing": (lambda x: gg.stack([]), gg.ArgumentError, "at least one"),
    "no sections": (lambda x: gg.split(x, 0, 1), gg.ShapeError, "at least one part"),
    "sections of a size": (lambda x: gg.split(x, x.shape[0]), gg.ArgumentError, "number of parts"),
    "neither number nor positions": (lambda x: gg.split(x, 1.5, 1), gg.ArgumentError, "neither"),
    "other grids": (lambda x: gg.meshgrid(x[0], indexing="yx"), gg.ArgumentError, "indexing"),
    "steps of nothing": (lambda x: gg.arange(0, 3, 0), gg.InvalidValueError, "no end"),
    "parts of rows": (lambda x: gg.arange(0, x.shape[0], 0.5), gg.ArgumentError, "whole numbers"),
    "range to a node": (gg.arange, gg.ArgumentError, "neither a number"),
    "endless range": (lambda x: gg.arange(0, np.inf), gg.InvalidValueError, "inf"),
    "linspace of arrays": (lambda x: gg.linspace(0, x, 3), gg.ShapeError, "one number"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_is_refused(name):
    build, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        build(gg.input("x", ("batch", 3)))


# ---- axes ----


X = gg.input("x", ("batch", 3, 4))
SQUARE = gg.input("square", ("batch", 3, 3))
ROLES = {
    "roll": (gg.roll(X, 1, axis=1), [(0, WHOLE, 2)]),
    "tile": (gg.tile(X, (1, 1, 2)), [(0, 1, WHOLE)]),
    "tile with axes in front": (gg.tile(X, (5, 1, 2, 1)), [(1, WHOLE, 3)]),
    "repeat": (gg.repeat(X, 2, axis=1), [(0, WHOLE, 2)]),
    "repeat by counts": (gg.repeat(X, [1, 0, 2], axis=1), [(0, WHOLE, 2)]),
    "pad": (gg.pad(X, ((0, 0), (1, 1), (0, 2))), [(0, WHOLE, WHOLE)]),
    "pad with a constant": (gg.pad(X, ((0, 0), (1, 1), (0, 0)), constant_values=1.0),
                            [(0, WHOLE, 2)] * 2),
    "pad with the edge": (gg.pad(X, ((0, 0), (1, 0), (0, 0)), mode="edge"), [(0, WHOLE, 2)] * 2),
    "concatenate": (gg.concatenate([X, X], axis=1), [(0, WHOLE, 2)] * 2),
    "stack": (gg.stack([X, X, X], axis=1), [(0, 2, 3)] * 3),
    "stack behind": (gg.stack([X, X], axis=-1), [(0, 1, 2)] * 2),
    "flip": (gg.flip(X, 1), [(0, WHOLE, 2)]),
    "split": (gg.split(X, 2, axis=2)[1], [(0, 1, WHOLE)]),
    "tril": (gg.tril(X), [(0, WHOLE, WHOLE)]),
    "diagonal": (gg.diagonal(X, 0, 1, 2), [(0, WHOLE, WHOLE)]),
    "diagonal of other axes": (gg.diagonal(X, 0, 0, 2), [(WHOLE, 0, WHOLE)]),
    "moveaxis": (gg.moveaxis(X, 0, -1), [(2, 0, 1)]),
    "ravel": (gg.ravel(X), [(Blocks(0), WHOLE, WHOLE)]),
    "reshape that keeps the batch": (gg.reshape(X, (X.shape[0], -1)), [(0, Blocks(1), WHOLE)]),
    "reshape that splits it": (gg.reshape(gg.ravel(X), X.shape), [(Blocks(0),)]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ROLES))
def test_axes_that_slices_pass_through_are_known(name):
    """Neither too bold, which the checks of the registry find, nor so careful that a batch could not be cut up."""
    node, expected = ROLES[name]
    assert list(node.op.axes(*(part.spec for part in node.inputs), **node.attrs)) == expected


# ---- arrays made of their shape ----


def test_floats_are_float32_and_ints_int64_unless_told_otherwise():
    made = [gg.zeros(2), gg.ones((2, 3)), gg.eye(3), gg.identity(2), gg.full(2, 0.5), gg.arange(1.0),
            gg.linspace(0, 1)]  # fmt: skip
    assert {node.dtype.name for node in made} == {"float32"}
    assert {node.dtype.name for node in (gg.arange(3), gg.full(2, 7))} == {"int64"}
    assert gg.full(2, True).dtype == np.bool_
    assert {gg.zeros(2, "float64").dtype.name, gg.eye(2, dtype="float64").dtype.name} == {"float64"}
    x = gg.input("x", (2,), "float64")
    assert gg.zeros_like(x).dtype == gg.full_like(x, 3).dtype == np.float64
    assert (gg.input("y", (2,)) + gg.zeros(2)).dtype == np.float32


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (gg.eye(2, 4, k=1), np.eye(2, 4, k=1)),
        (gg.eye(3, k=-1, dtype="bool"), np.eye(3, k=-1, dtype=bool)),
        (gg.arange(2, 9, 3), np.arange(2, 9, 3)),
        (gg.arange(9, 2, -3), np.arange(9, 2, -3)),
        (gg.arange(3, 2), np.arange(3, 2)),
        (gg.arange(0, 1, 0.1, dtype="float64"), np.arange(0, 1, 0.1)),
        (gg.linspace(-1, 2, 7, dtype="float64"), np.linspace(-1, 2, 7)),
        (gg.linspace(-1, 2, 7, endpoint=False, dtype="float64"), np.linspace(-1, 2, 7, endpoint=False)),
        (gg.linspace(3, 3, 1, dtype="float64"), np.linspace(3, 3, 1)),
        (gg.full((2, 0), 3), np.full((2, 0), 3)),
        (gg.zeros(()), np.zeros((), np.float32)),
    ],
    ids=lambda value: None if isinstance(value, np.ndarray) else value.op.name,
)
def test_made_arrays_are_numpys(ours, numpys):
    for value in (interpret([ours], {})[0], gg.compile(ours, inputs=[])()):
        assert np.asarray(value).dtype == ours.dtype
        np.testing.assert_array_equal(value, numpys.astype(ours.dtype))


def test_backward_range_between_sizes():
    x = gg.input("x", ("n",), "float64")
    node = x[:0:-2] + gg.arange(x.shape[0], 1, -2)
    array = np.arange(6.0)
    np.testing.assert_array_equal(gg.compile(node)(array), array[:0:-2] + np.arange(6, 1, -2))


def test_linspace_between_nodes_hands_the_gradient_to_its_ends():
    start, stop = gg.input("start", (), "float64"), gg.input("stop", (), "float64")
    node = gg.linspace(start, stop, 5)
    weights = np.array([1.0, 2, 3, 4, 5])
    model = gg.compile(gg.sum(node * weights), wrt=[start, stop])
    share = np.linspace(0, 1, 5)
    value, grads = model(np.float64(-1), np.float64(3))
    np.testing.assert_allclose(value, weights @ np.linspace(-1, 3, 5))
    np.testing.assert_allclose([grads["start"], grads["stop"]], [weights @ (1 - share), weights @ share])
    assert gg.linspace(0, gg.input("i", (), "int64"), 3).dtype == np.float32


def test_value_of_full_may_be_a_node():
    x = gg.input("x", (), "float64")
    value, grads = gg.compile(gg.sum(gg.full((2, 3), x)), wrt=[x])(np.float64(2))
    assert (float(value), float(grads["x"])) == (12, 6)
