"""Sums of exponentials by their logarithms, of which neither overflows."""

from __future__ import annotations

import numpy as np

from graphgrad.core.node import Node
from graphgrad.core.op import apply, defop
from graphgrad.core.provenance import composite, suggest
from graphgrad.ops.arithmetic import add, maximum, subtract
from graphgrad.ops.compare import equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.elementary import exp, log
from graphgrad.ops.index import index
from graphgrad.ops.join import concatenate
from graphgrad.ops.largest import highest_if_any
from graphgrad.ops.leaf import Operand, const
from graphgrad.ops.logic import isfinite
from graphgrad.ops.movement import squeeze
from graphgrad.ops.reduce import Axis, arguments, masked
from graphgrad.ops.scan import (
    SCAN_FAULTS,
    along,
    edge,
    flipped,
    laid_out,
    scan_axes,
    scan_into,
    scan_samples,
    spell_scan,
)

_choose = where  # the functions here have an argument `where`


@composite
def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False, *, where: Operand | None = None) -> Node:
    """log(sum(exp(x))) over one axis, several, or all, shifted by the largest so that nothing overflows.

    d/dx = softmax(x). Of nothing but -inf it is -inf, and the gradient 0; of integers it is a float64. Also
    ``gg.special.logsumexp`` and ``gg.nn.logsumexp``.

    Parameters
    ----------
    where:
        Which elements take part, a mask that broadcasts to x's shape; by default all.

    >>> gg.logsumexp(gg.input("x", ("batch", 10)), axis=1).shape
    (Dim('batch'),)
    """
    node, attrs = arguments(x, axis, keepdims)
    if node.dtype.kind != "f":
        node = cast(node, "float64")
    axes = attrs["axes"]
    node = masked(node, where, -np.inf)
    highest = apply("stop_gradient", highest_if_any(node, axes, keepdims=True))
    shift = _choose(isfinite(highest), highest, 0)
    sum_exps = apply("sum", exp(subtract(node, shift)), axes=axes, keepdims=True)
    # of nothing but -inf the sum is 0, and the result is -inf without its logarithm; else it is 1 or more
    filled = add(sum_exps, cast(equal(sum_exps, 0), node.dtype))
    for part, name in ((highest, "highest"), (shift, "shift"), (sum_exps, "sum_exps"), (filled, "filled")):
        suggest(part.notes, name)
    result = add(log(filled), highest)
    return result if keepdims or not axes else squeeze(result, axes)


# ---- logcumsumexp ---------------------------------------------------------------------------------


def _finite(y: Node) -> Node:
    """-inf as the lowest number, so that differences are no nan."""
    return maximum(y, const(np.finfo(y.dtype).min, y.dtype))


def _kept(level: Node, axis: int) -> Node:
    """What each step's sum is of the next one's; one less than there are steps."""
    return exp(index(level, along(axis, slice(None, -1))) - index(level, along(axis, slice(1, None))))


def _logcumsumexp_vjp(g: Node, y: Node, x: Node, axis: int) -> Node:
    if x.shape[axis] == 0:
        return g
    level = _finite(y)
    kept = concatenate([_kept(level, axis), edge(level, axis, 0)], axis)
    arriving = apply("recurrence", flipped(kept, axis), flipped(g, axis), axis=axis)
    return exp(x - level) * flipped(arriving, axis)


def _logcumsumexp_jvp(t: Node, y: Node, x: Node, axis: int) -> Node:
    if x.shape[axis] == 0:
        return t
    level = _finite(y)
    kept = concatenate([edge(level, axis, 0), _kept(level, axis)], axis)
    return apply("recurrence", kept, t * exp(x - level), axis=axis)


@defop(
    infer=lambda x, *, axis: x,
    axes=scan_axes,
    reference=lambda x, *, axis: np.logaddexp.accumulate(x, axis),
    numpy=spell_scan("np.logaddexp.accumulate"),
    into=scan_into("np.logaddexp.accumulate"),
    overwrites=(0,),
    vjp={"x": _logcumsumexp_vjp},
    jvp={"x": _logcumsumexp_jvp},
    samples=scan_samples,
    errors=SCAN_FAULTS,
    rule={"x": "exp(x - y) R, R = G + R next of exp(y - y next)"},
    noun="running_log_sum",
    operands=("x",),
    cost=lambda inputs, result: result.size * 45,
)
def logcumsumexp(x: Operand, axis: int | None = None) -> Node:
    """log(cumsum(exp(x))) along an axis or of all in C order, without overflow; of integers in float64.

    The gradient by x[k] is the sum of exp(x[k] - y[j]) G[j] over j from k on, and 0 where x is -inf.

    >>> gg.logcumsumexp(gg.input("x", ("batch", 3)), axis=1).shape
    (Dim('batch'), 3)
    """
    node, at = laid_out(x, axis, None)
    return apply("logcumsumexp", node if node.dtype.kind == "f" else cast(node, "float64"), axis=at)
