"""Arrays that are made of nothing but their shape: zeros, ones, the identity, ranges, grids.

Floats are float32 unless a dtype says otherwise, as a leaf's are: a float64 array of zeros would make a float32 model
compute in float64.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, Size, add, as_size, floor_divide, multiply
from graphgrad.core.errors import ArgumentError, InvalidValueError, ShapeError
from graphgrad.core.form import Form, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import NotDifferentiable, Sample, apply, defop
from graphgrad.core.provenance import composite
from graphgrad.core.spec import Spec, as_dtype, as_shape
from graphgrad.ops.convert import cast
from graphgrad.ops.family import to_dtype
from graphgrad.ops.leaf import Operand, as_node, const
from graphgrad.ops.movement import broadcast_to, expand_dims, ravel

_FLOAT = "float32"


# ---- one value ------------------------------------------------------------------------------------


def full(shape: Any, fill_value: Operand, dtype: Any = None) -> Node:
    """An array that holds one value everywhere. Sizes may be names; the value may be a node, to which the gradient
    comes back summed up.

    A Python float gives float32 and an int int64, unless `dtype` says otherwise.

    >>> gg.full(("batch", 3), 0.5)
    <broadcast_to broadcast_to: float32 (batch, 3)>
    """
    return _full(as_shape(shape), fill_value, dtype)


@composite
def _full(shape: Any, fill_value: Operand, dtype: Any) -> Node:
    if dtype is not None:
        value = to_dtype(fill_value, as_dtype(dtype))
    else:
        value = const(fill_value, _FLOAT) if isinstance(fill_value, float) else as_node(fill_value)
    return broadcast_to(value, shape)


def zeros(shape: Any, dtype: Any = _FLOAT) -> Node:
    """Zeros; sizes may be names. No gradient arises.

    >>> gg.zeros(("batch", 3)).dtype
    dtype('float32')
    """
    return _full(as_shape(shape), 0, dtype)


def ones(shape: Any, dtype: Any = _FLOAT) -> Node:
    """Ones; sizes may be names. No gradient arises.

    >>> gg.ones(("batch", 3), "int64").dtype
    dtype('int64')
    """
    return _full(as_shape(shape), 1, dtype)


def full_like(x: Operand, fill_value: Operand, dtype: Any = None, shape: Any = None) -> Node:
    """One value everywhere, in the shape and dtype of x unless others are given. No gradient reaches x.

    >>> gg.full_like(gg.input("x", ("batch", 3), "float64"), 7).dtype
    dtype('float64')
    """
    node = as_node(x)
    wanted = node.shape if shape is None else as_shape(shape)
    return _full(wanted, fill_value, node.dtype if dtype is None else dtype)


def zeros_like(x: Operand, dtype: Any = None, shape: Any = None) -> Node:
    """Zeros in the shape and dtype of x unless others are given. No gradient reaches x.

    >>> gg.zeros_like(gg.input("x", ("batch", 3))).shape
    (Dim('batch'), 3)
    """
    return full_like(x, 0, dtype, shape)


def ones_like(x: Operand, dtype: Any = None, shape: Any = None) -> Node:
    """Ones in the shape and dtype of x unless others are given. No gradient reaches x.

    >>> gg.ones_like(gg.input("x", ("batch", 3)), shape=(2,)).shape
    (2,)
    """
    return full_like(x, 1, dtype, shape)


# ---- arrays that a rule makes ---------------------------------------------------------------------


def _no_samples(rng: np.random.Generator) -> Iterator[Sample]:
    return iter(())


_RULE: dict[str, Any] = {
    "operands": (),
    "axes": lambda **attrs: (),
    "vjp": NotDifferentiable("it depends on nothing"),
    "jvp": NotDifferentiable("it depends on nothing"),
    "samples": _no_samples,
    "errors": (),
    "rule": {},
    "light": True,
}


def _spell_eye(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    rows, columns = node.shape
    k = node.attrs["k"]
    sizes = [speller.size(rows).text, *([speller.size(columns).text] if columns != rows else [])]
    return Form(f"np.eye({', '.join(sizes)}{f', k={k}' if k else ''}, dtype={speller.dtype(node.dtype)})")


@defop(
    infer=lambda *, shape, k, dtype: Spec(shape, dtype),
    reference=lambda *, shape, k, dtype: np.eye(shape[0], shape[1], k, dtype),
    numpy=_spell_eye,
    noun="identity",
    **_RULE,
)
def eye(N: Any, M: Any = None, k: int = 0, dtype: Any = _FLOAT) -> Node:
    """Ones on diagonal number `k` of an N by M matrix, zeros elsewhere; square if M is not given. Sizes may be names.

    >>> gg.eye("n").shape, gg.eye(2, 3, k=1).dtype
    ((Dim('n'), Dim('n')), dtype('float32'))
    """
    rows = as_size(N)
    columns = rows if M is None else as_size(M)
    return apply("eye", shape=(rows, columns), k=operator.index(k), dtype=as_dtype(dtype))


def identity(n: Any, dtype: Any = _FLOAT) -> Node:
    """The identity matrix; its size may be a name.

    >>> gg.identity(3) is gg.eye(3)
    True
    """
    return eye(n, dtype=dtype)


def _range_size(start: Any, stop: Any, step: Any) -> Size:
    if any(isinstance(bound, Dim) for bound in (start, stop)):
        span = add(stop, multiply(start, -1)) if step > 0 else add(start, multiply(stop, -1))
        return span if abs(step) == 1 else floor_divide(add(span, abs(step) - 1), abs(step))
    return len(np.arange(start, stop, step))


def _number(value: Any) -> Any:
    """A Python int or float, or a size, from what may stand in a range."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, str):
        return as_size(value)
    if isinstance(value, Node) or np.ndim(value) or np.asarray(value).dtype.kind not in "iuf":
        raise ArgumentError(f"{value!r:.60} is neither a number nor a size")
    number = np.asarray(value).item()
    if not np.isfinite(number):
        raise InvalidValueError(f"a range from, to or by {number}")
    return number


def _spell_arange(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    start, stop, step = (node.attrs[name] for name in ("start", "stop", "step"))
    given = (start, stop, step) if step != 1 else (start, stop) if start != 0 else (stop,)
    return Form(f"np.arange({', '.join(_number_text(speller, part) for part in given)}, "
                f"dtype={speller.dtype(node.dtype)})")  # fmt: skip


def _number_text(speller: Speller, value: Any) -> str:
    return repr(value) if isinstance(value, float) else speller.size(value).text


@defop(
    infer=lambda *, start, stop, step, dtype: Spec((_range_size(start, stop, step),), dtype),
    reference=lambda *, start, stop, step, dtype: np.arange(start, stop, step, dtype=dtype),
    numpy=_spell_arange,
    noun="steps",
    **_RULE,
)
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Node:
    """Numbers from `start` up to but without `stop`; with one argument, from 0. int64, or float32 if there is a float.

    Start and stop may be sizes; then the stop is assumed not to lie before the start.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.arange(x.shape[0]).shape, gg.arange(0, 1, 0.25).dtype
    ((Dim('batch'),), dtype('float32'))
    """
    first, last = (0, start) if stop is None else (start, stop)
    numbers = tuple(map(_number, (first, last, step)))
    if numbers[2] == 0:
        raise InvalidValueError("a range in steps of 0 has no end")
    if any(isinstance(number, Dim) for number in numbers) and (
        isinstance(numbers[2], Dim) or any(isinstance(number, float) for number in numbers)
    ):
        raise ArgumentError("a range between sizes goes in whole numbers", hint="gg.arange(n) * step")
    if dtype is None:
        dtype = _FLOAT if any(isinstance(number, float) for number in numbers) else "int64"
    return apply("arange", start=numbers[0], stop=numbers[1], step=numbers[2], dtype=as_dtype(dtype))


def _spell_linspace(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    start, stop, num = (_number_text(speller, node.attrs[name]) for name in ("start", "stop", "num"))
    open_end = "" if node.attrs["endpoint"] else ", endpoint=False"
    return Form(f"np.linspace({start}, {stop}, {num}{open_end}, dtype={speller.dtype(node.dtype)})")


@defop(
    infer=lambda *, start, stop, num, endpoint, dtype: Spec((num,), dtype),
    reference=lambda *, start, stop, num, endpoint, dtype: np.linspace(
        start, stop, num, endpoint, dtype=dtype
    ),
    numpy=_spell_linspace,
    noun="grid",
    **_RULE,
)
def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None) -> Node:
    """`num` numbers at equal distances from `start` to `stop`, which is left out without `endpoint`. float32.

    `num` may be a size. Start and stop may be scalar nodes, to which the gradient flows back; then the dtype is theirs.

    >>> gg.linspace(0, 1, 5).dtype, gg.linspace(0, gg.input("end", ()), "n").shape
    (dtype('float32'), (Dim('n'),))
    """
    count = as_size(num)
    if isinstance(start, Node) or isinstance(stop, Node):
        return _between(start, stop, count, endpoint, dtype)
    wanted = as_dtype(_FLOAT if dtype is None else dtype)
    ends = {"start": float(_number(start)), "stop": float(_number(stop))}
    return apply("linspace", **ends, num=count, endpoint=bool(endpoint), dtype=wanted)


@composite
def _between(start: Any, stop: Any, num: Size, endpoint: bool, dtype: Any) -> Node:
    first, last = as_node(start), as_node(stop)
    if first.ndim or last.ndim:
        raise ShapeError("linspace goes from one number to another", saw=[first.describe(), last.describe()])
    common = np.result_type(*(part.dtype for part in (start, stop) if isinstance(part, Node)))
    work = common if common.kind == "f" else np.dtype(_FLOAT)
    share = linspace(0, 1, num, endpoint, work)
    made = to_dtype(first, work) * (1 - share) + to_dtype(last, work) * share
    return made if dtype is None else cast(made, dtype)


def meshgrid(*xi: Operand, indexing: str = "xy", sparse: bool = False) -> tuple[Node, ...]:
    """Each vector repeated along an axis for each of the others: the coordinates of a grid. Gradients are summed over
    what was repeated.

    With "xy" the first two vectors run along the second and the first axis, with "ij" each along its own. `sparse`
    leaves the repeating to broadcasting.

    >>> x, y = gg.meshgrid(gg.input("x", (3,)), gg.input("y", ("n",)))
    >>> x.shape, gg.meshgrid(x[0], y[:, 0], indexing="ij")[0].shape
    ((Dim('n'), 3), (3, Dim('n')))
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f'indexing is "xy" or "ij", not {indexing!r}')
    vectors = [ravel(part) for part in map(as_node, xi)]
    places = list(range(len(vectors)))
    if indexing == "xy" and len(places) > 1:
        places[:2] = [1, 0]
    columns = [
        expand_dims(vector, [axis for axis in places if axis != place])
        for vector, place in zip(vectors, places, strict=True)
    ]
    if sparse:
        return tuple(columns)
    shape = tuple(vectors[places.index(axis)].shape[0] for axis in range(len(places)))
    return tuple(broadcast_to(column, shape) for column in columns)
