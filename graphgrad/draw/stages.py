"""The stages of a compiled model, by name: what each was given and what it made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.core.graph import Graph
from graphgrad.pipeline import compile
from graphgrad.run.compiled import Compiled

ALL = "rewrite"
"""All passes that rewrite, as one step."""
_FIRST = ("define", "stabilize", "differentiate")
"""The stages before those."""


@dataclass(frozen=True)
class Change:
    """One stage: the graph it was given and the one it made."""

    name: str
    before: Graph | None
    """None for the first stage."""
    after: Graph


def changes(model: Compiled) -> dict[str, Change]:
    """The stages of a traced model by name; a pass that ran again has its number, and "rewrite" is all of them."""
    found: dict[str, Change] = {}
    before: Graph | None = None
    start: Graph | None = None
    for name, graph in model.stages:
        number = 1
        label = name
        while label in found:
            number += 1
            label = f"{name} {number}"
        found[label] = Change(label, before, graph)
        start = graph if name in _FIRST else start
        before = graph
    if start is not None and before is not None and before is not start:
        found[ALL] = Change(ALL, start, before)
    return found


def change(x: Any, wrt: Any, stage: str) -> Change:
    """The stage of a model; nodes are compiled at level "default" to have it.

    Raises
    ------
    ArgumentError, InvalidValueError
        If the model was compiled without `trace`, or has no such stage.
    """
    model = x if isinstance(x, Compiled) else _traced(x, wrt)
    if not model.stages:
        raise ArgumentError(
            f"{model.name} was compiled without its stages, so none can be drawn",
            hint="gg.compile(..., trace=True)",
        )
    found = changes(model)
    if stage not in found:
        raise InvalidValueError(
            f"there is no stage {stage!r:.60}", hint=f"one of {', '.join(map(repr, found))}"
        )
    return found[stage]


def _traced(x: Any, wrt: Any) -> Compiled:
    if isinstance(x, Graph) or callable(x):
        raise ArgumentError(
            f"a {type(x).__name__} has no stages", hint="gg.draw(gg.compile(..., trace=True), stage=...)"
        )
    return compile(x, wrt=wrt, trace=True)
