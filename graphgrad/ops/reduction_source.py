"""Reductions in NumPy source, and sums over so many rows that the order in which they are added matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from graphgrad.core.form import ATOM, Destination, Form, Helper, Into, Speller
from graphgrad.core.node import Node
from graphgrad.core.spec import size_of

_MANY = 1024


def _drifts(node: Node) -> bool:
    """Whether NumPy adds up many numbers of less than 64 bits one after the other: not in pairs, as it does along
    the last axis. Of 50,000 rows it loses two digits that way."""
    x, axes = node.inputs[0], node.attrs["axes"]
    if x.dtype.kind != "f" or x.dtype.itemsize == 8 or not axes or x.ndim - 1 in axes:
        return False
    sizes = [x.shape[axis] for axis in axes]
    return any(not isinstance(size, int) for size in sizes) or bool(size_of(tuple(sizes)) > _MANY)  # type: ignore[operator]  # ints by then


def _arguments(node: Node) -> list[str]:
    axes = node.attrs["axes"]
    arguments = []
    if axes != tuple(range(node.inputs[0].ndim)):
        arguments.append(f"axis={axes[0] if len(axes) == 1 else axes}")
    if node.attrs["keepdims"]:
        arguments.append("keepdims=True")
    return arguments


def spell_reduction(function: str, *options: str) -> Callable[[Speller, Sequence[Form], Node], Form]:
    """``np.sum(x, axis=0, keepdims=True)``; `options` are further arguments."""
    return lambda speller, parts, node: Form(
        f"{function}({', '.join([parts[0].text, *_arguments(node), *options])})"
    )


def reduce_into(method: str, *options: str) -> Into:
    """``x.sum(axis=0, keepdims=True, out=y)``, which is np.sum without what that does before it calls the method."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        out = [*options, *([] if to.out is None else [f"out={to.out}"])]
        if node.inputs[0].ndim == 0:  # it may be a number of Python's
            text = ", ".join([parts[0].text, *_arguments(node), *out])
            return None if to.out is None else Form(f"np.{method}({text})")
        return Form(f"{parts[0].at(ATOM)}.{method}({', '.join([*_arguments(node), *out])})")

    return emit


_SUM_ROWS = Helper(
    "_sum_rows",
    '''
def _sum_rows(values, out=None):
    """values summed over all axes but the last, as products with ones: faster, and blocks of rows round less
    than one long sum.
    """
    width = values.shape[-1]
    values = values.reshape(values.size // max(1, width), width)
    count = len(values)
    if count <= 128:
        return np.matmul(np.ones(count, values.dtype), values, out=out)
    ones, total = np.ones(128, values.dtype), np.zeros(width)
    rows = 128 * max(1, 2048 // max(1, width))
    for first in range(0, count, rows):
        some = values[first:first + rows]
        whole = len(some) - len(some) % 128
        total += np.sum(ones @ some[:whole].reshape(whole // 128, 128, width), axis=0)
        total += ones[:len(some) - whole] @ some[whole:]
    if out is None:
        out = np.empty(width, values.dtype)
    out[...] = total
    return out
''',
)


def sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    """``x.sum(axis=0, out=y)``; of many rows, by `_SUM_ROWS`."""
    if _sums_rows(node) and _drifts(node):
        out = "" if to.out is None else f", out={to.out}"
        return Form(f"{speller.helper(_SUM_ROWS)}({parts[0].text}{out})")
    return reduce_into("sum")(speller, parts, node, to)  # type: ignore[return-value]  # an expression


def mean_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    """``np.divide(x.sum(axis=1, out=y), 64, out=y)``: np.mean divides float32 by int64, which converts every number
    to float64 and back."""
    if to.out is None:
        return None
    sizes = [(axis, node.inputs[0].shape[axis]) for axis in node.attrs["axes"]]
    text, total = parts[0].text, sum_into(speller, parts, node, to)
    known = all(isinstance(size, int) for _, size in sizes)
    if total is None or node.dtype.itemsize < 4 or not (known or text.isidentifier()):
        return reduce_into("mean")(speller, parts, node, to)  # type: ignore[return-value]  # an expression
    if known:
        count = str(prod(size for _, size in sizes))
    else:
        count = " * ".join(
            str(size) if isinstance(size, int) else f"{text}.shape[{axis}]" for axis, size in sizes
        )
    return Form(f"np.divide({total.text}, {count}, out={to.out})")


def _sums_rows(node: Node) -> bool:
    """Whether all that is left is the last axis."""
    return node.attrs["axes"] == tuple(range(node.inputs[0].ndim - 1)) and not node.attrs["keepdims"]
