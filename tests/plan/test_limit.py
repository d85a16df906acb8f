"""A limit to working memory is kept where it can be, as tracemalloc measures it, and refused with what would do."""

import re
import threading
import tracemalloc
import warnings

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.plan.limit import bytes_at_any_size
from tests.models import MODELS

ALLOWED = 64 * 1024
"""Bytes on each thread, for NumPy's buffers of iteration."""
GROWING = {
    "attention": ("greater_equal: bool (time, time)", "each tile of a loop reads all of it"),
    "factorisation": ("multiply: float32 (batch, 3)", "add_at needs all of it"),
    "contrastive": ("place_diagonal: float32 (batch, batch)", "place_diagonal needs all of batch at once"),
    "sorted_rows": ("moved: float32 (batch, 3)", "sort needs all of it"),
}
"""The models that need a whole batch in one place: a value that does, and why."""
BOUNDED = [name for name in MODELS if name not in GROWING]
BATCHES = (1, 37, 700)


def compiled(name, limit, threads=1):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gg.GraphgradWarning)
        loss, wrt = MODELS[name].build()
        return gg.compile(loss, wrt=wrt, memory_limit=limit, threads=threads)


def refusal(name, limit=1, threads=1):
    with pytest.raises(gg.InvalidValueError, match="memory_limit=") as refused:
        compiled(name, limit, threads)
    return str(refused.value)


def least(name, threads=1):
    """The figure that the refusal of one byte gives."""
    return int(re.search(r"try: memory_limit=(\d+)", refusal(name, threads=threads))[1])


def arguments(name, rows, **others):
    sizes = dict.fromkeys(MODELS[name].sizes, 5) | {next(iter(MODELS[name].sizes)): rows} | others
    return MODELS[name].arguments(np.random.default_rng(rows), **sizes)


def worked_in(model, arrays):
    """Bytes that a thread's first call allocates beyond its results; what all threads share is there already."""
    model(**arrays)
    found = []

    def measure():
        tracemalloc.start()
        try:
            value, grads = model(**arrays)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        found.append(peak - value.nbytes - sum(grad.nbytes for grad in grads.values()))

    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BOUNDED)
def test_the_least_figure_works_and_one_byte_less_does_not(name):
    limit = least(name)
    model = compiled(name, limit)
    assert f"try: memory_limit={limit}" in refusal(name, limit - 1)
    for rows in BATCHES:
        assert worked_in(model, arguments(name, rows)) <= limit + ALLOWED, f"{rows} rows"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BOUNDED)
def test_a_limit_is_kept_on_two_threads(name):
    limit = 3 * least(name, threads=2)
    model = compiled(name, limit, threads=2)
    for rows in BATCHES:
        assert worked_in(model, arguments(name, rows)) <= limit + 2 * ALLOWED, f"{rows} rows"


@pytest.mark.parametrize("name", GROWING)
def test_what_needs_the_whole_batch_is_refused_with_the_value_its_line_and_the_reason(name):
    told = refusal(name, 10**6)
    what, why = GROWING[name]
    assert "memory_limit=1000000 cannot be kept" in told and "grows with the data" in told
    line = next(line for line in told.splitlines() if what in line)
    assert f"{name}.py:" in line and line.endswith(why)
    assert "try: memory_limit=" not in told, "no figure would do"


@pytest.mark.slow
def test_the_models_that_grow_take_more_for_more_rows():
    """Or they would be refused for nothing."""
    grow = {
        "attention": ("time", 100, 400),
        "factorisation": ("batch", 2**15, 2**16),
        "contrastive": ("batch", 200, 800),
        "sorted_rows": ("batch", 2**15, 2**16),
    }
    assert grow.keys() == GROWING.keys()
    for name, (size, few, many) in grow.items():
        model = compiled(name, None)
        less, more = (worked_in(model, arguments(name, 4, **{size: number})) for number in (few, many))
        assert more > 1.5 * less, name


def lesson8(limit, threads=None):
    loss, wrt = MODELS["lesson8"].build()
    return gg.compile(loss, wrt=wrt, memory_limit=limit, threads=threads)


def test_tiles_are_as_large_as_the_limit_lets_them_be():
    heights = [lesson8(limit, 1).plan.tiles[0].most for limit in (160_000, 250_000, 400_000, 10**7)]
    assert heights[:3] == sorted(set(heights[:3])) and heights[0] < heights[2] < heights[3]
    assert heights[-1] == lesson8(None, 1).plan.tiles[0].most, "a limit that is no question changes nothing"


def test_threads_share_the_limit():
    """A further thread takes its tile, its part of the sums, and its sums."""
    one, several = lesson8(500_000), lesson8(8 * 10**6)
    assert one.plan.most_threads == 1 and "at_most=1" in one.source
    assert several.plan.most_threads == 3 and "at_most=3" in several.source
    two, four = (lesson8(2 * 10**6, threads).plan.tiles[0].most for threads in (2, 4))
    assert four < two, "as many threads as were asked for run on smaller tiles"
    told = refusal("lesson8", 400_000, threads=2)
    assert "on 2 threads" in told and "or fewer threads" in told


def test_two_threads_on_lower_tiles_are_preferred_to_one():
    one, any_number = lesson8(10**6, 1).plan, lesson8(10**6).plan
    assert any_number.most_threads == 2 and any_number.tiles[0].most == one.tiles[0].most // 2


def test_no_tile_is_made_much_lower_for_a_second_thread():
    """Eight rows are what a wide dimension takes, and next to nothing for a narrow one."""
    x, y = gg.input("x", ("a", 4)), gg.input("y", ("b", 20_000))
    w, v = gg.param("w", (4,)), gg.param("v", (20_000,))
    loss = gg.sum(gg.tanh(x * w)) + gg.sum(gg.tanh(y * v))
    free = gg.compile(loss).plan
    tight = gg.compile(loss, memory_limit=bytes_at_any_size(free, 1) + 1000).plan
    assert tight.most_threads == 1
    assert [space.height for space in tight.tiles] == [space.height for space in free.tiles]


def test_a_limit_holds_for_all_cores_that_there_are(monkeypatch):
    monkeypatch.setenv("GRAPHGRAD_THREADS", "8")
    model = lesson8(3 * 10**6)
    assert model.plan.most_threads == 2
    assert worked_in(model, arguments("lesson8", 9_000)) <= 3 * 10**6 + 2 * ALLOWED
    assert model.memory(batch=10**9).working <= 3 * 10**6


def test_a_level_without_tiles_takes_no_limit():
    x = gg.input("x", ("batch", 3))
    with pytest.raises(gg.InvalidValueError, match='level "plain" has none'):
        gg.compile(gg.sum(gg.exp(gg.tanh(x))), level="plain", memory_limit=10**6)


def test_arrays_that_are_no_tiles_are_named_with_the_figure():
    x, w = gg.input("x", ("batch", 300)), gg.param("w", (300, 200))
    loss = gg.sum(gg.tanh(x @ gg.sort(w, axis=0)))
    with pytest.raises(gg.InvalidValueError) as refused:
        gg.compile(loss, wrt=w, memory_limit=10**5, threads=1)
    told = str(refused.value)
    assert "float32 (300, 200): computed at once" in told
    figure = int(re.search(r"try: memory_limit=(\d+)", told)[1])
    assert gg.compile(loss, wrt=w, memory_limit=figure, threads=1).plan.tiles


def test_a_row_that_all_rows_need_is_named():
    h = gg.input("h", ("n", 16))
    z = gg.tanh(h @ gg.param("w", (16, 8)))
    with pytest.raises(gg.InvalidValueError, match=r"z: .* index looks at more of it than a tile"):
        gg.compile(gg.sum((z - z[0]) ** 2), memory_limit=1_000_000)
