"""Names, lines, layers and chain-rule terms outlive rewriting, and no model notices that another one was rewritten."""

import pickle

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.graph import Graph
from graphgrad.rewrite.passes import PASSES


@pytest.fixture
def x():
    return gg.input("x", ("n", 3))


def body(model, function="forward"):
    source = model.source.split(f"def {function}(")[1].split("\ndef ")[0]
    return [line.strip() for line in source.splitlines()[2:] if line.strip()]


def test_a_power_keeps_its_name_and_line(x):
    with gg.scope("cubes"):
        cube = x**3
    model = gg.compile(gg.sum(gg.tanh(cube)), wrt=x)
    lines = body(model)
    assert "# cubes" in lines
    assert any(line.startswith("cube = ") and "**" not in line.partition("#")[0] for line in lines)
    commented = next(line for line in lines if "x**3" in line)
    assert "test_provenance.py:" in commented
    line = next(
        at for at, text in enumerate(model.source.splitlines(), 1) if text.strip().startswith("cube =")
    )
    assert "cube = x**3" not in model.explain(line).model_line and "x**3" in model.explain(line).model_line


def test_the_chain_rule_is_told_as_it_was_derived(x):
    cube = x**3
    model = gg.compile(gg.sum(gg.tanh(cube)), wrt=x)
    backward = body(model, "backward")
    assert any("power:" in line and "G y x**(y-1)" in line for line in backward)
    assert any(line.startswith("d_cube = ") for line in backward)
    assert any(line.startswith("d_x = ") for line in backward)


def test_a_name_goes_to_the_node_that_has_the_value(x):
    same = gg.exp(x) * 1
    model = gg.compile(gg.sum(gg.tanh(same)), wrt=[x])
    assert any(line.startswith("same_tile = np.exp(x_tile") for line in body(model))
    kept = gg.exp(x)
    gone = kept * 1
    model = gg.compile(gg.sum(gg.tanh(gone) + kept), wrt=[x])
    assert any(line.startswith(("kept = np.exp(x_tile", "kept_tile = np.exp(x_tile")) for line in body(model))
    assert not any("gone" in line.partition("#")[0] for line in body(model))


def test_a_gradient_by_a_value_that_vanished_has_its_name_and_is_right(x):
    twice = x + x
    gone = twice * 1
    model = gg.compile(gg.sum(gone**2) + gg.sum(twice), wrt=[gone, x])
    xs = np.array([[1.0, 2.0, 3.0]], np.float32)
    value, grads = model(xs)
    assert set(grads) == {"gone", "x"} and value == pytest.approx(4 * 14 + 12)
    assert np.allclose(grads["gone"], 4 * xs) and np.allclose(grads["x"], 8 * xs + 2)
    assert model.verify(x=xs)


def test_a_model_emits_the_same_whether_another_was_rewritten_or_not(x):
    def first():
        return gg.compile(gg.sum(gg.tanh((x * 1) ** 3)), wrt=x, name="first").source

    def second():
        square = gg.square(x)
        return gg.compile(gg.sum(gg.tanh(square * x)), wrt=x, name="second", level="plain").source

    alone = first()
    beside = second()
    assert first() == alone and second() == beside
    cubed = gg.square(x) * x  # what the first one's rules make is written here by hand
    assert cubed.name == "cubed" and "cubed = " not in first() and first() == alone


def test_rewritten_models_pickle_with_their_history(x):
    cube = x**3
    model = gg.compile(gg.sum(gg.tanh(cube * 1)), wrt=[x, cube], trace=True)
    again = pickle.loads(pickle.dumps(model))
    assert again.source == model.source
    history, before = again.graph.rewriting, model.graph.rewriting
    assert [one.rule for one in history.firings] == [one.rule for one in before.firings]
    assert list(map(history.describe, history.firings)) == list(map(before.describe, before.firings))
    assert [name for name, _ in again.stages] == [name for name, _ in model.stages]
    assert str(again.graph.original) == str(model.graph.original)


def test_stages_show_every_pass(x):
    model = gg.compile(gg.sum(gg.tanh(x * 1)), wrt=x, trace=True)
    names = [name for name, _ in model.stages]
    assert names[:2] == ["define", "differentiate"]
    assert names[2 : 2 + len(PASSES)] == [name for name, _ in PASSES]
    stages = dict(model.stages)
    assert stages["prune"] is stages["differentiate"] and stages["simplify"] is not stages["fold"]
    assert model.stages[-1][1] is model.graph
    assert gg.compile(gg.sum(x), level="plain", trace=True).stages[-1][0] == "differentiate"
    assert gg.compile(gg.sum(x * 1)).stages == ()


def test_firings_say_what_where_and_why(x):
    model = gg.compile(gg.sum(gg.tanh(x * 1)), wrt=x)
    (firing,) = [
        one for one in model.graph.rewriting.firings if one.rule == "mul_one" and one.written.notes.site
    ]
    assert firing.safety == "exact" and firing.replacement is x
    told = model.graph.rewriting.describe(firing)
    assert (
        told.startswith("mul_one (exact): multiply became input, at test_provenance.py:") and "x * 1" in told
    )


def test_derived_nodes_stay_derived(x):
    w = gg.param("w", (3,))
    model = gg.compile(gg.mean((-x * -w) ** 3), wrt=[x, w])
    graph: Graph = model.graph
    derived = [node for node in graph.nodes if node in graph.origins]
    assert derived and all(graph.site(node) is None for node in derived)
    forward = model.plan.schedule.forward.steps
    assert not any(node in graph.origins for node in forward)
    wholes = [one for node in derived for one in graph.origins[node] if one.role == "cotangent"]
    assert {one.forward for one in wholes} >= {x, w}


def test_pictures_show_what_was_rewritten(x):
    cube = (x * 1) ** 3
    squeezed = gg.reshape(gg.reshape(cube, (-1,)), (-1, 3))
    model = gg.compile(gg.mean(gg.tanh(squeezed)), wrt=x)
    text = model.draw().source
    assert text.startswith("digraph") and "d_x" in text and "power" not in text


def test_gradients_get_names_where_rewriting_made_a_node_its_own_forward_op(x):
    twice = gg.abs(gg.abs(x))
    model = gg.compile(twice.T @ gg.abs(x), wrt=x)
    assert model.verify(x=np.ones((4, 3), np.float32))


def test_the_reference_keeps_a_constant_that_was_folded_away(x):
    table = gg.const(np.arange(9.0, dtype=np.float32).reshape(3, 3))
    model = gg.compile(gg.sum(gg.tanh(x @ (table * 2))), wrt=x)
    assert model.firings and max(model.verify(x=np.ones((4, 3), np.float32)).values()) < 1e-3
    namespace: dict = {}
    exec(model.source, namespace)
    assert namespace["selfcheck"]()


def test_an_array_of_one_number_gives_its_name_to_the_number():
    """Functions of NumPy take less time with a number; who wrote keepdims=True finds it in the results all the same."""
    x = gg.input("x", ("n",))
    biggest = gg.max(x, keepdims=True)
    weights = gg.exp(x - biggest)
    kept = gg.sum(weights, keepdims=True)
    model = gg.compile((gg.sum(weights**2), kept), wrt=x)
    lines = body(model, "forward_and_backward")
    assert any(line.startswith("biggest = x_tile.max()") for line in lines)
    assert any(line.startswith("kept = ") and "[None]" in line for line in lines)
    given = np.linspace(-1, 1, 5, dtype=np.float32)
    (_, sums), _ = model(given)
    np.testing.assert_allclose(sums, [np.exp(given - 1).sum()], rtol=1e-6)


def test_statements_that_compute_one_value_together_say_so():
    """Bytes and operations are those of all of them, and would be counted twice otherwise."""
    p, i = gg.param("p", ("n", 3)), gg.input("i", ("n",), "int64")
    model = gg.compile(gg.sum(gg.take_along_axis(p, i[:, None], 1) ** 2), wrt=p, level="plain")
    lines = model.source.splitlines()
    first = next(at for at, line in enumerate(lines, 1) if "d_p = np.zeros" in line)
    for line in (first, first + 1):
        assert f"together    lines {first} to {first + 1}" in str(model.explain(line=line))
    assert "together" not in str(model.explain(line=first - 1))
