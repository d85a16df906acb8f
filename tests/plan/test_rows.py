"""How high tiles are, and why."""

import math

import pytest

import graphgrad as gg
from graphgrad.plan.rows import CACHE, LARGEST, rows_for

USUAL = {"computed": 1000, "sliced": 100, "parts": 100, "flops": 10_000, "mean": 1000.0, "most": LARGEST}


def height(**changed):
    return rows_for(**{**USUAL, **changed})


def test_a_tile_is_what_fits_the_cache():
    assert height() == CACHE // 1000 // 1024 * 1024 == 1024
    assert height(computed=4000) == 256


def test_short_statements_make_it_higher_up_to_eight_times_the_cache():
    assert height(mean=50.0) == 2048
    assert height(mean=1.0) == height(mean=0.1) == 8192
    assert height(computed=16, mean=1.0) == LARGEST


def test_products_alone_make_it_no_higher():
    assert height(mean=math.inf) == height()
    x = gg.input("x", ("n", 256))
    chain = x
    for number in range(4):
        chain = chain @ gg.param(f"w{number}", (256, 256))
    (alone,) = gg.compile(chain).plan.tiles
    (among,) = gg.compile(gg.tanh(chain)).plan.tiles
    assert alone.height <= among.height


def test_a_product_with_a_vector_counts_as_what_it_reads():
    """Not as nothing, or tiles of a regression would hold twice the columns that the cache keeps for the gradient."""
    x, y = gg.input("x", ("n", 10)), gg.input("y", ("n",))
    elementwise = gg.compile(gg.sum(gg.exp(y) * gg.tanh(y)), wrt=[y])
    regression = gg.compile(gg.sum(gg.log(1 + gg.exp(x @ gg.param("w", (10,)))) - y))
    assert [tile.most for model in (elementwise, regression) for tile in model.plan.tiles] == [
        LARGEST,
        LARGEST // 2,
    ]


def test_wide_slices_make_it_lower_and_large_sums_higher():
    assert height(computed=8, mean=1.0, sliced=16 * CACHE // 100) < 200
    assert height(parts=CACHE, flops=1000) > height()
    assert height(most=7) == 7


@pytest.mark.parametrize(("fits", "rows"), [(3, 4), (5, 4), (6, 8), (1400, 1024), (1500, 2048)])
def test_it_is_the_nearest_power_of_two(fits, rows):
    assert height(computed=CACHE // fits, mean=math.inf) == rows
