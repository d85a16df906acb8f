"""Random graphs, compiled, against the interpreter; and their gradients against differences.

A failure prints a line that runs it again, the graph, the first wrong node and the arguments. `make fuzz` runs many.
"""

import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphgrad as gg
from graphgrad.run.compiled import Compiled
from tests.fuzz.bounds import Bounds
from tests.fuzz.checks import LEVELS, REFUSALS, WrongResultError, check
from tests.fuzz.derivatives import check_derivative
from tests.fuzz.graphs import Recipe, build

# Random graphs use what they like.

numbers = st.integers(0, 999)
recipes = st.builds(
    Recipe,
    leaves=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5).map(tuple),
    steps=st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=36).map(tuple),
    outputs=st.lists(numbers, min_size=1, max_size=4).map(tuple),
    wrt=st.lists(numbers, max_size=4).map(tuple),
    values=st.integers(0, 2**31 - 1),
)
SEEDS = 150
"""How many fixed seeds every run tries: their graphs are larger than those hypothesis likes to draw."""


class Progress:
    """A line on the terminal every thousand graphs, in long runs alone."""

    def __init__(self) -> None:
        self.count, self.start = 0, time.monotonic()

    def step(self, what: str) -> None:
        self.count += 1
        if settings.default.max_examples >= 1_000 and self.count % 1_000 == 0:
            passed = time.monotonic() - self.start
            print(f"\n{what}: {self.count:,} in {passed:.0f} s", file=sys.__stderr__, flush=True)


progress = {name: Progress() for name in (*LEVELS, "derivatives")}


@pytest.mark.parametrize("level", LEVELS)
@given(recipe=recipes)
@pytest.mark.slow
def test_compiled_graph_gives_what_the_interpreter_gives(level, recipe):
    progress[level].step(level)
    check(recipe, level)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_larger_graphs_of_fixed_seeds(level):
    for seed in range(SEEDS):
        check(Recipe.of(seed), level)


@given(seed=st.integers(0, 2**31 - 1))
@pytest.mark.slow
def test_larger_graphs_of_any_seed(seed):
    """What `Recipe.of` makes does not shrink, but goes deeper."""
    for level in LEVELS:
        check(Recipe.of(seed), level)


@given(recipe=recipes | st.integers(0, 2**31 - 1).map(Recipe.of))
def test_gradients_are_the_numeric_ones(recipe):
    progress["derivatives"].step("derivatives")
    try:
        check_derivative(recipe)
    except REFUSALS as refused:
        if isinstance(refused, gg.GraphgradError) and "negative" not in refused.what:
            raise


# ---- what checks is checked ----


def test_one_seed_is_one_graph():
    one, other = build(Recipe.of(7)), build(Recipe.of(7))
    assert str(gg.Graph(one.leaves, one.listed)) == str(gg.Graph(other.leaves, other.listed))


@pytest.mark.slow
def test_graphs_are_of_every_kind():
    ops, kinds = set(), set()
    for seed in range(200):
        model = build(Recipe.of(seed))
        graph = gg.Graph(model.leaves, (*model.listed, *model.wrt.values()))
        ops |= {node.op.name for node in graph.nodes}
        kinds |= {type(model.outputs), bool(model.wrt), bool(graph.symbols)}
        kinds |= {"leaf" for node in model.listed if node.op.is_leaf}
        kinds |= {"twice" for node in model.listed if model.listed.count(node) > 1}
        kinds |= {"view" for node in model.listed if node.op.view}
        kinds |= {"shared" for node in graph.nodes if sum(node in other.inputs for other in graph.nodes) > 2}
    assert kinds >= {gg.Node, dict, list, tuple, True, False, "leaf", "twice", "view", "shared"}
    assert ops >= {"matmul", "where", "sum", "mean", "max", "index", "place", "update", "reshape", "transpose",
                   "broadcast_to", "concatenate", "cast", "power", "divide", "exp", "stop_gradient"}  # fmt: skip


def differ(function, *arrays):
    """What `Bounds` says of the value that `function` makes of the right one, for a sum and a difference."""
    leaves = [gg.input(f"x{at}", array.shape, array.dtype) for at, array in enumerate(arrays)]
    node = gg.sum(leaves[0] * leaves[0]) if len(leaves) == 1 else leaves[0] * 3.0 - leaves[1] * 3.0
    bounds = Bounds([node], dict(zip(leaves, arrays, strict=True)))
    return bounds.complaint(node, np.asarray(function(np.asarray(bounds.native[node]))))


def test_bounds_let_rounding_pass_and_nothing_more():
    x = np.random.default_rng(0).standard_normal((30, 7)).astype(np.float32)
    exact = np.sum(np.square(x.astype(float))).astype(np.float32)
    assert differ(lambda own: exact, x) is None
    assert differ(lambda own: np.cumsum((x * x).ravel())[-1], x) is None
    assert "differs in 1 of 1" in differ(lambda own: own * np.float32(1.01), x)
    assert "is float64" in differ(lambda own: own.astype(float), x)
    assert "is float32 (1,)" in differ(lambda own: own[None], x)
    for special in (np.nan, np.inf, -np.inf):
        assert "differs" in differ(lambda own, special=special: np.full_like(own, special), x)


def test_bounds_are_wide_where_values_cancel_and_nowhere_else():
    a = np.array([1.1, 1e6 + 0.1], np.float32)
    b = np.array([50.3, 1e6 - 0.1], np.float32)
    assert differ(lambda own: own + np.array([0, 0.1], np.float32), a, b) is None
    assert "first at (0,)" in differ(lambda own: own + np.array([0.1, 0], np.float32), a, b)
    assert "first at (1,)" in differ(lambda own: own + np.array([0, 500], np.float32), a, b)


PLANTED = {
    "a little off": lambda results: [array + np.asarray(1e-3 * array, array.dtype) for array in results],
    "a lost nan": lambda results: [np.nan_to_num(array) if array.dtype.kind == "f" else array for array in results],
    "a view": lambda results: [np.ascontiguousarray(array)[...] for array in results],
    "read-only": lambda results: [np.broadcast_to(array.copy(), array.shape) for array in results],
    "one too few": lambda results: results[:-1],
    "another dtype": lambda results: [array.astype(complex) for array in results],
}  # fmt: skip


@pytest.mark.parametrize("planted", PLANTED)
def test_planted_mistakes_are_found(planted, monkeypatch):
    right = Compiled._outputs

    def wrong(self, outputs):
        found = right(self, outputs)
        return type(found)(PLANTED[planted](list(found))) if isinstance(found, tuple | list) else found

    monkeypatch.setattr(Compiled, "_outputs", wrong)
    with pytest.raises(WrongResultError) as failure:
        for seed in range(200):
            check(Recipe.of(seed), "default")
    report = str(failure.value)
    assert "again with: from tests.fuzz.checks import *; check(Recipe(leaves=" in report
    assert "return %" in report and "first wrong node: " in report and "arguments:\n    x0 = array(" in report


def test_a_reused_buffer_is_found(monkeypatch):
    right, kept = Compiled._outputs, {}

    def wrong(self, outputs):
        found = right(self, outputs)
        if not isinstance(found, np.ndarray) or not found.ndim:
            return found
        buffer = kept.setdefault((id(self), found.shape), np.empty_like(found))
        buffer[...] = found
        return buffer

    monkeypatch.setattr(Compiled, "_outputs", wrong)
    with pytest.raises(WrongResultError, match="the results of the second call"):
        for seed in range(200):
            check(Recipe.of(seed), "default")


def test_a_written_argument_is_found(monkeypatch):
    right = Compiled._run

    def wrong(self, function, values, **keywords):
        result = right(self, function, values, **keywords)
        for value in values:
            if isinstance(value, np.ndarray) and value.flags.writeable and value.dtype.kind == "f":
                value += 1
        return result

    monkeypatch.setattr(Compiled, "_run", wrong)
    with pytest.raises(WrongResultError):
        for seed in range(200):
            check(Recipe.of(seed), "default")


def test_a_wrong_gradient_is_found(monkeypatch):
    from graphgrad.core.op import registry

    op, _ = registry()["tanh"]
    monkeypatch.setitem(op.vjp, "x", lambda g, y, x: g * (1 - y))
    with pytest.raises(AssertionError, match="by differences"):
        for seed in range(200):
            try:
                check_derivative(Recipe.of(seed))
            except REFUSALS:
                continue
