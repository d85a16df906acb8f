"""Products of matrices over a tile's rows, or with a row for each: computed another way where there are many."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.form import HELPERS
from graphgrad.ops.tall import MANY


def products(n, k, dtype="float32", level="default"):
    """A layer's product, its weight's gradient and its input's."""
    x, w = gg.input("x", ("rows", k), dtype), gg.param("w", (k, n), dtype)
    return gg.compile(gg.mean(gg.tanh(x @ w) ** 2), wrt=[x, w], level=level)


def used(model):
    return {name for name in ("_dot_by_rows", "_dot_over_rows") if f"{name}(" in model.source}


BOTH = {"_dot_by_rows", "_dot_over_rows"}


@pytest.mark.parametrize(
    ("n", "k", "ways"),
    [
        (50, 784, BOTH),
        (64, 512, BOTH),
        (50, 100, set()),
        (256, 784, set()),
        (4, 784, set()),
    ],
)
def test_matrices_that_are_long_and_narrow_are_computed_in_other_ways(n, k, ways):
    model = products(n, k)
    assert used(model) == ways
    assert ("_dot_by_rows(d_x_w, w.T, " in model.source) == bool(ways), "the input's gradient, 50 by 784, too"
    assert not used(products(n, k, level="plain"))


def test_products_that_no_tile_has_many_rows_of_are_np_dot():
    x, w = gg.input("x", ("rows", 784)), gg.param("w", (784, 50))
    low = gg.compile(gg.mean(gg.tanh(x @ w)), wrt=[w], memory_limit=600_000, threads=1)
    assert low.plan.tiles[0].most <= MANY and not used(low)
    assert not used(gg.compile(x @ w))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "layout", [np.ascontiguousarray, np.asfortranarray, lambda a: np.flip(np.flip(a).copy())]
)
@pytest.mark.parametrize("rows", [1, MANY, MANY + 1, 5 * MANY // 2 + 1, 4 * MANY + 1])
@pytest.mark.slow
def test_they_give_the_same_for_few_rows_and_for_many(rows, layout, dtype):
    model, rng = products(50, 784, dtype), np.random.default_rng(0)
    assert used(model) == BOTH
    x, w = rng.standard_normal((rows, 784)).astype(dtype), rng.standard_normal((784, 50)).astype(dtype) / 28
    hidden = np.tanh(x.astype(float) @ w.astype(float))
    d_product = 2 / hidden.size * hidden * (1 - hidden**2)
    close = {"rtol": 1e-4, "atol": 2e-5 / rows} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-14}
    for threads in ("1", "2"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRAPHGRAD_THREADS", threads)
            for _ in range(2):  # into new arrays and into those that were kept
                value, gradients = model(layout(x), layout(w))
                np.testing.assert_allclose(value, np.mean(hidden**2), rtol=1e-5)
                np.testing.assert_allclose(gradients["w"], x.T.astype(float) @ d_product, **close)
                np.testing.assert_allclose(gradients["x"], d_product @ w.T.astype(float), **close)
                assert all(one.flags.c_contiguous for one in gradients.values())


@pytest.mark.parametrize("rows", [MANY - 1, MANY + 1, MANY + 513])
@pytest.mark.parametrize("given", [True, False])
def test_both_ways_are_products(rows, given):
    """Blocks end where rows do, and a result goes where it is wanted."""
    names = {"np": np}
    for name in BOTH:
        exec(HELPERS[name], names)
    rng = np.random.default_rng(rows)
    x, w, d = (rng.standard_normal(shape) for shape in ((rows, 64), (64, 9), (rows, 9)))
    out = np.full((rows, 9), np.nan)
    assert names["_dot_by_rows"](x, w, out=out) is out
    np.testing.assert_allclose(out, x @ w, rtol=1e-12, atol=1e-13)
    out = np.full((64, 9), np.nan) if given else None
    scratch = np.full((64, 9), np.nan)
    found = names["_dot_over_rows"](x.T, d, scratch, out=out)
    assert (found is out) == given and np.isfinite(scratch).all() == (given and rows > MANY)
    np.testing.assert_allclose(found, x.T @ d, rtol=1e-12, atol=1e-11)
