"""What `grad` and `jvp` accept, give and refuse."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret


@pytest.fixture
def x():
    return gg.input("x", (3,), "float64")


@pytest.fixture
def w():
    return gg.param("w", (3,), "float64")


AT = np.array([0.5, -1.0, 2.0])


def value(node, **arrays):
    leaves = {leaf.name: leaf for leaf in toposort([node]) if leaf.op.is_leaf and leaf.name in arrays}
    return interpret([node], {leaf: np.asarray(arrays[name]) for name, leaf in leaves.items()})[0]


def test_structure_of_the_gradients_is_that_of_wrt(x, w):
    loss = gg.sum(x * w)
    d_x, d_w = gg.grad(loss, x), gg.grad(loss, w)
    assert gg.grad(loss, [x, w]) == [d_x, d_w]
    assert gg.grad(loss, (x, w)) == (d_x, d_w)
    assert gg.grad(loss, {"first": w, "second": x}) == {"first": d_w, "second": d_x}
    assert gg.grad(loss, []) == []
    assert gg.grad(loss, [x, x]) == [d_x, d_x]


def test_gradient_of_the_output_by_itself_is_one(x):
    loss = gg.sum(x)
    assert value(gg.grad(loss, loss)) == 1.0


def test_square_written_as_a_product_counts_both_factors(x):
    np.testing.assert_array_equal(value(gg.grad(gg.sum(x * x), x), x=AT), 2 * AT)


def test_gradient_by_an_intermediate_counts_every_equal_occurrence(x):
    first, second = gg.exp(x), gg.exp(x)
    loss = gg.sum(first * second)
    np.testing.assert_allclose(value(gg.grad(loss, first), x=AT), 2 * np.exp(AT))


def test_gradients_by_an_intermediate_and_by_what_it_depends_on_are_both_whole(x):
    h = gg.exp(x)
    d_h, d_x = gg.grad(gg.sum(h * h + x), [h, x])
    np.testing.assert_allclose(value(d_h, x=AT), 2 * np.exp(AT))
    np.testing.assert_allclose(value(d_x, x=AT), 2 * np.exp(2 * AT) + 1)


def test_shared_parameter_gets_the_sum_of_its_uses(x, w):
    loss = gg.sum(x * w) + gg.sum(gg.square(w))
    np.testing.assert_allclose(value(gg.grad(loss, w), x=AT, w=2 * AT), AT + 4 * AT)


def test_unreachable_gets_zeros_of_its_shape_and_dtype(x):
    other = gg.param("other", ("batch", 2), "float32")
    zeros = gg.grad(gg.sum(x), other)
    assert (zeros.shape, zeros.dtype) == (other.shape, np.float32)
    rows = gg.input("rows", ("batch",))
    (found,) = interpret([zeros * rows[0]], {rows: np.ones(4, np.float32)})
    np.testing.assert_array_equal(found, np.zeros((4, 2)))


def test_unreachable_is_an_error_when_it_is_not_allowed(x, w):
    with pytest.raises(gg.ArgumentError, match="no gradient reaches this\n  w: float64"):
        gg.grad(gg.sum(x), [x, w], allow_unused=False)
    assert len(gg.grad(gg.sum(x * w), [x, w], allow_unused=False)) == 2


def test_piecewise_constant_gives_zero_and_counts_as_reached_or_not_the_same_way(x):
    zeros = gg.grad(gg.sum(gg.sign(x)), x)
    np.testing.assert_array_equal(value(zeros, x=AT), np.zeros(3))


def test_comparison_and_integer_results_stop_the_gradient(x):
    mask = gg.cast(x > 0, "float64")
    steps = gg.cast(gg.cast(x, "int64"), "float64")
    np.testing.assert_array_equal(value(gg.grad(gg.sum(x * mask), x), x=AT), AT > 0)
    np.testing.assert_array_equal(value(gg.grad(gg.sum(x * steps), x), x=AT), np.trunc(AT))


def test_stop_gradient_is_not_passed(x):
    np.testing.assert_array_equal(value(gg.grad(gg.sum(gg.stop_gradient(x) * x), x), x=AT), AT)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_integer_wrt_is_an_error(dtype):
    n = gg.input("n", (2,), dtype)
    with pytest.raises(gg.DTypeError, match=f"differentiate by has dtype {dtype}"):
        gg.grad(gg.sum(n * 2.0), n)


def test_integer_output_is_an_error(x):
    n = gg.input("n", (2,), "int64")
    with pytest.raises(gg.DTypeError, match="the output has dtype int64"):
        gg.grad(gg.sum(n), x)
    with pytest.raises(gg.DTypeError, match="the output has dtype bool"):
        gg.grad(gg.max(x) > 0, x)


def test_output_that_is_no_scalar_needs_a_cotangent(x):
    with pytest.raises(gg.ArgumentError, match=r"shape \(3,\) needs a cotangent"):
        gg.grad(x * 2, x)
    with pytest.raises(gg.ArgumentError, match="needs a cotangent"):
        gg.grad(gg.sum(x, keepdims=True), x)


def test_cotangent_may_be_a_node_or_an_array(x):
    g = gg.input("g", (3,), "float64")
    np.testing.assert_allclose(value(gg.grad(gg.exp(x), x, g), x=AT, g=2 * AT), 2 * AT * np.exp(AT))
    np.testing.assert_allclose(value(gg.grad(gg.exp(x), x, 2 * AT), x=AT), 2 * AT * np.exp(AT))


def test_cotangent_of_a_scalar_may_be_a_number(x):
    np.testing.assert_allclose(value(gg.grad(gg.sum(gg.exp(x)), x, 3), x=AT), 3 * np.exp(AT))
    np.testing.assert_allclose(value(gg.grad(gg.sum(gg.exp(x)), x, 0.5), x=AT), np.exp(AT) / 2)


def test_cotangent_of_another_shape_or_dtype_is_an_error(x):
    with pytest.raises(gg.ShapeError, match="cotangent"):
        gg.grad(x * 2, x, np.ones((3, 1)))
    with pytest.raises(gg.DTypeError, match="cotangent"):
        gg.grad(x * 2, x, gg.input("g", (3,), "float32"))


@pytest.mark.parametrize("wrt", [None, "x", 3, {1: 2}, [None]])
def test_wrt_that_is_no_node_is_an_error(x, wrt):
    with pytest.raises(gg.ArgumentError):
        gg.grad(gg.sum(x), wrt)


def test_output_that_is_no_node_is_an_error(x):
    with pytest.raises(gg.ArgumentError, match="the output is a node, not float"):
        gg.grad(1.0, x)


def test_gradient_has_the_dtype_of_what_it_differentiates_by():
    half, single, double = (gg.input(f"x{bits}", (2,), f"float{bits}") for bits in (16, 32, 64))
    loss = gg.sum(half * single * double)
    assert [node.dtype.name for node in gg.grad(loss, [half, single, double])] == [
        "float16",
        "float32",
        "float64",
    ]
    assert loss.dtype == np.float64


def test_float32_model_with_python_scalars_stays_float32():
    x = gg.input("x", ("batch", 3))
    loss = gg.mean((2 * x - 1.5) ** 3 / 7) + 0.5 * gg.sum(gg.maximum(x, 0)) / x.shape[0]
    gradient = gg.grad(loss, x)
    assert not [node for node in toposort([loss, gradient]) if node.dtype not in (np.float32, bool)]


def test_gradient_of_a_mean_does_not_contain_the_mean(x):
    loss = gg.mean(gg.square(x))
    assert loss not in toposort([gg.grad(loss, x)])


def test_what_is_not_asked_for_is_not_computed():
    x, w, b = gg.input("x", ("batch", 784)), gg.param("w", (784, 50)), gg.param("b", (50,))
    loss = gg.sum(gg.tanh(x @ w + b))
    (d_b,) = gg.grad(loss, [b])
    assert len([node for node in toposort([d_b]) if node.op.name == "matmul"]) == 1
    d_w, d_b = gg.grad(loss, [w, b])
    assert len([node for node in toposort([d_w, d_b]) if node.op.name == "matmul"]) == 2
    assert not [node for node in toposort([d_b]) if node.op.name == "transpose"]


def test_gradient_by_an_intermediate_does_not_need_what_lies_below_it():
    x, w = gg.input("x", (3, 3)), gg.param("w", (3, 3))
    h = x @ w
    assert gg.grad(gg.sum(h), h).shape == (3, 3)
    assert w not in toposort([gg.grad(gg.sum(h), h)])


def test_broadcast_gradient_is_summed_once_after_accumulation():
    x, b = gg.input("x", ("batch", 3)), gg.param("b", (3,))
    loss = gg.sum(gg.exp(x + b) * gg.tanh(x - b) * gg.sigmoid(x * b))
    sums = [node for node in toposort([gg.grad(loss, b)]) if node.op.name == "sum"]
    assert len(sums) == 1


def test_unbroadcast_goes_by_declared_shapes_when_the_batch_is_one():
    x, b = gg.input("x", ("batch", 3), "float64"), gg.param("b", (1, 3), "float64")
    d_x, d_b = gg.grad(gg.sum(gg.exp(x * b)), [x, b])
    assert (d_x.shape, d_b.shape) == (("batch", 3), (1, 3))
    for rows in (0, 1, 4):
        at = {x: np.ones((rows, 3)), b: np.ones((1, 3))}
        found = interpret([d_x, d_b], at)
        np.testing.assert_allclose(found[0], np.full((rows, 3), np.e))
        np.testing.assert_allclose(found[1], np.full((1, 3), rows * np.e))


# ---- forward mode ----


def test_jvp_moves_along_several_tangents(x, w):
    t, s = gg.input("t", (3,), "float64"), gg.input("s", (3,), "float64")
    pushed = gg.jvp(x * w, [x, w], [t, s])
    np.testing.assert_allclose(
        value(pushed, x=AT, w=AT + 1, t=AT * 2, s=AT * 3), AT * 2 * (AT + 1) + AT * AT * 3
    )


def test_jvp_of_what_does_not_depend_is_zeros(x, w):
    pushed = gg.jvp(gg.exp(w), [x], [x])
    np.testing.assert_array_equal(value(pushed, w=AT), np.zeros(3))


def test_jvp_with_wrong_tangents_is_an_error(x, w):
    with pytest.raises(gg.ArgumentError, match="1 nodes and 2 tangents"):
        gg.jvp(gg.exp(x), [x], [x, x])
    with pytest.raises(gg.ShapeError, match="a tangent has the shape"):
        gg.jvp(gg.exp(x), [x], [gg.input("t", (4,), "float64")])
    with pytest.raises(gg.DTypeError, match="a tangent has the dtype"):
        gg.jvp(gg.exp(x), [x], [gg.input("t", (3,))])
    with pytest.raises(gg.DTypeError, match="only floats have gradients"):
        gg.jvp(x > 0, [x], [x])
