"""Every op of the registry, by the checks that hold for all of them."""

import inspect

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.form import Form
from graphgrad.core.op import NotDifferentiable, registry
from tests.ops import checks

# Every op by every operand, and some have no gradient.

REGISTRY = registry()
TESTED = [name for name, (op, _) in REGISTRY.items() if not op.is_leaf and op.operands != ()]
SAMPLED = [name for name in TESTED if name != "result"]  # a projection has no function of its own

every_op = pytest.mark.parametrize("name", TESTED)
every_sampled_op = pytest.mark.parametrize("name", SAMPLED)


def samples(name):
    op, _ = REGISTRY[name]
    return list(op.samples(np.random.default_rng(0)))


def run(check, name, *args):
    op, build = REGISTRY[name]
    return [check(op, build, sample, *args) for sample in samples(name)]


@pytest.mark.slow
@every_sampled_op
def test_value_is_that_of_another_implementation(name):
    if not all(run(checks.check_value, name)):
        pytest.skip("no other implementation")


@every_sampled_op
def test_spec_is_that_of_the_value(name):
    run(checks.check_spec, name)


@every_sampled_op
def test_source_computes_the_reference(name):
    run(checks.check_source, name)


@every_sampled_op
def test_layout_of_inputs_does_not_matter(name):
    run(checks.check_layouts, name)


@every_sampled_op
def test_axes_do_what_their_roles_say(name):
    run(checks.check_axes, name)


@every_sampled_op
def test_derivatives_are_the_numeric_ones(name):
    run(checks.check_derivatives, name)


@every_sampled_op
def test_float32_stays_float32(name):
    run(checks.check_precision, name)


@every_sampled_op
def test_symbolic_sizes_give_what_fixed_ones_give(name):
    assert sum(run(checks.check_symbolic, name)), "no sample works with a named size"


@pytest.mark.skipif(not hasattr(gg, "compile"), reason="there is no emission")
@pytest.mark.parametrize("level", [pytest.param("plain", marks=pytest.mark.slow), "default"])
@every_sampled_op
def test_emitted_code_agrees_with_the_interpreter(name, level):
    run(checks.check_emitted, name, level)


@every_sampled_op
def test_samples_cover_empty_arrays_and_scalars_where_they_are_legal(name):
    shapes = [array.shape for sample in samples(name) for array in sample.arrays]
    assert shapes
    if REGISTRY[name][0].elementwise and name not in ("stop_gradient",):
        assert () in shapes
        assert any(0 in shape for shape in shapes)


@every_sampled_op
def test_layout_of_arguments_does_not_matter_to_emitted_code(name):
    run(checks.check_emitted_layouts, name)


@every_sampled_op
def test_samples_cover_what_may_go_wrong_with_axes(name):
    """Axes counted from the end, axes of size 0, axes that are kept and that are not."""
    parameters = inspect.signature(REGISTRY[name][1]).parameters
    if "axis" not in parameters:
        return
    axes = [sample.kwargs["axis"] for sample in samples(name) if "axis" in sample.kwargs]
    numbers = [number for axis in axes for number in (axis if isinstance(axis, tuple | list) else [axis])]
    assert any(number is not None and number < 0 for number in numbers), "no axis is negative"
    assert any(0 in array.shape for sample in samples(name) for array in sample.arrays), "none is empty"
    if "keepdims" in parameters:
        kept = {sample.kwargs.get("keepdims", False) for sample in samples(name)}
        assert kept == {False, True}


@every_sampled_op
def test_samples_of_pairs_cover_broadcasting_by_size_1_and_by_0_dimensions(name):
    op, _ = REGISTRY[name]
    if not op.elementwise or op.operands is None or len(op.operands) < 2:
        return
    shapes = [[array.shape for array in sample.arrays] for sample in samples(name)]
    assert any(() in row and any(row) for row in shapes), "no scalar meets an array"
    wide = [max(len(shape) for shape in row) for row in shapes]
    assert any(
        1 in shape and any(size > 1 for other in row if len(other) == width for size in other)
        for row, width in zip(shapes, wide, strict=True)
        for shape in row
    ), "no size of 1 is stretched"


FAULTS = [
    pytest.param(name, fault, id=f"{name}-{at}")
    for name in TESTED
    for at, fault in enumerate(REGISTRY[name][0].errors)
]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_fault_is_refused_at_the_users_line(name, fault):
    _, build = REGISTRY[name]
    leaves = [gg.input(f"operand {at}", *spec) for at, spec in enumerate(fault.specs)]
    with pytest.raises(fault.error) as caught:
        build(*([leaves] if fault.packed else leaves), **fault.kwargs)
    message = str(caught.value)
    assert fault.words in message
    assert "test_registry.py:" in message
    assert isinstance(caught.value, gg.GraphgradError)


@every_op
def test_documentation_shows_an_example_and_the_formula(name):
    op, build = REGISTRY[name]
    if name == "result":
        return
    assert ">>> " in op.doc, "no example"
    if not isinstance(op.vjp, NotDifferentiable):
        assert any(word in op.doc for word in ("d/d", "dA = ", "gradient", "adjoint")), "no derivative"
    assert inspect.getdoc(build) == inspect.cleandoc(op.doc)


@every_op
def test_fields_fit_together(name):
    op, build = REGISTRY[name]
    assert op.name == name
    assert build.op is op
    assert op.noun.isidentifier()
    assert not op.noun[0].isupper()
    parameters = set(inspect.signature(build).parameters)
    assert op.operands is None or set(op.operands) <= parameters
    if not isinstance(op.vjp, NotDifferentiable):
        assert op.rule, "no chain-rule term to show"
    for text in op.rule.values():
        assert text.strip()
        assert "\n" not in text


@every_sampled_op
def test_cost_is_a_size_and_the_source_an_expression_or_statements(name):
    op, build = REGISTRY[name]
    for sample in samples(name):
        node = checks.make(build, sample).node
        if node.op is not op:
            continue
        cost = op.cost(tuple(part.spec for part in node.inputs), node.spec)
        assert isinstance(cost, int)
        assert cost >= 0
        form = op.numpy(checks._Plain(), [Form(f"a{at}") for at in range(len(node.inputs))], node)
        assert isinstance(form, Form) == op.is_expression


def test_registry_holds_no_op_twice_and_functions_keep_their_names():
    assert len({op.name for op, _ in REGISTRY.values()}) == len(REGISTRY)
    for name, (_, build) in REGISTRY.items():
        assert build.__name__ == name


def test_products_with_one_number_keep_nan_beside_zero():
    """``np.dot([[0.]], [[inf]])`` is 0."""
    x, y = gg.input("x", ("n", "m"), "float64"), gg.input("y", ("m", "k"), "float64")
    model = gg.compile(gg.sum(gg.tanh(x @ y)))
    with np.errstate(invalid="ignore"):
        assert np.isnan(model(np.zeros((1, 1)), np.array([[np.inf, 1.0]])))
