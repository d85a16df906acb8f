"""graphgrad: define a model symbolically, look at its forward and backward graphs, run it as readable NumPy."""

import importlib as _importlib
import typing as _typing

from graphgrad.autodiff.forward import jvp
from graphgrad.autodiff.gradient import grad
from graphgrad.core.dim import Dim
from graphgrad.core.errors import (
    ArgumentError,
    DTypeError,
    GraphgradError,
    GraphgradWarning,
    InvalidNameError,
    InvalidValueError,
    NodeUseError,
    NonFiniteError,
    RenderError,
    ShapeError,
    UnsupportedError,
    VerificationError,
)
from graphgrad.core.graph import Graph
from graphgrad.core.lazy import lazy_import as _lazy_import
from graphgrad.core.names import scope
from graphgrad.core.node import Node, named
from graphgrad.core.operators import bind as _bind
from graphgrad.core.spec import Spec
from graphgrad.draw.draw import draw
from graphgrad.draw.equations import equations
from graphgrad.draw.network import to_networkx
from graphgrad.ops.align import atleast_1d, atleast_2d, atleast_3d, broadcast_arrays
from graphgrad.ops.arithmetic import (
    abs,
    add,
    divide,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sign,
    sqrt,
    square,
    subtract,
)
from graphgrad.ops.compare import equal, greater, greater_equal, less, less_equal, not_equal, select, where
from graphgrad.ops.contract import matmul
from graphgrad.ops.convert import cast, stop_gradient
from graphgrad.ops.create import (
    arange,
    eye,
    full,
    full_like,
    identity,
    linspace,
    meshgrid,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from graphgrad.ops.diagonal import diag, diagonal, trace, tril, triu
from graphgrad.ops.division import divmod, floor_divide, fmod, remainder
from graphgrad.ops.einsum import einsum
from graphgrad.ops.elementary import exp, log, sigmoid, tanh
from graphgrad.ops.exponential import (
    cbrt,
    exp2,
    expm1,
    float_power,
    log1p,
    log2,
    log10,
    logaddexp,
    logaddexp2,
    reciprocal,
)
from graphgrad.ops.extremes import clip, fmax, fmin, nan_to_num
from graphgrad.ops.hyperbolic import arccosh, arcsinh, arctanh, cosh, sinh
from graphgrad.ops.join import column_stack, concatenate, dstack, hstack, stack, vstack
from graphgrad.ops.largest import max, min
from graphgrad.ops.leaf import const, input, param, rng, run_time_size, state
from graphgrad.ops.logic import (
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    invert,
    isfinite,
    isinf,
    isnan,
    isneginf,
    isposinf,
    left_shift,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    right_shift,
    signbit,
)
from graphgrad.ops.logsum import logcumsumexp, logsumexp
from graphgrad.ops.movement import broadcast_to, expand_dims, ravel, reshape, squeeze
from graphgrad.ops.nan import nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar
from graphgrad.ops.order import median, percentile, quantile
from graphgrad.ops.pad import pad
from graphgrad.ops.permute import matrix_transpose, moveaxis, rollaxis, swapaxes, transpose
from graphgrad.ops.product import prod
from graphgrad.ops.reduce import mean, sum
from graphgrad.ops.repeat import repeat, tile
from graphgrad.ops.rounding import ceil, floor, rint, round, trunc
from graphgrad.ops.scan import cumprod, cumsum
from graphgrad.ops.search import all, any, argmax, argmin, count_nonzero
from graphgrad.ops.segment import one_hot, segment_sum
from graphgrad.ops.signs import copysign, fabs, heaviside, ldexp, positive
from graphgrad.ops.sort import argpartition, argsort, partition, searchsorted, sort, topk
from graphgrad.ops.split import array_split, dsplit, hsplit, split, unstack, vsplit
from graphgrad.ops.statistics import average, corrcoef, cov, diff, ptp, std, var
from graphgrad.ops.take import put_along_axis, take, take_along_axis
from graphgrad.ops.tensor import dot, inner, kron, outer, tensordot, vdot, vecdot
from graphgrad.ops.trigonometry import (
    arccos,
    arcsin,
    arctan,
    arctan2,
    cos,
    degrees,
    hypot,
    radians,
    sin,
    sinc,
    tan,
)
from graphgrad.ops.turn import flip, fliplr, flipud, roll, rot90
from graphgrad.ops.update import at

absolute = abs
true_divide = divide
pow = power
acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atan2 = arctan2
atanh = arctanh
around = round
bitwise_invert = invert
bitwise_left_shift = left_shift
bitwise_not = invert
bitwise_right_shift = right_shift
deg2rad = radians
fix = trunc
mod = remainder
rad2deg = degrees
amax = max
amin = min
concat = concatenate
permute_dims = transpose

if _typing.TYPE_CHECKING:
    from graphgrad import init, linalg, nn, special, testing
    from graphgrad.ledger import explain
    from graphgrad.pipeline import compile

_later = {
    name: _lazy_import(f"graphgrad.{name}")
    for name in ("pipeline", "ledger", "init", "linalg", "nn", "special", "testing", "emit.plan_text")
}


def __getattr__(name: str) -> _typing.Any:
    """What is not needed to write a model down loads when it is first asked for: the compiler, and these modules."""
    if name == "compile":
        found = _later["pipeline"].compile
    elif name == "explain":
        found = _later["ledger"].explain
    elif name in _later:
        found = _importlib.import_module(f"graphgrad.{name}")
    else:
        raise AttributeError(f"module 'graphgrad' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _finish(*parts: _typing.Any) -> _typing.Any:
    """How a compiled model comes out of a pickle."""
    return _later["pipeline"].finish(*parts)


def _plan_text(plan: _typing.Any) -> _typing.Any:
    """How a plan prints."""
    return _later["emit.plan_text"].plan_text(plan)


_bind("draw", draw)
_bind("plan_text", _plan_text)
_bind("finish", _finish)

__version__ = "0.1.0"

__all__ = [
    "ArgumentError", "DTypeError", "Dim", "Graph", "GraphgradError", "GraphgradWarning", "InvalidNameError",
    "InvalidValueError", "Node", "NodeUseError", "NonFiniteError", "RenderError", "ShapeError", "Spec",
    "UnsupportedError", "VerificationError", "abs", "absolute", "acos", "acosh", "add", "all", "amax", "amin", "any",
    "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "argpartition", "argsort", "around", "array_split", "asin", "asinh", "at", "atan", "atan2", "atanh", "atleast_1d",
    "atleast_2d", "atleast_3d", "average", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "broadcast_arrays", "broadcast_to", "cast", "cbrt", "ceil",
    "clip", "column_stack", "compile", "concat", "concatenate", "const", "copysign", "corrcoef", "cos", "cosh",
    "count_nonzero", "cov", "cumprod", "cumsum", "deg2rad", "degrees", "diag", "diagonal", "diff", "divide", "divmod",
    "dot", "draw", "dsplit", "dstack", "einsum", "equal", "equations", "exp", "exp2", "expand_dims", "explain", "expm1",
    "eye", "fabs", "fix", "flip", "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod",
    "full", "full_like", "grad", "greater", "greater_equal", "heaviside", "hsplit", "hstack", "hypot", "identity",
    "init", "inner", "input", "invert", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "jvp", "kron", "ldexp",
    "left_shift", "less", "less_equal", "linalg", "linspace", "log", "log1p", "log2", "log10", "logaddexp",
    "logaddexp2", "logcumsumexp", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "matmul",
    "matrix_transpose", "max", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "moveaxis", "multiply",
    "named", "nan_to_num", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "negative", "nn",
    "not_equal", "one_hot", "ones", "ones_like", "outer", "pad", "param", "partition", "percentile", "permute_dims",
    "positive", "pow", "power", "prod", "ptp", "put_along_axis", "quantile", "rad2deg", "radians", "ravel",
    "reciprocal", "remainder", "repeat", "reshape", "right_shift", "rint", "rng", "roll", "rollaxis", "rot90", "round",
    "run_time_size", "scope", "searchsorted", "segment_sum", "select", "sigmoid", "sign", "signbit", "sin", "sinc",
    "sinh", "sort", "special", "split", "sqrt", "square", "squeeze", "stack", "state", "std", "stop_gradient",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "testing", "tile",
    "to_networkx", "topk", "trace", "transpose", "tril", "triu", "true_divide", "trunc", "unstack", "var", "vdot",
    "vecdot", "vsplit", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip
