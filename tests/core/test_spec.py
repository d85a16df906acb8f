"""Shapes, dtypes and broadcasting."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import graphgrad as gg
from graphgrad.core.dim import as_size
from graphgrad.core.spec import Spec, as_dtype, as_shape, broadcast


@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=4, min_side=0))
def test_broadcasting_is_numpys(shapes):
    assert broadcast(shapes.input_shapes) == shapes.result_shape


@pytest.mark.parametrize(
    ("x", "y"), [((2,), (3,)), ((2, 1), (3, 4)), ((0,), (2,)), (("n",), ("m",)), (("n",), (3,))]
)
def test_sizes_that_differ_do_not_broadcast(x, y):
    with pytest.raises(gg.ShapeError, match="do not broadcast"):
        broadcast([as_shape(x), as_shape(y)])


def test_symbolic_size_broadcasts_with_itself_and_with_one():
    n = as_size("n")
    assert broadcast([(n, 3), (1, 1), (3,)]) == (n, 3)
    assert broadcast([(1,), (n,)]) == (n,)


def test_shape_is_read_from_what_users_write():
    assert as_shape(3) == (3,)
    assert as_shape("batch") == ("batch",)
    assert as_shape([np.int64(2), "n"]) == (2, "n")
    assert as_shape(()) == ()
    with pytest.raises(gg.ArgumentError):
        as_shape(2.5)
    with pytest.raises(gg.ArgumentError):
        as_shape(None)


@pytest.mark.parametrize(
    "dtype", ["complex64", "object", "U3", "M8[s]", None, "nothing", ">f8", "longdouble"]
)
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(gg.DTypeError):
        as_dtype(dtype)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", np.float32, float, int])
def test_bools_integers_and_floats_are_dtypes(dtype):
    assert as_dtype(dtype) == np.dtype(dtype)


def test_spec_counts_elements_and_bytes():
    spec = Spec(as_shape(("batch", 3)), np.dtype("float32"))
    assert (spec.ndim, spec.size, spec.nbytes) == (2, as_size("batch") * 3, as_size("batch") * 12)
    assert str(spec) == "float32 (batch, 3)"
    assert str(Spec((2,), np.dtype(bool))) == "bool (2,)"


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "int4"])
def test_dtypes_of_other_packages_are_refused(name):
    """Some of them call themselves floats; NumPy's functions do not know them."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with pytest.raises(gg.DTypeError, match=f"{name} is not supported"):
        gg.input("x", (2,), getattr(ml_dtypes, name))


def test_a_pickled_dtype_is_that_dtype():
    """NumPy does not count it among its own, though it is equal."""
    pickled = pickle.loads(pickle.dumps(np.dtype("float32")))
    assert as_dtype(pickled) == np.dtype("float32")
