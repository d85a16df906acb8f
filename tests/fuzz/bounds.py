"""How far rounding may move a graph's values: measured by evaluating it again in long double, jiggled.

A relative tolerance hides a mistake where values are large and cries wolf where they cancel. So every value that
is rounded in the graph's own dtype is moved by a few units in its last place, at random, several times over. How far
the results spread is how far another order of the same computation may come. What is exact is not moved, so ties stay
ties. Where a comparison may fall the other way, the spread is that of both. Sums that may cancel are exactly 0 in one
more run, as another order of their terms may have it: numbers moved at random never are.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

import graphgrad as gg
from graphgrad.core.traverse import toposort
from graphgrad.interpret import concrete, interpret_all, named_sizes

RUNS = 6
MARGIN = 64
"""How many times the spread is allowed: `RUNS` numbers do not reach the extremes."""
UNITS = 4
"""Units in the last place that an op may be off by; elementary functions have as many."""
NEAR = 2.0**12
"""What is so close to overflow or underflow, as a factor, may fall on either side."""
SUMS = ("sum", "mean", "matmul", "sigmoid_cross_entropy")
"""Ops that add up what may cancel: a cross-entropy of a label that is no probability does."""


class Bounds:
    """The values of a graph, and for each node how far another implementation may be from them."""

    def __init__(self, nodes: Sequence[gg.Node], values: Mapping[gg.Node, np.ndarray]) -> None:
        self.native = interpret_all(nodes, values)
        self._order = [node for node in toposort(nodes) if node in self.native]
        leaves = {node: value for node, value in values.items() if node.specs[0].shape}
        self._sizes = named_sizes(leaves)
        self._given = values
        self._wide: list[dict[gg.Node, np.ndarray]] | None = None

    def complaint(self, node: gg.Node, found: np.ndarray) -> str | None:
        """What is wrong with `found` as the value of `node`, or None."""
        expected = np.asarray(self.native[node])
        if found.dtype != expected.dtype or found.shape != expected.shape:
            return f"is {found.dtype} {found.shape}, not {expected.dtype} {expected.shape}"
        same = found == expected
        if found.dtype.kind == "f":
            same |= np.isnan(found) & np.isnan(expected)
        if same.all():
            return None
        runs = [np.asarray(run[node]) for run in self._jiggled()]
        with np.errstate(all="ignore"):
            wrong = ~same & self._is_stable(runs)
            if found.dtype.kind == "f":
                finite = np.isfinite(found) & np.isfinite(expected)
                *moved, cancelled = (np.abs(run - runs[0]) for run in runs[1:])
                spread = np.max(moved, axis=0)
                least = np.finfo(found.dtype).smallest_subnormal * UNITS
                distance = np.abs(found.astype(np.longdouble) - expected.astype(np.longdouble))
                wrong &= ~finite | (distance > np.maximum(MARGIN * spread, cancelled) + least)
        if not wrong.any() or self._near_limits(node):
            return None
        at = tuple(int(axis) for axis in np.unravel_index(np.argmax(wrong), wrong.shape))
        spread_there = "" if found.dtype.kind != "f" else f"; rounding spreads it by {spread[at]:.1e}"
        return (
            f"differs in {wrong.sum()} of {wrong.size} elements, first at {at}: "
            f"{found[at]!r}, not {expected[at]!r}{spread_there}"
        )

    @staticmethod
    def _is_stable(runs: Sequence[np.ndarray]) -> np.ndarray:
        """Where no run gave another kind of number, or for integers another number."""
        if runs[0].dtype.kind != "f":
            return np.all([run == runs[0] for run in runs], axis=0)
        kinds = [np.where(np.isfinite(run), 0, np.where(np.isnan(run), 1, np.sign(run) + 3)) for run in runs]
        return np.all([kind == kinds[0] for kind in kinds], axis=0)

    def _near_limits(self, node: gg.Node) -> bool:
        """Whether on the way to the node something nearly overflows, or is smaller than normal numbers are."""
        with np.errstate(all="ignore"):
            for part in toposort([node]):
                if part not in self.native or part.dtype.kind != "f" or part.op.is_leaf:
                    continue
                limits = np.finfo(part.dtype)
                wide = np.abs(self._evaluate(part, self.native))
                over = (wide > limits.max / NEAR) & (wide < limits.max * NEAR)
                under = (wide > limits.smallest_subnormal / NEAR) & (wide < limits.smallest_normal * NEAR)
                under &= self._rounded(part)
                if over.any() or under.any():
                    return True
        return False

    def _evaluate(self, node: gg.Node, known: Mapping[gg.Node, Any]) -> np.ndarray:
        """One op in long double."""
        return evaluate_wide(node, [known[part] for part in node.inputs], self._sizes)

    def _rounded(self, node: gg.Node) -> np.ndarray:
        """Where the graph's own dtype could not hold the result of the op."""
        exact, own = self._evaluate(node, self.native), _widened(self.native[node])
        return ~((exact == own) | np.isnan(own))

    def _jiggled(self) -> list[dict[gg.Node, np.ndarray]]:
        """The values in long double: as they are, moved by what rounding may do, and with what may cancel as 0."""
        if self._wide is None:
            rng = np.random.default_rng(0)
            with np.errstate(all="ignore"):
                rounded = {
                    node: self._rounded(node)
                    for node in self._order
                    if node not in self._given and node.dtype.kind == "f"
                }
                runs = [self._run(rng if run else None, rounded) for run in range(RUNS + 1)]
                cancels = {node: _may_be_zero([run[node] for run in runs]) for node in self._sums()}
                self._wide = [*runs, self._run(None, rounded, cancels)]
        return self._wide

    def _sums(self) -> list[gg.Node]:
        sums = [node for node in self._order if node not in self._given and node.op.name in SUMS]
        return [node for node in sums if node.dtype.kind == "f"]

    def _run(
        self,
        rng: np.random.Generator | None,
        rounded: Mapping[gg.Node, np.ndarray],
        cancels: Mapping[gg.Node, np.ndarray] = MappingProxyType({}),
    ) -> dict[gg.Node, np.ndarray]:
        known: dict[gg.Node, np.ndarray] = {node: _widened(value) for node, value in self._given.items()}
        for node in self._order:
            if node in known:
                continue
            if node.dtype.kind != "f":
                known[node] = self._evaluate(node, known)
                continue
            unit = np.longdouble(np.finfo(node.dtype).eps)
            inputs = {part: known[part] for part in node.inputs}
            if rng is not None and node.op.name in SUMS:
                terms = max(inputs[part].size for part in node.inputs) / max(1, self.native[node].size) + 2
                inputs = {part: _moved(rng, value, unit * terms) for part, value in inputs.items()}
            value = self._evaluate(node, inputs)
            if rng is not None:
                moved = _moved(rng, value, unit * UNITS) + rng.uniform(-1, 1, value.shape) * np.where(
                    np.abs(value) < np.finfo(node.dtype).smallest_normal * NEAR,
                    np.longdouble(np.finfo(node.dtype).smallest_subnormal),
                    0,
                )
                value = np.where(rounded[node] | (node.op.name in SUMS), moved, value)
            elif node in cancels:
                value = np.where(cancels[node] & np.isfinite(value), 0, value)
            own = _widened(self.native[node])  # what overflows or vanishes there does so here
            value = np.where(np.abs(value) < np.finfo(node.dtype).smallest_subnormal / 2, 0, value)
            known[node] = np.where(np.isfinite(own), value, own)
        return known


def _may_be_zero(runs: Sequence[np.ndarray]) -> np.ndarray:
    """Where rounding spreads a value so far that it may be 0."""
    spread = np.max([np.abs(run - runs[0]) for run in runs[1:]], axis=0)
    return np.asarray(np.abs(runs[0]) <= MARGIN * spread)


def evaluate_wide(node: gg.Node, inputs: Sequence[Any], sizes: Mapping[str, int]) -> np.ndarray:
    """One op in long double, where a cast from float to float changes nothing."""
    inputs = [_widened(value) for value in inputs]
    if node.op.name == "cast" and node.dtype.kind == "f":
        return np.asarray(inputs[0]).astype(np.longdouble)
    attrs = {name: concrete(value, sizes) for name, value in node.attrs.items()}
    return _widened(node.op.reference(*inputs, **attrs))


def _widened(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.longdouble) if array.dtype.kind == "f" else array


def _moved(rng: np.random.Generator, value: np.ndarray, relative: Any) -> np.ndarray:
    return value * (1 + relative * rng.uniform(-1, 1, value.shape)) if value.dtype.kind == "f" else value
