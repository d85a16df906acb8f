"""Reductions in NumPy source: sums over so many rows that the order in which they are added matters, and reductions
of many short lines, with each of which NumPy takes as long to begin as to add up a hundred numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from graphgrad.core.form import ATOM, Destination, Form, Helper, Into, Speller
from graphgrad.core.node import Node
from graphgrad.core.spec import size_of

_MANY, _FEW = 1024, 100
"""More rows than this are added up in blocks; of fewer lines than that NumPy's own reductions take less time."""
_LONGEST = {"sum": 2048, "max": 64, "min": 64}
"""Bytes of a line up to which it may take less time to reduce many at once; a product with ones of a longer line would
round more than NumPy's sum does, too."""


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
    count = values.size // max(1, width)
    values = values.reshape(count, width)
    if count <= 32 and values.itemsize > 2 or values.itemsize == 8 and not values.flags.c_contiguous:
        return values.sum(axis=0, out=out)
    if width == 1:
        return values.reshape(1, count).sum(axis=1, out=out)
    if count <= 128:
        return np.matmul(np.ones(count, values.dtype), values, out=out)
    ones, rest = np.ones(128, values.dtype), count % 128
    blocks = values[rest:].reshape(count // 128, 128, width)
    some = max(1, min(64, 4096 // max(1, width)))
    total = (ones @ blocks[:some]).sum(axis=0)
    if len(blocks) > some:
        total = total.astype(np.float64)
        for first in range(some, len(blocks), some):
            total += (ones @ blocks[first:first + some]).sum(axis=0)
    if rest:
        total += ones[:rest] @ values[:rest]
    if out is None:
        return total.astype(values.dtype, copy=False)
    out[...] = total
    return out
''',
)
_SUM_FIRST = Helper(
    "_sum_first",
    '''
def _sum_first(values, axis, keepdims=False, out=None):
    """values.sum(axis, keepdims=keepdims, out=out) over the first axes, as `_sum_rows` does where that copies
    nothing.
    """
    count = 1 if axis == 0 else len(axis)
    shape, width = values.shape[count:], 1
    for size in shape:
        width *= size
    if values.itemsize > 2 and values.size <= 32 * width or not values.flags.c_contiguous:
        return values.sum(axis=axis, keepdims=keepdims, out=out)
    total = _sum_rows(values.reshape(values.size // max(1, width), width))
    if out is None:
        out = np.empty((1,) * count * keepdims + shape, values.dtype)
    out[...] = total.reshape(out.shape)
    return out
''',
)

_LINES = {
    "sum": Helper(
        "_sum_lines",
        f'''
def _sum_lines(values, out=None, **options):
    """values.sum(out=out, **options) over the last axis. Of many lines, which NumPy takes long to begin, as a
    product with ones.
    """
    length = values.shape[-1]
    is_short = length * values.itemsize <= {_LONGEST["sum"]}
    if out is None or not is_short or out.size < {_FEW} or not values.flags.c_contiguous:
        return values.sum(out=out, **options)
    np.dot(values.reshape(out.size, length), np.ones(length, values.dtype), out=out.reshape(out.size))
    return out
''',
    ),
    **{
        method: Helper(
            f"_{method}_lines",
            f'''
def _{method}_lines(values, out=None, **options):
    """values.{method}(out=out, **options) over the last axis. Of many short lines, which NumPy takes long
    to begin, column by column.
    """
    length = values.shape[-1]
    is_short = 0 < length * values.itemsize <= {_LONGEST[method]}
    if out is None or not is_short or out.size < 32 * length or not values.flags.c_contiguous:
        return values.{method}(out=out, **options)
    found = out.reshape(values.shape[:-1])
    np.copyto(found, values[..., 0])
    for at in range(1, length):
        np.{ufunc}(found, values[..., at], out=found)
    return out
''',
        )
        for method, ufunc in (("max", "maximum"), ("min", "minimum"))
    },
}


def lines_into(method: str, *options: str) -> Into:
    """``x.max(axis=1, out=y)``; of lines, by `_LINES`."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        if to.out is None or not _is_over_lines(node, method):
            return reduce_into(method, *options)(speller, parts, node, to)  # type: ignore[return-value]  # an expression
        arguments = [parts[0].text, *_arguments(node), *options, f"out={to.out}"]
        return Form(f"{speller.helper(_LINES[method])}({', '.join(arguments)})")

    return emit


def sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    """``x.sum(axis=0, out=y)``; of many rows, by `_SUM_ROWS`."""
    if not _is_over_rows(node):
        return lines_into("sum")(speller, parts, node, to)  # type: ignore[return-value]  # an expression
    function, options = speller.helper(_SUM_ROWS), []
    if node.inputs[0].ndim > len(node.attrs["axes"]) + 1 or node.attrs["keepdims"]:
        function, options = speller.helper(_SUM_FIRST), _arguments(node)
    out = [] if to.out is None else [f"out={to.out}"]
    return Form(f"{function}({', '.join([parts[0].text, *options, *out])})")


def sums_by_blas(node: Node) -> bool:
    """Whether `sum_into` gives a product with ones."""
    return node.inputs[0].dtype.itemsize > 2 and (_is_over_rows(node) or _is_over_lines(node, "sum"))


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


def _is_over_rows(node: Node) -> bool:
    """Whether many floats are summed over the first axes. NumPy adds them up one after the other, not in pairs, as it
    does along the last axis; of 50,000 rows of float32 it loses two digits that way, and in float64 it takes longer."""
    x = node.inputs[0]
    axes: tuple[int, ...] = node.attrs["axes"]
    if x.dtype.kind != "f" or not axes or axes != tuple(range(len(axes))) or len(axes) == x.ndim:
        return False
    rows = size_of(x.shape[: len(axes)])
    return not isinstance(rows, int) or rows > _MANY


def _is_over_lines(node: Node, method: str) -> bool:
    """Whether the last axis is reduced, and there may be many lines that are short enough."""
    x = node.inputs[0]
    if x.ndim < 2 or node.attrs["axes"] != (x.ndim - 1,) or x.dtype.name not in ("float32", "float64"):
        return False
    lines, length = size_of(x.shape[:-1]), x.shape[-1]
    is_long = isinstance(length, int) and length * x.dtype.itemsize > _LONGEST[method]
    return not is_long and not (isinstance(lines, int) and lines < _FEW)
