"""Every op that can write into a buffer, in the middle of a model where it has to.

Each sample is compiled three times: on arguments, which come in every memory layout; on values that nobody reads
afterwards, so that the result may take their place; and on values that are read once more, so that it may not.
"""

from dataclasses import dataclass

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.node import Node
from graphgrad.core.op import registry
from graphgrad.interpret import interpret
from graphgrad.ops.scan import recurrence
from graphgrad.plan import buffers
from graphgrad.testing import assert_same
from tests.ops import checks

REGISTRY = registry()
PLACED = [
    name for name, (op, _) in REGISTRY.items() if op.into is not None and not op.view and op.operands != ()
]
# What NumPy always makes a new array for, or what is too rare to be worth it.
ANEW = {
    "is_last", "eye", "arange", "linspace", "order_statistic", "argsort", "argpartition", "searchsorted", "sinc",
    "sigmoid", "sigmoid_cross_entropy",  # which are other ops by then: see rewrite/rules/decay.py
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_array_is_too_small(monkeypatch):
    monkeypatch.setattr(buffers, "SMALL", -1)


def flat(node):
    return gg.reshape(node, -1)


def twice(node):
    """A copy of all elements, which reads the node and changes nothing: what makes it a value on the way."""
    return gg.concatenate([flat(node), flat(node)])


@dataclass
class Model:
    """A sample's op in the middle of a model."""

    node: Node
    output: Node
    leaves: list[Node]
    arrays: list[np.ndarray]


def on_arguments(build, sample, shapes=None, **renamed):
    made = checks.make(build, sample, shapes=shapes, **renamed)
    return Model(made.node, twice(made.node), list(made.leaves), list(made.arrays))


def on_values(build, sample, again):
    """On choices between arguments, so that they lie in buffers; read `again` after the op, or not."""
    leaves, arrays, operands = [], [], []
    for at, array in enumerate(sample.arrays):
        spec = array.shape, array.dtype
        leaf, other, pick = (
            gg.input(f"x{at}", *spec),
            gg.input(f"other{at}", *spec),
            gg.input(f"pick{at}", spec[0], "bool"),
        )
        leaves += [leaf, other, pick]
        arrays += [array, np.zeros_like(array), np.ones(array.shape, bool)]
        operands.append(gg.where(pick, leaf, other))
    node = build(*([operands] if sample.packed else operands), **sample.kwargs)
    output = twice(node)
    if again:
        output = gg.concatenate([flat(node), *(flat(part) for part in operands if part.dtype == node.dtype)])
    return Model(node, output, leaves, arrays)


def spoil(model):
    """Whatever the last call left in the buffers is no longer there."""
    pool = model._namespace.get("_pool")
    kept = [one for several in pool.free.values() for one in several] if pool is not None else []
    for work in (one.work if type(one).__name__ == "_Held" else one for one in kept):
        for array in vars(work).values() if work is not None else ():
            if array.dtype == np.bool_:
                array[...] = True
            else:
                array.reshape(-1).view(np.uint8)[...] = 0xFF  # nan, or -1


def run(model, layouts=(np.array,)):
    """Compile it, compare two calls on different data with the interpreter, and say what was placed."""
    compiled = gg.compile(model.output, inputs=model.leaves)
    for turn in (np.array, np.flip):
        arrays = [turn(array) for array in model.arrays]
        (expected,) = interpret([model.output], dict(zip(model.leaves, arrays, strict=True)))
        for layout in layouts:
            spoil(compiled)
            given = {leaf.name: layout(array) for leaf, array in zip(model.leaves, arrays, strict=True)}
            found = compiled(**given)
            what = f"{model.node.op.name} in a buffer, arguments {layout.__name__}"
            assert_same(np.asarray(found), expected, rtol=1e-12, atol=1e-13, what=what)
    placement = compiled.plan.main.placement
    op = model.node.op
    return (
        any(node.op is op for node in placement.buffers),
        any(node.op is op for node in placement.over),
    )


def samples(name):
    op, build = REGISTRY[name]
    return op, build, list(op.samples(np.random.default_rng(0)))


@pytest.mark.parametrize("name", PLACED)
def test_into_a_buffer_from_arguments_of_any_layout(name):
    _, build, several = samples(name)
    layouts = (np.array, checks._fortran, checks._strided, checks._reversed)
    placed = [run(on_arguments(build, sample), layouts)[0] for sample in several]
    assert any(placed), f"{name} never got a buffer"


@pytest.mark.parametrize("name", PLACED)
@pytest.mark.slow
def test_into_a_buffer_of_symbolic_sizes(name):
    """Every size that the statement spells out is at hand, also one that only an operand has."""
    _, build, several = samples(name)
    for sample in several:
        for shapes, renamed in checks._named_variants(sample):
            try:
                model = on_arguments(build, sample, shapes, **renamed)
            except gg.GraphgradError:
                continue  # of these sizes there is no such node
            run(model)


@pytest.mark.parametrize("name", PLACED)
def test_over_an_operand_that_nobody_reads_again(name):
    op, build, several = samples(name)
    models = [on_values(build, sample, again=False) for sample in several]
    over = [run(model)[1] for model in models]
    fitting = [
        index < len(model.node.inputs) and model.node.inputs[index].spec == model.node.spec
        for model in models
        for index in op.overwrites
        if model.node.op is op and model.node.shape and len(model.node.specs) == 1
    ]
    assert any(over) == any(fitting), f"{name} took the place of an operand: {over}"


@pytest.mark.parametrize("name", PLACED)
def test_never_over_an_operand_that_is_read_again(name):
    _, build, several = samples(name)
    placed = [run(on_values(build, sample, again=True))[0] for sample in several]
    assert any(placed)


def test_an_operand_that_is_also_read_elsewhere_in_the_statement_is_not_overwritten():
    """``y[k] = a[k] * y[k - 1] + b[k]`` may take the place of a, but not if a is b."""
    x = gg.input("x", ("n",))
    for same in (True, False):
        a = x * 2
        model = gg.compile(twice(recurrence(a, a if same else x, 0)), inputs=[x])
        assert bool(model.plan.main.placement.over) != same
        assert_same(model(x=np.float32([1, 2, 3])), np.float32(([2, 12, 78] if same else [1, 6, 39]) * 2))


@pytest.mark.parametrize("wrong", [5, -6, 2**40, -(2**59)])
@pytest.mark.parametrize(
    "build",
    [
        lambda x, i: x[i],
        lambda x, i: x[:, i],
        lambda x, i: x[i, i],
        lambda x, i: gg.take_along_axis(x, i[:, None], 1),
        lambda x, i: gg.take_along_axis(x, i[:, None], 0),
        lambda x, i: gg.take_along_axis(x, i[:, None], 1)[:, 0],
        lambda x, i: gg.put_along_axis(x, i[:, None], 1.0, 1),
        lambda x, i: gg.at(x, i).set(1.0),
        lambda x, i: gg.at(x, i).add(1.0),
        lambda x, i: gg.nn.one_hot(i, 5),
    ],
)
def test_number_out_of_range_is_an_index_error_in_a_buffer_too(build, wrong):
    """And the call after it computes as if nothing had been."""
    x, i = gg.input("x", ("n", 5)), gg.input("i", ("n",), "int64")
    node = twice(build(x, i))
    model = gg.compile(node, inputs=[x, i])
    assert model.plan.main.placement.buffers
    rows, good = np.arange(25, dtype=np.float32).reshape(5, 5), np.array([0, 4, -5, 2, -1])
    expected = model(x=rows, i=good)
    for at in (0, 4):
        numbers = good.copy()
        numbers[at] = wrong
        with pytest.raises(IndexError, match="out of bounds"):
            model(x=rows, i=numbers)
        assert_same(model(x=rows, i=good), expected)


def test_ops_that_make_a_new_array_each_time_are_known():
    without = {
        name for name, (op, _) in REGISTRY.items() if op.into is None and not op.is_leaf and not op.view
    }
    assert without - {"const", "run_time_size"} == ANEW
