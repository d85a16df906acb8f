"""Comparing a compiled module with the interpreter and with finite differences, on arrays that the caller gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import VerificationError
from graphgrad.core.node import Node
from graphgrad.core.rewriting import Firing
from graphgrad.emit.selfcheck import narrows
from graphgrad.interpret import interpret, stopped
from graphgrad.plan.plan import Plan
from graphgrad.run.arguments import Arguments

_ROUNDING = {2: 5e-2, 4: 1e-3, 8: 1e-8}
"""By itemsize: how far two orders of summation may be apart, relative to the largest element."""


def verify(
    plan: Plan, namespace: Mapping[str, Any], arguments: Arguments, arrays: Mapping[str, Any]
) -> dict[str, float]:
    """The largest errors, relative to the largest element: ``outputs`` and gradients against the interpreter, and
    ``<name> (differences)`` against finite differences of the interpreter in float64 along a random direction, in
    which what `stop_gradient` holds stays as it is.

    Raises
    ------
    VerificationError
        If one of them is larger than rounding explains; where rules made a form more accurate than it was written, the
        written one is also evaluated in extended precision.
    """
    interface = plan.schedule.interface
    values = arguments.bind((), arrays)
    leaves = dict(zip(interface.arguments, values, strict=True))
    outputs = plan.schedule.graph.original.outputs  # what rewriting made of them is to be checked, too
    expected = interpret(outputs[interface.outputs], leaves)
    names = interface.structure.keys or tuple(f"output {at}" for at in range(interface.structure.size))
    widens = any(one.safety in ("widening", "range") for one in _firings(plan))
    improved = _improved if widens else lambda want, got, nodes, values: want
    errors: dict[str, float] = {}
    if interface.wrt is None:
        got = interface.structure.flatten(namespace["forward"](*values), "outputs")
        _compare_all(names, got, improved(expected, got, outputs[interface.outputs], leaves), errors)
        return errors
    seed = np.ones(np.shape(expected[0]), interface.seeds[0].cotangent.dtype)
    whole = interface.structure.build([seed, *[None] * (interface.structure.size - 1)])
    results, residuals = namespace["forward"](*values)
    apart = results, namespace["backward"](residuals, whole)
    fused = namespace["forward_and_backward"](*values, cotangent=whole)
    seeded = {**leaves, interface.seeds[0].cotangent: seed}
    by = outputs[interface.gradients(0)]
    wanted = interpret(by, seeded)
    for results, grads in (apart, fused):
        gradients = [grads[key] for key in interface.keys]
        got = interface.structure.flatten(results, "outputs")
        _compare_all(names, got, improved(expected, got, outputs[interface.outputs], leaves), errors)
        _compare_all(interface.keys, gradients, improved(wanted, gradients, by, seeded), errors)
    return errors | _differences(plan, leaves, fused[1])


def _firings(plan: Plan) -> Sequence[Firing]:
    rewriting = plan.schedule.graph.rewriting
    return () if rewriting is None else rewriting.firings


def _improved(
    want: Sequence[Any], got: Sequence[Any], nodes: Sequence[Node], values: Mapping[Node, Any]
) -> list[Any]:
    """The interpreter's results; but where a result is nearer to the same in extended precision, that result."""
    exact = {
        leaf: value.astype(np.longdouble) if getattr(value, "dtype", np.dtype(int)).kind == "f" else value
        for leaf, value in values.items()
    }
    with np.errstate(all="ignore"):
        return [
            _nearer(np.asarray(one), np.asarray(other), np.asarray(truth))
            for one, other, truth in zip(want, got, interpret(nodes, exact), strict=True)
        ]


def _nearer(want: Any, got: Any, truth: Any) -> Any:
    if want.dtype.kind != "f" or want.shape != got.shape or want.dtype != got.dtype:
        return want
    off = np.abs(got - truth)
    finite = np.isfinite(want)
    right = off <= _ROUNDING[want.dtype.itemsize] * np.abs(truth)
    unknown = ~np.isfinite(truth) & ~np.isnan(got)
    return np.where(np.where(finite, off < np.abs(want - truth), right | unknown), got, want)


def _compare_all(
    names: Sequence[str], got: Sequence[Any], want: Sequence[Any], errors: dict[str, float]
) -> None:
    """Note the largest error of each result by its name."""
    for name, one, other in zip(names, got, want, strict=True):
        errors[name] = max(errors.get(name, 0.0), _compare(repr(name), np.asarray(one), other))


def _compare(what: str, got: np.ndarray[Any, Any], want: np.ndarray[Any, Any]) -> float:
    if got.shape != want.shape or got.dtype != want.dtype:
        raise VerificationError(
            f"{what} is {got.dtype} {got.shape}, the interpreter has {want.dtype} {want.shape}"
        )
    if want.dtype.kind != "f":
        if not np.array_equal(got, want):
            raise VerificationError(f"{what} differs from the interpreter's")
        return 0.0
    finite = np.isfinite(want)
    if not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        raise VerificationError(f"{what} has NaN or inf in other places than the interpreter's")
    scale = float(np.max(np.abs(want), initial=0.0, where=finite)) or 1.0
    error = float(np.max(np.abs(got - want), initial=0.0, where=finite)) / scale
    if not error <= _ROUNDING[want.dtype.itemsize]:
        raise VerificationError(f"{what} is off by {error:.1e} of its size from the interpreter's")
    return error


def _differences(plan: Plan, leaves: Mapping[Node, Any], grads: Mapping[str, Any]) -> dict[str, float]:
    """Gradients by leaves against the slope of the first output along a random direction."""
    interface = plan.schedule.interface
    output = plan.schedule.graph.original.outputs[0]
    exact = {leaf: _wide(value) for leaf, value in leaves.items()}
    held = stopped([output], exact)
    rng = np.random.default_rng(0)
    errors: dict[str, float] = {}
    rough = narrows(plan.schedule.forward.steps)  # then differences are only as fine as what it casts to
    move = 1e-2 if rough else 1e-6
    for key, node in zip(interface.keys, interface.wrt or (), strict=True):
        if node not in exact:
            continue
        direction = rng.standard_normal(np.shape(exact[node]))
        ends = [
            np.sum(interpret([output], {**exact, **held, node: exact[node] + step * direction})[0])
            for step in (move, -move)
        ]
        slope = float(ends[0] - ends[1]) / (2 * move)
        expected = float(np.sum(grads[key] * direction))
        size = float(np.linalg.norm(grads[key])) or 1.0
        error = abs(slope - expected) / size
        allowed = 5e-2 if rough else 1e-5 if node.dtype.itemsize == 8 else 1e-2
        if np.isfinite(slope) and not error <= allowed:
            raise VerificationError(
                f"the gradient by {key!r} is off by {error:.1e} of its size from finite differences"
            )
        errors[f"{key} (differences)"] = error
    return errors


def _wide(value: Any) -> Any:
    return value.astype(np.float64) if getattr(value, "dtype", np.dtype(int)).kind == "f" else value
