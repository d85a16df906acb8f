"""Every op in tiles along each of its axes: slices of columns, whose rows do not lie one after the other, too."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.dim import symbols
from graphgrad.core.op import registry
from graphgrad.interpret import interpret
from graphgrad.plan import loops
from graphgrad.testing import assert_same
from tests.ops import checks

REGISTRY = registry()
OPS = [name for name, (op, _) in REGISTRY.items() if op.operands != () and not op.view]


KINDS = (
    "add",
    "where",
    "matmul",
    "add_at",
    "concatenate",
    "repeat",
    "sum",
    "sort",
    "cumsum",
    "gather",
    "update",
)


def cases(name):
    """Samples of an op, with each size of theirs in turn as a named one, where that is an axis of the result but the
    first."""
    op, build = REGISTRY[name]
    for sample in op.samples(np.random.default_rng(0)):
        for size in sorted({size for array in sample.arrays for size in array.shape if size > 1}):
            shapes = [tuple("n" if own == size else own for own in array.shape) for array in sample.arrays]
            try:
                made = checks.make(build, sample, shapes=shapes)
            except (gg.GraphgradError, TypeError):
                continue  # its attributes are of that size
            if any(symbols(axis) for axis in made.node.shape[1:]):
                yield made


def columns(model):
    """The names of the ops that write slices of columns."""
    return {
        node.op.name
        for planned in model.plan.main.loops
        for node, cut in planned.loop.cuts.items()
        if cut.axis > 0
    }


@pytest.fixture
def two_rows(monkeypatch):
    monkeypatch.setattr(loops, "rows_for", lambda *sizes: 2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", OPS)
@pytest.mark.slow
def test_tiles_along_any_axis_are_written_where_they_belong(name, two_rows):
    for made in cases(name):
        model = gg.compile([made.node, gg.cast(made.node, "float64") * 3 + 1], inputs=list(made.leaves))
        (expected,) = interpret([made.node], dict(zip(made.leaves, made.arrays, strict=True)))
        for _ in range(2):
            found, _ = model(*made.arrays)
            assert_same(
                np.asarray(found), expected, 1e-12, 1e-13, f"{name} of {[*map(np.shape, made.arrays)]}"
            )


@pytest.mark.slow
def test_columns_are_written_by_ops_of_every_kind(two_rows):
    """Or the test above would be about rows alone."""
    seen = set()
    for name in KINDS:
        for made in cases(name):
            model = gg.compile([made.node, gg.cast(made.node, "float64") * 3 + 1], inputs=list(made.leaves))
            seen |= columns(model)
    assert seen.issuperset(KINDS)


@pytest.mark.parametrize(
    ("shape", "build"),
    [
        ((5, "n"), lambda x: x[np.array([0, 2, 2])]),
        ((2, 5, "n"), lambda x: x[:, np.array([0, 2, 2])]),
        (("n", 5), lambda x: x.T[np.array([0, 2, 2])]),
        ((5, "n"), lambda x: gg.segment_sum(x, np.array([0, 1, 1, 0, 2]), 3)),
        ((5, "n"), lambda x: gg.at(x, np.array([1, 1, 3])).multiply(x[:3])),
    ],
)
def test_gradients_that_are_added_up_in_columns(shape, build, two_rows):
    """Where an index repeats, elements are added up in an array in C order; a slice of columns is none."""
    x = gg.input("x", shape, "float64")
    array = np.random.default_rng(0).normal(size=[7 if size == "n" else size for size in shape])
    loss = gg.sum(gg.tanh(build(x)) ** 2)
    tiled = gg.compile(loss, wrt=[x])
    expected = interpret([loss, gg.grad(loss, x)], {x: array})
    value, gradients = tiled(array)
    assert_same(np.asarray(value), expected[0], 1e-12, 1e-13, "value")
    assert_same(gradients["x"], expected[1], 1e-12, 1e-13, "gradient")
    assert tiled.plan.main.loops
