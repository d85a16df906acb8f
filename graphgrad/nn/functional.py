"""Functions of neural networks, composed of ops."""

from __future__ import annotations

from graphgrad.core.errors import DTypeError, InvalidValueError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.op import apply
from graphgrad.core.provenance import composite, suggest
from graphgrad.core.spec import shape_text
from graphgrad.ops.arithmetic import maximum, negative, square, subtract
from graphgrad.ops.elementary import exp, log, sigmoid
from graphgrad.ops.largest import highest_if_any
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import normal_axis
from graphgrad.ops.reduce import mean, sum
from graphgrad.ops.segment import one_hot
from graphgrad.ops.subscript import ARRAY, each
from graphgrad.ops.take import take

__all__ = ["cross_entropy", "embedding", "log_softmax", "mse_loss", "one_hot", "relu", "sigmoid", "softmax"]


@composite
def relu(x: Operand) -> Node:
    """max(x, 0), element by element.   d/dx = 1 where x > 0, else 0 (also at 0)

    >>> gg.nn.relu(gg.input("x", ("n",))) is gg.nn.relu(gg.input("y", ("n",)))
    False
    """
    return maximum(x, 0)


@composite
def softmax(x: Operand, axis: int = -1) -> Node:
    """exp(x) / sum(exp(x)) along an axis, shifted by the largest so that nothing overflows.

    >>> gg.nn.softmax(gg.input("x", ("batch", 10))).shape
    (Dim('batch'), 10)
    """
    node = as_node(x)
    exps = _called("exps", exp(_shifted(node, axis)))
    return exps / _called("sum_exps", sum(exps, axis, keepdims=True))


def _called(name: str, node: Node) -> Node:
    """A name for emitted code, where the user gave none."""
    suggest(node.notes, name)
    return node


def _shifted(node: Node, axis: int) -> Node:
    """What the largest along the axis is subtracted from: nothing above 0, so nothing overflows."""
    highest = _called("highest", highest_if_any(node, axis, keepdims=True))
    return _called("shifted", subtract(node, apply("stop_gradient", highest)))


@composite
def log_softmax(x: Operand, axis: int = -1) -> Node:
    """log(softmax(x)) along an axis, accurate where softmax underflows.

    >>> gg.nn.log_softmax(gg.input("x", ("batch", 10)), axis=1).shape
    (Dim('batch'), 10)
    """
    node = as_node(x)
    shifted = _shifted(node, axis)
    sum_exps = _called("sum_exps", sum(_called("exps", exp(shifted)), axis, keepdims=True))
    return shifted - _called("log_sum", log(sum_exps))


def _reduced(losses: Node, reduction: str) -> Node:
    match reduction:
        case "mean":
            return mean(losses)
        case "sum":
            return sum(losses)
        case "none":
            return losses
    raise InvalidValueError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r:.60}")


@composite
def mse_loss(input: Operand, target: Operand, reduction: str = "mean") -> Node:
    """The mean (or sum, or none) of (input - target)**2.

    Raises
    ------
    ShapeError
        If the shapes differ: broadcasting here is nearly always a mistake.

    >>> gg.nn.mse_loss(gg.input("x", ("batch",)), gg.input("y", ("batch",))).shape
    ()
    """
    predicted, wanted = as_node(input), as_node(target)
    if predicted.shape != wanted.shape:
        raise ShapeError(
            f"mse_loss: shapes {shape_text(predicted.shape)} and {shape_text(wanted.shape)} differ",
            saw=[predicted.describe(), wanted.describe()],
            hint="out[:, 0], if it has one column too many",
        )
    return _reduced(square(predicted - wanted), reduction)


@composite
def cross_entropy(input: Operand, target: Operand, axis: int = -1, reduction: str = "mean") -> Node:
    """The cross-entropy of logits against classes, or against probabilities.

    Parameters
    ----------
    input:
        Logits, with the classes along `axis`.
    target:
        Class numbers (integers, the logits' shape without `axis`), or probabilities (floats, the logits'
        shape). A number that is no class is an IndexError when the model runs; below 0 it counts from the end.
    reduction:
        "mean" over the rows, "sum", or "none".

    Raises
    ------
    ShapeError, DTypeError
        If the shapes do not fit, or the target is boolean.

    >>> logits, label = gg.input("logits", ("batch", 10)), gg.input("label", ("batch",), "int64")
    >>> gg.nn.cross_entropy(logits, label).shape
    ()
    """
    logits, wanted = as_node(input), as_node(target)
    at = normal_axis(axis, logits.ndim)
    rows = (*logits.shape[:at], *logits.shape[at + 1 :])
    expected = logits.shape if wanted.dtype.kind == "f" else rows
    if wanted.dtype.kind == "b":
        what = "cross_entropy: a target is class numbers or probabilities, not booleans"
        raise DTypeError(what, saw=[wanted.describe()])
    if wanted.shape != expected:
        raise ShapeError(
            f"cross_entropy: a target of {wanted.dtype} has shape {shape_text(expected)}, "
            f"not {shape_text(wanted.shape)}",
            saw=[logits.describe(), wanted.describe()],
        )
    log_p = _called("log_p", log_softmax(logits, at))
    if wanted.dtype.kind == "f":
        weighted = _called("weighted", sum(_called("terms", wanted * log_p), at))
        return _reduced(_called("losses", negative(weighted)), reduction)
    steps = iter(range(logits.ndim))
    index = tuple(ARRAY if number == at else each(next(steps)) for number in range(logits.ndim))
    picked = _called("picked", apply("gather", log_p, wanted, index=index))
    return _reduced(_called("losses", negative(picked)), reduction)


@composite
def embedding(input: Operand, weight: Operand) -> Node:
    """The rows of `weight` at these indices: ``weight[input]``. The gradient of a row is the sum over all its uses.

    >>> gg.nn.embedding(gg.input("tokens", ("batch", 8), "int64"), gg.param("table", (100, 16))).shape
    (Dim('batch'), 8, 16)
    """
    return take(weight, input, axis=0)
