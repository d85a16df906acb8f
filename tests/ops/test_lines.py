"""Sums over first axes and reductions of the last one, which are computed another way where there are many lines."""

import tracemalloc

import numpy as np
import pytest

import graphgrad as gg

FLOATS = ("float16", "float32", "float64")
HELPERS = ("_sum_rows", "_sum_first", "_sum_lines", "_max_lines", "_min_lines")


def used(model):
    return {name for name in HELPERS if f"def {name}(" in model.source}


def reduced(function, x, **options):
    """The level default of a reduction whose result is read by something else, so that it goes into a buffer."""
    result = function(x, **options)
    return gg.compile([gg.exp(-gg.abs(result)), result])


def check(model, array, wanted):
    value = np.asarray(model(array)[1])
    assert value.dtype == array.dtype and value.shape == wanted.shape
    assert value.ndim == 0 or (value.flags.owndata and value.flags.writeable), "a result is the caller's own"
    places = {"float16": 4e-3, "float32": 1e-6, "float64": 1e-14}[array.dtype.name]
    size = np.abs(array[np.isfinite(array)]).sum(dtype=float) if array.size else 0.0
    np.testing.assert_allclose(
        value.astype(float), wanted, rtol=places, atol=places * size / max(1, wanted.size)
    )


def numbers(shape, dtype="float32"):
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("rest", "axes"), [((4,), 0), ((1,), 0), ((3, 2), 0), ((3, 2), (0, 1)), ((0,), 0)])
def test_sums_over_first_axes(rest, axes, keepdims, dtype):
    model = reduced(gg.sum, gg.input("x", ("n", *rest), dtype), axis=axes, keepdims=keepdims)
    assert used(model) & {"_sum_rows", "_sum_first"}
    for rows in (0, 1, 32, 33, 128, 129, 256, 8191, 8192, 8193, 20_000):
        array = numbers((rows, *rest), dtype)
        check(model, array, array.sum(axis=axes, keepdims=keepdims, dtype=float))


def test_many_blocks_are_added_up_in_float64():
    model = reduced(gg.sum, gg.input("x", ("n", 3)), axis=0)
    array = np.abs(numbers((3_000_000, 3)))
    np.testing.assert_allclose(model(array)[1], array.sum(axis=0, dtype=float), rtol=1e-7)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_reductions_of_lines(name, keepdims, dtype):
    model = reduced(getattr(gg, name), gg.input("x", ("n", "k"), dtype), axis=1, keepdims=keepdims)
    helper = {"sum": "_sum_lines", "mean": "_sum_lines", "max": "_max_lines", "min": "_min_lines"}[name]
    assert (helper in used(model)) == (dtype != "float16")
    for rows in (0, 1, 99, 100, 31 * 16, 32 * 16, 5000):
        for length in (1, 2, 8, 9, 16, 17, 256, 257, 512, 513) if rows < 5000 else (1, 3, 16):
            array = numbers((rows, length), dtype)
            check(model, array, getattr(np, name)(array.astype(float), axis=1, keepdims=keepdims))


STACKS = {
    "whole": lambda x: x,
    "turned": lambda x: x.transpose(0, 2, 1),
    "parts": lambda x: x[:, 1:3],
    "backwards": lambda x: x[:, ::-1, :2],
}


@pytest.mark.parametrize("kind", sorted(STACKS))
@pytest.mark.parametrize("name", ["sum", "max", "min"])
def test_stacks_of_lines_and_lines_that_lie_apart(name, kind):
    model = reduced(getattr(gg, name), STACKS[kind](gg.input("x", ("n", 5, 3))), axis=-1)
    array = numbers((700, 5, 3), "float32")
    wanted = getattr(np, name)(STACKS[kind](array).astype(float), axis=-1)
    np.testing.assert_allclose(model(array)[1], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_nan_and_infinities_stay_in_their_lines(name):
    model = reduced(getattr(gg, name), gg.input("x", ("n", 4)), axis=1)
    array = numbers((1000, 4), "float32")
    array[10, 2], array[11, 1], array[12, 0], array[13, 3] = np.nan, np.inf, -np.inf, np.nan
    array[14] = np.inf
    array[15] = [np.inf, -np.inf, 0, 0]
    with np.errstate(invalid="ignore"):
        found, wanted = model(array)[1], getattr(np, name)(array, axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_what_is_known_to_be_short_or_long_is_left_to_numpy():
    for shape, name in (((99, 4), "sum"), (("n", 513), "sum"), (("n", 17), "max"), (("n",), "sum")):
        assert not used(reduced(getattr(gg, name), gg.input("x", shape), axis=-1))
    assert not used(gg.compile([gg.sum(gg.input("x", ("n", 4)), axis=1)] * 2, level="plain"))


def test_products_of_columns_and_rows_are_not_added_up():
    """np.matmul takes three times as long; np.dot makes 0 of 0 * nan where the column is one number."""
    x, y = gg.input("x", ("n", 1)), gg.input("y", (1, 9))
    product = x @ y
    model = gg.compile([gg.exp(product), product])
    assert "_outer(x" in model.source and "np.matmul" not in model.source.partition("def _reference")[0]
    wide = numbers((1, 9), "float32")
    wide[0, 3] = np.nan
    for rows in (0, 1, 5):
        tall = np.zeros((rows, 1), np.float32)
        np.testing.assert_array_equal(model(tall, wide)[1], tall * wide)


@pytest.mark.parametrize(("axis", "held"), [(0, True), (1, True), (None, False)])
def test_blas_has_one_thread_where_threads_add_up_by_products(axis, held):
    model = gg.compile(gg.exp(gg.sum(gg.tanh(gg.input("x", ("n", 40))), axis=axis)))
    assert ("uses_blas=False" not in model.source) == held


PARTS = {
    "softmax": lambda y: gg.nn.softmax(y, axis=1),
    "logsumexp": lambda y: gg.logsumexp(y, axis=1),
    "norm": lambda y: gg.linalg.norm(y, axis=1),
    "var": lambda y: gg.var(y, axis=1),
    "centred": lambda y: y - gg.mean(y, axis=1, keepdims=True),
    "max": lambda y: gg.max(gg.tanh(y), axis=1),
    "min": lambda y: gg.min(gg.tanh(y), axis=1, keepdims=True),
    "mean": lambda y: gg.mean(gg.tanh(y), axis=-1),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", sorted(PARTS))
def test_lines_that_a_loop_takes_apart(kind, threads):
    """The reduced axis is the one that tiles cut; a single tile's part has no place beforehand."""
    y = gg.input("y", (300, "n"))
    model, plain = (
        gg.compile(PARTS[kind](y), level=level, threads=threads) for level in ("default", "plain")
    )
    for length in (1, 8, 5000):
        array = numbers((300, length))
        np.testing.assert_allclose(model(array), plain(array), rtol=1e-4, atol=1e-5)


def test_the_gradient_of_what_was_broadcast_along_lines_that_a_loop_takes_apart():
    y, b = gg.input("y", (300, "n")), gg.param("b", (300, 1))
    model = gg.compile(gg.mean(gg.tanh(y + b)), wrt=[b])
    array = numbers((300, 700))
    wanted = np.sum(1 - np.tanh(array.astype(float)) ** 2, axis=1, keepdims=True) / array.size
    np.testing.assert_allclose(model(array, np.zeros((300, 1), np.float32))[1]["b"], wanted, rtol=1e-5)


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_nothing_has_no_largest(name, level):
    model = gg.compile(gg.tanh(getattr(gg, name)(gg.input("x", ("n", "k")), axis=1)), level=level)
    for rows in (3, 5000):
        with pytest.raises(ValueError, match="zero-size"):
            model(np.zeros((rows, 0), np.float32))


APART = {
    "turned": lambda x: gg.sum(x.mT, axis=0),
    "backwards": lambda x: gg.sum(x[:, ::-1], axis=0),
    "every other": lambda x: gg.sum(x[:, ::2], axis=0, keepdims=True),
    "whole": lambda x: gg.sum(x, axis=0),
    "rows": lambda x: gg.sum(x[:, 0, ::-1], axis=0),
    "lines apart": lambda x: gg.sum(x[:, :, ::4], axis=-1) / 100 * x.shape[0],
    "lines": lambda x: gg.max(x[:, :, :8], axis=-1) * x.shape[0],
}


@pytest.mark.parametrize(("rows", "dtype"), [(100, "float32"), (2000, "float32"), (2000, "float64")])
@pytest.mark.parametrize("kind", sorted(APART))
@pytest.mark.slow
def test_reductions_copy_nothing_large(kind, rows, dtype):
    model = gg.compile(APART[kind](gg.input("x", ("n", 50, 400), dtype)))
    array = np.ones((rows, 50, 400), dtype)
    model(array)
    tracemalloc.start()
    try:
        result = model(array)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * result.nbytes + 70_000
    assert np.all(result == rows)


def test_equations_show_sums():
    y, d = gg.input("y", ("n", 5)), gg.param("d", ("n", 1))
    steps = gg.equations(gg.compile(gg.mean(gg.tanh(y * d)), wrt=[d])).steps
    told = " ".join(text for step in steps for text in step.formulas)
    assert "sum lines" not in told and r"\sum_{\text{axis }1}" in told
