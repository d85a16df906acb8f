"""NumPy's own functions, called with a node: they build nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, NodeUseError, UnsupportedError
from graphgrad.core.node import Node
from graphgrad.core.operators import bind
from graphgrad.ops import (
    arithmetic,
    compare,
    contract,
    convert,
    elementary,
    join,
    movement,
    reduce,
    sort,
    take,
)

_UFUNCS: dict[np.ufunc, Callable[..., Node]] = {
    np.add: arithmetic.add,
    np.subtract: arithmetic.subtract,
    np.multiply: arithmetic.multiply,
    np.divide: arithmetic.divide,
    np.negative: arithmetic.negative,
    np.power: arithmetic.power,
    np.square: arithmetic.square,
    np.sqrt: arithmetic.sqrt,
    np.absolute: arithmetic.abs,
    np.sign: arithmetic.sign,
    np.maximum: arithmetic.maximum,
    np.minimum: arithmetic.minimum,
    np.exp: elementary.exp,
    np.log: elementary.log,
    np.tanh: elementary.tanh,
    np.equal: compare.equal,
    np.not_equal: compare.not_equal,
    np.less: compare.less,
    np.less_equal: compare.less_equal,
    np.greater: compare.greater,
    np.greater_equal: compare.greater_equal,
    np.matmul: contract.matmul,
}

_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: compare.where,
    np.select: compare.select,
    np.take: take.take,
    np.take_along_axis: take.take_along_axis,
    np.sort: sort.sort,
    np.argsort: sort.argsort,
    np.partition: sort.partition,
    np.argpartition: sort.argpartition,
    np.searchsorted: sort.searchsorted,
    np.sum: reduce.sum,
    np.mean: reduce.mean,
    np.max: reduce.max,
    np.amax: reduce.max,
    np.min: reduce.min,
    np.amin: reduce.min,
    np.reshape: movement.reshape,
    np.transpose: movement.transpose,
    np.matrix_transpose: movement.matrix_transpose,
    np.broadcast_to: movement.broadcast_to,
    np.expand_dims: movement.expand_dims,
    np.squeeze: movement.squeeze,
    np.concatenate: join.concatenate,
    np.astype: convert.cast,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
}


_BY_VALUE = "its shape would depend on values, which are known only when the model runs"
_REFUSED: dict[Callable[..., Any], tuple[str, str]] = {
    np.nonzero: (_BY_VALUE, "gg.where(condition, x, y), or an index that is known"),
    np.flatnonzero: (_BY_VALUE, "gg.where(condition, x, y), or an index that is known"),
    np.argwhere: (_BY_VALUE, "gg.where(condition, x, y), or an index that is known"),
    np.extract: (_BY_VALUE, "gg.where(condition, x, 0)"),
    np.compress: (_BY_VALUE, "gg.where(condition, x, 0), or x[mask] with a constant mask"),
    np.unique: (_BY_VALUE, "gg.sort(x), whose equal elements stand together"),
    np.put_along_axis: ("a node cannot be written to", "y = gg.put_along_axis(node, indices, values, axis)"),
    np.put: ("a node cannot be written to", "y = gg.at(node, i).set(v)"),
    np.place: ("a node cannot be written to", "y = gg.where(mask, v, node)"),
    np.putmask: ("a node cannot be written to", "y = gg.where(mask, v, node)"),
}
"""What cannot be a node, with the reason and what to do instead."""


def _array_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Node:
    if "out" in kwargs:
        raise NodeUseError(
            f"np.{ufunc.__name__} cannot write a node into an array, as out= and += do",
            hint="a = a + node, or gg.at(node, i).add(v)",
        )
    build = _UFUNCS.get(ufunc)
    if build is None or method != "__call__":
        shown = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise UnsupportedError(
            f"np.{shown} of a node is not supported", hint="a function of graphgrad of that meaning"
        )
    node: Node = _call(build, f"np.{ufunc.__name__}", inputs, kwargs)
    return node


def _array_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    build = _FUNCTIONS.get(function)
    if function in _REFUSED:
        reason, hint = _REFUSED[function]
        raise UnsupportedError(f"np.{function.__name__} of a node is not supported: {reason}", hint=hint)
    if build is None:
        raise UnsupportedError(
            f"np.{function.__name__} of a node is not supported",
            hint="a function of graphgrad of that meaning",
        )
    return _call(build, f"np.{function.__name__}", args, kwargs)


_OTHER_NAMES = {"a": "x", "arr": "x", "array": "x", "newshape": "shape"}


def _call(build: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    renamed = {_OTHER_NAMES.get(key, key): value for key, value in kwargs.items()}
    try:
        return build(*args, **renamed)
    except TypeError as error:
        if "argument" not in str(error) or isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"{name} of a node: {error}", hint="only the arguments that graphgrad's function has"
        ) from None


bind("array_ufunc", _array_ufunc)
bind("array_function", _array_function)
