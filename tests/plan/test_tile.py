"""Loops over tiles give what the whole gives: for every model, at every border of a tile, on one thread and on two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.emit.namer import Namer
from graphgrad.interpret import interpret
from graphgrad.ops.entropy import sigmoid_cross_entropy
from graphgrad.plan import loops, plan
from graphgrad.plan.loops import Arranged
from graphgrad.testing import assert_same
from tests.autodiff.test_frameworks import grow, steps_of
from tests.models import MODELS

TILE = 4
SIZES = (0, 1, TILE - 1, TILE, TILE + 1, 3 * TILE, 4 * TILE + 3)
NEEDS_ROWS = ("pooling", "contrastive", "sorted_rows")
"""A softmax over no rows has no largest element."""


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of a few rows, so that a batch has several."""
    monkeypatch.setattr(loops, "rows_for", lambda *sizes: min(TILE, sizes[-1]))


def untiled(*args, **kwargs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "arrange", lambda graph, routine, *rest: Arranged(routine.steps, {}))
        return gg.compile(*args, **kwargs)


def differentiable(name):
    loss, _ = MODELS[name].build()
    return loss, [leaf for leaf in gg.Graph((), (loss,)).leaves if leaf.dtype.kind == "f"]


def same(found, expected, what):
    """Sums of tiles are rounded otherwise than whole ones."""
    for key in expected:
        scale = float(np.max(np.abs(expected[key]), initial=1e-2))
        assert_same(found[key], expected[key], 2e-5, 2e-5 * scale, f"{what}, by {key}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # means of nothing
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_models_are_the_same_in_tiles_and_whole(name, threads, small_tiles, monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    loss, wrt = differentiable(name)
    tiled, whole = gg.compile(loss, wrt=wrt, threads=threads), untiled(loss, wrt=wrt)
    assert not whole.plan.tiles
    assert tiled.plan.main.loops, "it is in loops"
    first, *others = MODELS[name].sizes
    for rows in SIZES:
        if rows == 0 and name in NEEDS_ROWS:
            continue
        sizes = {first: rows, **dict.fromkeys(others, 3)}
        arrays = MODELS[name].arguments(np.random.default_rng(rows), **sizes)
        (value, grads), (expected, by_whole) = tiled(**arrays), whole(**arrays)
        assert_same(np.asarray(value), np.asarray(expected), 1e-5, 1e-6, f"{rows} rows")
        same(grads, by_whole, f"{rows} rows")
        outputs, residuals = tiled.forward(**arrays)
        assert_same(np.asarray(outputs), np.asarray(expected), 1e-5, 1e-6, f"{rows} rows, forward")
        same(tiled.backward(residuals), by_whole, f"{rows} rows, forward and backward apart")


def test_what_needs_all_rows_is_named_with_the_reason():
    x, w = gg.input("x", ("batch", 3)), gg.param("w", (3, 2))
    ranked = gg.sort(x @ w, axis=0)
    model = gg.compile(gg.sum(gg.tanh(ranked)), wrt=w)
    reasons = model.plan.main.at_once
    assert "sort needs all of batch at once" in reasons.values()
    assert {model.graph.describe(node) for node in reasons} >= {"ranked: float32 (batch, 2)"}
    assert len(model.plan.main.loops) == 3, "before it, between it and its gradient, and after that"


def test_batch_norm_reads_its_rows_in_several_loops_and_stores_what_is_dear():
    x, w = gg.input("x", ("batch", 64)), gg.param("w", (64, 8))
    hidden = gg.named(x @ w, "hidden")
    centred = hidden - gg.mean(hidden, axis=0)
    spread = gg.mean(centred**2, axis=0)
    model = gg.compile(gg.sum(gg.tanh(centred / gg.sqrt(spread + 1e-5))), name="norm")
    stored = [
        node for loop in model.plan.main.loops for node in map(loop.loop.whole_of.get, loop.loop.stored)
    ]
    assert [model.graph.name(node) for node in stored] == ["hidden"], (
        "64 products are dearer than a look at memory"
    )
    assert len(model.plan.main.loops) == 3, "the mean, the variance, and the rest"
    limited = gg.compile(model.graph.outputs[0], memory_limit=30_000, threads=1, name="norm")
    assert not any(loop.loop.stored for loop in limited.plan.main.loops), "but not where memory is short"
    arrays = {
        "x": np.random.default_rng(0).normal(size=(500, 64)).astype(np.float32),
        "w": np.ones((64, 8), np.float32),
    }
    arrays["w"] += np.arange(8, dtype=np.float32)
    assert_same(np.asarray(limited(**arrays)), np.asarray(model(**arrays)), 1e-4, 1e-3)


def largest_loss():
    """Its loss is compared with all its elements, after a loop that has computed the gradient's factors already."""
    u = gg.input("u", ("n", 3), "float64")
    return gg.max(sigmoid_cross_entropy(gg.arctanh(u), u)), [u]


@pytest.mark.parametrize("name", [*MODELS, "largest loss"])
@pytest.mark.slow
def test_what_a_loop_stores_is_read_by_another_one(name):
    loss, wrt = largest_loss() if name == "largest loss" else MODELS[name].build()
    made = gg.compile(loss, wrt=wrt).plan
    for planned in made.routines:
        loops = [one.loop for one in planned.loops]
        read = {*planned.routine.results}
        if planned.routine.kind == "forward":
            read.update(made.schedule.residuals)
        for loop in loops:
            read.update(loop.reads, (whole for whole, _ in loop.slices.values()))
        inside = {node for loop in loops for node in loop.covered}
        read.update(part for node in planned.routine.steps if node not in inside for part in node.inputs)
        stored = {loop.whole_of[node] for loop in loops for node in loop.stored}
        assert stored <= read, [node.describe() for node in stored - read]


def test_what_is_stored_and_what_is_written_on_the_way_share_no_memory():
    loss, wrt = largest_loss()
    u = np.array([[0.24938, 0.1, 0.05], [-0.3, 0.2, 0.7]])
    _, grads = gg.compile(loss, wrt=wrt)(u)
    (expected,) = interpret(list(gg.grad(loss, wrt)), {wrt[0]: u})
    np.testing.assert_allclose(grads["u"], expected, rtol=1e-12)


def product(x):
    column = gg.expand_dims(x, 1)
    return column @ column.T


def kernel(x):
    column = gg.expand_dims(x, 1)
    return gg.exp(-((column - column.T) ** 2)) @ x


def first_column(x):
    column = gg.expand_dims(x, 1)
    return gg.hypot(x, (column @ column.T)[:, 0])


def backwards(x):
    reverse = x[::-1]
    return gg.outer(reverse, reverse) + reverse


@pytest.mark.parametrize("build", [product, kernel, first_column, backwards])
def test_a_value_that_is_read_whole_and_in_tiles_has_two_names(build, small_tiles):
    """As in a matrix of kernels, whose rows are tiles and whose columns are all."""
    x = gg.input("x", ("n",), "float64")
    y = build(x)
    loss = gg.sum(y * y)
    values, gradient = gg.compile(y), gg.compile(loss, wrt=x)
    for rows in (1, 7, 3 * TILE):
        given = np.random.default_rng(0).normal(size=rows)
        expected, by_x = interpret([y, gg.grad(loss, x)], {x: given})
        np.testing.assert_allclose(values(given), expected, rtol=1e-12)
        np.testing.assert_allclose(gradient(given)[1]["x"], by_x, rtol=1e-9, atol=1e-9)


def test_a_loop_with_one_name_for_two_values_is_refused(small_tiles, monkeypatch):
    monkeypatch.setattr(Namer, "_once", lambda self, base, key=None: base.removesuffix("_tile"))
    with pytest.raises(gg.VerificationError, match="two values called column"):
        gg.compile(kernel(gg.input("x", ("n",))))


def test_a_dimension_of_known_size_is_tiled_where_arrays_are_large():
    large = gg.input("x", (1_000_000,))
    model = gg.compile(gg.sum(gg.tanh(large) * gg.exp(-large)), wrt=large)
    assert [str(loop.loop.rows) for loop in model.plan.main.loops] == ["1000000"]
    small = gg.input("x", (1000,))
    assert not gg.compile(gg.sum(gg.tanh(small)), wrt=small).plan.tiles


def test_rows_that_a_reshape_merges_are_tiles_of_blocks():
    """(batch, time, 8) @ (8, 4) is one product of batch * time rows."""
    x, w = gg.input("x", ("batch", 5, 8)), gg.param("w", (8, 4))
    model = gg.compile(gg.sum(gg.tanh(x @ w)), wrt=[w, x])
    (loop,) = model.plan.main.loops
    assert str(loop.loop.rows) == "batch"
    whole = untiled(gg.sum(gg.tanh(x @ w)), wrt=[w, x])
    arrays = {
        "x": np.random.default_rng(0).normal(size=(3000, 5, 8)).astype(np.float32),
        "w": np.ones((8, 4), np.float32),
    }
    same(model(**arrays)[1], whole(**arrays)[1], "blocks")


def test_updates_of_large_parameters_are_tiled(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "2")
    x, w = gg.input("x", ("batch", 3000)), gg.param("w", (3000, 700))
    m = gg.state("m", (3000, 700))
    loss = gg.mean((x @ w) ** 2)
    slope = gg.grad(loss, w)
    moment = 0.9 * m + 0.1 * slope
    updates = {m: moment, w: w - 0.01 * moment / (gg.abs(moment) + 1e-8)}
    model, whole = gg.compile(loss, updates=updates), untiled(loss, updates=updates)
    step = model.plan.routine("step")
    assert [str(loop.loop.rows) for loop in step.loops] == ["batch", "3000"]
    rng = np.random.default_rng(0)
    start = {
        "x": rng.normal(size=(50, 3000)),
        "m": rng.normal(size=(3000, 700)),
        "w": rng.normal(size=(3000, 700)),
    }
    found, expected = ({key: value.astype(np.float32) for key, value in start.items()} for _ in range(2))
    model.step(**found)
    whole.step(**expected)
    same(found, expected, "one step")


def test_a_planted_mistake_in_the_roles_of_axes_is_found_when_tiles_are_made(monkeypatch):
    """The specs of tiles are inferred anew: a node whose tile does not come out as one is computed at once."""
    from graphgrad.core.op import op_named

    x = gg.input("x", ("batch", 4))
    turned = gg.named(gg.flip(x, axis=1), "turned")
    op = turned.op
    assert op is op_named(op.name)
    monkeypatch.setitem(op.__dict__, "axes", lambda *specs, **attrs: ((1, 0),))
    model = gg.compile(gg.sum(gg.tanh(turned) * x), wrt=x, name="planted")
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert_same(np.asarray(model(rows)[0]), np.sum(np.tanh(rows[:, ::-1]) * rows), 1e-5, 1e-5)


# ---- random graphs ----


@given(
    steps=steps_of,
    seed=st.integers(0, 2**16),
    rows=st.sampled_from((1, 3, 4, 5, 8, 9)),
    threads=st.sampled_from((1, 2)),
)
@pytest.mark.slow
def test_random_graphs_are_the_same_in_tiles_and_whole(steps, seed, rows, threads):
    rng = np.random.default_rng(seed)
    shapes = [("n", 3), ("n", 3), (3,), ("n", 1), ()]
    leaves = [gg.input(f"x{at}", shape, "float64") for at, shape in enumerate(shapes)]
    output = gg.sum(gg.tanh(grow(steps, leaves, gg)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "rows_for", lambda *sizes: min(TILE, sizes[-1]))
        tiled = gg.compile(output, wrt=leaves, threads=threads)
    whole = untiled(output, wrt=leaves)
    arrays = {
        leaf.name: rng.normal(size=[rows if size == "n" else size for size in leaf.shape]) / 2
        for leaf in leaves
    }
    (value, grads), (expected, by_whole) = tiled(**arrays), whole(**arrays)
    assert_same(np.asarray(value), np.asarray(expected), 1e-9, 1e-11, "value")
    assert_same(grads, by_whole, 1e-9, 1e-11, "gradients")


# ---- accuracy ----


def test_sums_of_many_tiles_are_as_accurate_as_whole_ones(small_tiles):
    """Thousands of tiles of float32, next to the model in float64."""

    def model(dtype):
        x, y = gg.input("x", ("batch", 20), dtype), gg.input("y", ("batch",), dtype)
        w, b, v = gg.param("w", (20, 8), dtype), gg.param("b", (8,), dtype), gg.param("v", (8,), dtype)
        loss = gg.mean((gg.maximum(x @ w + b, 0) @ v - y) ** 2) + gg.sum(x) / x.shape[0]
        return loss, [w, b, v]

    rng = np.random.default_rng(0)
    sizes = {"x": (20_000, 20), "y": (20_000,), "w": (20, 8), "b": (8,), "v": (8,)}
    arrays = {name: rng.normal(1, 1, shape).astype(np.float32) for name, shape in sizes.items()}
    loss64, wrt64 = model("float64")
    exact, by_float64 = gg.compile(loss64, wrt=wrt64, level="plain")(
        **{name: array.astype(np.float64) for name, array in arrays.items()}
    )
    loss, wrt = model("float32")
    (value, grads), (whole, by_whole) = gg.compile(loss, wrt=wrt)(**arrays), untiled(loss, wrt=wrt)(**arrays)
    assert abs(value - exact) <= max(abs(whole - exact), 1e-6 * abs(exact))
    for key, gradient in by_float64.items():
        error, of_whole = (float(np.max(np.abs(one[key] - gradient))) for one in (grads, by_whole))
        assert error <= 2 * of_whole + 1e-6 * float(np.max(np.abs(gradient))), key


@pytest.mark.parametrize("size", ["n", 2_000_000])
@pytest.mark.parametrize(
    "build",
    [lambda x, y: gg.sum(x * y), lambda x, y: gg.mean(x * x), lambda x, y: x @ y],
    ids=["sum of products", "mean of squares", "product"],
)
def test_products_of_long_vectors_are_as_accurate_as_sums(build, size):
    """BLAS adds up float32 one after the other, which of two million costs a digit and a half."""
    x, y = gg.input("x", (size,)), gg.input("y", (size,))
    first, second = np.random.default_rng(0).random((2, 2_000_000), np.float32)
    exact = gg.compile(
        build(gg.input("a", (size,), "float64"), gg.input("b", (size,), "float64")), level="plain"
    )
    truth = exact(**{
        leaf.name: array.astype(float)
        for leaf, array in zip(exact.plan.schedule.interface.arguments, (first, second), strict=False)
    })  # fmt: skip
    model = gg.compile(build(x, y))
    found = model(*(first, second)[: len(model.plan.schedule.interface.arguments)])
    assert abs(float(found) / float(truth) - 1) < 5e-7
