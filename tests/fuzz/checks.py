"""What must hold for every graph that compiles, and the report if it does not."""

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.traverse import toposort
from graphgrad.plan import loops
from tests.fuzz.bounds import Bounds
from tests.fuzz.graphs import SIZES, Model, Recipe, build, cotangents_of, values_of

LEVELS = ("plain", "default", "tiles")
"""Tiles are level default, two rows at a time: tiles as high as usual are never several of what is so small."""
REFUSALS = (ValueError, IndexError, ZeroDivisionError)
"""What NumPy says to the largest of nothing, the first of nothing, and a reshape of nothing to (0, -1)."""
Arrays = Mapping[str, np.ndarray]


class WrongResultError(AssertionError):
    """A property does not hold; the message is the report."""


class _Broken(Exception):
    """What is wrong, before the report is written around it."""


def check(recipe: Recipe, level: str) -> None:
    """Compile a recipe's graph and see that all of its results are right, at every size.

    Raises
    ------
    WrongResultError
        If not, with a report.
    """
    model = build(recipe)
    values: Arrays = {}
    n = SIZES[0]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
            compiled = _compiled(level, model.outputs, inputs=model.leaves, wrt=model.wrt or None)
            for n in SIZES:
                values = values_of(model, recipe, n)
                _check_call(model, compiled, recipe, values, n)
    except Exception as problem:
        raise WrongResultError(report(recipe, model, level, values, n, problem)) from problem


def _compiled(level: str, outputs: Any, **options: Any) -> Any:
    if level != "tiles":
        return gg.compile(outputs, level=level, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "rows_for", lambda *sizes: min(2, sizes[-1]))
        return gg.compile(outputs, **options)


def _check_call(model: Model, compiled: Any, recipe: Recipe, values: Arrays, n: int) -> None:
    given = {leaf: values[leaf.name] for leaf in model.leaves}
    try:
        outputs = Bounds(model.listed, given)
    except REFUSALS as refused:
        _is_refused(compiled, model, recipe, values, refused, n)
        return
    cotangents = None
    if model.wrt:
        shapes = [np.shape(outputs.native[node]) for node in model.listed]
        cotangents = cotangents_of(model, recipe, shapes, n)
    try:
        first = _call(model, compiled, values, cotangents)
    except gg.ShapeError as refused:
        # a slice that starts beyond the array; a reshape to (n - 1, -1), as NumPy refuses one to (0, -1)
        if "would be negative" in refused.what or "would divide by 0" in refused.what:
            return
        raise
    before = {name: array.tobytes() for name, array in values.items()}
    gradients = _Gradients(model, given, cotangents) if model.wrt else None
    _is_right(model, outputs, gradients, first, "the call")
    _is_fresh([*_listed(first[0]), *first[1].values()], values)
    kept = _bytes(first)
    second = _call(model, compiled, values, cotangents)
    _same(kept, _bytes(second), "a second call")
    for array in (*_listed(first[0]), *first[1].values()):
        array[...] = 77
    _same(kept, _bytes(second), "the results of the second call, after the first's were written to")
    _same(kept, _bytes(_call(model, compiled, values, cotangents)), "a call after results were written to")
    if gradients is not None:
        _check_split(model, compiled, values, cotangents, outputs, gradients)
    _same(before, {name: array.tobytes() for name, array in values.items()}, "the arguments afterwards")


def _call(
    model: Model, compiled: Any, values: Arrays, cotangents: Sequence[Any] | None
) -> tuple[Any, dict[str, Any]]:
    if not model.wrt:
        return compiled(**values), {}
    outputs, gradients = compiled(**values, cotangent=_whole(model, cotangents))
    return outputs, gradients


def _whole(model: Model, parts: Sequence[Any] | None) -> Any:
    """Cotangents in the outputs' structure."""
    if parts is None:
        return None
    if isinstance(model.outputs, gg.Node):
        return parts[0]
    return (
        dict(zip(model.outputs, parts, strict=True))
        if isinstance(model.outputs, dict)
        else type(model.outputs)(parts)
    )


def _listed(outputs: Any) -> list[np.ndarray]:
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]


class _Gradients:
    """What the gradients are, from the graph that `grad` makes, without anything of the compiler."""

    def __init__(
        self, model: Model, given: Mapping[gg.Node, np.ndarray], cotangents: Sequence[Any] | None
    ) -> None:
        self.totals: dict[str, gg.Node] = {}
        seeds = dict(given)
        for at, node in enumerate(model.listed):
            cotangent = (1 if at == 0 else None) if cotangents is None else cotangents[at]
            if cotangent is None:
                continue
            seed = gg.input(f"cotangent {at}", node.shape, node.dtype)
            seeds[seed] = np.asarray(cotangent, node.dtype)
            for key, gradient in gg.grad(node, model.wrt, cotangent=seed).items():
                self.totals[key] = self.totals[key] + gradient if key in self.totals else gradient
        self.bounds = Bounds(list(self.totals.values()), seeds)

    def complaint(self, key: str, found: np.ndarray) -> str | None:
        if key in self.totals:
            return self.bounds.complaint(self.totals[key], found)
        return "is not zero, without any cotangent" if found.any() else None


def _is_right(
    model: Model,
    outputs: Bounds,
    gradients: _Gradients | None,
    found: tuple[Any, Mapping[str, Any]],
    what: str,
) -> None:
    results = _listed(found[0])
    if len(results) != len(model.listed) or type(found[0]) is not _kind(model):
        raise _Broken(f"{what} gives {type(found[0]).__name__} of {len(results)}")
    for at, (node, array) in enumerate(zip(model.listed, results, strict=True)):
        if problem := outputs.complaint(node, array):
            raise _Broken(f"output {at} of {what} {problem}")
    if list(found[1]) != list(model.wrt):
        raise _Broken(f"{what} gives gradients {list(found[1])}")
    for key, array in found[1].items():
        if problem := gradients.complaint(key, array):
            raise _Broken(f"gradient {key} of {what} {problem}")


def _kind(model: Model) -> type:
    return np.ndarray if isinstance(model.outputs, gg.Node) else type(model.outputs)


def _check_split(
    model: Model,
    compiled: Any,
    values: Arrays,
    cotangents: Sequence[Any] | None,
    outputs: Bounds,
    gradients: _Gradients,
) -> None:
    """forward and backward give what the fused call gives; a backward belongs to its own forward."""
    whole = _whole(model, cotangents)
    given, residuals = compiled.forward(**values)
    grads = compiled.backward(residuals, whole)
    _is_right(model, outputs, gradients, (given, grads), "forward and backward")
    kept = _bytes((given, grads))
    _is_fresh([*_listed(given), *grads.values()], values)
    other = {name: np.zeros_like(array) for name, array in values.items()}
    with contextlib.suppress(*REFUSALS):  # 0 to the power of -1
        compiled.forward(**other)
    for array in (*_listed(given), *grads.values()):
        array[...] = 77
    again = compiled.backward(residuals, whole)
    _same(kept[-len(grads) :] if grads else [], _bytes((None, again)), "the first of two forwards' backward")


def _is_refused(
    compiled: Any, model: Model, recipe: Recipe, values: Arrays, refused: Exception, n: int
) -> None:
    """What NumPy refuses in the interpreter, such as the largest of nothing, it refuses in what was emitted."""
    try:
        if model.wrt:
            compiled.forward(**values)
        else:
            compiled(**values)
    except REFUSALS:
        return
    raise _Broken(f"the interpreter refuses ({refused}), and the compiled function does not")


def _is_fresh(results: Sequence[Any], values: Arrays) -> None:
    for at, array in enumerate(results):
        if type(array) is not np.ndarray or not array.flags.writeable or not array.flags.owndata:
            raise _Broken(
                f"result {at} is {type(array).__name__}, writeable or its own memory's owner it is not"
            )
        for other in (*results[:at], *values.values()):
            if np.may_share_memory(array, other) and np.shares_memory(array, other):
                raise _Broken(f"result {at} shares memory with another result or an argument")


def _bytes(results: tuple[Any, Mapping[str, Any]]) -> list[bytes]:
    listed = [] if results[0] is None else _listed(results[0])
    return [array.tobytes() for array in (*listed, *results[1].values())]


def _same(one: Any, other: Any, what: str) -> None:
    if one != other:
        raise _Broken(f"{what}: not the same bytes")


# ---- the report ----


def report(recipe: Recipe, model: Model, level: str, values: Arrays, n: int, problem: Exception) -> str:
    """Everything that is needed to see what went wrong."""
    graph = gg.Graph(model.leaves, (*model.listed, *model.wrt.values()))
    what = str(problem) if isinstance(problem, _Broken) else f"{type(problem).__name__}: {problem}"
    lines = [
        f"level {level}, n = {n}: {what}",
        f"again with: from tests.fuzz.checks import *; check({recipe!r}, {level!r})",
        "graph:",
        *(f"    {line}" for line in str(graph).splitlines()),
        f"outputs: {model.outputs!r:.400}",
        f"wrt: {model.wrt!r:.400}",
    ]
    if values:
        lines.append(f"first wrong node: {_first_wrong(model, level, values)}")
    lines += [
        "arguments:",
        *(f"    {name} = {array!r} {array.flags.c_contiguous=}" for name, array in values.items()),
    ]
    return "\n".join(lines)


def _first_wrong(model: Model, level: str, values: Arrays) -> str:
    """The first node, in topological order, that comes out wrong when all are outputs."""
    given = {leaf: values[leaf.name] for leaf in model.leaves}
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            nodes = list(toposort(model.listed))
            bounds = Bounds(nodes, given)
            found = _compiled(level, nodes, inputs=model.leaves)(**values)
            for node, array in zip(nodes, found, strict=True):
                if problem := bounds.complaint(node, array):
                    return f"{node.describe()} {problem}"
    except Exception as problem:
        return f"not found: {type(problem).__name__}: {problem}"
    return "none, with every node an output"
