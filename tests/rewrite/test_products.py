"""Sums of products become products of matrices, however they are written, and only where that is right."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from tests.rewrite.test_engine import graph_of, ops, rewritten

SIZES = {"b": 3, "i": 8, "j": 9, "s": 5, "t": 2}


def spread(node, labels, order):
    """A node with its axes in this order, and axes of size 1 for what it has not."""
    turned = gg.transpose(node, [labels.index(label) for label in order if label in labels])
    return gg.expand_dims(turned, [at for at, label in enumerate(order) if label not in labels])


@st.composite
def arrangements(draw):
    """(labels of x, labels of y, order of the product's axes, what is summed over, keepdims, which comes first)."""
    inner = draw(st.sampled_from(["s", "t", "st"]))
    stack = draw(st.sampled_from(["", "b"]))
    rows, columns = draw(st.sampled_from([("i", "j"), ("i", ""), ("", "j")]))
    x = draw(st.permutations(stack + inner + rows))
    y = draw(st.permutations(stack + inner + columns))
    order = draw(st.permutations(stack + inner + rows + columns))
    return x, y, order, inner, draw(st.booleans()), draw(st.booleans()), draw(st.booleans())


@given(case=arrangements(), seed=st.integers(0, 2**16))
def test_sums_of_products_in_any_arrangement(case, seed):
    x_labels, y_labels, order, inner, keepdims, is_turned, is_mean = case
    x, y = (
        gg.input(name, [SIZES[one] for one in labels], "float64")
        for name, labels in (("x", x_labels), ("y", y_labels))
    )
    first, second = spread(x, x_labels, order), spread(y, y_labels, order)
    product = second * first if is_turned else first * second
    axes = tuple(at for at, label in enumerate(order) if label in inner)
    written = (gg.mean if is_mean else gg.sum)(product, axis=axes, keepdims=keepdims)
    graph = rewritten(written)
    small = "b" in order and math.prod(SIZES[one] for one in order if one != "b") < 64
    assert ("matmul" in ops(graph)) is not small and ("multiply" in ops(graph)) is small
    rng = np.random.default_rng(seed)
    values = {leaf: rng.normal(size=leaf.shape) for leaf in (x, y)}
    (found,), (expected,) = interpret(graph.outputs, values), interpret((written,), values)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


SCALES = {
    "by a number": lambda x, n: x * 2.5,
    "by a number before it": lambda x, n: -0.3 * x,
    "over a number": lambda x, n: x / 3,
    "over a size": lambda x, n: x / n,
    "negated": lambda x, n: -x,
}


@given(ways=st.lists(st.sampled_from(sorted(SCALES)), min_size=1, max_size=2), is_mean=st.booleans())
def test_sums_of_scaled_products(ways, is_mean):
    """As the gradient of a mean is written by hand."""
    x, y = gg.input("x", ("n", 8), "float64"), gg.input("y", ("n", 9), "float64")
    product = x[:, :, None] * y[:, None, :]
    for way in ways:
        product = SCALES[way](product, x.shape[0])
    written = (gg.mean if is_mean else gg.sum)(product, axis=0)
    graph = rewritten(written)
    assert "matmul" in ops(graph) and all(node.ndim < 3 for node in graph.nodes)
    values = {leaf: np.random.default_rng(0).normal(size=(5, leaf.shape[1])) for leaf in (x, y)}
    (found,), (expected,) = interpret(graph.outputs, values), interpret((written,), values)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("number", [0.0, np.inf, np.nan])
def test_products_scaled_by_what_is_no_usual_number_stay(number):
    x, y = gg.input("x", ("n", 8)), gg.input("y", ("n", 9))
    assert "matmul" not in ops(rewritten(gg.sum(x[:, :, None] * y[:, None, :] * number, axis=0)))


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 0)])
def test_what_one_factor_alone_has_is_summed_first(axes):
    x, y = gg.input("x", ("n", 8), "float64"), gg.input("y", ("n", 9), "float64")
    for written in (
        gg.sum(x[:, :, None] * y[:, None, :], axis=axes),
        gg.sum(gg.sum(x[:, :, None] * y[:, None, :], axis=axes[0]), axis=axes[1] - (axes[0] < axes[1])),
    ):
        graph = rewritten(written)
        assert all(node.ndim < 3 for node in graph.nodes)
        values = {leaf: np.random.default_rng(0).normal(size=(5, leaf.shape[1])) for leaf in (x, y)}
        (found,), (expected,) = interpret(graph.outputs, values), interpret((written,), values)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@given(
    ways=st.lists(st.sampled_from(["of x", "of y", "of both", "of neither"]), max_size=3),
    at=st.integers(0, 3),
    keepdims=st.booleans(),
    is_stack=st.booleans(),
)
def test_both_factors_may_be_stretched(ways, at, keepdims, is_stack):
    """Along axes that are kept: products of numbers, and products of matrices."""
    ways = [*ways[:at], "summed", *ways[at:]]
    shape = tuple(range(2, 2 + len(ways)))
    ends = [((4, 3), (3, 5)), ((), ())][not is_stack]

    def stretched(name, have, end):
        axes = [
            size if way in (*have, "summed", "of both") else 1 for size, way in zip(shape, ways, strict=True)
        ]
        while axes[0] == 1:
            axes = axes[1:]
        leaf = gg.input(name, (*axes, *end), "float64")
        return leaf, gg.broadcast_to(leaf, (*shape, *end))

    (x, wide_x), (y, wide_y) = (stretched(*one) for one in zip("xy", (["of x"], ["of y"]), ends, strict=True))
    axes = ways.index("summed")
    written = gg.sum(wide_x @ wide_y if is_stack else wide_x * wide_y, axis=axes, keepdims=keepdims)
    graph = rewritten(written)
    rng = np.random.default_rng(0)
    values = {leaf: rng.normal(size=leaf.shape) for leaf in (x, y)}
    (found,), (expected,) = interpret(graph.outputs, values), interpret((written,), values)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


def leaves():
    return gg.input("x", ("batch", 784)), gg.input("d", ("batch", 50)), gg.input("y", ("batch",))


WRITTEN = {
    "outer product": (lambda x, d, y: (x[:, :, None] * d[:, None, :]).sum(0), lambda x, d, y: x.T @ d),
    "the other way round": (lambda x, d, y: (d[:, :, None] * x[:, None, :]).sum(0), lambda x, d, y: d.T @ x),
    "its transpose": (lambda x, d, y: (x[:, :, None] * d[:, None, :]).sum(0).T, lambda x, d, y: d.T @ x),
    "reshaped": (lambda x, d, y: (x.reshape("batch", 784, 1) * d[:, None]).sum(0), lambda x, d, y: x.T @ d),
    "spread": (
        lambda x, d, y: (gg.broadcast_to(x[:, :, None], ("batch", 784, 50)) * d[:, None]).sum(0),
        lambda x, d, y: x.T @ d,
    ),
    "rows": (lambda x, d, y: (x[:, None, :] * x[None]).sum(-1), lambda x, d, y: x @ x.T),
    "matrix and vector": (lambda x, d, y: (x * y[:, None]).sum(0), lambda x, d, y: x.T @ y),
    "two vectors": (lambda x, d, y: (y * x[:, 0]).sum(), lambda x, d, y: y @ x[:, 0]),
    "transposed twice": (lambda x, d, y: (d.T @ x).T, lambda x, d, y: x.T @ d),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRITTEN))
def test_what_is_written_becomes_that_product(name):
    given_leaves = leaves()
    written, wanted = (build(*given_leaves) for build in WRITTEN[name])
    assert ops(rewritten(written)) == ops(graph_of(wanted))


@pytest.mark.parametrize(
    "build",
    [
        lambda x, d, y: (x * x).sum(1),  # a product of vectors for each row
        lambda x, d, y: (x[:, :, None] * d[:, None, :]).sum(1),  # sums over what only one has
        lambda x, d, y: gg.cast(x, "int64").sum(0) * gg.cast(d, "int64").sum(),
    ],
)
def test_what_is_no_product_of_matrices_stays(build):
    assert "matmul" not in ops(rewritten(build(*leaves())))


def test_a_product_that_is_read_elsewhere_is_not_computed_twice():
    x, d, _ = leaves()
    outer = x[:, :, None] * d[:, None, :]
    assert "matmul" not in ops(rewritten(outer.sum(0), gg.tanh(outer)))


def test_layers_over_batch_and_time_are_large_products_in_both_directions():
    x, w = gg.input("x", ("batch", "time", 8)), gg.param("w", (8, 4))
    loss = gg.sum(gg.tanh(x @ w))
    graph = rewritten(loss, *gg.grad(loss, [w, x]))
    products = [node for node in graph.nodes if node.op.name == "matmul"]
    assert len(products) == 3 and all(node.ndim == 2 for node in products)


def test_a_chain_is_turned_only_where_that_pays_for_every_size():
    x, w, v = gg.input("x", ("batch", 100)), gg.param("w", (100, 80)), gg.param("v", (80,))
    a, b = gg.param("a", (90, 100)), gg.param("b", (100, 80))
    assert rewritten((a @ b) @ v, level="fast").outputs == (a @ (b @ v),)
    assert rewritten((a @ b) @ v).outputs == ((a @ b) @ v,)  # may overflow elsewhere: not at level default
    assert rewritten((x @ w) @ v, level="fast").outputs == ((x @ w) @ v,)  # for one row it is no cheaper


def test_numbers_are_gathered_only_where_they_stay_normal():
    x = gg.input("x", ("n", 3))
    assert ops(rewritten(2.0 * x / x.shape[0])) == ["run_time_size", "divide", "multiply"]
    for tiny in (x * 1e-30 * 1e-30, x * 1e30 * 1e30, x * 1e-30 / x.shape[0], x * 0.0 / x.shape[0]):
        assert rewritten(tiny).outputs == (tiny,)
