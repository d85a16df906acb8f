"""What gathers where arrays of integers say: the largest, the smallest, the product, and the sum with what is there.
The sum alone: `scatter_add`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphgrad.core.errors import ShapeError
from graphgrad.core.form import Destination, Form, Into, Lines, Speller
from graphgrad.core.node import Node
from graphgrad.core.op import WHOLE, Fault, Sample, apply, defop
from graphgrad.core.spec import Shape, Spec, as_shape
from graphgrad.ops.arithmetic import divide, multiply
from graphgrad.ops.compare import equal, where
from graphgrad.ops.convert import cast
from graphgrad.ops.gather import add_up, fits, scatter_roles, spell_repeated, temporaries_of
from graphgrad.ops.indexed_source import add_rows
from graphgrad.ops.layout import axis_along, never_repeats, numpy_index, spell_places
from graphgrad.ops.leaf import Operand, as_node
from graphgrad.ops.scatter import WRITE
from graphgrad.ops.subscript import ARRAY, Index, each

_ALL = slice(None, None, 1)

# ---- the largest, the smallest ---------------------------------------------------------------------


def _at_reference(ufunc: np.ufunc) -> Callable[..., Any]:
    def reference(x: Any, v: Any, *arrays: Any, index: Index) -> np.ndarray[Any, Any]:
        result = np.array(x)
        ufunc.at(result, numpy_index(index, result.shape, arrays), v)
        return result

    return reference


def _spell_at(function: str) -> Callable[[Speller, Sequence[Form], Node], Lines]:
    def spell(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
        x, v, *arrays = parts
        write = spell_repeated(function, speller, node, v, arrays, 1)
        return Lines((f'{{out}} = np.array({x.text}, order="C")', write))

    return spell


def _at_into(function: str) -> Into:
    def into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
        if to.out is None:
            return None
        x, v, *arrays = parts
        write = spell_repeated(function, speller, node, v, arrays, 1)
        return Lines((write,) if to.out == x.text else (f"np.copyto({{out}}, {x.text})", write))

    return into


def _shares(y: Node, x: Node, v: Node, arrays: Sequence[Node], index: Index) -> tuple[Node, Node, Node]:
    """Where x won, where v won, and among how many each place is shared."""
    x_won = equal(x, y)
    v_won = equal(v, apply("gather", y, *arrays, index=index))
    return x_won, v_won, cast(x_won, y.dtype) + add_up(cast(v_won, y.dtype), arrays, x.shape, index)


def _extreme_back(i: int, g: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index) -> Node | None:
    if i > 1:
        return None
    x_won, v_won, winners = _shares(y, x, v, arrays, index)
    share = divide(g, winners)
    if i == 0:
        return where(x_won, share, 0)
    return where(v_won, apply("gather", share, *arrays, index=index), 0)


def _extreme_by_x(t: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index) -> Node:
    x_won, _, winners = _shares(y, x, v, arrays, index)
    return where(x_won, divide(t, winners), 0)


def _extreme_by_v(t: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index) -> Node:
    _, v_won, winners = _shares(y, x, v, arrays, index)
    return divide(add_up(where(v_won, t, 0), arrays, x.shape, index), winners)


_EXTREME: dict[str, Any] = WRITE | {
    "overwrites": (0,),
    "vjp": _extreme_back,
    "jvp": {"x0": _extreme_by_x, "x1": _extreme_by_v},
    "rule": {"x0": "G where x won, ties share", "x1": "G where v won, ties share"},
    "temporaries": temporaries_of(1),
}


@defop(
    reference=_at_reference(np.maximum),
    numpy=_spell_at("np.maximum.at"),
    into=_at_into("np.maximum.at"),
    noun="largest",
    **_EXTREME,
)
def scatter_max(arrays: Sequence[Operand], index: Index) -> Node:
    """x with the largest of itself and of v at an index: ``gg.at(x, index).max(v)``; nan if there is one.

    Ties share the gradient evenly.

    >>> x, v, i = gg.input("x", (5,)), gg.input("v", ("n",)), gg.input("i", ("n",), "int64")
    >>> scatter_max([x, v, i], ("array",)).shape
    (5,)
    """
    return apply("scatter_max", *map(as_node, arrays), index=index)


@defop(
    reference=_at_reference(np.minimum),
    numpy=_spell_at("np.minimum.at"),
    into=_at_into("np.minimum.at"),
    noun="smallest",
    **_EXTREME,
)
def scatter_min(arrays: Sequence[Operand], index: Index) -> Node:
    """x with the smallest of itself and of v at an index: ``gg.at(x, index).min(v)``; nan if there is one.

    Ties share the gradient evenly.

    >>> x, v, i = gg.input("x", (5,)), gg.input("v", ("n",)), gg.input("i", ("n",), "int64")
    >>> scatter_min([x, v, i], ("array",)).shape
    (5,)
    """
    return apply("scatter_min", *map(as_node, arrays), index=index)


# ---- the sum --------------------------------------------------------------------------------------


def _sum_reference(x: Any, v: Any, *arrays: Any, index: Index, once: bool) -> np.ndarray[Any, Any]:
    result = np.array(x)
    np.add.at(result, numpy_index(index, result.shape, arrays), v)
    return result


def _spell_sum(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    x, v, *arrays = parts
    return Lines((f'{{out}} = np.array({x.text}, order="C")', _added(speller, node, v, arrays)))


def _sum_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    x, v, *arrays = parts
    write = add_rows(speller, node, v, arrays, node.inputs[2:]) if node.attrs["once"] else None
    write = write or _added(speller, node, v, arrays)
    return Lines((write,) if to.out == x.text else (f"np.copyto({{out}}, {x.text})", write))


def _added(speller: Speller, node: Node, v: Form, arrays: Sequence[Form]) -> str:
    nodes = node.inputs[2:]
    if not node.attrs["once"] or axis_along(node.attrs["index"], nodes) is not None:
        return spell_repeated("np.add.at", speller, node, v, arrays, 1)
    ndim = max(array.ndim for array in nodes)
    return f"{{out}}[{spell_places(speller, node.attrs['index'], arrays, '{out}', ndim)}] += {v.text}"


def _sum_back(
    i: int, g: Node, y: Node, x: Node, v: Node, *arrays: Node, index: Index, once: bool
) -> Node | None:
    if i == 0:
        return g
    return apply("gather", g, *arrays, index=index) if i == 1 else None


def _sum_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from WRITE["samples"](rng)
    many = np.array([[1, 1], [-1, 3], [2, 0]])
    yield Sample(
        (rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), many), {"index": (each(0), ARRAY)}, packed=True
    )


@defop(
    **WRITE
    | {
        "reference": _sum_reference,
        "numpy": _spell_sum,
        "into": _sum_into,
        "overwrites": (0,),
        "vjp": _sum_back,
        "jvp": {
            "x0": lambda t, y, x, v, *arrays, index, once: t,
            "x1": lambda t, y, x, v, *arrays, index, once: add_up(t, arrays, x.shape, index),
        },
        "samples": _sum_samples,
        "rule": {"x0": "G", "x1": "G at that place"},
        "noun": "added_to",
        "temporaries": temporaries_of(1),
    }
)
def add_at(arrays: Sequence[Operand], index: Index) -> Node:
    """x with v added to it at an index, as often as that names a place: what ``gg.at(x, index).add(v)`` becomes.

    The gradient goes to x as it is, and to v from that place.

    >>> x, v, i = gg.input("x", (5,)), gg.input("v", ("n",)), gg.input("i", ("n",), "int64")
    >>> add_at([x, v, i], ("array",)).shape
    (5,)
    """
    x, v, *chosen = map(as_node, arrays)
    return apply("add_at", x, v, *chosen, index=index, once=never_repeats(x.shape, index, chosen))


# ---- the product ----------------------------------------------------------------------------------


def _product_reference(
    v: np.ndarray[Any, Any], *arrays: Any, shape: tuple[int, ...], index: Index
) -> np.ndarray[Any, Any]:
    result = np.ones(shape, v.dtype)
    np.multiply.at(result, numpy_index(index, shape, arrays), v)
    return result


def _spell_product(speller: Speller, parts: Sequence[Form], node: Node) -> Lines:
    v, *arrays = parts
    ones = f"{{out}} = np.ones({speller.shape(node.shape)}, {speller.dtype(node.dtype)})"
    return Lines((ones, spell_repeated("np.multiply.at", speller, node, v, arrays, 0)))


def _product_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Lines | None:
    if to.out is None:
        return None
    v, *arrays = parts
    return Lines(("{out}.fill(1)", spell_repeated("np.multiply.at", speller, node, v, arrays, 0)))


def _others(v: Node, arrays: Sequence[Node], shape: Shape, index: Index) -> Node:
    """For each factor, the product of the other factors of its place; exact also where one is 0."""
    zero = equal(v, 0)
    rest = scatter_multiply([where(zero, 1, v), *arrays], shape, index)
    zeros = add_up(cast(zero, v.dtype), arrays, shape, index)
    if_one, if_none = where(equal(zeros, 1), rest, 0), where(equal(zeros, 0), rest, 0)
    one, none = (apply("gather", part, *arrays, index=index) for part in (if_one, if_none))
    return where(zero, one, divide(none, where(zero, 1, v)))


def _product_back(
    i: int, g: Node, y: Node, v: Node, *arrays: Node, shape: Shape, index: Index
) -> Node | None:
    if i > 0:
        return None
    return multiply(apply("gather", g, *arrays, index=index), _others(v, arrays, shape, index))


def _product_tangent(t: Node, y: Node, v: Node, *arrays: Node, shape: Shape, index: Index) -> Node:
    return add_up(multiply(t, _others(v, arrays, shape, index)), arrays, shape, index)


def _product_samples(rng: np.random.Generator) -> Iterator[Sample]:
    repeated = np.array([3, 0, -2, 3])
    for v, shape, index, *arrays in (
        ((4,), (5,), (ARRAY,), repeated),
        ((4, 3), (5, 3), (ARRAY, _ALL), repeated),
        ((3, 4), (3, 5), (_ALL, ARRAY), repeated),
        ((3, 2), (3, 4), (each(0), ARRAY), np.array([[1, 1], [-1, 3], [2, 0]])),
        ((0, 3), (5, 3), (ARRAY, _ALL), np.array([], np.int64)),
    ):
        yield Sample((rng.uniform(0.5, 2, v), *arrays), {"shape": shape, "index": index}, packed=True)


def _multiplied(v: Spec, *arrays: Spec, shape: Shape, index: Index) -> Spec:
    fits(shape, index, v, arrays)
    return Spec(shape, v.dtype)


@defop(
    infer=_multiplied,
    axes=lambda v, *arrays, shape, index: scatter_roles(v, *arrays, shape=shape, index=index, reduced=WHOLE),
    reference=_product_reference,
    numpy=_spell_product,
    into=_product_into,
    vjp=_product_back,
    jvp={"x0": _product_tangent},
    samples=_product_samples,
    errors=(
        Fault(
            (((3,), "float32"), ((2,), "int64")),
            {"shape": (5,), "index": (ARRAY,)},
            ShapeError,
            "the place has",
            packed=True,
        ),
    ),
    rule={"x0": "G times the other factors"},
    noun="factors",
    is_expression=False,
    temporaries=temporaries_of(0),
    operands=None,
    cost=lambda inputs, result: inputs[0].size,
)
def scatter_multiply(arrays: Sequence[Operand], shape: Any, index: Index) -> Node:
    """Ones of `shape` which the first array is multiplied into at an index: what ``gg.at(x, index).multiply(v)``
    multiplies x by.

    The gradient is that of a product of all factors of a place, exact also where one of them is 0. So are second
    derivatives, unless two factors of one place are 0.

    >>> v, i = gg.input("v", ("n",)), gg.input("i", ("n",), "int64")
    >>> scatter_multiply([v, i], (5,), ("array",)).shape
    (5,)
    """
    return apply("scatter_multiply", *map(as_node, arrays), shape=as_shape(shape), index=index)
