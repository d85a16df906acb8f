"""Finding where a NaN or inf arises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from graphgrad.core.errors import NonFiniteError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.interpret import interpret_all


def is_finite(values: Iterable[Any]) -> bool:
    """Whether no float among the values is NaN or inf."""
    return all(np.asarray(value).dtype.kind != "f" or bool(np.isfinite(value).all()) for value in values)


def check_finite(results: Iterable[Any], graph: Graph, values: Mapping[Node, Any]) -> None:
    """Raise if a result holds a NaN or inf, naming the first node whose inputs are all finite and whose value is not.

    Raises
    ------
    NonFiniteError
        With the node and the user's line.
    """
    if is_finite(results):
        return
    with np.errstate(all="ignore"):
        known = interpret_all(graph.outputs, values)
    for node in graph.nodes:
        if not is_finite([known[node]]) and is_finite(known[part] for part in node.inputs):
            entries = graph.origins.get(node, ())
            blamed = entries[0].forward if entries else node
            what = f"the gradient of {blamed.op.name}" if entries else node.op.name
            kind = "NaN" if np.isnan(known[node]).any() else "inf"
            raise NonFiniteError(f"{what} gives {kind}", saw=[blamed.describe()], site=blamed.notes.site)
    raise NonFiniteError("the compiled module gives NaN or inf where the model itself does not")
