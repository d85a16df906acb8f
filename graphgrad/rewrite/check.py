"""Finding the rule that is to blame when a rewritten graph computes something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphgrad.core.errors import VerificationError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.rewriting import Firing
from graphgrad.interpret import interpret_all

_DIGITS = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}
"""By dtype: how far, relative to the largest element, other roundings may take a value."""


def wrong_firing(graph: Graph, values: Mapping[Node, Any]) -> Firing | None:
    """The first firing whose replacement has another value than its class allows; None if there is none.

    `values` are those of every leaf, cotangents included. The interpreter computes all.
    """
    firings = () if graph.rewriting is None else graph.rewriting.firings
    nodes = [node for firing in firings for node in (firing.node, firing.replacement)]
    with np.errstate(all="ignore"):
        known = interpret_all(nodes, values)
        return next((one for one in firings if _differs(one, known[one.node], known[one.replacement])), None)


def check_firings(graph: Graph, values: Mapping[Node, Any]) -> None:
    """Check every firing on these values of the leaves.

    Raises
    ------
    VerificationError
        It names the rule that gave something else, and the user's line.

    >>> x = gg.input("x", (2,))
    >>> model = gg.compile(gg.sum(x**3), wrt=x)
    >>> check_firings(model.graph, {leaf: np.ones(leaf.shape, "float32") for leaf in model.graph.leaves})
    """
    firing = wrong_firing(graph, values)
    if firing is not None:
        raise VerificationError(
            f"the rule {firing.rule} takes {firing.replacement.op.name} for {firing.node.op.name}, "
            f"and that is another value",
            saw=[] if graph.rewriting is None else [graph.rewriting.place(firing.written)],
        )


def _differs(firing: Firing, written: Any, rewritten: Any) -> bool:
    one, other = np.asarray(written), np.asarray(rewritten)
    if one.dtype != other.dtype or one.shape != other.shape:
        return True
    same = (one == other) | ((one != one) & (other != other))
    if one.dtype.kind != "f" or firing.safety == "exact":
        signs = np.signbit(one) == np.signbit(other) if one.dtype.kind == "f" else True
        return not np.all(same & (signs | (one != one)))
    size = np.max(np.abs(one), initial=0, where=np.isfinite(one))
    close = np.abs(one - other) <= _DIGITS[one.dtype.name] * size
    excused = ~np.isfinite(one) if firing.safety in ("widening", "range") else False
    return not np.all(same | close | excused)
