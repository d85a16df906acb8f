"""The passes, in order, and which of their rules a level uses."""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.rewriting import Safety
from graphgrad.rewrite import canonical, fold, prune
from graphgrad.rewrite.engine import declines, visit, visit_once
from graphgrad.rewrite.lineage import Decline, Lineage
from graphgrad.rewrite.rule import Rule
from graphgrad.rewrite.rules import (
    around,
    casts,
    chains,
    choices,
    contract,
    decay,
    functions,
    joined,
    neutral,
    parts,
    positive,
    powers,
    reductions,
    scalars,
    scattered,
    shapes,
    signs,
    softmax,
    terms,
)
from graphgrad.rewrite.rules import stabilize as stabilize_rules

PASSES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("prune", prune.RULES),
    ("softmax", softmax.RULES),
    ("fold", fold.RULES),
    (
        "simplify",
        (
            *neutral.RULES,
            *signs.RULES,
            *scalars.RULES,
            *choices.RULES,
            *casts.RULES,
            *functions.RULES,
            *positive.RULES,
            *terms.RULES,
        ),
    ),
    ("powers", powers.RULES),
    ("shapes", (*shapes.RULES, *joined.RULES, *around.RULES, *reductions.RULES, *scattered.RULES)),
    ("products", (*contract.RULES, *chains.RULES)),
    ("share", canonical.RULES),
)
"""Run in this order, again and again until no rule fires."""

STABLE: tuple[Rule, ...] = (*stabilize_rules.RULES, *functions.UNDONE, functions.NORM)
"""Before differentiation, once."""

REFINED: tuple[Rule, ...] = stabilize_rules.REFINED
"""After all that, once: values that cancel, though their gradients do not."""

LOWERED: tuple[Rule, ...] = (
    *parts.RULES,
    *decay.RULES,
    *choices.MASKS,
    *reductions.NUMBERS,
    canonical.LINED_UP,
)
"""At the end, once: what an op does in steps, so that loops can compute it tile by tile, and each step once."""

SAFE: dict[str, tuple[Safety, ...]] = {
    "plain": (),
    "default": ("exact", "rounding", "widening"),
    "fast": ("exact", "rounding", "widening", "range"),
}
"""The classes of rules that each level uses."""


def rewrite(graph: Graph, level: str) -> tuple[tuple[str, Graph], ...]:
    """The graph after each pass, by the pass's name; a pass that has nothing to do gives the same object back.

    Passes that find something to do once more, because of a later one, are listed once more.

    >>> x = gg.input("x", (3,))
    >>> stages = rewrite(Graph((x,), (gg.exp(x * 1) * (2 + gg.const(1.0, "float32")),)), "default")
    >>> [name for name, _ in stages]
    ['prune', 'softmax', 'fold', 'simplify', 'powers', 'shapes', 'products', 'share']
    >>> [node.op.name for node in stages[-1][1].nodes]
    ['input', 'exp', 'const', 'multiply']
    """
    if not SAFE[level]:
        return ()
    lineage = Lineage(graph)
    stages: list[tuple[str, Graph]] = []
    done: dict[str, Graph] = {}  # what each pass saw last, and had nothing to do on
    while len(done) < len(PASSES) or any(seen is not graph for seen in done.values()):
        for name, rules in PASSES:
            if done.get(name) is not graph:
                done[name] = following = visit(graph, _used(rules, level), lineage)
                if following is not graph or len(stages) < len(PASSES):
                    stages.append((name, following))
                if following is not graph:
                    del done[name]
                graph = following
    for name, rules in (("refine", REFINED), ("lower", LOWERED)):
        following = visit_once(graph, _used(rules, level))[0]
        if following is not graph:
            stages.append((name, following))
        graph = following
    return tuple(stages)


def stabilize(graph: Graph, level: str, keep: Sequence[Node] = ()) -> Graph:
    """The graph with forms that overflow or cancel written as those that do not, before it is differentiated:
    ``log(sum(exp(x)))`` has the gradient ``exp(x) / sum(exp(x))``, which no rule for its value would repair.

    `keep` is what gradients are asked for; those nodes stay what they are.

    >>> x = gg.input("x", (3,))
    >>> [node.op.name for node in stabilize(Graph((x,), (gg.log(1 + x),)), "default").nodes]
    ['input', 'log1p']
    """
    return visit_once(graph, _used(STABLE, level), keep)[0]


def declined(graph: Graph, level: str) -> tuple[Decline, ...]:
    """Which rules fit somewhere in a rewritten graph and do not fire there, and why."""
    return declines(graph, [one for _, rules in PASSES for one in _used(rules, level)])


def _used(rules: Sequence[Rule], level: str) -> list[Rule]:
    return [one for one in rules if one.safety in SAFE[level]]
