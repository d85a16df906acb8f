"""Finding where a NaN or inf arises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import NonFiniteError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort
from graphgrad.interpret import interpret_all


def is_finite(values: Any) -> bool:
    """Whether no float in an array, or in nested tuples, lists and dicts of them, is NaN or inf."""
    if isinstance(values, Mapping):
        values = tuple(values.values())
    if isinstance(values, list | tuple):
        return all(map(is_finite, values))
    return np.asarray(values).dtype.kind != "f" or bool(np.isfinite(values).all())


def blame(
    computed: Sequence[Node], values: Mapping[Node, Any], sizes: Mapping[str, int], graph: Graph
) -> NonFiniteError:
    """The error that names the first node whose inputs are all finite and whose value is not.

    Parameters
    ----------
    computed:
        What was computed and holds a NaN or inf.
    values:
        What it was computed from: arguments, or residuals and cotangents.
    """
    with np.errstate(all="ignore"):
        known = interpret_all(computed, values, sizes)
    for node in toposort(computed):
        if node not in known or is_finite(known[node]):
            continue
        if is_finite([known[part] for part in node.inputs if part in known]):
            return _error(node, known[node], node in values, graph)
    return NonFiniteError("the compiled module gives NaN or inf where the model itself does not")


def _error(node: Node, value: Any, given: bool, graph: Graph) -> NonFiniteError:
    entries = graph.origins.get(node, ())
    blamed = entries[0].forward if entries else node
    kind = "NaN" if np.isnan(value).any() else "inf"
    if given:
        what = (
            f"{'the argument ' if node.op.is_leaf else ''}{graph.name(node) or node.op.name!r} holds {kind}"
        )
    elif entries:
        what = f"the gradient of {blamed.op.name} gives {kind}"
    else:
        what = f"{node.op.name} gives {kind}"
    return NonFiniteError(what, saw=[graph.describe(blamed)], site=graph.site(blamed))
