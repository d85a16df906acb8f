"""Sorting and what follows from order. Ties keep their order, so every result is determined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, multiply
from graphgrad.core.errors import ArgumentError, DTypeError, InvalidValueError, ShapeError
from graphgrad.core.form import UNARY, Destination, Form, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, AxisRole, Fault, NotDifferentiable, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.provenance import composite, suggest
from graphgrad.core.spec import Spec
from graphgrad.ops.gather import add_up
from graphgrad.ops.layout import along
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.movement import normal_axis, reshape

_INT = np.dtype(np.int64)


def _roles(x: Spec, *, axis: int, **attrs: Any) -> tuple[tuple[AxisRole, ...], ...]:
    return (tuple(WHOLE if at == axis else at for at in range(x.ndim)),)


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    for descending in (False, True):
        yield Sample((rng.normal(size=(5,)),), {"descending": descending})
        yield Sample((rng.normal(size=(3, 4)),), {"axis": -2, "descending": descending})
        yield Sample((rng.normal(size=(2, 3, 2)),), {"axis": 1, "descending": descending})
    yield Sample((rng.normal(size=(3, 0)),))
    yield Sample((rng.normal(size=(0, 3)),))
    yield Sample((np.array([3, -1, 3, 0]),), {"descending": True})
    yield Sample((np.array([3, 1, 3, 0], np.uint8),), {"descending": True})
    yield Sample((np.array([True, False, True]),), {"descending": True})


_FAULTS = (
    Fault((((), "float32"),), {}, ShapeError, "out of range"),
    Fault((((2, 3), "float32"),), {"axis": 2}, ShapeError, "axis 2"),
    Fault((((2, 3), "float32"),), {"kind": "bogo"}, InvalidValueError, "kind"),
)
_KINDS = (None, "quicksort", "mergesort", "heapsort", "stable")


def _n_log_n(inputs: tuple[Spec, ...], result: Spec) -> Size:
    return multiply(inputs[0].size, 20)


def _turned(node: Node) -> str:
    """The sign that turns the order round: exact for floats, and for integers without overflow."""
    return "-" if node.dtype.kind == "f" else "~"


def _turn(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(-x if x.dtype.kind == "f" else ~x)


def _arguments(x: Operand, axis: Any, kind: Any, descending: bool) -> tuple[Node, dict[str, Any]]:
    if kind not in _KINDS:
        raise InvalidValueError(f"kind is one of {', '.join(map(repr, _KINDS))}, not {kind!r:.60}")
    if not isinstance(descending, bool | np.bool_):
        raise ArgumentError(f"descending is True or False, not {descending!r:.60}")
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, -1), 0
    return node, {"axis": normal_axis(axis, node.ndim), "descending": bool(descending)}


def _axis_text(node: Node) -> str:
    axis, ndim = node.attrs["axis"], node.ndim
    return f", axis={axis}" if axis != ndim - 1 else ""


# ---- argsort --------------------------------------------------------------------------------------


def _spell_argsort(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    x = f"{_turned(node.inputs[0])}{parts[0].at(UNARY)}" if node.attrs["descending"] else parts[0].text
    return Form(f'np.argsort({x}{_axis_text(node)}, kind="stable")')


def _argsort_reference(x: np.ndarray[Any, Any], *, axis: int, descending: bool) -> np.ndarray[Any, Any]:
    return np.argsort(_turn(x) if descending else x, axis=axis, stable=True)


_PERMUTATION = NotDifferentiable("places in an order are integers")


@defop(
    infer=lambda x, *, axis, descending: Spec(x.shape, _INT),
    axes=_roles,
    reference=_argsort_reference,
    numpy=_spell_argsort,
    vjp=_PERMUTATION,
    jvp=_PERMUTATION,
    samples=_samples,
    errors=_FAULTS,
    rule={},
    noun="order",
    operands=("x",),
    cost=_n_log_n,
)
def argsort(
    x: Operand,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Node:
    """The indices that sort x along an axis; None sorts all elements as one row. Integers, so no gradient.

    The sort is stable, whatever `kind` and `stable` say: equal elements keep their order, also when descending. A nan
    comes last.

    >>> gg.argsort(gg.input("x", ("batch", 10)), descending=True).shape
    (Dim('batch'), 10)
    """
    node, attrs = _arguments(x, axis, kind, descending)
    return apply("argsort", node, **attrs)


# ---- sort -----------------------------------------------------------------------------------------


def _spell_sort(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    if not node.attrs["descending"]:
        return Form(f"np.sort({parts[0].text}{_axis_text(node)})")
    turn = _turned(node)
    return Form(f"{turn}np.sort({turn}{parts[0].at(UNARY)}{_axis_text(node)})", UNARY)


def _sort_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    x, sort = parts[0].text, f"{{out}}.sort({_axis_text(node).removeprefix(', ')})"
    if not node.attrs["descending"]:
        return Lines((sort,) if to.out == x else (f"np.copyto({{out}}, {x})", sort))
    turn = "np.negative" if _turned(node) == "-" else "np.invert"
    return Lines((f"{turn}({x}, out={{out}})", sort, f"{turn}({{out}}, out={{out}})"))


def _sort_reference(x: np.ndarray[Any, Any], *, axis: int, descending: bool) -> np.ndarray[Any, Any]:
    return np.take_along_axis(x, _argsort_reference(x, axis=axis, descending=descending), axis)


def _order(x: Node, axis: int, descending: bool) -> Node:
    return apply("argsort", x, axis=axis, descending=descending)


def _sort_back(g: Node, y: Node, x: Node, axis: int, descending: bool) -> Node:
    return add_up(g, [_order(x, axis, descending)], x.shape, along(x.ndim, axis))


def _sort_tangent(t: Node, y: Node, x: Node, axis: int, descending: bool) -> Node:
    return apply("gather", t, _order(x, axis, descending), index=along(x.ndim, axis))


@defop(
    infer=lambda x, *, axis, descending: x,
    axes=_roles,
    reference=_sort_reference,
    numpy=_spell_sort,
    into=_sort_into,
    overwrites=(0,),
    vjp={"x": _sort_back},
    jvp={"x": _sort_tangent},
    samples=_samples,
    errors=_FAULTS,
    rule={"x": "G back in x's order"},
    noun="ordered",
    operands=("x",),
    cost=_n_log_n,
)
def sort(
    x: Operand,
    axis: int | None = -1,
    kind: str | None = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Node:
    """x sorted along an axis; None sorts all elements as one row. A nan comes last.

    The gradient goes back by the permutation of `argsort`, in which equal elements keep their order.

    >>> gg.sort(gg.input("x", ("batch", 10)), axis=0).shape
    (Dim('batch'), 10)
    """
    node, attrs = _arguments(x, axis, kind, descending)
    return apply("sort", node, **attrs)


# ---- partition ------------------------------------------------------------------------------------


def _spell_argpartition(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    kth = node.attrs["kth"]
    return Form(f"np.argpartition({parts[0].text}, {kth[0] if len(kth) == 1 else kth}{_axis_text(node)})")


def _partition_samples(rng: np.random.Generator) -> Iterator[Sample]:
    # so few that no two orders are right: which one argpartition finds is its own affair
    yield Sample((np.array([0.5, -1.0]),), {"kth": 0})
    yield Sample((np.array([[0.5, 2.0, -1.0], [3.0, -2.0, 0.0]]),), {"kth": 1})
    yield Sample((rng.normal(size=(3, 2)),), {"kth": -2, "axis": -2})
    yield Sample((rng.normal(size=(0, 2)),), {"kth": 1})
    yield Sample((rng.normal(size=(2, 3)),), {"kth": (0, 1)})


def _normal_kth(kth: Any, size: Size) -> tuple[int, ...]:
    given = tuple(kth) if isinstance(kth, tuple | list | np.ndarray) else (kth,)
    if any(isinstance(item, bool | np.bool_) or not hasattr(item, "__index__") for item in given):
        raise ArgumentError(f"kth is an int or several, not {kth!r:.60}")
    numbers = [int(item) for item in given]
    if not isinstance(size, int):
        if any(number < 0 for number in numbers):
            raise ShapeError(
                f"kth={kth} counts from the end of an axis of size {size}, which is known at run time"
            )
        return tuple(numbers)
    wrong = [number for number in numbers if not -size <= number < size]
    if wrong:
        raise ShapeError(f"kth={wrong[0]} is out of range for size {size}")
    return tuple(number % size for number in numbers)


@defop(
    infer=lambda x, *, kth, axis: Spec(x.shape, _INT),
    axes=_roles,
    reference=lambda x, *, kth, axis: np.argpartition(x, kth, axis=axis),
    numpy=_spell_argpartition,
    vjp=_PERMUTATION,
    jvp=_PERMUTATION,
    samples=_partition_samples,
    errors=(
        Fault((((2, 3), "float32"),), {"kth": 3}, ShapeError, "kth=3 is out of range"),
        Fault((((2, 3), "float32"),), {"kth": "1"}, ArgumentError, "kth is an int"),
    ),
    rule={},
    noun="halves",
    operands=("x",),
    cost=lambda inputs, result: multiply(inputs[0].size, 5),
)
def argpartition(x: Operand, kth: int | Sequence[int], axis: int | None = -1) -> Node:
    """The indices that bring element number `kth` of the sorted order to its place along an axis, with none that is
    larger before it and none that is smaller after it. Integers, so no gradient.

    >>> gg.argpartition(gg.input("x", ("batch", 10)), 3).shape
    (Dim('batch'), 10)
    """
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, -1), 0
    at = normal_axis(axis, node.ndim)
    return apply("argpartition", node, kth=_normal_kth(kth, node.shape[at]), axis=at)


def _along(x: Node, order: Node, axis: int) -> Node:
    return apply("gather", x, order, index=along(x.ndim, axis))


@composite
def partition(x: Operand, kth: int | Sequence[int], axis: int | None = -1) -> Node:
    """x with element number `kth` of the sorted order in its place along an axis, and none that is larger before it.

    The order of the others is that of `argpartition`, and the gradient goes back by it.

    >>> gg.partition(gg.input("x", (10,)), 3).shape
    (10,)
    """
    node = as_node(x)
    if axis is None:
        node, axis = reshape(node, -1), 0
    order = argpartition(node, kth, axis)
    return _along(node, order, order.attrs["axis"])


@composite
def topk(x: Operand, k: int, axis: int = -1, largest: bool = True) -> tuple[Node, Node]:
    """The k largest elements along an axis, or the smallest, the first in order first; and their indices.

    As in torch, but which of equal elements are taken is determined: those that come first. A nan is taken last. The
    gradient of the values goes to the elements that were taken. Of a symbolic size n, there are min(k, n).

    Raises
    ------
    ShapeError
        If there are fewer than k.

    >>> values, indices = gg.topk(gg.input("x", ("batch", 10)), 3)
    >>> values.shape, indices.dtype
    ((Dim('batch'), 3), dtype('int64'))
    """
    node = as_node(x)
    at = normal_axis(axis, node.ndim)
    size = node.shape[at]
    if isinstance(k, bool) or not hasattr(k, "__index__"):
        raise ArgumentError(f"topk: k is an int, not {k!r:.60}", saw=[node.describe()])
    if int(k) < 0 or (isinstance(size, int) and int(k) > size):
        raise ShapeError(
            f"topk: there are no {k} elements along an axis of size {size}", saw=[node.describe()]
        )
    order = argsort(node, at, descending=largest)
    indices = order[(*(slice(None),) * at, slice(0, int(k)))]
    values = _along(node, indices, at)
    suggest(indices.notes, "indices")
    suggest(values.notes, "values")
    return values, indices


# ---- searchsorted ---------------------------------------------------------------------------------


def _spell_search(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    side = ', side="right"' if node.attrs["side"] == "right" else ""
    return Form(f"np.searchsorted({parts[0].text}, {parts[1].text}{side})")


def _found(x: Spec, v: Spec, *, side: str) -> Spec:
    if x.ndim != 1:
        raise ShapeError(f"what is searched has one dimension, not {x.ndim}")
    if "b" in (x.dtype.kind, v.dtype.kind):
        raise DTypeError("booleans have no order to search in", hint="gg.cast(x, 'int64')")
    return Spec(v.shape, _INT)


def _search_samples(rng: np.random.Generator) -> Iterator[Sample]:
    rising = np.array([-1.0, 0.0, 0.0, 2.0])
    for side in ("left", "right"):
        yield Sample((rising, np.array([[0.0, -2.0], [3.0, 1.0]])), {"side": side})
    yield Sample((rising, np.asarray(0.5)))
    yield Sample((np.array([1, 3, 5]), np.array([3, 4])))
    yield Sample((np.zeros(0), np.array([3.0, 4.0])))


@defop(
    infer=_found,
    axes=lambda x, v, *, side: ((WHOLE,), tuple(range(v.ndim))),
    reference=lambda x, v, *, side: np.asarray(np.searchsorted(x, v, side)),
    numpy=_spell_search,
    vjp=_PERMUTATION,
    jvp=_PERMUTATION,
    samples=_search_samples,
    errors=(
        Fault((((2, 2), "float32"), ((2,), "float32")), {}, ShapeError, "one dimension"),
        Fault((((2,), "float32"), ((2,), "float32")), {"side": "up"}, InvalidValueError, "side"),
    ),
    rule={},
    noun="places",
    operands=("x", "v"),
    cost=lambda inputs, result: multiply(result.size, 20),
)
def searchsorted(x: Operand, v: Operand, side: str = "left") -> Node:
    """Where in x, which is sorted, each element of v would be put to keep it sorted. Integers, so no gradient.

    Parameters
    ----------
    side:
        "left" of elements equal to it, or "right".

    >>> gg.searchsorted(gg.input("edges", (5,)), gg.input("v", ("n", 2))).shape
    (Dim('n'), 2)
    """
    if side not in ("left", "right"):
        raise InvalidValueError(f"searchsorted: side is 'left' or 'right', not {side!r:.60}")
    return apply("searchsorted", as_node(x), as_node(v), side=side)


bind("argsort", argsort)
bind("argpartition", argpartition)
bind("searchsorted", searchsorted)
