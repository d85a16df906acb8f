"""Graphs: membership, verification, the text form, traversals."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.core.graph import Graph, Origin, Rewriting
from graphgrad.core.node import intern_node
from graphgrad.core.op import op_named
from graphgrad.core.provenance import recording
from graphgrad.core.spec import Spec
from graphgrad.core.text import read_nodes, write_nodes
from graphgrad.core.traverse import depending_on, rebuild, toposort, users


@pytest.fixture
def x():
    return gg.input("x", ("batch", 3))


def test_graph_holds_what_its_outputs_need(x):
    w = gg.param("w", (3,))
    graph = Graph((x, w), (gg.exp(x),))
    assert [node.op.name for node in graph.nodes] == ["input", "exp"]
    assert graph.leaves == (x,)
    assert graph.symbols == ("batch",)


def test_graph_is_frozen(x):
    with pytest.raises(AttributeError):
        Graph((x,), (x,)).outputs = ()


def test_verify_passes_what_is_whole(x):
    graph = Graph((x,), (gg.nn.softmax(x), gg.grad(gg.mean(gg.tanh(x)), x)))
    assert graph.verify() is graph


def test_verify_finds_a_spec_that_is_not_inferred(x):
    wrong = intern_node(op_named("exp"), (x,), {}, (Spec((2, 2), np.dtype("float32")),))
    with pytest.raises(
        gg.VerificationError, match=r"exp has spec float32 \(2, 2\), its op infers float32 \(batch"
    ):
        Graph((x,), (wrong,)).verify()


def test_verify_finds_inputs_that_do_not_fit(x):
    other = gg.input("other", (4, 4))
    wrong = intern_node(op_named("add"), (x, other), {}, (x.spec,))
    with pytest.raises(gg.VerificationError, match="add does not fit its inputs"):
        Graph((x, other), (wrong,)).verify()


def test_verify_finds_a_leaf_that_is_no_input(x):
    w = gg.param("w", (3,))
    with pytest.raises(gg.VerificationError, match="the leaf 'w' is no input"):
        Graph((x,), (x * w,)).verify()


def test_verify_finds_two_leaves_of_one_name(x):
    other = gg.param("x", (3,))
    with pytest.raises(gg.InvalidNameError, match="two different leaves are called 'x'") as caught:
        Graph((x, other), (x * other,)).verify()
    assert str(caught.value).count("made at test_graph.py:") == 2


def test_text_shows_a_node_a_line(x):
    graph = Graph((x,), (gg.sum(gg.exp(x), axis=0),))
    assert str(graph) == (
        "%0 = input 'x' float32[batch, 3]\n"
        "%1 = exp(%0) -> float32[batch, 3]\n"
        "%2 = sum(%1; axes=(0,); keepdims=False) -> float32[3]\n"
        "return %2\n"
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda x: x[1:, ::-1],
        lambda x: x[::2, None, 0],
        lambda x: gg.at(x, (slice(1, None), 0)).add(2.5),
        lambda x: x.reshape(-1),
        lambda x: gg.broadcast_to(x, (2, *x.shape)),
        lambda x: x / x.shape[0],
        lambda x: gg.concatenate([x, 2 * x])[3:].sum(),
        lambda x: gg.where(gg.less(x, np.nan), np.inf, -0.0),
        lambda x: gg.cast(x, "int8"),
        lambda x: x * np.array([0.1, -0.0, np.nan], np.float16),
        lambda x: gg.sum(x, axis=()),
        lambda x: gg.grad(gg.mean(x**3), x),
        lambda x: x * gg.const(True),
        lambda x: x @ gg.param("w; return %0", (3, 2)),
        lambda x: x + gg.input("%1 = 'quoted\"", ("odd name, [x]", 3))[0],
        lambda x: x + gg.input("deep", ("2*n + 1", 3))[0],
    ],
)
def test_text_reads_back_to_the_identical_node(x, build):
    node = build(x)
    leaves = [leaf for leaf in toposort([node]) if leaf.op.is_leaf and leaf.op.operands == () and leaf.name]
    assert read_nodes(write_nodes([node]), leaves) == (node,)


STEPS = {
    "exp": lambda x, y: gg.exp(x),
    "add": lambda x, y: x + y,
    "scaled": lambda x, y: x * 0.1,
    "part": lambda x, y: x[0:1],
    "sum": lambda x, y: gg.sum(x, axis=0, keepdims=True),
    "where": lambda x, y: gg.where(x < y, x, y),
    "halves": lambda x, y: x / x.shape[0],
}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 20), st.integers(0, 20)), max_size=20)
)
def test_text_of_random_graphs_reads_back_to_the_identical_nodes(steps):
    x, w = gg.input("x", ("batch", 3), "float64"), gg.param("w", (3,), "float64")
    made = [x, x * w]
    for kind, first, second in steps:
        one, other = made[first % len(made)], made[second % len(made)]
        if one.shape and other.shape and one.shape == other.shape:
            made.append(STEPS[kind](one, other))
    made.append(gg.grad(gg.sum(made[-1]), w))
    graph = Graph((x, w), tuple(made)).verify()
    assert read_nodes(str(graph), [x, w]) == graph.outputs


def test_text_that_is_no_graph_is_an_error(x):
    for text in ("", "%0 = exp(", "%0 = input 'y' float32[2]\nreturn %0\n"):
        with pytest.raises(gg.GraphgradError):
            read_nodes(text, [x])


def test_graph_pickles_with_its_origins(x):
    loss = gg.sum(gg.exp(x))
    gradient = gg.grad(loss, x)
    graph = Graph((x,), (loss, gradient), {gradient: (Origin("chain", loss.inputs[0], 0),)})
    again = pickle.loads(pickle.dumps(graph))
    assert str(again) == str(graph)
    ((node, (origin,)),) = again.origins.items()
    assert node is again.outputs[1]
    assert (origin.role, origin.index, origin.forward) == ("chain", 0, again.outputs[0].inputs[0])


def test_copied_graph_holds_the_same_nodes_as_its_own_outputs(x):
    graph = Graph((x,), (gg.exp(x),))
    again = copy.deepcopy(graph)
    assert again.verify().outputs[0].inputs[0] is again.inputs[0]


# ---- what rewriting did ----


def rewritten(x):
    """``slow = (x**3) * 1`` as ``x * x * x``, by hand."""
    with gg.scope("cubes"):
        cube = x**3
        slow = cube * 1
    loss = gg.sum(slow)
    with recording("off"):
        square = x * x
        product = square * x
        total = gg.sum(product)
    replaced = {cube: product, slow: product, loss: total}
    made_for = {square: cube, product: cube, total: loss}
    original = Graph((x,), (loss,))
    return (
        Graph((x,), (total,), {}, Rewriting(original, replaced, made_for, {cube: product}, original.origins)),
        cube,
        slow,
        loss,
    )


def test_what_was_rewritten_is_asked_of_the_graph(x):
    graph, cube, slow, loss = rewritten(x)
    total = graph.outputs[0]
    (product,) = total.inputs
    square = product.inputs[0]
    assert graph.original.outputs == (loss,) and graph.original.original is graph.original
    assert graph.current(cube) is graph.current(slow) is product and graph.current(x) is x
    assert [graph.written(node) for node in (square, product, total, x)] == [cube, cube, loss, x]
    assert graph.site(square).text == "x**3" and graph.scope(product) == ("cubes",)
    assert [graph.name(node) for node in (square, product, total, x)] == [None, "cube", "loss", "x"]
    assert graph.age(square) == graph.age(product) == cube.serial
    assert product.notes.name is None and product.notes.site is None


def test_an_explicit_name_stands_before_that_of_the_variable(x):
    graph, _, slow, _ = rewritten(x)
    product = graph.current(slow)
    assert not graph.has_explicit_name(product)
    gg.named(slow, "third power")
    assert graph.has_explicit_name(product) and graph.name(product) == "third power"


def test_what_another_model_calls_a_node_says_nothing_about_one_that_rewriting_made(x):
    graph, cube, _, _ = rewritten(x)
    product = graph.current(cube)
    mine = x * x * x
    assert mine is product and mine.name == "mine"
    assert graph.name(product) == "cube" and graph.site(product).text == "x**3"


def test_graph_pickles_with_what_was_rewritten(x):
    graph, _, _, _ = rewritten(x)
    again = pickle.loads(pickle.dumps(graph))
    (product,) = again.outputs[0].inputs
    (square, leaf) = product.inputs
    assert leaf is again.inputs[0] is again.original.inputs[0]
    assert str(again) == str(graph) and str(again.original) == str(graph.original)
    assert again.current(again.original.outputs[0]) is again.outputs[0]
    assert again.written(square).op.name == "power" and again.name(product) == "cube"
    assert again.site(square).text == "x**3"


# ---- traversals ----


def test_toposort_lists_inputs_first_and_each_node_once(x):
    node = gg.exp(x) * gg.exp(x) + x
    order = toposort([node, x])
    assert len(order) == len(set(order)) == 4
    for at, one in enumerate(order):
        assert all(part in order[:at] for part in one.inputs)


def test_toposort_stops_where_told(x):
    inner = gg.exp(x)
    assert toposort([gg.log(inner)], stop=[inner]) == [gg.log(inner)]
    assert toposort([inner], stop=[inner]) == []


def test_toposort_does_not_depend_on_the_order_of_making(x):
    second, first = gg.log(x), gg.exp(x)
    assert [node.op.name for node in toposort([first + second])] == ["input", "exp", "log", "add"]


def test_users_count_every_reading(x):
    square = x * x
    assert users(toposort([square]))[x] == [square, square]


def test_depending_on_follows_only_what_passes(x):
    inner = gg.exp(x)
    order = toposort([gg.log(gg.stop_gradient(inner)) + x])
    found = depending_on(order, [inner], lambda node: node.op.name != "stop_gradient")
    assert list(found) == [inner]


def test_rebuild_replaces_from_the_leaves_up(x):
    y = gg.input("y", ("batch", 3))
    (new,) = rebuild([gg.exp(x) * x], lambda node, parts: y if node is x else node.op(*parts, **node.attrs))
    assert new is gg.exp(y) * y
    same = gg.exp(x) * x
    assert rebuild(
        [same], lambda node, parts: node if node.op.is_leaf else node.op(*parts, **node.attrs)
    ) == (same,)
