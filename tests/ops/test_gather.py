"""Indexing by arrays of integers against NumPy and JAX: every kind of index, repeated, negative, out of range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from tests.oracles.by_jax import value_and_gradients

pytest.importorskip("jax")

SHAPES = [(4,), (3, 5), (2, 3, 4), (3, 1, 2, 4)]
DTYPES = ["int64", "int32", "int8", "uint8", "uint64"]


@st.composite
def indexed(draw):
    """A shape and an index of it in which arrays of integers stand, as NumPy takes it."""
    shape = draw(st.sampled_from(SHAPES))
    common = draw(st.sampled_from([(), (1,), (3,), (0,), (2, 3), (2, 1)]))
    items, arrays = [], 0
    cut = draw(st.none() | st.integers(0, len(shape)))
    for axis, size in enumerate(shape):
        if cut == axis:
            items.append(...)
        if draw(st.integers(0, 5)) == 0:
            items.append(None)
        kind = draw(st.sampled_from(["array", "array", "slice", "int"]))
        if kind == "array":
            arrays += 1
            own = draw(st.sampled_from([common, common[1:], tuple(1 for _ in common)]))
            dtype = draw(st.sampled_from(DTYPES))
            low = 0 if dtype.startswith("u") else -size
            count = int(np.prod(own))
            numbers = draw(st.lists(st.integers(low, size - 1), min_size=count, max_size=count))
            items.append(np.array(numbers, dtype).reshape(own))
        elif kind == "int":
            items.append(draw(st.integers(-size, size - 1)))
        else:
            items.append(slice(*draw(st.sampled_from([(None,), (1, None), (None, None, -1), (0, 2)]))))
    return shape, tuple(items)


def as_nodes(index, constant=False):
    """The index with its arrays as inputs, and their values; or with its arrays as they are."""
    values, items = {}, []
    for item in index:
        if isinstance(item, np.ndarray) and not constant:
            leaf = gg.input(f"i{len(values)}", item.shape, item.dtype)
            values[leaf] = item
            item = leaf
        items.append(item)
    return tuple(items), values


def run(model, leaves):
    return model(**{leaf.name: value for leaf, value in leaves.items()})


@pytest.mark.slow
@settings(max_examples=60)
@given(indexed(), st.booleans())
def test_value_is_numpys_and_gradient_is_jaxs(shape_and_index, constant):
    shape, index = shape_and_index
    array = np.random.default_rng(0).standard_normal(shape)
    x = gg.input("x", shape, "float64")
    items, values = as_nodes(index, constant)
    node = x[items]
    expected = array[index]
    assert node.shape == expected.shape
    weights = np.random.default_rng(1).standard_normal(expected.shape)
    gradient = gg.grad(node, x, gg.const(weights))
    found = interpret([node, gradient], {x: array, **values})
    _, (slope,) = value_and_gradients(lambda a: a[index], [array], weights)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_allclose(found[1], slope, rtol=1e-12, atol=1e-14)
    model = gg.compile([node, gradient], inputs=[x, *values])
    for got, wanted in zip(run(model, {x: array, **values}), found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), [0, 1], ..., [2, 0], slice(None)),
        (slice(None), [0, 1], ..., 1, slice(None)),
        (slice(None), 0, ..., [1, 2], slice(None)),
        (slice(None), 0, ..., 1, slice(None)),
        ([0, 1], None, ..., [1, 1], slice(None), slice(1, None)),
        (..., 0, [1, 2], slice(None)),
        (slice(None), [0, 1], [2, 0], slice(None), ...),
    ],
    ids=str,
)
def test_ellipsis_that_takes_no_axis_keeps_arrays_apart(index):
    array = np.random.default_rng(0).standard_normal((2, 3, 4, 5))[:, :2]
    index = tuple(np.array(item) if isinstance(item, list) else item for item in index)
    x = gg.input("x", array.shape, "float64")
    for constant in (False, True):
        items, values = as_nodes(index, constant)
        model = gg.compile(gg.sum(x[items] ** 2), wrt=x)
        assert x[items].shape == array[index].shape
        _, grads = run(model, {x: array, **values})
        expected = np.zeros_like(array)
        np.add.at(expected, index, 2 * array[index])
        np.testing.assert_allclose(grads["x"], expected)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 2), st.booleans())
def test_constant_mask_is_numpys(flags, before, listed):
    mask = np.array(flags)
    shape = (*(2, 3)[:before], 4, 2)
    array = np.random.default_rng(0).standard_normal(shape)
    x = gg.input("x", shape, "float64")
    index = (*(slice(None),) * before, mask.tolist() if listed else gg.const(mask))
    expected = array[(*(slice(None),) * before, mask)]
    node = x[index]
    gradient = gg.grad(gg.sum(node), x)
    found = interpret([node, gradient], {x: array})
    np.testing.assert_array_equal(found[0], expected)
    wanted = np.zeros(shape)
    wanted[(*(slice(None),) * before, mask)] = 1
    np.testing.assert_array_equal(found[1], wanted)


def test_constant_mask_of_several_axes_beside_arrays():
    array = np.arange(24.0).reshape(2, 3, 4)
    mask = array[:, :, 0] > 6
    numbers = np.arange(np.count_nonzero(mask)) % 4
    x, i = gg.input("x", array.shape, "float64"), gg.input("i", numbers.shape, "int64")
    (found,) = interpret([x[mask, i]], {x: array, i: numbers})
    np.testing.assert_array_equal(found, array[mask, numbers])


@pytest.mark.parametrize("level", ["plain", "default"])
@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("rows", [1, 5])
def test_sizes_of_table_and_batch_are_those_of_the_call(rows, count, level):
    table, i = gg.input("table", ("rows", 3)), gg.input("i", ("batch",), "int32")
    taken = table[i]
    assert taken.shape == ("batch", 3)
    model = gg.compile(gg.sum(taken * taken), wrt=table, level=level)
    rng = np.random.default_rng(2)
    values = rng.standard_normal((rows, 3)).astype(np.float32)
    numbers = rng.integers(-rows, rows, count).astype(np.int32)
    loss, grads = model(table=values, i=numbers)
    expected = np.zeros_like(values)
    np.add.at(expected, numbers, 2 * values[numbers])
    np.testing.assert_allclose(loss, np.sum(values[numbers] ** 2), rtol=1e-5)
    np.testing.assert_allclose(grads["table"], expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [5, -6, 2**40])
@pytest.mark.parametrize(
    "index",
    [
        lambda i: (i,),
        lambda i: (slice(None), i),
        lambda i: (i, i),
        lambda i: (0, slice(None), i),
        lambda i: (i, None, 1),
    ],
    ids=["rows", "columns", "pairs", "apart", "with an int"],
)
def test_number_out_of_range_is_an_index_error_at_the_models_line(index, wrong):
    x, i = gg.input("x", (5, 5, 5)), gg.input("i", (2,), "int64")
    model = gg.compile(gg.sum(x[index(i)]), wrt=x)
    with pytest.raises(IndexError, match="out of bounds") as caught:
        model(x=np.zeros((5, 5, 5), np.float32), i=np.array([0, wrong]))
    assert any("x[index(i)]" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("wrong", [5, -6, 2**40, 2**59, -(2**59), 2**62])
@pytest.mark.parametrize("width", [(), (16,), (4, 8)])
def test_number_out_of_range_is_never_written(width, wrong):
    v, i = gg.input("v", (2, *width)), gg.input("i", (2,), "int64")
    for node in (
        gg.at(gg.const(np.zeros((5, *width), np.float32)), i).add(v),
        gg.at(gg.const(np.zeros((5, *width), np.float32)), i).set(v),
        gg.segment_sum(v, i, 5),
    ):
        with pytest.raises(IndexError):
            gg.compile(node, inputs=[v, i])(v=np.ones((2, *width), np.float32), i=np.array([0, wrong]))


@pytest.mark.parametrize(
    ("index", "error", "words"),
    [
        ([0, 7], gg.ShapeError, "index 7 is out of range for size 5"),
        ([[0], [-6]], gg.ShapeError, "index -6 is out of range"),
        ([0.5], gg.ArgumentError, "integers, not float64"),
        ([True, False], gg.ShapeError, "a mask of shape"),
        (True, gg.UnsupportedError, "no index here"),
        (gg.input("m", (5,), "bool"), gg.UnsupportedError, "gg.where"),
        (gg.input("m", (5,), "float32"), gg.ArgumentError, "integers, not float32"),
        ([gg.input("i", (), "int64")], gg.ArgumentError, "list of nodes"),
        ((gg.input("i", (2,), "int64"), gg.input("j", (3,), "int64")), gg.ShapeError, "do not broadcast"),
        ((0, 0, gg.input("i", (2,), "int64")), gg.ShapeError, "too many"),
        (gg.input("m", (), "bool"), gg.UnsupportedError, "depends on its values"),
    ],
)
def test_what_is_no_index_is_refused_where_it_is_written(index, error, words):
    with pytest.raises(error, match=words) as caught:
        gg.input("x", (5, 4))[index]
    assert "test_gather.py:" in str(caught.value)


def test_mask_of_a_symbolic_axis_is_refused():
    with pytest.raises(gg.ShapeError, match="does not fit"):
        gg.input("x", ("n",))[np.array([True, False])]


def test_scalar_node_as_index_gives_a_copy():
    x, i = gg.input("x", (3, 2)), gg.input("i", (), "int64")
    array = np.ones((3, 2), np.float32)
    for node in (x[i], x[i, i]):
        found = gg.compile(node, inputs=[x, i])(x=array, i=np.int64(1))
        assert not np.shares_memory(found, array)


def test_layout_of_arrays_does_not_matter():
    rng = np.random.default_rng(3)
    x, i = gg.input("x", (6, 4), "float64"), gg.input("i", (5, 3), "int64")
    model = gg.compile(gg.sum(x[i] ** 2), wrt=x)
    array, numbers = rng.standard_normal((6, 4)), rng.integers(-6, 6, (5, 3))
    wide = np.zeros((6, 8))
    wide[:, ::2] = array
    expected = model(x=array, i=numbers)
    for other in (wide[:, ::2], np.asfortranarray(array), array[::-1].copy()[::-1]):
        for places in (numbers, np.asfortranarray(numbers), np.repeat(numbers, 2, axis=1)[:, ::2]):
            loss, grads = model(x=other, i=places)
            np.testing.assert_allclose(loss, expected[0])
            np.testing.assert_allclose(grads["x"], expected[1]["x"])


def test_equal_index_makes_the_same_node():
    x = gg.input("x", (4, 4))
    assert x[[0, 2]] is x[np.array([0, 2])] is x[gg.const([0, 2])]
    assert x[[0, 2]] is not x[[0, 1]]


def test_text_and_pickle_keep_an_index(tmp_path):
    import pickle

    from graphgrad.core.text import read_nodes, write_nodes

    x, i = gg.input("x", (4, 5, 3)), gg.input("i", (2,), "int64")
    for node in (x[i, :, i], x[:, i, ..., i], gg.take_along_axis(x, x[:, :1, :].astype("int64"), 1)):
        gradient = gg.grad(gg.sum(node), x)
        text = write_nodes([node, gradient], [x, i])
        assert read_nodes(text, [x, i]) == (node, gradient)
        (again,) = pickle.loads(pickle.dumps([node]))
        assert again.attrs == node.attrs


def embedding_model(threads=None):
    table, tokens = gg.param("table", ("rows", 32)), gg.input("tokens", ("n",), "int64")
    model = gg.compile(gg.sum(table[tokens] ** 2), wrt=table, threads=threads)
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((1000, 32)).astype(np.float32), rng.integers(0, 1000, 20_000)
    return model, dict(zip(("table", "tokens"), arrays, strict=True))


def test_memory_counts_the_places_that_are_added_to():
    import threading
    import tracemalloc

    model, arrays = embedding_model(threads=1)  # whether two make their places at once is chance
    model(**arrays)
    tracemalloc.start()
    try:
        first = threading.Thread(target=model, kwargs=arrays)  # another thread, so another workspace
        first.start()
        first.join()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    promised = model.memory(
        rows=1000, n=20_000
    ).peak  # whether both threads make their places at once is chance
    assert 0.6 * promised < peak < 1.05 * promised


def test_profile_times_the_adding_up_and_verify_agrees():
    model, arrays = embedding_model()
    assert any("np.add.at" in item.code for item in model.profile(**arrays).statements)
    small = {"table": arrays["table"][:7], "tokens": arrays["tokens"][:20] % 7}
    assert max(model.verify(**small).values()) < 1e-3


@pytest.mark.parametrize("batch", [3, 20_000])
def test_rows_of_a_large_table_are_added_up_in_one_tile_and_in_several(batch):
    table, row, y = (
        gg.param("table", (5_000, 64)),
        gg.input("row", ("batch",), "int64"),
        gg.input("y", ("batch", 64)),
    )
    model = gg.compile(gg.sum((table[row] - y) ** 2), wrt=table)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((5_000, 64), np.float32)
    rows, targets = rng.integers(-5_000, 5_000, batch), rng.standard_normal((batch, 64), np.float32)
    expected = np.zeros((5_000, 64))
    np.add.at(expected, rows, 2.0 * (values[rows] - targets))
    for _ in range(2):
        _, grads = model(table=values, row=rows, y=targets)
        gg.testing.assert_same(grads["table"].astype(float), expected, 1e-4, 1e-4)


@pytest.mark.parametrize("rows", [None, np.arange(3), [0, 1, 2], [0, 2, 1], [2, 0, 0]])
def test_counting_up_a_whole_axis_takes_one_of_each_row_and_its_gradient_needs_no_sum(rows):
    """``x[arange(n), label]``, however the numbers are made; with numbers in another order it is another index."""
    n = "n" if rows is None else 3
    x, label = gg.input("x", (n, 4)), gg.input("label", (n,), "int64")
    taken = x[gg.arange(x.shape[0]) if rows is None else rows, label]
    model = gg.compile(gg.sum(taken * taken), inputs=[x, label], wrt=[x])
    values, own = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32), np.array([3, 0, -2])
    _, grads = model(values, own)
    places = np.arange(3) if rows is None else np.array(rows)
    wanted = np.zeros_like(values)
    np.add.at(wanted, (places, own), 2 * values[places, own])
    gg.testing.assert_same(grads["x"], wanted)
    counted = places.tolist() == [0, 1, 2]
    assert ("np.add.at" not in model.source) == counted
    assert (taken.op.name, taken.attrs["index"][0] == "array") == ("gather", not counted)


def test_the_diagonal_by_two_vectors_that_count_up():
    x = gg.input("x", (3, 3))
    model = gg.compile(x[[0, 1, 2], [0, 1, 2]], inputs=[x])
    values = np.arange(9, dtype=np.float32).reshape(3, 3)
    gg.testing.assert_same(model(values), np.diag(values).copy())
