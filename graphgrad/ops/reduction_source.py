"""Reductions in NumPy source: sums over so many rows that the order in which they are added matters, and reductions
of many short lines, with each of which NumPy takes as long to begin as to add up a hundred numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from graphgrad.core.form import ATOM, Destination, Form, Helper, Into, Speller
from graphgrad.core.node import Node
from graphgrad.core.spec import size_of

_MANY, _FEW = 1024, 100


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
    if count <= 32 and values.itemsize > 2:
        return values.sum(axis=0, out=out)
    if width == 1:
        return values.reshape(1, count).sum(axis=1, out=out)
    if count <= 128:
        return np.dot(np.ones(count, values.dtype), values, out=out)
    ones, rest = np.ones(128, values.dtype), count % 128
    blocks = values[rest:].reshape(count // 128, 128, width)
    total = (ones @ blocks[:64]).sum(axis=0)
    if len(blocks) > 64:
        total = total.astype(np.float64)
        for first in range(64, len(blocks), 64):
            total += (ones @ blocks[first:first + 64]).sum(axis=0)
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
def _sum_first(values, axes, out=None, keepdims=False):
    """values summed over so many first axes, as `_sum_rows` does."""
    if axes == 1 and len(values) <= 32 and values.itemsize > 2:
        return values.sum(0, None, out, keepdims)
    shape = values.shape[axes:]
    width = 1
    for size in shape:
        width *= size
    total = _sum_rows(values.reshape(values.size // max(1, width), width))
    ones = (1,) * axes if keepdims else ()
    total = total.reshape(ones + shape)
    if out is None:
        return total
    out[...] = total
    return out
''',
)

_LONGEST_SUM, _LONGEST_CHOICE = 512, 16
"""Lines up to which the two below take less time; of longer ones a product would round more than NumPy's sum does."""

_SUM_LINES = Helper(
    "_sum_lines",
    f'''
def _sum_lines(values, out):
    """values.sum(axis=-1, out=out). Of many lines as a product with ones: NumPy takes long to begin one."""
    if out.size < {_FEW} or values.shape[-1] > {_LONGEST_SUM} or not values.flags.c_contiguous:
        return values.sum(-1, None, out, out.ndim == values.ndim)
    length = values.shape[-1]
    np.dot(values.reshape(out.size, length), np.ones(length, values.dtype), out=out.reshape(out.size))
    return out
''',
)
_CHOICES = {
    method: Helper(
        f"_{method}_lines",
        f'''
def _{method}_lines(values, out):
    """values.{method}(axis=-1, out=out). Of many short lines by columns: NumPy takes long to begin a line."""
    length = values.shape[-1]
    if not 0 < length <= {_LONGEST_CHOICE} or out.size < 32 * length:
        return values.{method}(axis=-1, keepdims=out.ndim == values.ndim, initial={initial}, out=out)
    found = out.reshape(values.shape[:-1])
    np.copyto(found, values[..., 0])
    for at in range(1, length):
        np.{ufunc}(found, values[..., at], out=found)
    return out
''',
    )
    for method, ufunc, initial in (("max", "maximum", "-np.inf"), ("min", "minimum", "np.inf"))
}


def sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    """``x.sum(axis=0, out=y)``; of many rows, by `_SUM_ROWS`."""
    if _sums_rows(node):
        return _spell_rows(speller, parts[0].text, node, to)
    if to.out is not None and _of_lines(node, _LONGEST_SUM):
        return Form(f"{speller.helper(_SUM_LINES)}({parts[0].text}, {to.out})")
    return reduce_into("sum")(speller, parts, node, to)  # type: ignore[return-value]  # an expression


def _spell_rows(speller: Speller, text: str, node: Node, to: Destination) -> Form:
    function, count = speller.helper(_SUM_ROWS), len(node.attrs["axes"])
    arguments = [text, *([] if to.out is None else [f"out={to.out}"])]
    if node.inputs[0].ndim > count + 1 or node.attrs["keepdims"]:
        function = speller.helper(_SUM_FIRST)
        arguments[1:1] = [str(count)]
        arguments += ["keepdims=True"] if node.attrs["keepdims"] else []
    return Form(f"{function}({', '.join(arguments)})")


def sums_by_blas(node: Node) -> bool:
    return _sums_rows(node) or _of_lines(node, _LONGEST_SUM)


def choice_into(method: str, *options: str) -> Into:
    """``x.max(axis=1, out=y)``; of lines, by `_CHOICES`."""

    def emit(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
        if to.out is not None and _of_lines(node, _LONGEST_CHOICE):
            return Form(f"{speller.helper(_CHOICES[method])}({parts[0].text}, {to.out})")
        return reduce_into(method, *options)(speller, parts, node, to)  # type: ignore[return-value]  # an expression

    return emit


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
    """Whether many floats are summed over the first axes. NumPy adds them up one after the other, not in pairs, as it
    does along the last axis; of 50,000 rows of float32 it loses two digits that way, and in float64 it takes longer."""
    x = node.inputs[0]
    axes: tuple[int, ...] = node.attrs["axes"]
    if x.dtype.kind != "f" or not axes or axes != tuple(range(len(axes))) or len(axes) == x.ndim:
        return False
    rows = size_of(x.shape[: len(axes)])
    return not isinstance(rows, int) or rows > _MANY


def _of_lines(node: Node, longest: int) -> bool:
    """Whether the last axis is reduced, which may be as short as that, and there may be many such lines."""
    x = node.inputs[0]
    if x.ndim < 2 or node.attrs["axes"] != (x.ndim - 1,) or x.dtype.name not in ("float32", "float64"):
        return False
    lines, length = size_of(x.shape[:-1]), x.shape[-1]
    return not ((isinstance(length, int) and length > longest) or (isinstance(lines, int) and lines < _FEW))
