"""Gradients of random graphs against differences of their values, everything in long double.

The compiled function and the interpreter run the same gradient graph, so their agreement says nothing about `grad`.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

import graphgrad as gg
from graphgrad.core.traverse import toposort
from graphgrad.interpret import named_sizes
from tests.fuzz.bounds import evaluate_wide
from tests.fuzz.graphs import Recipe, build

STEP = np.longdouble(1e-7)


def check_derivative(recipe: Recipe, n: int = 3) -> bool:
    """Compare the derivative along a random direction in all float leaves; False if the place is not smooth enough.

    Raises
    ------
    AssertionError
        If the two differ.
    """
    model = build(recipe, floats="float64")
    wrt = [leaf for leaf in model.leaves if leaf.dtype.kind == "f"]
    rng = np.random.default_rng([recipe.values, n])
    losses = [node for node in model.listed if node.dtype.kind == "f"]
    if not losses or not wrt:
        return False
    total = gg.const(0.0)
    for node in losses:
        total = total + gg.sum(gg.tanh(gg.cast(node, "float64")))
    values = {leaf: _values(rng, leaf, n) for leaf in model.leaves}
    direction = {leaf: rng.standard_normal(values[leaf].shape).astype(np.longdouble) for leaf in wrt}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
        slopes = evaluate(gg.grad(total, wrt), values)
        found = sum(np.sum(slope * direction[leaf]) for slope, leaf in zip(slopes, wrt, strict=True))

        def loss(step: np.longdouble) -> np.longdouble:
            moved = {leaf: values[leaf] + step * direction[leaf] for leaf in wrt}
            return evaluate([total], {**values, **moved})[0]

        here = loss(np.longdouble(0))
        sides = [(loss(sign * STEP) - here) / (sign * STEP) for sign in (1, -1)]
    expected = (sides[0] + sides[1]) / 2
    size = sum(float(np.linalg.norm(slope)) for slope in slopes) + 1e-3
    if not np.isfinite(size) or size > 1e4 or not abs(sides[0] - sides[1]) <= 1e-4 * size:
        return False  # at infinity, too steep, or at a kink
    if not abs(found - expected) <= 1e-5 * size:
        graph = gg.Graph(model.leaves, (total,))
        raise AssertionError(
            f"the derivative is {found} by grad, and {expected} by differences\n"
            f"again with: from tests.fuzz.derivatives import *; check_derivative({recipe!r}, {n})\n{graph}\n"
            f"at {values}"
        )
    return True


def _values(rng: np.random.Generator, leaf: gg.Node, n: int) -> np.ndarray:
    shape = tuple(size if isinstance(size, int) else n for size in leaf.shape)
    if leaf.dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if leaf.dtype.kind == "i":
        return rng.integers(-2, 3, shape)
    return rng.standard_normal(shape).astype(np.longdouble)


def evaluate(nodes: Sequence[gg.Node], values: Mapping[gg.Node, np.ndarray]) -> list[np.ndarray]:
    """The values of nodes in long double."""
    sizes = named_sizes({leaf: value for leaf, value in values.items() if leaf.shape})
    known = dict(values)
    for node in toposort(nodes, stop=known):
        known[node] = evaluate_wide(node, [known[part] for part in node.inputs], sizes)
    return [known[node] for node in nodes]
