"""Initial values: the formulas are torch.nn.init's, checked by bounds and spread, and against torch."""

import math
import pickle

import numpy as np
import pytest

import graphgrad as gg

FLOATS = ["float32", "float64", "float16"]
FIXED = [gg.init.zeros(), gg.init.ones(), gg.init.constant(3)]
RANDOM = [
    gg.init.uniform(-0.5, 2.0),
    gg.init.normal(1.0, 0.5),
    gg.init.trunc_normal(),
    gg.init.sparse(0.25),
    gg.init.xavier_uniform(),
    gg.init.xavier_normal(gain=5 / 3),
    gg.init.kaiming_uniform(),
    gg.init.kaiming_normal(mode="fan_out", nonlinearity="relu"),
    gg.init.orthogonal(),
]
TWO_AXES = [gg.init.eye(), *RANDOM[3:]]
EVERY = [*FIXED, gg.init.eye(), *RANDOM]


def make(scheme, shape, dtype="float64", seed=0):
    return scheme(np.random.default_rng(seed), shape, dtype)


def torch_of(function, shape, **settings):
    """What torch.nn.init makes of a float64 tensor of that shape."""
    import torch

    torch.manual_seed(0)
    return getattr(torch.nn.init, function)(torch.empty(shape, dtype=torch.float64), **settings).numpy()


# --- what holds for all ---


@pytest.mark.parametrize("scheme", EVERY, ids=repr)
@pytest.mark.parametrize("dtype", FLOATS)
def test_result_has_the_shape_and_dtype_asked_for_and_is_fresh(scheme, dtype):
    first, second = make(scheme, (6, 4), dtype), make(scheme, (6, 4), dtype)
    assert first.shape == (6, 4)
    assert first.dtype == dtype
    assert first.flags.c_contiguous and first.flags.writeable
    assert not np.shares_memory(first, second)
    assert np.isfinite(first).all()


@pytest.mark.parametrize("scheme", RANDOM, ids=repr)
def test_seed_decides_every_number_and_the_global_generator_none(scheme):
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = make(scheme, (7, 5), seed=3)
    assert np.array_equal(first, make(scheme, (7, 5), seed=3))
    assert not np.array_equal(first, make(scheme, (7, 5), seed=4))
    assert np.array_equal(state, np.random.get_state()[1])


@pytest.mark.parametrize("scheme", RANDOM, ids=repr)
def test_generator_moves_on(scheme):
    rng = np.random.default_rng(0)
    assert not np.array_equal(scheme(rng, (7, 5), "float32"), scheme(rng, (7, 5), "float32"))


@pytest.mark.parametrize("scheme", EVERY, ids=repr)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (1, 1)], ids=str)
def test_arrays_without_elements_or_with_one(scheme, shape):
    assert make(scheme, shape).shape == shape


@pytest.mark.parametrize("scheme", [*FIXED, *RANDOM[:3]], ids=repr)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4)], ids=str)
def test_schemes_without_fans_fill_any_shape(scheme, shape):
    result = make(scheme, shape)
    assert isinstance(result, np.ndarray)
    assert result.shape == shape


@pytest.mark.parametrize("scheme", [*EVERY, gg.init.dirac(groups=2)], ids=repr)
def test_scheme_pickles_compares_hashes_and_its_repr_makes_it_again(scheme):
    copy = pickle.loads(pickle.dumps(scheme))
    assert copy == scheme
    assert hash(copy) == hash(scheme)
    assert eval(repr(scheme), vars(gg.init)) == scheme
    assert sum(scheme == other for other in EVERY) <= 1


def test_repr_shows_what_is_not_the_default():
    assert repr(gg.init.kaiming_normal()) == "kaiming_normal()"
    assert repr(gg.init.kaiming_normal(nonlinearity="relu")) == "kaiming_normal(nonlinearity='relu')"
    assert repr(gg.init.constant(3)) == "constant(value=3)"
    assert gg.init.zeros() != gg.init.ones()
    assert gg.init.normal() != gg.init.uniform()


def test_scheme_cannot_be_changed():
    with pytest.raises(AttributeError):
        gg.init.normal().std = 2.0


def test_compiled_model_makes_initial_values_by_the_schemes():
    scheme = gg.init.kaiming_normal()
    w, b = gg.param("w", (784, 50), init=scheme), gg.param("b", (50,), "float64")
    moment = gg.state("moment", (50,), init=gg.init.ones())
    model = gg.compile(gg.sum(w) + gg.sum(b) + gg.sum(moment))
    values = model.init(rng=np.random.default_rng(3))
    assert set(values) == {"w", "b", "moment"}
    assert np.array_equal(values["w"], scheme(np.random.default_rng(3), (784, 50), "float32"))
    assert np.array_equal(values["b"], np.zeros(50))
    assert [values[name].dtype for name in ("w", "b", "moment")] == ["float32", "float64", "float32"]
    assert values["moment"].sum() == 50


def test_all_lists_every_scheme():
    assert all(callable(getattr(gg.init, name)) for name in gg.init.__all__)
    import torch

    ours = set(gg.init.__all__)
    theirs = {name[:-1] for name in vars(torch.nn.init) if name.endswith("_") and not name.startswith("_")}
    assert theirs <= ours


# --- values ---


@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "int8", "uint8", "bool"])
def test_fixed_values_in_every_dtype(dtype):
    assert np.array_equal(make(gg.init.zeros(), (2, 3), dtype), np.zeros((2, 3), dtype))
    assert np.array_equal(make(gg.init.ones(), (2, 3), dtype), np.ones((2, 3), dtype))
    assert np.array_equal(make(gg.init.constant(1), (2, 3), dtype), np.ones((2, 3), dtype))
    assert np.array_equal(make(gg.init.eye(), (2, 3), dtype), np.eye(2, 3, dtype=dtype))


def test_constant_of_floats():
    assert make(gg.init.constant(0.1), (), "float32") == np.float32(0.1)
    assert make(gg.init.constant(np.float32(0.1)), (), "float32") == np.float32(0.1)
    assert np.isnan(make(gg.init.constant(math.nan), (2,), "float32")).all()
    assert np.isinf(make(gg.init.constant(math.inf), (2,), "float32")).all()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (0.5, "int64"),
        (300, "uint8"),
        (-1, "uint8"),
        (2, "bool"),
        (math.nan, "int32"),
        (1e300, "float32"),
        (10**400, "float64"),
    ],
)
def test_constant_that_does_not_fit_is_an_error(value, dtype):
    with pytest.raises(gg.InvalidValueError, match=f"does not fit {dtype}"):
        make(gg.init.constant(value), (2,), dtype)


# name, settings, and the formula of the standard deviation for fans (in, out)
SCALED = [
    ("xavier_uniform", {}, lambda i, o: math.sqrt(2 / (i + o))),
    ("xavier_uniform", {"gain": 5 / 3}, lambda i, o: 5 / 3 * math.sqrt(2 / (i + o))),
    ("xavier_normal", {}, lambda i, o: math.sqrt(2 / (i + o))),
    ("xavier_normal", {"gain": 0.5}, lambda i, o: 0.5 * math.sqrt(2 / (i + o))),
    ("kaiming_uniform", {}, lambda i, o: math.sqrt(2 / i)),
    ("kaiming_uniform", {"a": math.sqrt(5)}, lambda i, o: math.sqrt(1 / 3 / i)),
    ("kaiming_uniform", {"mode": "fan_out", "nonlinearity": "relu"}, lambda i, o: math.sqrt(2 / o)),
    ("kaiming_normal", {}, lambda i, o: math.sqrt(2 / i)),
    ("kaiming_normal", {"mode": "fan_out"}, lambda i, o: math.sqrt(2 / o)),
    ("kaiming_normal", {"nonlinearity": "tanh"}, lambda i, o: 5 / 3 / math.sqrt(i)),
    ("kaiming_normal", {"nonlinearity": "linear"}, lambda i, o: 1 / math.sqrt(i)),
]
LAYOUTS = [  # ours, our axes, torch's shape for the same weight, fan in, fan out
    ((300, 200), {}, (200, 300), 300, 200),
    ((200, 300), {"in_axis": -1, "out_axis": -2}, (200, 300), 300, 200),
    ((3, 5, 60, 70), {}, (70, 60, 3, 5), 900, 1050),
    ((70, 60, 3, 5), {"in_axis": 1, "out_axis": 0}, (70, 60, 3, 5), 900, 1050),
    ((60, 15, 70), {"in_axis": 0}, (70, 60, 15), 900, 1050),
]


@pytest.mark.parametrize(
    ("name", "settings", "formula"), SCALED, ids=lambda value: "" if callable(value) else str(value)
)
@pytest.mark.parametrize(("shape", "axes", "torch_shape", "fan_in", "fan_out"), LAYOUTS, ids=str)
def test_spread_follows_the_formula_as_torch_does(
    name, settings, formula, shape, axes, torch_shape, fan_in, fan_out
):
    std = formula(fan_in, fan_out)
    ours = make(getattr(gg.init, name)(**settings, **axes), shape)
    theirs = torch_of(f"{name}_", torch_shape, **settings)
    four_sigma = 4 * std / math.sqrt(ours.size)
    for values in (ours, theirs):
        assert abs(values.std() - std) < four_sigma
        assert abs(values.mean()) < four_sigma
    if name.endswith("uniform"):
        bound = math.sqrt(3) * std
        for values in (ours, theirs):
            assert 0.999 * bound < abs(values).max() <= bound
    else:
        assert 3.5 * std < abs(ours).max() < 6.5 * std


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [
        *((name, None) for name in ["linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu"]),
        *((f"conv{kind}{n}d", None) for kind in ["", "_transpose"] for n in [1, 2, 3]),
        *(("leaky_relu", slope) for slope in [0, 0.2, math.sqrt(5), -1]),
    ],
)
def test_gain_is_that_of_torch(nonlinearity, param):
    import torch

    assert gg.init.calculate_gain(nonlinearity, param) == torch.nn.init.calculate_gain(nonlinearity, param)


def test_default_kaiming_is_for_relu():
    assert gg.init.calculate_gain("leaky_relu", 0) == math.sqrt(2)
    same = [gg.init.kaiming_normal(), gg.init.kaiming_normal(nonlinearity="relu")]
    assert np.array_equal(*(make(scheme, (20, 30)) for scheme in same))


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_stays_within_its_bounds(dtype):
    values = make(gg.init.uniform(-3.3, 1.1), 100_000, dtype)
    assert values.min() >= np.dtype(dtype).type(-3.3)
    assert values.max() <= np.dtype(dtype).type(1.1)
    assert abs(values.astype("float64").mean() + 1.1) < 0.02
    assert abs(values.astype("float64").std() - 4.4 / math.sqrt(12)) < 0.02


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_has_its_mean_and_spread(dtype):
    values = make(gg.init.normal(2.0, 0.5), 100_000, dtype).astype("float64")
    assert abs(values.mean() - 2) < 0.01
    assert abs(values.std() - 0.5) < 0.01


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (0, 1, -2, 2),
        (1, 2, -1, 1.5),
        (0, 1, -0.1, 0.2),
        (0, 1, 0.5, 0.9),
        (0, 1, 4, 6),
        (0, 1, -9, -5),
        (0, 0.5, 2, 1000),
        (5, 1, -1000, 1),
        (0, 1, 0, 1000),
    ],
)
@pytest.mark.slow
def test_trunc_normal_has_the_moments_of_a_truncated_normal(mean, std, low, high):
    from scipy import stats

    values = make(gg.init.trunc_normal(mean, std, low, high), 40_000)
    exact = stats.truncnorm((low - mean) / std, (high - mean) / std, mean, std)
    assert low <= values.min() and values.max() <= high
    assert stats.kstest(values, exact.cdf).pvalue > 1e-3


def test_trunc_normal_agrees_with_torch():
    theirs = torch_of("trunc_normal_", (100_000,), std=0.02, a=-0.04, b=0.02)
    ours = make(gg.init.trunc_normal(std=0.02, low=-0.04, high=0.02), (100_000,))
    assert abs(ours.mean() - theirs.mean()) < 3e-4
    assert abs(ours.std() - theirs.std()) < 3e-4


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4), (2, 3, 40)], ids=str)
@pytest.mark.parametrize("out_axis", [-1, 0])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, out_axis):
    weight = make(gg.init.orthogonal(gain=2.0, out_axis=out_axis), shape)
    rows = np.moveaxis(weight, out_axis, 0).reshape(shape[out_axis], -1) / 2
    gram = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)
    theirs = torch_of("orthogonal_", (rows.shape), gain=2.0) / 2
    gram = theirs @ theirs.T if len(theirs) <= theirs.shape[1] else theirs.T @ theirs
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)


def test_orthogonal_takes_every_matrix_equally_often():
    rng = np.random.default_rng(0)
    draws = np.array([gg.init.orthogonal()(rng, (2, 2), "float64") for _ in range(2_000)])
    assert np.abs(draws.mean(axis=0)).max() < 0.07  # without random signs one entry is never negative
    assert abs((np.linalg.det(draws) > 0).mean() - 0.5) < 0.05


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 1.0])
def test_sparse_has_as_many_zeros_for_each_input_as_torch(sparsity):
    ours = make(gg.init.sparse(sparsity, std=0.5), (30, 20))
    theirs = torch_of("sparse_", (20, 30), sparsity=sparsity, std=0.5)
    assert np.array_equal((ours == 0).sum(axis=1), (theirs == 0).sum(axis=0))
    if sparsity == 0.5:
        assert len({tuple(row) for row in ours == 0}) > 20  # each input has its own
        assert abs(ours[ours != 0].std() - 0.5) < 0.1


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("torch_shape", [(6, 4, 3), (6, 2, 3, 5), (6, 1, 2, 3, 4), (6, 9, 1, 1)], ids=str)
def test_dirac_is_that_of_torch(torch_shape, groups):
    theirs = torch_of("dirac_", torch_shape, groups=groups)
    ours = make(gg.init.dirac(groups, in_axis=1, out_axis=0), torch_shape)
    assert np.array_equal(ours, theirs)
    last = make(gg.init.dirac(groups), (*torch_shape[2:], torch_shape[1], torch_shape[0]))
    assert np.array_equal(np.moveaxis(last, (-1, -2), (0, 1)), theirs)


# --- errors ---


@pytest.mark.parametrize(
    ("make_scheme", "error", "message"),
    [
        (
            lambda: gg.init.kaiming_normal(mode="fan_avg"),
            gg.InvalidValueError,
            "mode is 'fan_in' or 'fan_out'",
        ),
        (lambda: gg.init.kaiming_normal(nonlinearity="swish"), gg.InvalidValueError, "'swish'(.|\n)*relu"),
        (lambda: gg.init.kaiming_normal(nonlinearity=None), gg.InvalidValueError, "None"),
        (
            lambda: gg.init.kaiming_uniform(a="fan_in"),
            gg.ArgumentError,
            "kaiming_uniform: a is a number, not str",
        ),
        (lambda: gg.init.kaiming_uniform(a=True), gg.ArgumentError, "not bool"),
        (lambda: gg.init.xavier_uniform(gain=math.inf), gg.InvalidValueError, "gain is finite"),
        (lambda: gg.init.xavier_normal("relu"), gg.ArgumentError, "xavier_normal: gain is a number"),
        (lambda: gg.init.uniform(1, 1), gg.InvalidValueError, "low is below high"),
        (lambda: gg.init.uniform(0, math.nan), gg.InvalidValueError, "high is finite, not nan"),
        (lambda: gg.init.normal(std=-1), gg.InvalidValueError, "std cannot be negative, and is -1"),
        (lambda: gg.init.trunc_normal(std=0), gg.InvalidValueError, "std is above 0"),
        (lambda: gg.init.trunc_normal(low=2, high=-2), gg.InvalidValueError, "they are 2 and -2"),
        (lambda: gg.init.sparse(1.5), gg.InvalidValueError, "from 0 to 1, not 1.5"),
        (lambda: gg.init.orthogonal(gain=None), gg.ArgumentError, "gain is a number, not NoneType"),
        (lambda: gg.init.constant("1"), gg.ArgumentError, "value is a number, not str"),
        (lambda: gg.init.constant(1j), gg.ArgumentError, "not complex"),
        (lambda: gg.init.dirac(groups=0), gg.InvalidValueError, "groups is a positive int, not 0"),
        (lambda: gg.init.calculate_gain("leaky_relu", "x"), gg.ArgumentError, "the slope is a number"),
    ],
)
def test_wrong_setting_is_an_error_when_the_scheme_is_made(make_scheme, error, message):
    with pytest.raises(error, match=message):
        make_scheme()


@pytest.mark.parametrize("scheme", TWO_AXES, ids=repr)
@pytest.mark.parametrize("shape", [(), (5,)], ids=str)
def test_too_few_axes_are_an_error_that_names_scheme_and_shape(scheme, shape):
    with pytest.raises(gg.ShapeError) as caught:
        make(scheme, shape)
    assert repr(scheme) in str(caught.value)
    assert f"the shape is {shape}" in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "shape", "message"),
    [
        (gg.init.kaiming_normal(in_axis=2), (3, 4), "an axis 2, its in_axis"),
        (gg.init.xavier_normal(out_axis=-3), (3, 4), "an axis -3, its out_axis"),
        (gg.init.xavier_normal(in_axis=1), (3, 4), "two different axes"),
        (gg.init.eye(), (2, 2, 2), "two axes"),
        (gg.init.sparse(0.5), (2, 2, 2), "two axes"),
        (gg.init.dirac(), (2, 2), "three to five axes"),
        (gg.init.dirac(2), (3, 3, 3), "that 2 divides"),
        (gg.init.zeros(), ("batch", 3), r"fixed sizes, and the shape is \(batch, 3\)"),
        (gg.init.zeros(), (-1, 3), "cannot be negative"),
    ],
)
def test_shape_that_does_not_fit_is_an_error(scheme, shape, message):
    with pytest.raises(gg.ShapeError, match=message):
        make(scheme, shape)


@pytest.mark.parametrize("scheme", RANDOM, ids=repr)
@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_random_integers_are_an_error(scheme, dtype):
    with pytest.raises(gg.DTypeError, match=f"makes floats, not {dtype}"):
        make(scheme, (3, 4), dtype)


@pytest.mark.parametrize(
    "rng", [0, None, np.random, np.random.RandomState(0)], ids=lambda rng: type(rng).__name__
)
def test_anything_but_a_generator_is_an_error(rng):
    with pytest.raises(gg.ArgumentError, match=r"(?s)numpy.random.Generator.*default_rng"):
        gg.init.normal()(rng, (3,), "float32")


def test_axis_that_is_no_int_is_an_error():
    with pytest.raises(gg.ArgumentError, match="in_axis is an int, not str"):
        make(gg.init.kaiming_normal(in_axis="in"), (3, 4))
