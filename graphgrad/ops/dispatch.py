"""NumPy's own functions, called with a node: they build nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphgrad.core.errors import ArgumentError, NodeUseError, UnsupportedError
from graphgrad.core.operators import bind
from graphgrad.ops import (
    align,
    arithmetic,
    compare,
    contract,
    convert,
    create,
    diagonal,
    division,
    einsum,
    elementary,
    exponential,
    extremes,
    hyperbolic,
    join,
    largest,
    logic,
    movement,
    nan,
    norm,
    order,
    pad,
    permute,
    product,
    reduce,
    repeat,
    rounding,
    scan,
    search,
    signs,
    sort,
    split,
    statistics,
    take,
    tensor,
    trigonometry,
    turn,
)

_UFUNCS: dict[np.ufunc, Callable[..., Any]] = {
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
    np.vecdot: tensor.vecdot,
    np.exp2: exponential.exp2,
    np.expm1: exponential.expm1,
    np.log2: exponential.log2,
    np.log10: exponential.log10,
    np.log1p: exponential.log1p,
    np.cbrt: exponential.cbrt,
    np.reciprocal: exponential.reciprocal,
    np.float_power: exponential.float_power,
    np.logaddexp: exponential.logaddexp,
    np.logaddexp2: exponential.logaddexp2,
    np.sin: trigonometry.sin,
    np.cos: trigonometry.cos,
    np.tan: trigonometry.tan,
    np.arcsin: trigonometry.arcsin,
    np.arccos: trigonometry.arccos,
    np.arctan: trigonometry.arctan,
    np.arctan2: trigonometry.arctan2,
    np.hypot: trigonometry.hypot,
    np.degrees: trigonometry.degrees,
    np.rad2deg: trigonometry.degrees,
    np.radians: trigonometry.radians,
    np.deg2rad: trigonometry.radians,
    np.sinh: hyperbolic.sinh,
    np.cosh: hyperbolic.cosh,
    np.arcsinh: hyperbolic.arcsinh,
    np.arccosh: hyperbolic.arccosh,
    np.arctanh: hyperbolic.arctanh,
    np.floor: rounding.floor,
    np.ceil: rounding.ceil,
    np.trunc: rounding.trunc,
    np.rint: rounding.rint,
    np.floor_divide: division.floor_divide,
    np.remainder: division.remainder,
    np.fmod: division.fmod,
    np.divmod: division.divmod,
    np.fabs: signs.fabs,
    np.positive: signs.positive,
    np.copysign: signs.copysign,
    np.heaviside: signs.heaviside,
    np.ldexp: signs.ldexp,
    np.fmax: extremes.fmax,
    np.fmin: extremes.fmin,
    np.isnan: logic.isnan,
    np.isinf: logic.isinf,
    np.isfinite: logic.isfinite,
    np.signbit: logic.signbit,
    np.logical_and: logic.logical_and,
    np.logical_or: logic.logical_or,
    np.logical_xor: logic.logical_xor,
    np.logical_not: logic.logical_not,
    np.bitwise_and: logic.bitwise_and,
    np.bitwise_or: logic.bitwise_or,
    np.bitwise_xor: logic.bitwise_xor,
    np.invert: logic.invert,
    np.left_shift: logic.left_shift,
    np.right_shift: logic.right_shift,
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
    np.max: largest.max,
    np.amax: largest.max,
    np.min: largest.min,
    np.amin: largest.min,
    np.reshape: movement.reshape,
    np.transpose: permute.transpose,
    np.matrix_transpose: permute.matrix_transpose,
    np.broadcast_to: movement.broadcast_to,
    np.expand_dims: movement.expand_dims,
    np.squeeze: movement.squeeze,
    np.concatenate: join.concatenate,
    np.ravel: movement.ravel,
    np.broadcast_arrays: align.broadcast_arrays,
    np.atleast_1d: align.atleast_1d,
    np.atleast_2d: align.atleast_2d,
    np.atleast_3d: align.atleast_3d,
    np.swapaxes: permute.swapaxes,
    np.moveaxis: permute.moveaxis,
    np.rollaxis: permute.rollaxis,
    np.flip: turn.flip,
    np.flipud: turn.flipud,
    np.fliplr: turn.fliplr,
    np.rot90: turn.rot90,
    np.roll: turn.roll,
    np.tile: repeat.tile,
    np.repeat: repeat.repeat,
    np.pad: pad.pad,
    np.stack: join.stack,
    np.hstack: join.hstack,
    np.vstack: join.vstack,
    np.dstack: join.dstack,
    np.column_stack: join.column_stack,
    np.split: split.split,
    np.array_split: split.array_split,
    np.hsplit: split.hsplit,
    np.vsplit: split.vsplit,
    np.dsplit: split.dsplit,
    np.tril: diagonal.tril,
    np.triu: diagonal.triu,
    np.diag: diagonal.diag,
    np.diagonal: diagonal.diagonal,
    np.trace: diagonal.trace,
    np.full_like: create.full_like,
    np.zeros_like: create.zeros_like,
    np.ones_like: create.ones_like,
    np.linspace: create.linspace,
    np.meshgrid: create.meshgrid,
    np.astype: convert.cast,
    np.nanmax: nan.nanmax,
    np.nanmean: nan.nanmean,
    np.nanmin: nan.nanmin,
    np.nanprod: nan.nanprod,
    np.nanstd: nan.nanstd,
    np.nansum: nan.nansum,
    np.nanvar: nan.nanvar,
    np.median: order.median,
    np.percentile: order.percentile,
    np.quantile: order.quantile,
    np.prod: product.prod,
    np.cumprod: scan.cumprod,
    np.cumsum: scan.cumsum,
    np.all: search.all,
    np.any: search.any,
    np.argmax: search.argmax,
    np.argmin: search.argmin,
    np.count_nonzero: search.count_nonzero,
    np.average: statistics.average,
    np.corrcoef: statistics.corrcoef,
    np.cov: statistics.cov,
    np.diff: statistics.diff,
    np.ptp: statistics.ptp,
    np.std: statistics.std,
    np.var: statistics.var,
    np.einsum: einsum.einsum,
    np.tensordot: tensor.tensordot,
    np.dot: tensor.dot,
    np.inner: tensor.inner,
    np.vdot: tensor.vdot,
    np.outer: tensor.outer,
    np.kron: tensor.kron,
    np.linalg.multi_dot: tensor.multi_dot,
    np.linalg.matmul: contract.matmul,
    np.linalg.tensordot: tensor.tensordot,
    np.linalg.vecdot: tensor.vecdot,
    np.linalg.outer: tensor.outer,
    np.linalg.norm: norm.norm,
    np.linalg.vector_norm: norm.vector_norm,
    np.clip: extremes.clip,
    np.nan_to_num: extremes.nan_to_num,
    np.round: rounding.round,
    np.around: rounding.round,
    np.fix: rounding.trunc,
    np.sinc: trigonometry.sinc,
    np.isposinf: logic.isposinf,
    np.isneginf: logic.isneginf,
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


def _no_out(name: str) -> NodeUseError:
    return NodeUseError(
        f"{name} cannot write a node into an array, as out= and += do",
        hint="a = a + node, or gg.at(node, i).add(v)",
    )


def _array_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    if "out" in kwargs:
        raise _no_out(f"np.{ufunc.__name__}")
    build = _UFUNCS.get(ufunc)
    if build is None or method != "__call__":
        shown = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        raise UnsupportedError(
            f"np.{shown} of a node is not supported", hint="a function of graphgrad of that meaning"
        )
    return _call(build, f"np.{ufunc.__name__}", inputs, kwargs)


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


def _in_numpys_order(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function called with the order of arguments that NumPy's has: there other ones stand between axis and
    keepdims."""
    build = _FUNCTIONS[function]

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        order = list(inspect.signature(function).parameters.values())[1:]
        given = zip(order, args, strict=False)
        named = {parameter.name: value for parameter, value in given if value is not parameter.default}
        return _call(build, f"np.{function.__name__}", (x,), {**named, **kwargs})

    return call


for _function in (
    np.sum, np.prod, np.mean, np.var, np.std, np.max, np.amax, np.min, np.amin, np.any, np.all, np.ptp, np.argmax,
    np.argmin, np.count_nonzero, np.cumsum, np.cumprod, np.median, np.quantile, np.percentile, np.average,
    np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin,
):  # fmt: skip
    _FUNCTIONS[_function] = _in_numpys_order(_function)

if hasattr(np, "unstack"):  # since NumPy 2.1
    _FUNCTIONS[np.unstack] = split.unstack

_OTHER_NAMES = dict.fromkeys(("a", "arr", "array", "ary", "m", "A", "v"), "x") | {
    "newshape": "shape", "a_min": "min", "a_max": "max",
}  # fmt: skip


def _call(build: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    renamed = {_OTHER_NAMES.get(key, key): value for key, value in kwargs.items()}
    if renamed.pop("out", None) is not None:
        raise _no_out(name)
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
