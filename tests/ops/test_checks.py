"""The checks of the registry find what is wrong: each is given an op with one planted fault."""

import dataclasses

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.op import REDUCED, Op, Sample, registry
from graphgrad.core.spec import Spec
from tests.ops import checks

SQUARE = Sample((np.array([[0.5, -1.5], [2.0, 0.25]]),))
PAIR = Sample((np.array([[0.5, -1.5], [2.0, 0.25]]), np.array([1.25, -0.75])))


def planted(name, **fields):
    """The op with other fields, in no registry, and a function that builds its nodes."""
    op = dataclasses.replace(registry()[name][0], **fields)
    return op, lambda *operands: op(*op.promote(operands))


def assert_found(check, planted_op, sample, words=None):
    op, build = planted_op
    with pytest.raises(AssertionError, match=words):
        check(op, build, sample)


@pytest.mark.parametrize("name", ["square", "tanh", "multiply"])
def test_checks_pass_what_is_right(name):
    op, build = planted(name)
    sample = SQUARE if op.operands == ("x",) else PAIR
    for check in (checks.check_spec, checks.check_axes, checks.check_derivatives, checks.check_precision):
        check(op, build, sample)


def test_wrong_vjp_is_found_when_only_the_fourth_digit_is_off():
    op = planted("square", vjp={"x": lambda g, y, x: g * 2.0002 * x}, jvp={"x": lambda t, y, x: t * 2 * x})
    assert_found(checks.check_derivatives, op, SQUARE, "by x0: float64.* off by .*reverse mode")


def test_wrong_vjp_of_one_operand_is_found():
    vjp = {"x": lambda g, z, x, y: g * y, "y": lambda g, z, x, y: g * x * 1.0001}
    op = planted("multiply", vjp=vjp, jvp="multilinear")
    assert_found(checks.check_derivatives, op, PAIR, "by x1: .*reverse mode")


def test_wrong_jvp_is_found():
    op = planted("square", jvp={"x": lambda t, y, x: t * 1.9999 * x})
    assert_found(checks.check_derivatives, op, SQUARE, "forward mode")


def test_vjp_that_is_right_once_but_not_twice_is_found():
    def frozen(g, y, x):
        return gg.stop_gradient(2 * x) * g

    op = planted("square", vjp={"x": frozen}, jvp={"x": frozen})
    assert_found(checks.check_derivatives, op, SQUARE, "second order, ")


def test_vjp_that_forgets_an_input_is_found():
    op = planted("multiply", vjp={"x": lambda g, z, x, y: g * y, "y": lambda g, z, x, y: None})
    assert_found(checks.check_derivatives, op, PAIR, "by x1")


def test_vjp_of_the_wrong_dtype_is_found():
    op = planted("square", vjp={"x": lambda g, y, x: g * np.float64(2) * x})
    assert_found(checks.check_precision, op, SQUARE, "VJP of square gives float64")


def test_computation_that_is_too_wide_is_found():
    def wide(g, y, x):
        return gg.cast(gg.cast(g, "float64") * 2.0 * gg.cast(x, "float64"), x.dtype)

    op = planted("square", vjp={"x": wide}, jvp={"x": wide})
    assert_found(checks.check_precision, op, SQUARE, "computes in float64")


def test_vjp_of_the_wrong_shape_is_found():
    op = planted("sum", vjp={"x": lambda g, y, x, axes, keepdims: gg.expand_dims(g, (0, 1, 2))})
    build = lambda x: op[0](x, axes=(0, 1), keepdims=False)  # noqa: E731
    assert_found(checks.check_derivatives, (op[0], build), SQUARE, "VJP of sum gives")


@pytest.mark.parametrize(
    "roles",
    [
        ((REDUCED, 1), (1,)),
        ((1, 0), (1,)),
        ((0, 1), (0,)),
        ((0,), (1,)),
    ],
    ids=["reduced", "swapped", "misaligned", "missing"],
)
def test_wrong_axes_are_found(roles):
    op = planted("multiply", axes=lambda x, y: roles)
    assert_found(checks.check_axes, op, PAIR)


def test_axis_that_needs_the_whole_but_is_called_mapped_is_found():
    def cumulated(x):
        return np.cumsum(x, axis=0)

    op = planted("square", reference=cumulated)
    assert_found(checks.check_axes, op, SQUARE, "axis 0 of the result")


def test_axis_whose_order_matters_but_is_called_reduced_is_found():
    op, _ = planted("sum", reference=lambda x, *, axes, keepdims: x.take(0, axes[0]))
    build = lambda x: op(x, axes=(0,), keepdims=False)  # noqa: E731
    assert_found(checks.check_axes, (op, build), SQUARE, "reduced axis 0 reversed")


def test_wrong_shape_is_found():
    op = planted("square", infer=lambda x: Spec((*x.shape, 1), x.dtype))
    assert_found(checks.check_spec, op, SQUARE, "inferred float64")


def test_wrong_dtype_is_found():
    op = planted("square", reference=lambda x: np.square(x).astype(np.float64))
    assert_found(checks.check_spec, op, SQUARE, "inferred float32")


def test_wrong_value_is_found():
    op = planted("square", reference=lambda x: x * x * (1 + 1e-10))
    assert_found(checks.check_value, op, SQUARE, "differs in 4 of 4 elements")


def test_wrong_source_is_found():
    op = planted("exp", numpy=lambda speller, parts, node: parts[0])
    assert_found(checks.check_source, op, SQUARE, "exp emitted in float64")


def test_planted_ops_are_not_registered():
    op, _ = planted("square")
    assert isinstance(op, Op)
    assert registry()["square"][0] is not op
