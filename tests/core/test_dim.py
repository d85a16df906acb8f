"""Sizes that may be symbolic: they add up like the numbers they stand for."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.dim import (
    Dim,
    as_size,
    at_least,
    evaluate,
    floor_divide,
    maximum,
    minimum,
    spell,
    symbols,
)

NAMES = ("a", "batch", "n1")
sizes = st.recursive(
    st.one_of(st.integers(0, 6), st.sampled_from(NAMES).map(as_size)),
    lambda inner: st.tuples(st.sampled_from("+-*/mM"), inner, inner).map(lambda t: combine(*t)),
    max_leaves=6,
)
numbers = st.fixed_dictionaries({name: st.integers(1, 9) for name in NAMES})


def combine(sign, left, right):
    match sign:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "m":
            return minimum(left, right)
        case "M":
            return maximum(left, right)
    return floor_divide(left, right) if right != 0 else left


def worth(size, given_numbers):
    """The number, or None where a divisor happens to be 0."""
    try:
        return evaluate(size, given_numbers)
    except ZeroDivisionError:
        return None


@given(sizes, sizes, sizes, numbers)
def test_arithmetic_evaluates_to_that_of_the_numbers(x, y, z, at):
    a, b, c = worth(x, at), worth(y, at), worth(z, at)
    if a is None or b is None or c is None:
        return
    assert evaluate(x + y, at) == a + b
    assert evaluate(x - y, at) == a - b
    assert evaluate(x * y + z, at) == a * b + c
    assert evaluate(minimum(x, y), at) == min(a, b)
    assert evaluate(maximum(x, y), at) == max(a, b)
    if b and not (isinstance(y, int) and y == 0):
        assert evaluate(floor_divide(x, y), at) == a // b


@given(sizes, sizes, sizes)
def test_equal_polynomials_are_equal_and_hash_alike(x, y, z):
    for left, right in [
        (x + y, y + x),
        (x * y, y * x),
        ((x + y) + z, x + (y + z)),
        (x * (y + z), x * y + x * z),
        (x - x, 0),
        (x + y - y, x),
        (0 * x, 0),
        (1 * x, x),
        (2 * x, x + x),
    ]:
        assert left == right
        assert hash(left) == hash(right)
        assert str(left) == str(right)


@given(sizes)
def test_text_reads_back_as_the_same_size(x):
    if isinstance(x, Dim):
        again = as_size(str(x))
        assert again == x
        assert hash(again) == hash(x)


@given(sizes, numbers)
def test_source_evaluates_to_the_size(x, at):
    expected = worth(x, at)
    if expected is not None:
        assert (
            eval(spell(x, lambda name: f"size_{name}"), {f"size_{n}": v for n, v in at.items()}) == expected
        )


@given(sizes, sizes, numbers)
def test_at_least_is_never_wrong(x, y, at):
    a, b = worth(x, at), worth(y, at)
    if at_least(x, y) and a is not None and b is not None:
        assert a >= b


def test_size_equals_its_text_and_hashes_like_it():
    batch = as_size("batch")
    assert batch == "batch"
    assert hash(batch) == hash("batch")
    assert {"batch": 1}[batch] == 1
    assert batch + 1 == "batch + 1"
    assert batch != "other"
    assert batch != 3


def test_constant_results_are_plain_ints():
    batch = as_size("batch")
    for value in (batch - batch, batch // batch, (batch * 6) // (batch * 2), 0 * batch):
        assert type(value) is int


def test_reflected_operators_take_ints():
    batch = as_size("batch")
    at = {"batch": 5}
    assert [evaluate(size, at) for size in (1 + batch, 7 - batch, 3 * batch, 12 // batch, -batch)] == [
        6,
        2,
        15,
        2,
        -5,
    ]


def test_exact_division_is_written_out():
    batch = as_size("batch")
    assert (batch * 6) // 3 == batch * 2
    assert (batch * 50) // batch == 50
    assert (batch * batch) // batch == batch
    assert (6 * batch - 6) // (batch - 1) == 6
    assert (batch * batch - 1) // (batch + 1) == batch - 1
    assert str((batch * batch + 1) // (batch + 1)) == "(batch*batch + 1) // (batch + 1)"
    assert str((batch + 1) // 2) == "(batch + 1) // 2"


def test_division_rounds_down_as_python_does():
    batch = as_size("batch")
    for size in ((batch - 4) // 3, (1 - batch) // 2, 7 // batch):
        for number in range(1, 9):
            assert evaluate(size, {"batch": number}) == eval(str(size), {"batch": number})


def test_minus_before_a_division_keeps_its_brackets():
    size = -(as_size("batch") // 2)
    assert str(size) == "-(batch // 2)"
    assert eval(spell(size, str), {"batch": 3}) == -1
    assert as_size(str(size)) == size


def test_division_by_zero_is_a_shape_error():
    with pytest.raises(gg.ShapeError, match="divided by zero"):
        as_size("batch") // 0


def test_minimum_decides_what_can_be_decided():
    batch = as_size("batch")
    assert minimum(batch, batch + 1) == batch
    assert minimum(0, batch) == 0
    assert minimum(batch, 4) == minimum(4, batch)
    assert evaluate(minimum(batch, 4), {"batch": 3}) == 3


def test_maximum_decides_what_can_be_decided():
    batch = as_size("batch")
    assert maximum(batch, batch + 1) == batch + 1
    assert maximum(0, batch) == batch
    either = maximum(2 * batch, batch + 9)
    assert maximum(either, batch + 1) == maximum(batch, either) == either
    assert maximum(minimum(2 * batch, 9), 9) == 9
    assert str(either) == "max(2*batch, batch + 9)" and as_size(str(either)) == either
    assert [evaluate(either, {"batch": batch}) for batch in (1, 9, 10)] == [10, 18, 20]


@pytest.mark.parametrize("use", [int, bool, range, float], ids=lambda use: use.__name__)
def test_size_is_no_number_before_the_model_runs(use):
    with pytest.raises((gg.NodeUseError, TypeError)):
        use(as_size("batch"))


def test_symbols_are_found_inside_divisions():
    assert symbols(as_size("b") * 2 + floor_divide(as_size("a") + 1, 2)) == ("a", "b")
    assert symbols(3) == ()


def test_any_text_may_be_a_name():
    odd = as_size("batch size!")
    assert odd == "batch size!"
    assert as_size(str(odd)) == odd
    assert evaluate(odd * 2, {"batch size!": 4}) == 8
    assert as_size(str(odd * 2)) == odd * 2


def test_text_of_arithmetic_is_arithmetic():
    assert as_size("2*batch + 1") == as_size("batch") * 2 + 1
    assert as_size("batch-1") == as_size("batch") - 1


@pytest.mark.parametrize("value", [-1, np.int64(-3)])
def test_negative_size_is_a_shape_error(value):
    with pytest.raises(gg.ShapeError, match="negative"):
        as_size(value)


@pytest.mark.parametrize("value", [1.0, True, None, np.True_, [3]])
def test_size_of_another_kind_is_an_argument_error(value):
    with pytest.raises(gg.ArgumentError, match="a size is an int or a name"):
        as_size(value)


def test_name_with_control_characters_is_refused():
    for name in ("", "a\nb", "a\x00"):
        with pytest.raises(gg.InvalidNameError):
            as_size(name)


@given(sizes)
def test_size_pickles(x):
    assert pickle.loads(pickle.dumps(x)) == x


def test_size_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot be changed"):
        as_size("batch").text = "other"
