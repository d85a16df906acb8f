"""The engine: it fires where that saves something, refuses what does not fit, and ends."""

import sys

import numpy as np
import pytest

import graphgrad as gg
from benchmarks.graphs import GRAPHS
from graphgrad.autodiff.joint import differentiate
from graphgrad.core.graph import Graph, collect_origins
from graphgrad.core.traverse import toposort
from graphgrad.define import define
from graphgrad.interpret import interpret
from graphgrad.rewrite import engine
from graphgrad.rewrite.engine import apply_rules, declines
from graphgrad.rewrite.passes import PASSES, declined, rewrite, stabilize
from graphgrad.rewrite.pattern import abs as abs_
from graphgrad.rewrite.pattern import cast, exp, sqrt, square, sum
from graphgrad.rewrite.rule import rule

RULES = {one.name: one for _, rules in PASSES for one in rules}


@pytest.fixture
def x():
    return gg.input("x", ("n", 3))


def graph_of(*outputs):
    leaves = tuple(node for node in toposort(outputs) if node.op.is_leaf)
    return Graph(leaves, outputs, collect_origins(outputs)).verify()


def rewritten(*outputs, level="default"):
    graph = graph_of(*outputs)
    stages = rewrite(graph, level)
    return stages[-1][1].verify() if stages else graph


def ops(graph):
    return [node.op.name for node in graph.nodes if not node.op.is_leaf and node.op.name != "const"]


# ---- patterns ----


def test_a_pattern_matches_commutative_ops_both_ways(x):
    for written in (x * 1, 1 * x, x + -0.0, -0.0 + x):
        assert rewritten(written).outputs == (x,)


def test_a_variable_that_stands_twice_is_one_node(x):
    y = gg.input("y", ("n", 3))
    assert rewritten(gg.maximum(x, x)).outputs == (x,)
    assert rewritten(gg.maximum(x, y)).outputs == (gg.maximum(x, y),)


@pytest.mark.parametrize("number", [2, 1.5, 0.0, np.nan, np.inf])
def test_a_number_matches_that_number_only(x, number):
    assert rewritten(x * number).outputs == (x * number,)


def test_zero_is_not_minus_zero(x):
    assert rewritten(x - 0.0).outputs == (x,)
    assert rewritten(x - -0.0).outputs == (x - -0.0,)
    assert rewritten(x + 0.0).outputs == (x + 0.0,)
    assert rewritten(x + -0.0).outputs == (x,)


def test_true_is_not_one():
    flag, one = gg.input("flag", (3,), "bool"), gg.input("one", (3,), "int64")
    assert rewritten(gg.where(flag, 1, 0)).outputs == (gg.where(flag, 1, 0),)
    assert rewritten(gg.where(flag, True, False)).outputs == (flag,)
    assert rewritten(one * 1).outputs == (one,)


def test_what_keeps_nan_inf_and_minus_zero_is_not_touched(x):
    for written in (x * 0, x - x, x / x, x + 0, 0 - x, gg.exp(gg.log(x)), -(x - 1), x / 3, gg.sqrt(x) ** 2):
        graph = graph_of(written)
        assert rewrite(graph, "default")[-1][1] is graph


# ---- firing ----


def test_nothing_to_do_gives_the_same_object(x):
    graph = graph_of(gg.tanh(x) @ gg.param("w", (3, 2)))
    assert all(stage is graph for _, stage in rewrite(graph, "default"))
    assert rewrite(graph, "plain") == ()


def test_rewriting_twice_gives_the_same_object(x):
    once = rewritten(gg.sum((x * 1) ** 3), gg.grad(gg.sum((x * 1) ** 3), x))
    assert once.rewriting is not None
    assert all(stage is once for _, stage in rewrite(once, "default"))


def test_levels_use_the_classes_they_promise(x):
    both = gg.exp(gg.log(x)) * 1
    assert ops(rewritten(both, level="plain")) == ["log", "exp", "multiply"]
    assert ops(rewritten(both, level="default")) == ["log", "exp"]
    assert rewritten(both, level="fast").outputs == (x,)


def test_what_a_rule_makes_is_rewritten_too(x):
    assert rewritten(-(-(x * 1)) * -1 * -1).outputs == (x,)
    assert ops(rewritten(gg.log(gg.exp(x)) ** 2)) == ["square"]


def test_a_rule_fires_only_where_the_whole_graph_gets_cheaper(x):
    y = gg.input("y", ("n", 3))
    turned = -y
    alone, shared = graph_of(x - turned), graph_of(x - turned, gg.tanh(turned))
    only = [RULES["subtract_negative"]]
    assert apply_rules(alone, only).outputs == (x + y,)
    assert apply_rules(shared, only) is shared
    (reason,) = declines(shared, only)
    assert reason.rule == "subtract_negative" and reason.node is shared.outputs[0]
    assert reason.reason == "nothing is gained: turned is read elsewhere, too"


def test_a_variable_may_stand_for_a_node_that_the_pattern_names(x):
    both = graph_of(-x + -x)
    only = [RULES["add_negative"]]
    assert apply_rules(both, only) is both
    assert [one.reason for one in declines(both, only)] == [
        "nothing is gained: the replacement needs the same nodes"
    ]


def test_a_shared_node_does_not_keep_a_rule_from_firing_that_saves_without_it(x):
    inner = x.T
    graph = rewritten(inner.T, gg.tanh(inner))
    assert graph.outputs == (x, gg.tanh(x.T))


def test_readers_that_a_rule_took_away_do_not_count(x):
    y = gg.input("y", ("n", 3))
    turned = -y
    rules = [RULES["negative_negative"], RULES["subtract_negative"]]
    assert apply_rules(graph_of(x - turned, -turned), rules).outputs == (x + y, y)
    assert apply_rules(graph_of(-turned, x - turned), rules).outputs == (y, x + y)


def test_equal_nodes_written_the_other_way_round_are_one(x):
    y = gg.input("y", ("n", 3))
    graph = rewritten(gg.tanh(x + y), gg.exp(y + x), gg.where(x < y, x, y), gg.where(y > x, y, x))
    assert ops(graph).count("add") == 1
    assert len([name for name in ops(graph) if name in ("less", "greater")]) == 1
    assert rewritten(2 * x).outputs == (2 * x,)


def test_constants_are_computed_once(x):
    table = gg.const(np.arange(3, dtype=np.float32))
    graph = rewritten(x * ((table + 1) / 4)[::-1])
    assert ops(graph) == ["multiply"]
    assert graph.outputs[0].inputs[1].attrs["value"].tolist() == [0.75, 0.5, 0.25]


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: gg.const(np.float32(1)) / np.float32(0), "would warn"),
        (lambda: gg.const(np.float32(3e38)) * np.float32(10), "would warn"),
        (lambda: gg.const(np.float32(np.nan)).astype("int32"), "would warn"),
        (lambda: gg.broadcast_to(gg.const(np.float32(2)), (1000,)), "larger than the constants"),
    ],
)
def test_constants_are_not_folded_where(build, reason):
    node = build()
    graph = graph_of(node)
    assert apply_rules(graph, [RULES["fold"]]) is graph
    assert [reason in one.reason for one in declines(graph, [RULES["fold"]])] == [True]


@pytest.mark.parametrize(
    "function", [gg.exp, gg.log, gg.tanh, gg.sum, gg.mean, lambda c: c**3, lambda c: c @ c]
)
def test_what_differs_from_machine_to_machine_is_not_folded(function):
    graph = graph_of(function(gg.const(np.array([1.5, 2.5, 3.5]))))
    assert apply_rules(graph, [RULES["fold"]]) is graph


def test_arrays_without_elements_are_left_alone():
    empty = gg.input("empty", (0, 3))
    graph = graph_of(gg.sum(-empty, axis=0), empty**3, empty * 1)
    assert rewrite(graph, "default")[-1][1] is graph


def test_declines_of_a_model_are_told(x):
    graph = rewritten(x + 0, x**2.5)
    told = {one.rule: one.reason for one in declined(graph, "default")}
    assert told["add_zero"] == "-0.0 + 0 is 0.0" and "integer" in told["small_power"]


# ---- refusing ----


def test_a_rule_that_changes_a_spec_is_an_error_that_names_it(x):
    wrong = rule("lost_cast", lambda x, a: cast(x, a), lambda x: x, safety="exact")
    with pytest.raises(
        gg.VerificationError, match=r"the rule lost_cast takes float32 \(n, 3\) for float64 \(n, 3\)"
    ):
        apply_rules(graph_of(gg.cast(x, "float64")), [wrong])
    flat = rule("lost_axis", lambda x, a, k: sum(x, a, k), lambda x: sum(x, (0, 1), False), safety="exact")
    with pytest.raises(
        gg.VerificationError, match=r"lost_axis takes float32 \(\) for float32 \(n,\)"
    ) as caught:
        apply_rules(graph_of(gg.sum(x, axis=1)), [flat])
    assert "test_engine.py" in str(caught.value)


@pytest.mark.parametrize(
    "right",
    [lambda x: x + 1, lambda x: x * 1 * 1, lambda x: 1 * x, lambda x: square(sqrt(x)), lambda x: x * 1],
)
def test_a_rule_that_makes_nothing_cheaper_is_an_error_that_names_it(x, right):
    wrong = rule("endless", lambda x: x * 1, right, safety="exact")
    with pytest.raises(gg.VerificationError, match="the rule endless makes nothing cheaper"):
        apply_rules(graph_of(x * 1), [wrong])


def test_an_error_within_a_rule_names_it(x):
    wrong = rule("broken", lambda x: abs_(x), lambda x: x @ x, safety="exact", after="x @ x")
    with pytest.raises(gg.ShapeError) as caught:
        apply_rules(graph_of(gg.abs(x)), [wrong])
    assert caught.value.__notes__ == ["in the rule broken"]


# ---- depth and width ----

LENGTH = 20_000
CHAINS = {
    "fires everywhere": lambda y: y * 1,
    "fires at every second": lambda y: -y,
    "fires nowhere": lambda y: gg.tanh(y),
    "makes new nodes everywhere": lambda y: gg.log(gg.exp(gg.tanh(y))) ** 3,
    "moves to the end": lambda y: y.T,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(CHAINS))
def test_long_chains_under_the_default_recursion_limit(kind):
    y = start = gg.input("x", (2, 2))
    for _ in range(LENGTH // (4 if "new" in kind else 1)):
        y = CHAINS[kind](y)
    graph = rewritten(gg.sum(y) if kind == "moves to the end" else y)
    if kind == "fires everywhere":
        assert graph.outputs == (start,) and len(graph.rewriting.firings) == LENGTH
    elif kind == "fires at every second":
        assert graph.outputs == (start,)


def calls_of(length, build):
    """How many functions rewriting a chain calls: a measure of work that does not depend on the machine."""
    y = gg.input("x", (2, 2))
    for _ in range(length):
        y = build(y)
    graph = graph_of(y)
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        rewrite(graph, "default")
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("kind", list(CHAINS))
@pytest.mark.slow
def test_work_grows_with_the_graph(kind):
    calls_of(50, CHAINS[kind])  # what is done once
    small, large = calls_of(200, CHAINS[kind]), calls_of(800, CHAINS[kind])
    assert large < 4.4 * small


def work_on(kind, count):
    """How often a rule is tried on a node, and how many functions are called, while a large model is optimised."""
    loss, wrt = GRAPHS[kind](count)
    tried = called = 0

    def note(frame, event, argument):
        nonlocal tried, called
        called += event == "call"
        tried += event == "call" and frame.f_code is engine._Pass._attempt.__code__

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        defined, interface = define(loss, None, wrt, None, "default", kind, False)
        rewrite(differentiate(stabilize(defined, "default", interface.wrt), interface, True), "default")
    finally:
        sys.setprofile(before)
    return np.array([tried, called])


@pytest.mark.parametrize("kind", list(GRAPHS))
@pytest.mark.slow
def test_work_grows_with_graphs_of_every_shape(kind):
    work_on(kind, 3)  # what is done once
    small, large = work_on(kind, 16), work_on(kind, 64)
    assert np.all(small > 100) and np.all(large < 4.4 * small)


@pytest.mark.slow
def test_a_rule_fires_all_along_a_chain():
    sink = rule("sink", lambda x: abs_(exp(x)), lambda x: exp(x), safety="exact")
    x = gg.input("x", (3,))
    y = x
    for _ in range(3_000):
        y = gg.abs(gg.exp(y))
    graph = apply_rules(graph_of(y), [sink])
    assert ops(graph) == ["exp"] * 3_000


def test_shared_parts_are_looked_at_once():
    x = gg.input("x", (2,))
    y = x
    for _ in range(200):  # 2**200 paths
        y = gg.tanh((y * 1) + (y / 1))
    graph = rewritten(y)
    assert ops(graph) == ["add", "tanh"] * 200
    (value,) = interpret(graph.outputs, {x: np.ones(2, np.float32)})
    assert np.all(value > 0.9)
