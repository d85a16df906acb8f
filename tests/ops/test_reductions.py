"""Reductions and scans against NumPy: arguments, dtypes, nan; and their gradients where a naive formula fails."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.interpret import interpret
from graphgrad.testing import assert_same, check_grads
from tests.ops.like_numpy import assert_like_numpy, gradients
from tests.oracles.by_jax import value_and_gradients

REDUCE = "sum mean prod max min any all var std ptp median count_nonzero nansum nanmean nanprod nanvar nanstd".split()
MASKED = "sum mean prod any all var std nansum nanmean nanprod nanvar nanstd".split()
X = np.array([[[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], [[2.0, 2.0], [-1.0, 0.25], [1.5, -3.0]]])
MASK = np.array([[True, False], [True, True], [False, True]])


def calling(name, **options):
    return lambda xp, *operands: getattr(xp, name)(*operands, **options)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), (), (0, 1, 2)])
@pytest.mark.parametrize("name", REDUCE)
def test_reduction_over_any_axes_is_numpys(name, axis, keepdims):
    if name in ("median", "ptp") and axis == ():
        pytest.skip("NumPy refuses it")
    assert_like_numpy(calling(name, axis=axis, keepdims=keepdims), X, names=(name, axis))
    assert_like_numpy(
        calling(name, axis=axis, keepdims=keepdims), X.astype("float32"), names=(name, axis), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "uint64", "float32"])
@pytest.mark.parametrize("name", [*REDUCE, "argmax", "argmin", "cumsum", "cumprod"])
def test_result_has_the_dtype_that_numpys_has(name, dtype):
    if name == "ptp" and dtype == "bool":
        pytest.skip("NumPy refuses it")
    table = (np.arange(12).reshape(3, 4) % 5).astype(dtype)
    assert_like_numpy(calling(name, axis=1), table, names=(name, dtype), rtol=2e-6)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "std", "nansum", "cumsum", "cumprod"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_dtype_is_computed_in_and_given_back(name, dtype):
    if dtype == "int32" and name in ("mean", "var", "std"):
        pytest.skip("NumPy divides in integers there")
    assert_like_numpy(calling(name, axis=0, dtype=dtype), X.astype("float32"), rtol=1e-5)
    x = gg.input("x", (2, 3))
    assert getattr(np, name)(x, 0, dtype) is getattr(gg, name)(x, 0, dtype=dtype), (
        "NumPy's order of arguments"
    )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of nothing NumPy warns, and gives nan
@pytest.mark.parametrize("axis", [None, 0, (0, 2)])
@pytest.mark.parametrize("name", MASKED)
def test_mask_says_which_elements_take_part(name, axis):
    assert_like_numpy(lambda xp, x, m: getattr(xp, name)(x, axis=axis, where=m), X, MASK)
    assert_like_numpy(lambda xp, x: getattr(xp, name)(x, axis=axis, where=MASK), X)
    with pytest.raises(gg.ShapeError, match="where="):
        getattr(gg, name)(gg.input("x", (2,)), where=np.ones((3, 2), bool))


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", "nansum"])
def test_initial_is_one_more_element(name):
    assert_like_numpy(calling(name, axis=1, initial=2.0), X)
    assert_like_numpy(calling(name, axis=1, initial=2), X.astype("float32"))
    if name in ("max", "min"):
        assert_like_numpy(lambda xp, x, m: getattr(xp, name)(x, axis=0, initial=0.5, where=m), X, MASK)
        assert_like_numpy(calling(name, axis=0, initial=1.0), np.zeros((0, 3)))
        with pytest.raises(gg.ArgumentError, match="needs initial="):
            getattr(gg, name)(gg.input("x", (3, 2)), where=MASK)


@pytest.mark.parametrize("name", [*REDUCE, "argmax", "argmin", "cumsum", "cumprod", "nanmax", "nanmin"])
def test_nan_and_infinities_go_where_numpy_has_them(name):
    table = np.array([[1.0, np.nan, 2.0], [np.inf, 1.0, -np.inf], [3.0, 2.0, 1.0], [np.nan, np.nan, np.inf]])
    assert_like_numpy(calling(name, axis=1), table)
    assert_like_numpy(calling(name), table.astype("float32"), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
@pytest.mark.parametrize("name", ["nanmax", "nanmin"])
def test_of_nothing_but_nan_the_extreme_is_nan(name):
    assert_like_numpy(calling(name, axis=1), np.array([[np.nan, np.nan], [1.0, np.nan]]))
    assert gradients(lambda x: getattr(gg, name)(x, axis=1), [[np.nan, 2.0], [1.0, 1.0]]) == [
        [[0.0, 1.0], [0.5, 0.5]]
    ]


@pytest.mark.parametrize(
    "name", ["sum", "prod", "any", "all", "cumsum", "cumprod", "count_nonzero", "nansum"]
)
def test_nothing_at_all_is_reduced_as_numpy_does(name):
    assert_like_numpy(calling(name, axis=0), np.zeros((0, 3)))
    assert_like_numpy(calling(name, axis=1), np.zeros((0, 3)))
    assert_like_numpy(calling(name), np.zeros((0,), "int32"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_degrees_of_freedom_have_two_names_and_never_go_below_zero():
    for ddof in (0, 1, 2, 1.5):
        for name in ("var", "std", "nanvar"):
            assert_like_numpy(calling(name, axis=1, ddof=ddof), X)
    assert_like_numpy(calling("var", axis=1, correction=1), X)
    assert_like_numpy(calling("var", axis=2, ddof=3), X)
    assert_like_numpy(lambda xp, x: xp.var(x, axis=1, ddof=1, where=MASK), X)
    assert_like_numpy(lambda xp, x: xp.var(x, axis=1, mean=xp.mean(x, axis=1, keepdims=True)), X)
    with pytest.raises(gg.ArgumentError, match="two names"):
        gg.var(gg.input("x", (3,)), ddof=1, correction=1)


def test_methods_of_nodes_are_those_of_arrays():
    for name in "sum prod mean var std max min any all argmax argmin cumsum cumprod".split():
        assert_like_numpy(lambda xp, x, name=name: getattr(x, name)(axis=1), X, dispatched=False)
        assert_like_numpy(lambda xp, x, name=name: getattr(x, name)(), X, dispatched=False)
    assert_like_numpy(lambda xp, x: x.var(axis=0, ddof=1, keepdims=True), X, dispatched=False)


def test_numpys_own_functions_take_their_arguments_in_numpys_order():
    x = gg.input("x", (2, 3))
    assert np.max(x, 1, None, True) is gg.max(x, 1, keepdims=True)
    assert np.var(x, 0, None, None, 1) is gg.var(x, 0, ddof=1)
    assert np.quantile(x, 0.5, 1, None, False, "lower") is gg.quantile(x, 0.5, 1, method="lower")
    with pytest.raises(gg.NodeUseError, match="out="):
        np.sum(x, 0, None, np.zeros(3))
    with pytest.raises(gg.ArgumentError, match=r"np\.median of a node"):
        np.median(x, overwrite_input=True)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_place_of_the_extreme_is_that_of_the_first(name):
    table = np.array([[1, 3, 3, 0], [0, 0, 3, 1]])
    for options in ({}, {"axis": 0}, {"axis": -1}, {"keepdims": True}, {"axis": 1, "keepdims": True}):
        assert_like_numpy(calling(name, **options), table)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint"])
def test_quantiles_are_numpys(method, axis, dtype):
    table = np.random.default_rng(3).normal(size=(5, 8)) * 10
    for q in (0.0, 0.25, 0.5, 0.77, 1.0):
        assert_like_numpy(calling("quantile", q=q, axis=axis, method=method), table.astype(dtype), rtol=2e-6)
    if dtype == "float64":  # float32 stays float32 here, and becomes float64 there
        assert_like_numpy(calling("percentile", q=[30, 75], axis=axis, keepdims=True), table, rtol=2e-6)


def test_quantiles_of_named_sizes_pick_by_the_size_at_run_time():
    x = gg.input("x", ("n", 2), "float64")
    outputs = [gg.quantile(x, 0.3, axis=0), gg.median(x, axis=0), gg.quantile(x, 0.8, method="higher")]
    model = gg.compile(outputs, inputs=[x])
    for n in (1, 2, 5, 8, 11):
        value = np.random.default_rng(n).normal(size=(n, 2))
        expected = [
            np.quantile(value, 0.3, axis=0),
            np.median(value, axis=0),
            np.quantile(value, 0.8, method="higher"),
        ]
        assert_same(model(x=value), [np.asarray(one) for one in expected], 1e-13)
        assert_same(list(interpret(outputs, {x: value})), [np.asarray(one) for one in expected], 1e-13)


def test_equal_elements_share_the_gradient_of_a_median():
    assert gradients(gg.median, [1.0, 2.0, 2.0, 2.0, 3.0]) == [pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3, 0.0])]
    assert gradients(gg.median, [4.0, 1.0, 3.0, 2.0]) == [[0.0, 0.0, 0.5, 0.5]]
    assert gradients(lambda x: gg.quantile(x, 0.25), [0.0, 1.0, 2.0]) == [[0.5, 0.5, 0.0]]


def test_quantile_of_what_is_no_share_is_refused():
    x = gg.input("x", (3,))
    with pytest.raises(gg.InvalidValueError, match="0 to 1"):
        gg.quantile(x, 1.5)
    with pytest.raises(gg.UnsupportedError, match="method"):
        gg.quantile(x, 0.5, method="hazen")
    with pytest.raises(gg.UnsupportedError, match="not a node"):
        gg.quantile(x, x)
    with pytest.raises(gg.ShapeError, match="nothing to choose"):
        gg.median(gg.input("none", (0,)))


def test_average_is_numpys():
    weights = np.array([0.5, 1.0, 2.0])
    assert_like_numpy(lambda xp, x, w: xp.average(x, axis=1, weights=w), X, weights)
    assert_like_numpy(lambda xp, x, w: xp.average(x, weights=w), X, np.abs(X) + 1)
    assert_like_numpy(lambda xp, x, w: xp.average(x, axis=(1, 2), weights=w, keepdims=True), X, MASK + 1.0)
    assert_like_numpy(lambda xp, x: xp.average(x, axis=0), X.astype(int))
    assert_like_numpy(lambda xp, x, w: xp.average(x, axis=1, weights=w, returned=True), X, weights)
    assert_like_numpy(lambda xp, x: xp.average(x, axis=1, returned=True), X)
    assert_like_numpy(lambda xp, x, w: xp.average(x, axis=0, weights=w), np.arange(4), np.array([1, 2, 3, 4]))
    with pytest.raises(gg.ShapeError, match="average: weights"):
        gg.average(gg.input("x", (2, 3)), axis=0, weights=weights)


def test_diff_is_numpys():
    for options in (
        {},
        {"axis": 0},
        {"n": 2, "axis": 1},
        {"n": 0},
        {"axis": 1, "prepend": 0.0, "append": 2.0},
    ):
        assert_like_numpy(calling("diff", **options), X)
    assert_like_numpy(lambda xp, x, y: xp.diff(x, axis=1, append=y), X, X[:, :2])
    assert_like_numpy(calling("diff"), np.array([True, False, False]))
    assert_like_numpy(calling("diff"), np.array([3, 1, 2], "uint8"))


@pytest.mark.parametrize(
    "options", [{}, {"bias": True}, {"ddof": 0}, {"rowvar": False}, {"ddof": 2, "rowvar": False}]
)
def test_covariances_are_numpys(options):
    table = np.random.default_rng(1).normal(size=(3, 5))
    assert_like_numpy(calling("cov", **options), table, rtol=1e-12)
    assert_like_numpy(lambda xp, x, y: xp.cov(x, y, **options), table, table[::-1].copy(), rtol=1e-12)
    assert_like_numpy(calling("cov", **options), table[0], rtol=1e-12)
    assert_like_numpy(calling("cov", fweights=np.array([1, 2, 1, 3, 1])), table, rtol=1e-12)
    assert_like_numpy(calling("cov", aweights=np.array([1.0, 0.5, 1, 3, 1])), table, rtol=1e-12)
    assert_like_numpy(
        calling("cov", aweights=np.array([1.0, 0.5, 1, 3, 1]), fweights=np.array([1, 2, 1, 3, 1])),
        table,
        rtol=1e-12,
    )
    assert_like_numpy(calling("cov", dtype="float32"), table, rtol=1e-5)


def test_correlations_are_numpys():
    table = np.random.default_rng(1).normal(size=(3, 5))
    assert_like_numpy(calling("corrcoef"), table, rtol=1e-12)
    assert_like_numpy(calling("corrcoef", rowvar=False), table, rtol=1e-12)
    assert_like_numpy(lambda xp, x, y: xp.corrcoef(x, y), table[0], table[1], rtol=1e-12)
    x, y = (gg.input(name, ("n",), "float64") for name in "xy")
    check_grads(gg.corrcoef(x, y)[0, 1])


# ---- norms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [None, 2, 1, 3, 2.5, 0.5, 0, -1, -2, np.inf, -np.inf])
@pytest.mark.parametrize(("axis", "keepdims"), [(0, False), (-1, True), (1, False)])
def test_norms_of_vectors_are_numpys(order, axis, keepdims):
    table = np.random.default_rng(2).normal(size=(3, 4, 2))
    call = lambda xp, x: xp.linalg.norm(x, ord=order, axis=axis, keepdims=keepdims)  # noqa: E731
    assert_like_numpy(call, table, rtol=1e-12)
    assert_like_numpy(call, table.astype("float32"), rtol=1e-5)
    if order not in (0, None):
        x = gg.input("x", (3, 4, 2), "float64")
        check_grads(gg.linalg.norm(x, order, axis, keepdims), values={"x": table})


def test_norms_of_matrices_and_of_everything_are_numpys():
    assert_like_numpy(lambda xp, x: xp.linalg.norm(x), X)
    assert_like_numpy(lambda xp, x: xp.linalg.norm(x, "fro", axis=(0, 2)), X)
    assert_like_numpy(lambda xp, x: xp.linalg.norm(x, axis=(1, 2), keepdims=True), X)
    assert_like_numpy(lambda xp, x: xp.linalg.norm(x), np.array([3, 4]))
    assert_like_numpy(lambda xp, x: xp.linalg.vector_norm(x, axis=(0, 1), ord=3), X)
    with pytest.raises(gg.UnsupportedError, match="Frobenius"):
        gg.linalg.norm(gg.input("x", (2, 2)), "nuc")
    with pytest.raises(gg.UnsupportedError, match="Frobenius"):
        gg.linalg.norm(gg.input("x", (2, 2)), 2)
    with pytest.raises(gg.InvalidValueError, match="no norm"):
        gg.linalg.norm(gg.input("x", (2,)), "fro")


@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, 0.5, np.inf])
def test_norm_of_zeros_has_gradient_zero(order):
    assert gradients(lambda x: gg.linalg.norm(x, order), [0.0, 0.0]) == [[0.0, 0.0]]
    assert gradients(lambda x: gg.linalg.norm(x, 3), [0.0, 2.0]) == [[0.0, pytest.approx(1.0)]]


def test_deviation_of_equal_elements_has_gradient_zero():
    assert gradients(gg.std, [2.0, 2.0, 2.0]) == [[0.0, 0.0, 0.0]]
    assert gradients(lambda x: gg.std(x, axis=1, ddof=1), [[2.0, 2.0], [0.0, 2.0]])[0][0] == [0.0, 0.0]


# ---- products and scans with zeros ----------------------------------------------------------------


@pytest.mark.parametrize("zeros", [(), (0,), (2,), (1, 3), (0, 1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize(
    "function", [gg.prod, gg.cumprod, lambda x: gg.prod(gg.reshape(x, (2, 2)), axis=(1, 0))]
)
def test_products_are_right_to_second_order_with_any_number_of_zeros(function, zeros):
    value = np.array([2.0, -1.5, 3.0, 0.5])
    value[list(zeros)] = 0
    check_grads(function(gg.input("x", (4,), "float64")), values={"x": value})


def test_third_derivative_of_a_product_with_three_zeros_is_right():
    x = gg.input("x", (4,), "float64")
    d0 = gg.grad(gg.prod(x), x)[0]
    d01 = gg.grad(d0, x)[1]
    d012 = gg.grad(d01, x)[2]
    at = {x: np.array([0.0, 0.0, 0.0, 5.0])}
    assert [float(value) for value in interpret([d0, d01, d012], at)] == [0.0, 0.0, 5.0]


def test_products_have_no_gradient_through_themselves_but_the_others():
    assert gradients(gg.prod, [2.0, 0.0, 3.0]) == [[0.0, 6.0, 0.0]]
    assert gradients(gg.prod, [0.0, 0.0, 3.0]) == [[0.0, 0.0, 0.0]]
    assert gradients(gg.cumprod, [2.0, 0.0, 3.0]) == [[1.0, 8.0, 0.0]]


def test_running_log_sum_takes_infinities_and_large_gaps():
    inf = np.inf
    x = np.array([-inf, -inf, 0.0, 1000.0, -1000.0, 1000.0])
    node = gg.input("x", x.shape, "float64")
    value, gradient = interpret(
        [gg.logcumsumexp(node), gg.grad(gg.sum(gg.logcumsumexp(node)), node)], {node: x}
    )
    assert value.tolist() == pytest.approx([-inf, -inf, 0.0, 1000.0, 1000.0, 1000.0 + np.log(2)])
    assert gradient.tolist() == pytest.approx([0.0, 0.0, 1.0, 2.5, 0.0, 0.5])
    pushed = gg.jvp(gg.logcumsumexp(node), [node], [gg.const(np.ones(6))])
    assert interpret([pushed], {node: x})[0].tolist() == pytest.approx([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])


def test_log_sum_of_nothing_but_minus_infinity_has_gradient_zero():
    x = [[-np.inf, -np.inf], [0.0, -np.inf], [1000.0, 1000.0]]
    assert gradients(lambda x: gg.logsumexp(x, axis=1), x) == [[[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]]]
    node = gg.input("x", (3, 2), "float64")
    with np.errstate(divide="ignore"):
        (found,) = interpret([gg.logsumexp(node, axis=1)], {node: np.array(x)})
    assert found.tolist() == pytest.approx([-np.inf, 0.0, 1000.0 + np.log(2)])
    assert gg.special.logsumexp is gg.nn.logsumexp is gg.logsumexp


# ---- against torch and JAX ------------------------------------------------------------------------

axes_of = st.sampled_from([None, 0, 1, 2, -1, (0, 1), (0, 2), (1, 2), (0, 1, 2)])


@pytest.mark.slow
@given(axis=axes_of, keepdims=st.booleans(), seed=st.integers(0, 2**16), ddof=st.sampled_from([0, 1]))
@pytest.mark.parametrize(
    "name", ["sum", "mean", "var", "std", "max", "prod", "logsumexp", "norm", "nansum", "median"]
)
def test_reductions_have_the_values_and_gradients_that_jax_gives(name, axis, keepdims, seed, ddof):
    import jax

    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(2, 3, 4)), rng.normal(size=())
    options = {"axis": axis, "keepdims": keepdims} | ({"ddof": ddof} if name in ("var", "std") else {})
    own = gg.linalg.vector_norm if name == "norm" else getattr(gg, name)
    other = {
        "norm": jax.numpy.linalg.vector_norm,
        "logsumexp": jax.scipy.special.logsumexp,
    }.get(name) or getattr(jax.numpy, name)
    node = gg.input("x", x.shape, "float64")
    output = gg.sum(gg.tanh(own(node, **options) * weight))
    found = interpret([output, gg.grad(output, node)], {node: x})
    value, gradients = value_and_gradients(
        lambda x: jax.numpy.sum(jax.numpy.tanh(other(x, **options) * weight)), [x], 1.0
    )
    assert_same(list(found), [value, *gradients], 1e-9, 1e-12, name)


@given(axis=st.sampled_from([0, 1, -1]), zeros=st.integers(0, 3), seed=st.integers(0, 2**16))
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "prod"])
def test_scans_have_the_values_and_gradients_that_torch_gives(name, axis, zeros, seed):
    import torch

    rng = np.random.default_rng(seed)
    x, weight = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    if name != "logcumsumexp":
        x.flat[rng.choice(15, zeros, replace=False)] = 0
    node = gg.input("x", x.shape, "float64")
    output = gg.sum(getattr(gg, name)(node, axis) * (weight if name != "prod" else 1.0))
    found = interpret([output, gg.grad(output, node)], {node: x})
    tensor = torch.tensor(x, requires_grad=True)
    total = (getattr(torch, name)(tensor, axis) * (torch.tensor(weight) if name != "prod" else 1.0)).sum()
    total.backward()
    assert_same(list(found), [total.detach().numpy(), tensor.grad.numpy()], 1e-9, 1e-12, name)


shapes_of = st.sampled_from(
    [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((4, 1, 2), (3, 1)), ((0, 3), (3,)), ((1,), (1,))]
)


@given(shapes=shapes_of, seed=st.integers(0, 2**16))
@pytest.mark.parametrize(
    "name", ["arctan2", "hypot", "logaddexp", "logaddexp2", "fmax", "fmin", "remainder", "fmod"]
)
def test_pairs_have_the_values_and_gradients_that_torch_gives_however_they_broadcast(name, shapes, seed):
    import torch

    rng = np.random.default_rng(seed)
    arrays = [np.asarray(rng.normal(size=shape)) for shape in shapes]
    leaves = [gg.input(f"x{at}", shape, "float64") for at, shape in enumerate(shapes)]
    output = gg.sum(getattr(gg, name)(*leaves))
    found = interpret([output, *gg.grad(output, leaves)], dict(zip(leaves, arrays, strict=True)))
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    total = getattr(torch, name)(*tensors).sum()
    total.backward()
    expected = [total.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]
    assert_same(list(found), expected, 1e-9, 1e-11, name)


@pytest.mark.parametrize("last", [0, 1, 3])
@pytest.mark.parametrize("rows", [0, 1, 70, 300])
@pytest.mark.parametrize("known", [True, False])
def test_sums_over_all_axes_but_the_last_may_have_nothing_in_them(rows, last, known):
    """Of no columns, NumPy cannot tell how many rows there are."""
    x = gg.input("x", ("n", 2, last if known else "width"))
    array = np.random.default_rng(0).standard_normal((rows, 2, last), np.float32)
    for level in ("plain", "default"):
        found = gg.compile(gg.sum(x, axis=(0, 1)), level=level)(array)
        np.testing.assert_allclose(found, array.sum((0, 1), np.float64), rtol=1e-5, atol=1e-5)
    loss = gg.sum(gg.tanh(x + gg.param("b", x.shape[2:])))
    b = np.ones(last, np.float32)
    _, grads = gg.compile(loss, wrt=[leaf for leaf in gg.Graph((), (loss,)).leaves if leaf.name == "b"])(
        x=array, b=b
    )
    expected = (1 - np.tanh(array.astype(np.float64) + 1) ** 2).sum((0, 1))
    np.testing.assert_allclose(grads["b"], expected, rtol=1e-4, atol=1e-5)
