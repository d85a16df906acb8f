"""Elementwise ops against NumPy: dtypes, special values, and the conventions where mathematics is silent."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.testing import check_grads
from tests.ops.like_numpy import assert_like_numpy, gradients

# Promotion to float64, and functions without gradient, are what is tested.

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, 80.0, -80.0, np.inf, -np.inf, np.nan]
UNARY = (
    "exp2 expm1 log2 log10 log1p cbrt reciprocal sin cos tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh "
    "floor ceil trunc rint isnan isinf isfinite isposinf isneginf signbit fabs degrees radians deg2rad rad2deg sinc "
    "nan_to_num logical_not positive around round absolute negative square sign"
).split()
BINARY = (
    "arctan2 hypot remainder mod fmod floor_divide fmax fmin logaddexp logaddexp2 copysign heaviside logical_and "
    "logical_or logical_xor divmod"
).split()
BITS = "bitwise_and bitwise_or bitwise_xor left_shift right_shift".split()
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("int8", "uint8", "int32", "int64")


def calling(name):
    return lambda xp, *operands: getattr(xp, name)(*operands)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", UNARY)
def test_one_float_gives_what_numpy_gives_special_values_included(name, dtype):
    if name in ("expm1", "cosh", "sinh", "exp2") and dtype == "float16":
        values = [value for value in SPECIAL if abs(value) != 80]
    else:
        values = SPECIAL
    assert_like_numpy(calling(name), np.array(values, dtype), names=(name, dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", UNARY)
def test_one_integer_is_promoted_as_numpy_does(name, dtype):
    assert_like_numpy(calling(name), np.array([1, 2, 3, 7], dtype), names=(name, dtype))


@pytest.mark.parametrize("name", [name for name in UNARY if name not in ("positive", "negative", "sign")])
def test_one_boolean_is_promoted_as_numpy_does(name):
    assert_like_numpy(calling(name), np.array([True, True]), names=name)


@pytest.mark.parametrize("name", BINARY)
def test_two_floats_give_what_numpy_gives_special_values_included(name):
    values = np.array(SPECIAL)
    assert_like_numpy(calling(name), values[:, None], values, names=name)
    assert_like_numpy(
        calling(name), values.astype(np.float32)[:, None], values.astype(np.float32), names=name
    )


@pytest.mark.parametrize("name", BINARY)
def test_two_operands_of_any_dtypes_are_promoted_as_numpy_does(name):
    for left in (*INTEGERS, *FLOATS):
        for right in ("uint8", "int32", "float32"):
            assert_like_numpy(
                calling(name),
                np.array([[3], [5]], left),
                np.array([1, 2, 4], right),
                names=(name, left, right),
            )


@pytest.mark.parametrize("scalar", [2, 2.0, np.float64(2), np.int8(2)])
@pytest.mark.parametrize("name", BINARY)
def test_scalars_are_weak_where_numpys_are(name, scalar):
    for dtype in ("float32", "int32", "uint8"):
        array = np.array([3, 5], dtype)
        assert_like_numpy(lambda xp, x: getattr(xp, name)(x, scalar), array, names=(name, dtype, scalar))
        assert_like_numpy(lambda xp, x: getattr(xp, name)(scalar, x), array, names=(name, scalar, dtype))


@pytest.mark.parametrize("name", BITS)
def test_bits_of_integers_are_numpys(name):
    for left in INTEGERS:
        for right in ("uint8", "int32"):
            assert_like_numpy(calling(name), np.array([[5], [60]], left), np.array([0, 1, 3], right))
    if "shift" not in name:
        assert_like_numpy(calling(name), np.array([[True], [False]]), np.array([True, False]))
    assert_like_numpy(calling("invert"), np.array([0, 1, 200], "uint8"))
    assert_like_numpy(calling("invert"), np.array([True, False]))


OPERATORS = {
    "floor": lambda xp, x, y: x // y,
    "rest": lambda xp, x, y: x % y,
    "both": lambda xp, x, y: divmod(x, y),
    "and": lambda xp, x, y: (x > 1) & (y > 1),
    "or": lambda xp, x, y: (x > 1) | (y > 1),
    "xor": lambda xp, x, y: (x > 1) ^ (y > 1),
    "not": lambda xp, x, y: ~(x > y),
    "mixed": lambda xp, x, y: (x > 1) & ~(y > 1) | xp.equal(x, y) ^ xp.not_equal(y, 3),
    "bits": lambda xp, x, y: (x.astype("int64") & 6 | 1) ^ (y.astype("int64") << 2) >> 1,
    "reflected": lambda xp, x, y: 7 // x + 7 % y + (5 & x.astype("int64")) + (1 << y.astype("int64")),
    "reflected bits": lambda xp, x, y: (
        (6 | x.astype("int64")) + (6 ^ x.astype("int64")) + (64 >> x.astype("int64"))
    ),
    "reflected both": lambda xp, x, y: divmod(7, x),
    "nested": lambda xp, x, y: x % (y // 2 + 1) // 1,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_numpys_in_their_order_of_precedence(name):
    assert_like_numpy(OPERATORS[name], np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))
    assert_like_numpy(OPERATORS[name], np.array([1, 2, 3], "int32"), np.array([3, 2, 1], "int32"))


@pytest.mark.parametrize("decimals", [-2, -1, 0, 1, 2, 3])
def test_round_is_numpys_for_any_decimals(decimals):
    values = np.array([1.5, 2.5, -0.5, 123.456, 250.0, 350.0, 0.125, -1e-3, np.inf, np.nan])
    for dtype in ("float32", "float64"):
        assert_like_numpy(lambda xp, x: xp.round(x, decimals), values.astype(dtype))
    assert_like_numpy(lambda xp, x: xp.round(x, decimals), np.array([4, 15, 25, -35, 1250]))
    assert_like_numpy(lambda xp, x: x.round(decimals), values, dispatched=False)
    assert_like_numpy(lambda xp, x: xp.fix(x), values, dispatched=False)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 2), (None, 1), (0, None), (-np.inf, np.inf), (2, 0), (np.nan, None), (0.5, 1)]
)
def test_clip_is_numpys_for_any_bounds(low, high):
    assert_like_numpy(lambda xp, x: xp.clip(x, low, high), np.array(SPECIAL))
    assert_like_numpy(lambda xp, x: xp.clip(x, min=low, max=high), np.array(SPECIAL, "float32"))
    if all(type(bound) in (int, type(None)) for bound in (low, high)):
        assert_like_numpy(lambda xp, x: xp.clip(x, low, high), np.array([1, 2, 3], "uint8"))
    assert_like_numpy(lambda xp, x: xp.clip(x, low, high), np.array([1, 2, 3]))


def test_clip_by_arrays_broadcasts_and_promotes():
    x, low, high = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0]), np.array([[2.0], [4.0]])
    assert_like_numpy(lambda xp, x, low, high: xp.clip(x, low, high), x, low, high)
    assert_like_numpy(
        lambda xp, x, low, high: xp.clip(x, low, high), x.astype("int32"), low, high.astype("float32")
    )
    assert_like_numpy(lambda xp, x, low: x.clip(low), x, low, dispatched=False)
    assert_like_numpy(lambda xp, x: xp.clip(x, -5, 300), np.array([1, 250], "uint8"))
    with pytest.raises(gg.ArgumentError, match="needs a bound"):
        gg.clip(gg.input("x", (2,)))


def test_nan_to_num_is_numpys():
    for dtype in ("float16", "float32", "float64"):
        assert_like_numpy(lambda xp, x: xp.nan_to_num(x), np.array(SPECIAL, dtype))
        assert_like_numpy(
            lambda xp, x: xp.nan_to_num(x, nan=7.0, posinf=2.0, neginf=-3.0), np.array(SPECIAL, dtype)
        )


def test_float_power_and_ldexp_are_numpys():
    assert_like_numpy(lambda xp, x: xp.float_power(x, -2), np.array([1, 2, 4]))
    assert_like_numpy(lambda xp, x, y: xp.float_power(x, y), np.float32([1, 2]), np.float32([0.5, 3]))
    assert_like_numpy(lambda xp, x, n: xp.ldexp(x, n), np.float32(SPECIAL), np.array([3], "int32"))
    assert_like_numpy(lambda xp, x, n: xp.ldexp(x, n), np.array(SPECIAL)[:, None], np.array([-2000, 0, 2000]))
    assert_like_numpy(lambda xp, x: xp.ldexp(x, 2), np.array([1, 2]))


def test_what_numpy_refuses_is_refused_by_name():
    flags = gg.input("flags", (2,), "bool")
    with pytest.raises(gg.DTypeError, match="positive"):
        gg.positive(flags)
    with pytest.raises(gg.DTypeError, match="does not take float32"):
        gg.input("x", (2,)) & flags
    with pytest.raises(gg.ArgumentError, match="decimals"):
        gg.round(gg.input("x", (2,)), 1.5)


# ---- conventions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "rint", "round", "fix"])
def test_rounding_has_gradient_zero(name):
    assert gradients(getattr(gg, name), [0.5, 1.0, -2.3]) == [[0.0, 0.0, 0.0]]


def test_quotient_has_gradient_zero_and_the_remainder_that_of_its_definition():
    assert gradients(gg.floor_divide, [7.0, -7.0], [2.0, 2.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert gradients(gg.remainder, [7.0, -7.0], [2.0, 2.0]) == [[1.0, 1.0], [-3.0, 4.0]]
    assert gradients(gg.fmod, [7.0, -7.0], [2.0, 2.0]) == [[1.0, 1.0], [-3.0, 3.0]]


def test_clip_passes_the_gradient_within_and_on_the_bounds():
    x = [-1.0, 0.0, 0.5, 1.0, 2.0]
    assert gradients(lambda x: gg.clip(x, 0, 1), x) == [[0.0, 1.0, 1.0, 1.0, 0.0]]
    assert gradients(lambda x: gg.clip(x, 0), x) == [[0.0, 1.0, 1.0, 1.0, 1.0]]
    assert gradients(lambda x: gg.clip(x, max=1), x) == [[1.0, 1.0, 1.0, 1.0, 0.0]]
    assert gradients(gg.clip, x, 0.0, 1.0) == [[0.0, 1.0, 1.0, 1.0, 0.0], 1.0, 1.0]
    assert gradients(gg.clip, x, 1.0, 0.0) == [[0.0] * 5, 0.0, 5.0], (
        "the upper bound wins over a lower one above it"
    )


@pytest.mark.parametrize("function", [gg.fmax, gg.fmin])
def test_tie_of_two_splits_evenly_and_nan_gets_nothing(function):
    assert gradients(function, [1.0, np.nan, 2.0], [1.0, 2.0, np.nan]) == [[0.5, 0.0, 1.0], [0.5, 1.0, 0.0]]


def test_equal_operands_of_logaddexp_share_and_infinities_make_no_nan():
    inf = np.inf
    x, y = [0.0, -inf, inf, 1.0, -inf, inf], [0.0, -inf, inf, -inf, 1.0, 1.0]
    expected = [[0.5, 0.5, 0.5, 1.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.0, 1.0, 0.0]]
    assert gradients(gg.logaddexp, x, y) == expected
    assert gradients(gg.logaddexp2, x, y) == expected


@pytest.mark.parametrize("function", [gg.logaddexp, gg.logaddexp2])
def test_logaddexp_is_right_to_second_order_at_a_tie(function):
    x, y = gg.input("x", (3,), "float64"), gg.input("y", (3,), "float64")
    check_grads(function(x, y), values={"x": np.array([0.0, 1.0, -2.0]), "y": np.array([0.0, 1.0, 2.0])})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logaddexp_does_not_overflow(dtype):
    x = np.array([800.0, -800.0, 800.0, 0.0], dtype)
    y = np.array([800.0, -800.0, -800.0, 1e-8], dtype)
    assert_like_numpy(lambda xp, x, y: xp.logaddexp(x, y), x, y)
    (by_x, by_y) = gradients(gg.logaddexp, x, y, dtype=dtype)
    assert by_x == pytest.approx([0.5, 0.5, 1.0, 0.5])
    assert by_y == pytest.approx([0.5, 0.5, 0.0, 0.5])


def test_sinc_is_right_to_second_order_at_and_near_zero():
    x = gg.input("x", (7,), "float64")
    check_grads(gg.sinc(x), values={"x": np.array([0.0, 1e-9, -1e-4, 0.06, 0.07, 1.0, -2.5])})
    third = gg.grad(gg.sum(gg.grad(gg.sum(gg.sinc(x)), x)), x)
    from graphgrad.interpret import interpret

    assert interpret([third], {x: np.zeros(7)})[0] == pytest.approx(np.full(7, -(np.pi**2) / 3), rel=1e-14)


def test_gradients_at_the_origin_are_zero_where_a_direction_is_missing():
    assert gradients(gg.hypot, [0.0, 3.0], [0.0, 4.0]) == [[0.0, 0.6], [0.0, 0.8]]
    assert gradients(gg.copysign, [0.0, 2.0, -2.0], [-1.0, -1.0, -0.0]) == [[0.0, -1.0, 1.0], [0.0, 0.0, 0.0]]
    assert gradients(gg.fabs, [0.0, -2.0]) == [[0.0, -1.0]]
    assert gradients(gg.heaviside, [0.0, 2.0], [0.5, 0.5]) == [[0.0, 0.0], [1.0, 0.0]]


def test_nan_to_num_gives_no_gradient_where_it_replaced_even_a_division_by_zero():
    assert gradients(gg.nan_to_num, [np.nan, np.inf, -np.inf, 1.0]) == [[0.0, 0.0, 0.0, 1.0]]
    assert gradients(lambda x: gg.nan_to_num(x / x), [0.0, 2.0])[0] == [0.0, 0.0]
    assert gradients(lambda x: gg.nan_to_num(1 / x, posinf=0.0), [0.0, 2.0])[0] == [0.0, -0.25]


@pytest.mark.parametrize(
    "branch",
    [
        gg.log1p, gg.log2, gg.log10, gg.arcsin, gg.arccos, gg.arctanh, gg.cbrt, gg.reciprocal,
        lambda x: gg.arccosh(x + 1), lambda x: gg.arctan2(x, x), lambda x: x % x, lambda x: gg.exp2(1e4 * (1 - x)),
        lambda x: gg.sinh(2000 * (1 - x)), lambda x: gg.expm1(2000 * (1 - x)),
    ],
)  # fmt: skip
def test_singular_branch_that_is_not_taken_makes_no_nan(branch):
    found = gradients(lambda x: gg.where(x > 0, branch(x), 0), [0.0, -1.0, 0.5])[0]
    assert found[:2] == [0.0, 0.0]
    assert not np.isnan(found[2])


def test_integers_and_booleans_stop_gradients():
    x = gg.input("x", (3,), "float64")
    for stopped in (gg.isnan(x), gg.signbit(x), (x > 0) & (x < 1), ~(x > 0), gg.logical_or(x, 0)):
        assert gradients(lambda y, stopped=stopped: y * gg.where(gg.isnan(y), 0, 1), [1.0, 2.0]) == [
            [1.0, 1.0]
        ]
        with pytest.raises(gg.DTypeError):
            gg.grad(stopped, x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_scalar_is_written_as_what_it_is_whatever_its_dtype_can_hold(dtype):
    info = np.finfo(dtype)
    x = gg.input("x", (2,), dtype)
    for value in (
        info.max,
        -info.max,
        info.tiny,
        np.array(2049, dtype),
        np.array(-0.0, dtype),
        np.array(1 / 3, dtype),
    ):
        model = gg.compile(gg.maximum(x, gg.const(value, dtype)), level="plain")
        np.testing.assert_array_equal(model(np.full(2, -np.inf, dtype)), np.full(2, value, dtype))
