"""The passes, in order, and which of their rules a level uses."""

from __future__ import annotations

from collections.abc import Sequence

from graphgrad.core.graph import Graph
from graphgrad.core.rewriting import Safety
from graphgrad.rewrite import canonical, fold, prune
from graphgrad.rewrite.engine import apply_rules, declines
from graphgrad.rewrite.lineage import Decline, Lineage
from graphgrad.rewrite.rule import Rule
from graphgrad.rewrite.rules import (
    casts,
    choices,
    functions,
    neutral,
    positive,
    powers,
    reductions,
    shapes,
    signs,
)

PASSES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("prune", prune.RULES),
    ("fold", fold.RULES),
    (
        "simplify",
        (*neutral.RULES, *signs.RULES, *choices.RULES, *casts.RULES, *functions.RULES, *positive.RULES),
    ),
    ("powers", powers.RULES),
    ("shapes", (*shapes.RULES, *reductions.RULES)),
    ("share", canonical.RULES),
)
"""Run in this order, again and again until no rule fires."""

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
    ['prune', 'fold', 'simplify', 'powers', 'shapes', 'share']
    >>> [node.op.name for node in stages[-1][1].nodes]
    ['input', 'exp', 'const', 'multiply']
    """
    if not SAFE[level]:
        return ()
    lineage = Lineage(graph)
    stages = _round(graph, level, lineage)
    last, before = stages[-1][1], graph
    while last is not before:
        again = _round(last, level, lineage)
        last, before = again[-1][1], last
        stages += [
            stage
            for stage, earlier in zip(again, [stages[-1], *again], strict=False)
            if stage[1] is not earlier[1]
        ]
    return tuple(stages)


def _round(graph: Graph, level: str, lineage: Lineage) -> list[tuple[str, Graph]]:
    """Each pass once."""
    stages = []
    for name, rules in PASSES:
        graph = apply_rules(graph, _used(rules, level), lineage)
        stages.append((name, graph))
    return stages


def declined(graph: Graph, level: str) -> tuple[Decline, ...]:
    """Which rules fit somewhere in a rewritten graph and do not fire there, and why."""
    return declines(graph, [one for _, rules in PASSES for one in _used(rules, level)])


def _used(rules: Sequence[Rule], level: str) -> list[Rule]:
    return [one for one in rules if one.safety in SAFE[level]]
