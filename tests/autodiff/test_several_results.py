"""Ops with several results: users hold projections, the VJP gets a tuple of cotangents."""

from collections.abc import Iterator

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core import op as op_module
from graphgrad.core.form import Form
from graphgrad.core.graph import Graph
from graphgrad.core.op import Sample, apply, defop
from graphgrad.core.text import read_nodes
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret
from graphgrad.ops.projection import results
from graphgrad.testing import check_grads

SEEN: list[tuple[bool, ...]] = []


def _pull_back(g, node, x):
    SEEN.append(tuple(part is not None for part in g))
    sine, cosine = results(node)
    terms = []
    if g[0] is not None:
        terms.append(g[0] * cosine)
    if g[1] is not None:
        terms.append(-g[1] * sine)
    return sum(terms[1:], terms[0])


def _push_forward(t, node, x):
    sine, cosine = results(node)
    return t * cosine, -t * sine


@pytest.fixture
def sincos() -> Iterator:
    def function(x):
        """sin(x) and cos(x)."""
        return apply("sincos", x)

    function.__name__ = "sincos"
    build = defop(
        infer=lambda x: (x, x),
        axes=lambda x: ((0,),),
        reference=lambda x: (np.sin(x), np.cos(x)),
        numpy=lambda speller, parts, node: Form(f"(np.sin({parts[0].text}), np.cos({parts[0].text}))"),
        vjp={"x": _pull_back},
        jvp={"x": _push_forward},
        samples=lambda rng: iter([Sample((rng.normal(size=3),))]),
        errors=(),
        rule={"x": "G1 cos(x) - G2 sin(x)"},
        noun="waves",
    )(function)
    SEEN.clear()
    yield lambda x: results(build(x))
    del op_module._registry["sincos"], op_module._functions["sincos"]


@pytest.fixture
def x():
    return gg.input("x", (3,), "float64")


def test_results_have_specs_and_values_of_their_own(sincos, x):
    sine, cosine = sincos(x)
    assert (sine.shape, cosine.dtype) == ((3,), np.float64)
    assert sine is sincos(x)[0]
    assert sine is not cosine
    assert (sine.flops, sine.inputs[0].flops) == (0, 3)
    at = np.array([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(interpret([sine, cosine], {x: at}), [np.sin(at), np.cos(at)])


def test_node_with_several_results_has_no_single_spec(sincos, x):
    (both,) = sincos(x)[0].inputs
    with pytest.raises(gg.ArgumentError, match="2 results; take one"):
        both.shape
    with pytest.raises(gg.GraphgradError):
        gg.grad(both, x)
    with pytest.raises(gg.GraphgradError):
        both + 1


def test_gradient_gets_none_for_what_is_unused(sincos, x):
    sine, cosine = sincos(x)
    gg.grad(gg.sum(sine), x)
    gg.grad(gg.sum(cosine), x)
    gg.grad(gg.sum(sine * cosine), x)
    assert SEEN == [(True, False), (False, True), (True, True)]


def test_both_modes_are_right_to_second_order(sincos, x):
    sine, cosine = sincos(x)
    for output in (sine, cosine, sine * cosine + cosine, gg.sum(sine) * x):
        check_grads(output)


def test_gradient_by_a_result_is_found(sincos, x):
    sine, cosine = sincos(x)
    d_sine, d_cosine, d_x = gg.grad(gg.sum(sine * cosine), [sine, cosine, x])
    at = np.array([0.3, 1.0, 2.0])
    values = interpret([d_sine, d_cosine, d_x], {x: at})
    np.testing.assert_allclose(values, [np.cos(at), np.sin(at), np.cos(2 * at)])


def test_chain_of_such_ops_is_no_problem(sincos, x):
    node = x
    for _ in range(300):
        sine, cosine = sincos(node)
        node = sine + 0.5 * cosine
    gradient = gg.grad(gg.sum(node), x)
    assert gradient.shape == (3,)
    assert len(SEEN) == 300


def test_graph_with_such_an_op_verifies_and_reads_back(sincos, x):
    sine, cosine = sincos(x)
    graph = Graph((x,), (sine, gg.grad(gg.sum(cosine), x))).verify()
    assert read_nodes(str(graph), [x]) == graph.outputs
    assert len([node for node in toposort([sine, cosine]) if node.op.name == "sincos"]) == 1


def test_what_several_results_need_is_chosen_whatever_a_choice_takes(sincos, x):
    """A guard knows only of the choices; what comes back another way is not to be masked by them."""
    logs = gg.log(x)
    sine, _ = sincos(logs)
    for loss in (gg.sum(gg.where(x > 1, logs, 0) + sine), gg.sum(sine + gg.where(x > 1, logs, 0))):
        at = np.array([0.5, 2.0, 3.0])
        (found,) = interpret([gg.grad(loss, x)], {x: at})
        np.testing.assert_allclose(found, ((at > 1) + np.cos(np.log(at))) / at)
