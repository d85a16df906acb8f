"""Every rule, on its own left side: it fires, changes no spec, no value beyond its class and no gradient."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.dim import Dim, as_size, evaluate
from graphgrad.core.graph import Graph
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret, interpret_all
from graphgrad.rewrite import fold
from graphgrad.rewrite.engine import apply_rules, declines, visit_once
from graphgrad.rewrite.measure import total
from graphgrad.rewrite.passes import LOWERED, PASSES, REFINED, STABLE
from graphgrad.rewrite.rule import Declined
from tests.rewrite.samples import SIZES, assignments, built, cases, difference, dtypes_of, shown

ROOT = Path(__file__).parent.parent.parent
REPEATED = [rule for _, rules in PASSES for rule in rules]
ONCE = [rule for rule in (*STABLE, *REFINED, *LOWERED) if rule not in REPEATED]
RULES = [*REPEATED, *ONCE]


def applied(graph, rule):
    """The graph after the rule, and why it did not fire if it did not."""
    if rule in ONCE:
        return visit_once(graph, [rule])
    return apply_rules(graph, [rule]), declines(graph, [rule])


def graph_of(rule, example, dtype):
    node, leaves = built(rule, example, dtype)
    return Graph(tuple(leaves), (node,)).verify()


def values_of(graph, leaves):
    with np.errstate(all="ignore"):
        return interpret(graph.outputs, leaves)


def check_values(rule, before, after):
    """Raise if the rewritten graph gives something else than the rule's class allows."""
    rng = np.random.default_rng(0)
    # huge numbers of both signs tell in which order they are added, which a rule for sums may change
    reorders = rule.safety == "rounding" and "power" not in rule.name and rule.name != "reciprocal"
    # products of huge numbers on the way are what a chain is not right for in another order
    tame = {"rounding": reorders, "range": "chain" in rule.name}.get(
        rule.safety,
        "mean" in rule.name
        or rule.name in ("variance", "variance_by_sums", "softmax_gradient", "sum_of_scaled_products"),
    )
    for values in assignments(before.inputs, rng, tame):
        if rule.safety == "range":
            values = {leaf: np.abs(np.where(np.isfinite(array), array, 1)) for leaf, array in values.items()}
        (written,), (rewritten,) = values_of(before, values), values_of(after, values)
        truth = values_of(before, {leaf: wide(array) for leaf, array in values.items()})[0]
        scale = sizes_on_the_way(rule, before, values, tame)
        problem = difference(written, rewritten, rule.safety, scale, truth)
        assert problem is None, f"the rule {rule.name} gives {problem} at {list(values.values())}"


def wide(array):
    return array.astype(np.longdouble) if array.dtype.kind == "f" else array


def sizes_on_the_way(rule, graph, values, tame):
    """For each element of the result, the largest number that it was computed from, where digits may cancel."""
    if tame:  # all that was added up
        return sum(float(np.sum(np.abs(array), where=np.isfinite(array))) for array in values.values())
    if rule.safety != "widening":
        return 0.0
    with np.errstate(all="ignore"):
        known = interpret_all(graph.outputs, values)
    sizes = [np.nan_to_num(np.abs(wide(np.asarray(value))), posinf=0) for value in known.values()]
    shape = known[
        graph.outputs[0]
    ].shape  # what is reduced on the way has another shape, and counts by its sum
    fitting = [size for size in sizes if can_broadcast(size.shape, shape)]
    return np.maximum.reduce(np.broadcast_arrays(*fitting))


def can_broadcast(shape, other):
    return len(shape) <= len(other) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(other), strict=False)
    )


def check_gradients(rule, before, after):
    rng = np.random.default_rng(1)
    by = [leaf for leaf in before.inputs if leaf.dtype.kind == "f"]
    if not by or before.outputs[0].dtype.kind != "f":
        return
    values = {}
    for leaf in before.inputs:
        shape = tuple(evaluate(size, SIZES) for size in leaf.shape)
        values[leaf] = np.asarray(rng.uniform(0.5, 2, shape), leaf.dtype)
    seed = np.asarray(rng.normal(size=values_of(before, values)[0].shape), before.outputs[0].dtype)
    cotangent = gg.input("seed", before.outputs[0].shape, before.outputs[0].dtype)
    written, rewritten = (
        values_of(Graph((), tuple(gg.grad(graph.outputs[0], by, cotangent))), {**values, cotangent: seed})
        for graph in (before, after)
    )
    tolerance = 1e-4 if before.outputs[0].dtype.itemsize < 8 else 1e-11
    for leaf, one, other in zip(by, written, rewritten, strict=True):
        assert np.allclose(one, other, rtol=tolerance, atol=tolerance), (
            f"the rule {rule.name} changes the gradient by {leaf.name} from {one} to {other}"
        )


def check_range(rule, before, after):
    """Where numbers are huge, and all that is written is finite nevertheless, so is all that is rewritten."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        values = {leaf: huge(leaf, rng) for leaf in before.inputs}
        with np.errstate(all="ignore"):
            on_the_way = interpret_all(before.outputs, values).values()
        if all(np.all(np.isfinite(value)) for value in on_the_way):
            (rewritten,) = values_of(after, values)
            assert np.all(np.isfinite(rewritten)), (
                f"the rule {rule.name} overflows at {list(values.values())}"
            )


def huge(leaf, rng):
    shape = tuple(evaluate(size, SIZES) for size in leaf.shape)
    if leaf.dtype.kind != "f":
        return rng.integers(0, 2, shape).astype(leaf.dtype)
    numbers = rng.choice([-0.9, -0.1, 0.1, 0.9], shape) * float(np.finfo(leaf.dtype).max)
    return np.asarray(numbers if rng.random() < 0.7 else rng.standard_normal(shape), leaf.dtype)


ORDERS = {"sum_sum", "add_where_it_belongs", "subtract_where_it_belongs"}
"""Rules that add the same numbers up in another order, in which halves may overflow that would cancel."""


def check_rule(rule, example, dtype):
    """Everything that holds for a rule."""
    before = graph_of(rule, example, dtype)
    after, _ = applied(before, rule)
    assert after is not before, f"the rule {rule.name} does not fire on its own left side"
    assert {firing.rule for firing in after.rewriting.firings} == {rule.name}
    after.verify()
    assert [node.specs for node in after.outputs] == [node.specs for node in before.outputs]
    assert rule in ONCE or total(toposort(after.outputs)) < total(before.nodes)
    check_values(rule, before, after)
    if rule.safety != "range" and rule.name not in ORDERS:
        check_range(rule, before, after)
    if rule.has_gradient:
        check_gradients(rule, before, after)


@pytest.mark.parametrize(("rule", "example", "dtype"), **cases(RULES))
def test_rule(rule, example, dtype):
    check_rule(rule, example, dtype)


DECLINED = [(rule, example) for rule in RULES for example in rule.declined]


@pytest.mark.parametrize(
    ("rule", "example"), DECLINED, ids=[f"{rule.name}-{shown(example)}" for rule, example in DECLINED]
)
def test_rule_does_not_fire(rule, example):
    graph = graph_of(rule, example, dtypes_of(rule, example)[0])
    after, why = applied(graph, rule)
    assert after is graph
    assert all(one.rule == rule.name and one.reason.strip() for one in why)


def test_names_are_unique_and_rules_say_what_they_do():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.before and rule.after and rule.dtypes for rule in RULES)


def test_the_page_of_rules_is_what_the_rules_say():
    spec = importlib.util.spec_from_file_location("refresh", ROOT / "docs" / "refresh.py")
    refresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(refresh)
    assert refresh.REWRITES.read_text(encoding="utf-8") == refresh.rewrites(), "run docs/refresh.py"


# ---- why not ----


def doubled(x, times):
    """As many of x as no computer has time to look at one by one."""
    for _ in range(times):
        x = x + x
    return x


OTHERWISE = {
    "sum_of_products": lambda x, y: gg.sum(gg.broadcast_to(x, (4, *x.shape)) * x, (0, 1)),
    "transposed_product": lambda x, y: gg.transpose(x @ y),
    "column_of_product": lambda x, y: gg.expand_dims(x @ y[:, 0], 1),
    "like_terms": lambda x, y: x + x * 1e30 * 1e30,
    "log_sum_of_exps": lambda x, y: gg.log(doubled(gg.exp(x), 60)),
    "scaled_twice": lambda x, y: (gg.sum(x) * (y.shape[0] * gg.const(2.0, y.dtype))) * y.shape[0],
}
"""Graphs on which a rule declines as it does on no example of its own left side."""


@pytest.fixture
def reasons_given(monkeypatch):
    """Within: the places in the source where a rule says why it declines."""
    given = set()
    made = Declined.__init__

    def noted(self, reason):
        caller = sys._getframe(1)
        given.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
        made(self, reason)

    monkeypatch.setattr(Declined, "__init__", noted)
    return given


def test_every_reason_for_declining_is_given_somewhere(reasons_given):
    for rule, example in DECLINED:
        applied(graph_of(rule, example, dtypes_of(rule, example)[0]), rule)
    x, y = gg.input("x", ("n", 3)), gg.input("y", (3, 2))
    for rule in RULES:
        if rule.name in OTHERWISE:
            graph = Graph((x, y), (OTHERWISE[rule.name](x, y),))
            after, (why,) = applied(graph, rule)
            assert after is graph and why.rule == rule.name
    missing = []
    for path in [*(ROOT / "graphgrad" / "rewrite" / "rules").glob("*.py"), Path(fold.__file__)]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Declined":
                lines = range(node.lineno, node.end_lineno + 1)
                if not any((path.name, line) in reasons_given for line in lines):
                    missing.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
    assert not missing


STRANGE = ("min(n, 2)", "max(n, 2)", "n // 2", "(n + 1) // 2")
"""Sizes of slices, of which it cannot always be said what is cheaper."""


def strange(value, size):
    """An example's value with another size for n."""
    if isinstance(value, tuple):
        return tuple(strange(item, size) for item in value)
    if isinstance(value, slice):
        return slice(*(strange(item, size) for item in (value.start, value.stop, value.step)))
    if isinstance(value, Dim):
        return as_size(strange(str(value), size))
    return re.sub(r"\bn\b", f"({size})", value) if isinstance(value, str) else value


def with_strange_sizes(rule, size):
    """The examples of a rule that have an n, with another size for it, and a leaf that tells n."""
    for example in rule.examples:
        changed = {name: strange(value, size) for name, value in example.items()}
        if changed != example:
            yield changed | {"with": ("n",)}


SYMBOLIC = [rule for rule in RULES if any(with_strange_sizes(rule, "n // 2"))]


@pytest.mark.parametrize("size", STRANGE)
@pytest.mark.parametrize("rule", SYMBOLIC, ids=lambda one: one.name)
def test_a_rule_never_fails_for_sizes_that_cannot_be_compared(rule, size):
    """It fires, or says why not."""
    for example in with_strange_sizes(rule, size):
        graph = graph_of(rule, example, dtypes_of(rule, example)[0])
        after, _ = applied(graph, rule)
        after.verify()
