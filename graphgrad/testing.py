"""For tests of models and of graphgrad itself: inputs to try, derivatives checked by numbers, sameness.

Nothing here runs emitted code: everything goes through the interpreter, so that a wrong gradient and wrong
code cannot hide each other.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from graphgrad.autodiff.forward import jvp
from graphgrad.autodiff.gradient import grad
from graphgrad.autodiff.numeric import numeric_directional, numeric_gradient
from graphgrad.autodiff.reverse import check_differentiable
from graphgrad.core.dim import evaluate, symbols
from graphgrad.core.errors import ArgumentError, VerificationError
from graphgrad.core.graph import Graph
from graphgrad.core.node import Node
from graphgrad.core.provenance import recording
from graphgrad.core.traverse import rebuild, toposort
from graphgrad.interpret import interpret
from graphgrad.ops.leaf import LEAF_KINDS, const, input, run_time_size
from graphgrad.ops.projection import PROJECTION, results
from graphgrad.ops.reduce import sum as sum_nodes

__all__ = ["assert_same", "check_grads", "sample_inputs"]

Array: TypeAlias = np.ndarray[Any, Any]
Values: TypeAlias = Mapping[Node, Any]

_SMALL = 64  # up to so many elements a gradient is checked element by element, beyond along random directions
_TOLERANCES = {"float16": (1e-2, 1e-3), "float32": (1e-5, 1e-6), "float64": (1e-9, 1e-12)}


# ---- inputs ---------------------------------------------------------------------------------------


def sample_inputs(
    source: Graph | Node | Iterable[Node], rng: np.random.Generator, **dims: int
) -> dict[str, Any]:
    """A value for each leaf that a graph or some nodes need, by name.

    Floats are standard normals, integers and booleans zeros, generators new ones. A symbolic size that is
    not in `dims` gets a small number of its own.

    >>> x, n = gg.input("x", ("batch", 2)), gg.input("n", ("batch",), "int64")
    >>> values = sample_inputs(gg.sum(x) + gg.sum(n), np.random.default_rng(0), batch=3)
    >>> values["x"].shape, values["x"].dtype, values["n"]
    ((3, 2), dtype('float32'), array([0, 0, 0]))
    """
    leaves = _leaves(source)
    sizes = dict(dims)
    for leaf in leaves:
        for size in leaf.shape:
            for name in symbols(size):
                sizes.setdefault(name, 3 + len(sizes))
    return {str(leaf.name): _sample(leaf, rng, sizes) for leaf in leaves}


def _leaves(source: Graph | Node | Iterable[Node]) -> list[Node]:
    if isinstance(source, Graph):
        return list(source.inputs)
    roots = [source] if isinstance(source, Node) else list(source)
    leaves = (node for node in toposort(roots) if node.op.name in LEAF_KINDS)
    return sorted(leaves, key=lambda leaf: leaf.serial)


def _sample(leaf: Node, rng: np.random.Generator, sizes: Mapping[str, int]) -> Any:
    if leaf.op.name == "rng":
        return np.random.default_rng(rng.integers(2**32))
    shape = tuple(evaluate(size, sizes) for size in leaf.shape)
    if leaf.dtype.kind == "f":
        return np.asarray(rng.standard_normal(shape), leaf.dtype)
    return np.zeros(shape, leaf.dtype)


# ---- sameness -------------------------------------------------------------------------------------


def assert_same(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, what: str = "the result"
) -> None:
    """Check that two arrays, or tuples, lists or dicts of them, are the same.

    The same means: equal structure, dtypes and shapes, nan and inf in the same places, and values within
    ``atol + rtol * abs(expected)``; by default a few digits less than the dtype holds. Integers are equal.

    Raises
    ------
    VerificationError
        If not: it says what differs, where, and by how much.

    >>> assert_same({"x": np.ones(2)}, {"x": np.ones(2) + 1e-12})
    >>> assert_same(np.ones(2), np.ones(2, np.float32))
    Traceback (most recent call last):
    graphgrad.core.errors.VerificationError: the result has dtype float64, not float32
    ...
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or list(actual) != list(expected):
            shown = list(actual) if isinstance(actual, Mapping) else type(actual).__name__
            raise VerificationError(f"{what} is {shown}, not a dict with {list(expected)}")
        for key in expected:
            assert_same(actual[key], expected[key], rtol, atol, f"{what}[{key!r}]")
        return
    if isinstance(expected, tuple | list):
        if type(actual) is not type(expected) or len(actual) != len(expected):
            raise VerificationError(
                f"{what} is a {type(actual).__name__}, not a {type(expected).__name__} of {len(expected)}"
            )
        for at, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(one, other, rtol, atol, f"{what}[{at}]")
        return
    _assert_same_array(np.asarray(actual), np.asarray(expected), rtol, atol, what)


def _assert_same_array(
    actual: Array, expected: Array, rtol: float | None, atol: float | None, what: str
) -> None:
    for kind in ("dtype", "shape"):
        one, other = getattr(actual, kind), getattr(expected, kind)
        if one != other:
            raise VerificationError(f"{what} has {kind} {one}, not {other}")
    relative, absolute = _TOLERANCES.get(expected.dtype.name, (0.0, 0.0))
    relative, absolute = relative if rtol is None else rtol, absolute if atol is None else atol
    with np.errstate(all="ignore"):
        special = ~np.isfinite(expected) | ~np.isfinite(actual)
        same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        wide, wanted = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        off = np.abs(wide - wanted)
        close = same if expected.dtype.kind != "f" else same | (off <= absolute + relative * np.abs(wanted))
    wrong = np.where(special, ~same, ~close)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        worst = f", off by up to {off[wrong & ~special].max():.3g}" if (wrong & ~special).any() else ""
        raise VerificationError(
            f"{what} differs in {int(wrong.sum())} of {wrong.size} elements{worst}",
            saw=[f"at {at}: {actual[at]!r}, expected {expected[at]!r}"],
        )


# ---- derivatives ----------------------------------------------------------------------------------


def check_grads(
    output: Node,
    wrt: Node | Sequence[Node] | None = None,
    values: Mapping[Any, Any] | None = None,
    rng: np.random.Generator | None = None,
    modes: Sequence[str] = ("reverse", "forward"),
    order: int = 2,
) -> None:
    """Check the derivatives of `output` against finite differences and against each other.

    Reverse mode and forward mode are compared with central differences, and with each other by
    <u, Jv> = <J'u, v>; with ``order=2`` the same is done for the gradient itself. Everything is computed in
    float64; a model in another dtype is checked in that one as well, less closely.

    Parameters
    ----------
    output:
        A float node of any shape.
    wrt:
        What to differentiate by: by default every float leaf.
    values:
        A value for each leaf, by name or by leaf: by default `sample_inputs`.
    rng:
        Where random numbers come from: by default always the same.
    modes:
        "reverse", "forward" or both.
    order:
        How many times to differentiate.

    Raises
    ------
    VerificationError
        If something differs: it names the mode, what was differentiated by, and by how much it is off.

    >>> x = gg.input("x", ("n", 3))
    >>> check_grads(gg.exp(x) * gg.sum(x, axis=1, keepdims=True))
    """
    if not set(modes) <= {"reverse", "forward"}:
        raise ArgumentError(f'modes are "reverse" and "forward", not {modes!r}')
    check_differentiable(output, "the output")
    rng = np.random.default_rng(0) if rng is None else rng
    leaves = _leaves(output)
    by = [wrt] if isinstance(wrt, Node) else wrt
    by = [leaf for leaf in leaves if leaf.spec.dtype.kind == "f"] if by is None else list(by)
    given = _by_leaf(leaves, sample_inputs(output, rng) if values is None else values)
    with recording("off"):
        wide, wide_by, wide_given = _widen(output, by, given)
        for part, wide_part in zip(by, wide_by, strict=True):
            check = _Check(wide, wide_part, wide_given, rng, part.describe(), tuple(modes))
            check.run(order)
            if part.dtype != np.float64 or output.dtype != np.float64:
                _check_dtype(output, part, given, check)


def _by_leaf(leaves: Sequence[Node], values: Mapping[Any, Any]) -> dict[Node, Any]:
    found = {}
    for leaf in leaves:
        if leaf not in values and leaf.name not in values:
            raise ArgumentError(
                f"no value is given for {leaf.describe()}", hint="values={...}, or leave it out"
            )
        found[leaf] = values[leaf] if leaf in values else values[leaf.name]
    return found


def _widen(output: Node, by: Sequence[Node], given: Values) -> tuple[Node, list[Node], dict[Node, Any]]:
    """The same model in float64, so that finite differences are worth something."""
    wide_given: dict[Node, Any] = {}

    def widened(node: Node, inputs: tuple[Node, ...]) -> Node:
        name = node.op.name
        if node in given:
            if name == "rng" or node.dtype.kind != "f":
                wide_given[node] = given[node]
                return node
            leaf = input(str(node.name), node.shape, "float64")
            wide_given[leaf] = np.asarray(given[node], np.float64)
            return leaf
        if name == PROJECTION:
            which: int = node.attrs["which"]
            return results(inputs[0])[which]
        if len(node.specs) == 1 and node.dtype.kind == "f":
            if name == "const":
                return const(node.attrs["value"], "float64")
            if name == "run_time_size":
                return run_time_size(node.attrs["size"], "float64")
            if name == "cast":
                return node.op(*inputs, dtype=np.dtype(np.float64))
        return node.op(*inputs, **node.attrs)

    wide, *wide_by = rebuild([output, *by], widened)
    return wide, wide_by, wide_given


@dataclass(frozen=True)
class _Check:
    """The derivative of one node by another, in float64."""

    output: Node
    by: Node
    given: Values
    rng: np.random.Generator
    what: str
    modes: tuple[str, ...]
    mode: str = ""

    def value_of(self, node: Node, extra: Values) -> Array:
        values = {**self.given, **extra}
        fresh = {
            leaf: copy.deepcopy(value) if leaf.op.name == "rng" else value for leaf, value in values.items()
        }
        (result,) = interpret([node], fresh)
        return result

    def run(self, order: int) -> None:
        if order < 1:
            return
        base, point = self.value_of(self.output, {}), self.value_of(self.by, {})
        u: Array = np.asarray(self.rng.standard_normal(base.shape))
        v: Array = np.asarray(self.rng.standard_normal(point.shape))
        cotangent = input("cotangent", self.output.shape, "float64")
        tangent = input("tangent", self.by.shape, "float64")
        by = self.by

        def moved(array: Array) -> Array:
            return self.value_of(self.output, {by: array})

        scale = float(np.sum(np.abs(u * base)))
        pulled = pushed = None
        if "reverse" in self.modes:
            gradient = grad(self.output, by, cotangent)
            pulled = self.value_of(gradient, {cotangent: u})
            self._compare_gradient(moved, pulled, point, u, scale)
        if "forward" in self.modes:
            pushed = self.value_of(jvp(self.output, [by], [tangent]), {tangent: v})
            numeric = numeric_directional(moved, [point], [v])
            self._compare("forward", pushed, numeric, float(np.max(np.abs(base), initial=0)))
        if pulled is not None and pushed is not None:
            left, right = np.sum(u * pushed), np.sum(pulled * v)
            size = np.sum(np.abs(u * pushed)) + np.sum(np.abs(pulled * v))
            if not abs(left - right) <= 1e-9 * (size + 1e-300):
                raise self._error(f"<u, Jv> is {left:.12g}, but <J'u, v> is {right:.12g}", abs(left - right))
        if "reverse" in self.modes and order > 1:
            self._again(gradient, {cotangent: u}, order - 1)

    def _again(self, gradient: Node, seeds: Values, order: int) -> None:
        """The same for the gradient."""
        given = {**self.given, **seeds}
        _Check(gradient, self.by, given, self.rng, self.what, self.modes, self.mode + "second order, ").run(
            order
        )

    def _compare_gradient(self, moved: Any, pulled: Array, point: Array, u: Array, scale: float) -> None:
        if pulled.shape != point.shape:
            raise self._error(f"the gradient has shape {pulled.shape}, not {point.shape}", np.nan)
        if point.size <= _SMALL:
            self._compare("reverse", pulled, numeric_gradient(moved, [point], 0, u), scale)
            return
        for _ in range(4):
            v: Array = np.asarray(self.rng.standard_normal(point.shape))
            numeric = np.sum(u * numeric_directional(moved, [point], [v]))
            self._compare("reverse", np.sum(pulled * v), numeric, scale)

    def _compare(self, mode: str, found: Any, numeric: Any, scale: float) -> None:
        """Within the error of central differences: a millionth, and the rounding of the value."""
        off = np.abs(np.asarray(found) - numeric)
        allowed = 1e-6 * np.max(np.abs(numeric), initial=0) + 1e-9 * max(1.0, scale)
        if off.size and not np.max(off) <= allowed:
            at = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)
            place = f" at {tuple(map(int, at))}" if at else ""
            got, wanted = np.asarray(found)[at], np.asarray(numeric)[at]
            raise self._error(
                f"{mode} mode gives {got:.12g}{place}, finite differences {wanted:.12g}", off[at]
            )

    def _error(self, problem: str, off: float) -> VerificationError:
        return VerificationError(
            f"{self.mode}the derivative by {self.what} is off by {off:.3g}: {problem}",
            saw=[f"of {self.output.describe()}"],
        )


def _check_dtype(output: Node, part: Node, given: Values, check: _Check) -> None:
    """The gradient in the model's own dtypes: its dtype, and roughly its values."""
    seed = const(np.ones((), output.dtype))
    total = sum_nodes(output)
    (own,) = interpret([grad(total, part, seed)], given)
    if own.dtype != part.dtype:
        raise check._error(f"the gradient has dtype {own.dtype}, not {part.dtype}", np.nan)
    exact = check.value_of(grad(sum_nodes(check.output), check.by), {})
    narrow = min((output.dtype, part.dtype), key=lambda dtype: dtype.itemsize)
    allowed = 1e4 * np.finfo(narrow).eps * max(1.0, float(np.max(np.abs(exact), initial=0)))
    off = np.abs(own.astype(np.float64) - exact)
    if off.size and not np.max(off) <= allowed:
        raise check._error(f"the gradient in {narrow} differs from the one in float64", float(np.max(off)))
