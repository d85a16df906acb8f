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
from graphgrad.ops.elementary import exp, log, sigmoid, tanh
from graphgrad.ops.join import concatenate
from graphgrad.ops.leaf import const, input, param, rng, run_time_size, state
from graphgrad.ops.movement import (
    broadcast_to,
    expand_dims,
    matrix_transpose,
    reshape,
    squeeze,
    transpose,
)
from graphgrad.ops.reduce import max, mean, min, sum
from graphgrad.ops.segment import one_hot, segment_sum
from graphgrad.ops.sort import argpartition, argsort, partition, searchsorted, sort, topk
from graphgrad.ops.take import put_along_axis, take, take_along_axis
from graphgrad.ops.update import at

absolute = abs
true_divide = divide
pow = power
amax = max
amin = min
concat = concatenate
permute_dims = transpose

if _typing.TYPE_CHECKING:
    from graphgrad import init, nn, special, testing
    from graphgrad.pipeline import compile

_later = {
    name: _lazy_import(f"graphgrad.{name}") for name in ("pipeline", "init", "nn", "special", "testing")
}


def __getattr__(name: str) -> _typing.Any:
    """What is not needed to write a model down loads when it is first asked for: the compiler, and these modules."""
    if name == "compile":
        found = _later["pipeline"].compile
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


_bind("draw", draw)
_bind("finish", _finish)

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "DTypeError",
    "Dim",
    "Graph",
    "GraphgradError",
    "InvalidNameError",
    "InvalidValueError",
    "Node",
    "NodeUseError",
    "NonFiniteError",
    "RenderError",
    "ShapeError",
    "Spec",
    "UnsupportedError",
    "VerificationError",
    "abs",
    "absolute",
    "add",
    "amax",
    "amin",
    "argpartition",
    "argsort",
    "at",
    "broadcast_to",
    "cast",
    "compile",
    "concat",
    "concatenate",
    "const",
    "divide",
    "draw",
    "equal",
    "exp",
    "expand_dims",
    "grad",
    "greater",
    "greater_equal",
    "init",
    "input",
    "jvp",
    "less",
    "less_equal",
    "log",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "named",
    "negative",
    "nn",
    "not_equal",
    "one_hot",
    "param",
    "partition",
    "permute_dims",
    "pow",
    "power",
    "put_along_axis",
    "reshape",
    "rng",
    "run_time_size",
    "scope",
    "searchsorted",
    "segment_sum",
    "select",
    "sigmoid",
    "sign",
    "sort",
    "special",
    "sqrt",
    "square",
    "squeeze",
    "state",
    "stop_gradient",
    "subtract",
    "sum",
    "take",
    "take_along_axis",
    "tanh",
    "testing",
    "topk",
    "transpose",
    "true_divide",
    "where",
]  # fmt: skip
