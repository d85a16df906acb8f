"""The models of tests/models, compiled at every level, against torch in float64."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.testing import assert_same
from tests.models import MODELS

TOLERANCE = {"float32": 1e-4, "float64": 1e-11}


@cache
def differentiable(name):
    """The model's loss and all leaves that it has a gradient by: parameters, and inputs besides."""
    loss, _ = MODELS[name].build()
    return loss, [leaf for leaf in gg.Graph((), (loss,)).leaves if leaf.dtype.kind == "f"]


@cache
def compiled(name, level):
    loss, wrt = differentiable(name)
    return gg.compile(loss, wrt=wrt, level=level)


@cache
def case(name, seed, sizes):
    """Arrays of those sizes, and what torch makes of them."""
    arrays = MODELS[name].arguments(np.random.default_rng(seed), **dict(sizes))
    return arrays, MODELS[name].expected(arrays, [leaf.name for leaf in differentiable(name)[1]])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NumPy's, of the branch that is not taken
@pytest.mark.parametrize("level", ["plain", "default", "fast"])
@pytest.mark.parametrize("name", MODELS)
def test_values_and_gradients_are_what_torch_gives(name, level):
    model, loss = compiled(name, level), differentiable(name)[0]
    sizes = MODELS[name].sizes
    tolerance = TOLERANCE[str(loss.dtype)]
    for seed, at in enumerate(
        [dict.fromkeys(sizes, 1), sizes, {key: 3 * size + 1 for key, size in sizes.items()}]
    ):
        arrays, (value, gradients) = case(name, seed, tuple(at.items()))
        found, grads = model(**arrays)
        assert_close(found, value, tolerance, f"the loss for {at}")
        assert set(grads) == set(gradients)
        for key, gradient in gradients.items():
            assert grads[key].dtype == arrays[key].dtype
            assert_close(grads[key], gradient, tolerance, f"the gradient by {key} for {at}")


def assert_close(found, expected, tolerance, what):
    """Within a part of the largest element: where terms cancel, the small ones are rounding of the large."""
    largest = np.max(np.abs(expected), initial=1e-2)
    assert_same(np.asarray(found, np.float64), expected, tolerance, tolerance * largest, what)


@pytest.mark.parametrize("name", MODELS)
def test_arguments_are_the_same_for_the_same_seed_and_fit(name):
    one, other = (MODELS[name].arguments(np.random.default_rng(3)) for _ in range(2))
    assert_same(one, other, rtol=0, atol=0)
    leaves = {leaf.name: leaf for leaf in gg.Graph((), (differentiable(name)[0],)).leaves}
    assert set(one) == set(leaves)
    assert all(one[key].dtype == leaf.dtype and one[key].ndim == leaf.ndim for key, leaf in leaves.items())


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_is_differentiated_by_are_its_parameters(name):
    loss, wrt = MODELS[name].build()
    leaves = gg.Graph((), (loss,)).leaves
    assert loss.shape == ()
    assert set(wrt) == {leaf for leaf in leaves if leaf.op.name == "param"}
    assert MODELS[name].name == name


def test_modules_and_models_are_the_same():
    folder = Path(__file__).parent / "models"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__", "model"} == set(MODELS)
