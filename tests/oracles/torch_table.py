"""What torch's table of operators calls things, as calls of graphgrad: data, one line an operator.

``TABLE["name"]`` or ``TABLE["name/variant"]`` takes torch's arguments, with nodes in the place of tensors and names of
dtypes in the place of dtypes. It gives a node or several, in the order of torch's results; None stands for a result
that graphgrad does not have. For arguments that graphgrad does not take it raises `Unsupported`, or what it calls
raises `UnsupportedError`; both are counted apart, never as a pass.
"""

import math
from collections.abc import Callable
from typing import Any

import graphgrad as gg

Adapter = Callable[..., Any]


class Unsupported(Exception):
    """Arguments that graphgrad does not take, on purpose: the reason."""


def axes_of(x: gg.Node, dim: Any) -> Any:
    """torch's dim as an axis."""
    if x.ndim == 0 and dim not in (None, (), []):
        raise Unsupported("an axis of an array that has none, which NumPy refuses, too")
    return tuple(dim) if isinstance(dim, list) else dim


def reduced(function: Adapter) -> Adapter:
    """A reduction with torch's names of arguments; in torch dim=() is all axes."""

    def call(x: gg.Node, dim: Any = None, keepdim: bool = False, **options: Any) -> gg.Node:
        return function(x, axis=axes_of(x, None if dim in ((), []) else dim), keepdims=keepdim, **options)

    return call


def masked(function: Adapter) -> Adapter:
    """A reduction of torch.masked, which leaves out what the mask does not take."""

    def call(x: gg.Node, dim: Any = None, keepdim: bool = False, mask: Any = None, **options: Any) -> gg.Node:
        axis = axes_of(x, None if dim in ((), []) else dim)
        given = {} if mask is None else {"where": mask}
        return function(x, axis=axis, keepdims=keepdim, **given, **options)

    return call


def spread(function: Adapter) -> Adapter:
    """var and std, of which torch takes 1 off the count unless told otherwise."""

    def call(x: gg.Node, *args: Any, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        unbiased = args[0] if args else options.get("unbiased", True)
        correction = options.get("correction", int(unbiased))
        correction = 1 if correction is None else correction
        where = {} if options.get("mask") is None else {"where": options["mask"]}
        axis = axes_of(x, None if dim in ((), []) else dim)
        return function(x, axis=axis, keepdims=keepdim, ddof=correction, **where)

    return call


def beside_mean(function: Adapter) -> Adapter:
    def call(x: gg.Node, *args: Any, dim: Any = None, keepdim: bool = False, **options: Any) -> Any:
        average = reduced(gg.mean)(x, dim, keepdim)
        return spread(function)(x, *args, dim=dim, keepdim=keepdim, **options), average

    return call


def scanned(function: Adapter) -> Adapter:
    return lambda x, dim, **options: function(x, axes_of(x, dim), **options)


def with_place(extreme: Adapter, place: Adapter) -> Adapter:
    """The extreme along an axis and where it is."""

    def call(x: gg.Node, dim: int, keepdim: bool = False) -> tuple[gg.Node, gg.Node]:
        axis = axes_of(x, dim)
        return extreme(x, axis, keepdims=keepdim), place(x, axis, keepdims=keepdim)

    return call


def lower_median(x: gg.Node, dim: Any = None, keepdim: bool = False) -> Any:
    """torch takes the lower of two middle elements, and also says where it is."""
    axis = axes_of(x, dim)
    found = gg.quantile(x, 0.5, axis, method="lower", keepdims=keepdim)
    return found if dim is None else (found, None)


def quantile(
    x: gg.Node, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear"
) -> gg.Node:
    if isinstance(q, gg.Node):
        raise Unsupported("q as an array, which is part of the graph")
    return gg.quantile(x, q, axes_of(x, dim), method=interpolation, keepdims=keepdim)


def norm(x: gg.Node, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> gg.Node:
    """torch.norm: of all elements as one vector, but for "fro" and "nuc"."""
    if p == "nuc":
        return gg.linalg.norm(x, "nuc", axis=dim)
    axis = axes_of(x, dim)
    return gg.linalg.vector_norm(
        typed(x, dtype), axis=axis, keepdims=keepdim, ord=2 if p in ("fro", None) else p
    )


def linalg_norm(
    x: gg.Node, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> gg.Node:
    return gg.linalg.norm(typed(x, dtype), ord, axes_of(x, dim), keepdim)


def vector_norm(
    x: gg.Node, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> gg.Node:
    axis = axes_of(x, None if dim in ((), []) else dim)
    return gg.linalg.vector_norm(typed(x, dtype), axis=axis, keepdims=keepdim, ord=ord)


def matrix_norm(
    x: gg.Node, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, dtype: Any = None
) -> Any:
    return gg.linalg.norm(typed(x, dtype), ord, tuple(dim), keepdim)


def typed(x: gg.Node, dtype: Any) -> gg.Node:
    return x if dtype is None else gg.cast(x, dtype)


def divided(x: Any, y: Any, rounding_mode: str | None = None) -> gg.Node:
    rounded = {None: lambda q: q, "trunc": gg.trunc, "floor": gg.floor}[rounding_mode]
    return gg.floor_divide(x, y) if rounding_mode == "floor" else rounded(gg.divide(x, y))


def diff(x: gg.Node, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> gg.Node:
    size = x.shape[dim] + sum(part.shape[dim] for part in (prepend, append) if part is not None)
    return gg.diff(x, min(n, size), dim, prepend, append)  # torch stops when nothing is left


def cov(x: gg.Node, correction: int = 1, fweights: Any = None, aweights: Any = None) -> gg.Node:
    if aweights is not None and aweights.dtype != x.dtype:
        raise Unsupported("weights in float32, which torch adds up in float32")
    return gg.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def shifted(combine: Adapter) -> Adapter:
    """add and sub, with a factor for the second operand."""
    return lambda x, y, alpha=1: combine(x, y if alpha == 1 else y * alpha)


def swapped(function: Adapter) -> Adapter:
    return lambda x, y: function(y, x)


def swapped_axes(x: gg.Node, first: int, second: int) -> gg.Node:
    if not x.ndim:
        raise Unsupported("an axis of an array that has none, which NumPy refuses, too")
    order = list(range(x.ndim))
    order[first], order[second] = order[second], order[first]
    return gg.transpose(x, order)


def expanded(x: gg.Node, *shape: Any) -> gg.Node:
    wanted = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    offset = len(wanted) - x.ndim
    full = tuple(x.shape[at - offset] if size == -1 else size for at, size in enumerate(wanted))
    return gg.broadcast_to(x, full)


def shaped(x: gg.Node, *shape: Any) -> gg.Node:
    return gg.reshape(x, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)


def joined(parts: Any, dim: int = 0) -> gg.Node:
    """torch lets an array of shape (0,) stand beside any other."""
    return gg.concatenate([part for part in parts if part.shape != (0,)] or parts, dim)


def squeezed(x: gg.Node, dim: Any = None) -> gg.Node:
    axes = axes_of(x, dim)
    wanted = axes if isinstance(axes, tuple) else (axes,)
    return gg.squeeze(x) if dim is None else gg.squeeze(x, tuple(at for at in wanted if x.shape[at] == 1))


def softmax_over(function: Adapter) -> Adapter:
    def call(x: gg.Node, dim: Any = None, dtype: Any = None) -> gg.Node:
        axis = axes_of(x, dim)
        if x.shape[axis] == 0:
            raise Unsupported("a softmax over nothing")
        return function(typed(x, dtype), axis)

    return call


def mse_loss(x: gg.Node, y: gg.Node, reduction: str = "mean", **options: Any) -> gg.Node:
    if x.shape != y.shape:
        raise Unsupported("operands that broadcast, nearly always a mistake")
    return gg.nn.mse_loss(x, y, reduction)


def cross_entropy(x: gg.Node, y: gg.Node, reduction: str = "mean", **options: Any) -> gg.Node:
    if (
        options.get("weight") is not None
        or options.get("label_smoothing")
        or options.get("ignore_index", -100) != -100
    ):
        raise Unsupported("weights, label smoothing and ignored classes")
    if x.ndim > 2 and y.dtype.kind == "f" and reduction == "mean":
        raise Unsupported("means over more axes than rows")
    return gg.nn.cross_entropy(x, y, axis=1 if x.ndim > 1 else 0, reduction=reduction)


def softplus(x: gg.Node, beta: float = 1, threshold: float = 20) -> gg.Node:
    return gg.where(x * beta > threshold, x, gg.logaddexp(x * beta, 0) / beta)


def clamped(x: gg.Node, min: Any = None, max: Any = None) -> gg.Node:
    return gg.clip(x, min, max)


def rounded(x: gg.Node, decimals: int = 0) -> gg.Node:
    return gg.round(x, decimals)


def nan_to_num(x: gg.Node, nan: Any = None, posinf: Any = None, neginf: Any = None) -> gg.Node:
    return gg.nan_to_num(x, 0.0 if nan is None else nan, posinf, neginf)


def same(names: str) -> dict[str, Adapter]:
    """Operators of which graphgrad's function has the same name and arguments."""
    return {name: getattr(gg, name) for name in names.split()}


ELEMENTWISE: dict[str, Adapter] = {
    **same("""
        abs acos acosh asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not bitwise_or
        bitwise_right_shift bitwise_xor ceil copysign cos cosh deg2rad exp exp2 expm1 float_power floor
        floor_divide fmax fmin fmod heaviside hypot isfinite isinf isnan isneginf isposinf log log10 log1p
        log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum minimum positive
        pow rad2deg reciprocal remainder sigmoid sign signbit sin sinc sinh sqrt square tan tanh true_divide
        trunc
    """),
    "__radd__": swapped(gg.add),
    "__rand__": swapped(gg.bitwise_and),
    "__rdiv__": swapped(gg.divide),
    "__rmod__": swapped(gg.remainder),
    "__rmul__": swapped(gg.multiply),
    "__ror__": swapped(gg.bitwise_or),
    "__rpow__": swapped(gg.power),
    "__rsub__": swapped(gg.subtract),
    "__rxor__": swapped(gg.bitwise_xor),
    "add": shifted(gg.add),
    "addcdiv": lambda x, y, z, value=1: x + value * (y / z),
    "addcmul": lambda x, y, z, value=1: x + value * (y * z),
    "clamp": clamped,
    "clamp_max": lambda x, bound: gg.clip(x, None, bound),
    "clamp_min": lambda x, bound: gg.clip(x, bound, None),
    "div/floor_rounding": divided,
    "div/no_rounding_mode": divided,
    "div/trunc_rounding": divided,
    "eq": gg.equal,
    "frac": lambda x: x - gg.trunc(x),
    "ge": gg.greater_equal,
    "gt": gg.greater,
    "ldexp": lambda x, n: x * gg.exp2(n),
    "le": gg.less_equal,
    "lerp": lambda x, y, weight: x + weight * (y - x),
    "lt": gg.less,
    "max/binary": gg.maximum,
    "min/binary": gg.minimum,
    "mul": gg.multiply,
    "nan_to_num": nan_to_num,
    "ne": gg.not_equal,
    "neg": gg.negative,
    "nn.functional.logsigmoid": lambda x: -gg.logaddexp(-x, 0),
    "nn.functional.relu": lambda x, inplace=False: gg.nn.relu(x),
    "nn.functional.relu6": lambda x, inplace=False: gg.clip(x, 0, 6),
    "nn.functional.softplus": softplus,
    "round": rounded,
    "round/decimals_0": rounded,
    "round/decimals_3": rounded,
    "round/decimals_neg_3": rounded,
    "rsqrt": lambda x: 1 / gg.sqrt(x),
    "rsub": lambda x, y, alpha=1: y - x * alpha,
    "sgn": gg.sign,
    "sub": shifted(gg.subtract),
    "where": lambda x, condition, y: gg.where(condition, x, y),
}

REDUCTIONS: dict[str, Adapter] = {
    "all": reduced(gg.all),
    "amax": reduced(gg.max),
    "amin": reduced(gg.min),
    "aminmax": lambda x, dim=None, keepdim=False: (
        reduced(gg.min)(x, dim, keepdim),
        reduced(gg.max)(x, dim, keepdim),
    ),
    "any": reduced(gg.any),
    "argmax": reduced(gg.argmax),
    "argmin": reduced(gg.argmin),
    "corrcoef": gg.corrcoef,
    "count_nonzero": lambda x, dim=None: gg.count_nonzero(x, axes_of(x, dim)),
    "cov": cov,
    "cumprod": scanned(gg.cumprod),
    "cumsum": scanned(gg.cumsum),
    "diff": diff,
    "dist": lambda x, y, p=2: gg.linalg.vector_norm(x - y, ord=p),
    "linalg.matrix_norm": matrix_norm,
    "linalg.norm": linalg_norm,
    "linalg.norm/subgradients_at_zero": linalg_norm,
    "linalg.vector_norm": vector_norm,
    "log_softmax": softmax_over(gg.nn.log_softmax),
    "logcumsumexp": scanned(gg.logcumsumexp),
    "logsumexp": reduced(gg.logsumexp),
    "masked.amax": masked(lambda x, **options: gg.max(x, **({"initial": -math.inf} | options))),
    "masked.amin": masked(lambda x, **options: gg.min(x, **({"initial": math.inf} | options))),
    "masked.logsumexp": masked(gg.logsumexp),
    "masked.mean": masked(gg.mean),
    "masked.prod": masked(gg.prod),
    "masked.std": spread(gg.std),
    "masked.sum": masked(gg.sum),
    "masked.var": spread(gg.var),
    "max/reduction_no_dim": gg.max,
    "max/reduction_with_dim": with_place(gg.max, gg.argmax),
    "mean": reduced(gg.mean),
    "median": lower_median,
    "min/reduction_no_dim": gg.min,
    "min/reduction_with_dim": with_place(gg.min, gg.argmin),
    "nanmean": reduced(gg.nanmean),
    "nansum": reduced(gg.nansum),
    "nn.functional.cross_entropy": cross_entropy,
    "nn.functional.mse_loss": mse_loss,
    "nn.functional.softmin": lambda x, dim=None, dtype=None: softmax_over(gg.nn.softmax)(-x, dim, dtype),
    "norm": norm,
    "norm/fro": norm,
    "norm/inf": norm,
    "prod": reduced(gg.prod),
    "quantile": quantile,
    "softmax": softmax_over(gg.nn.softmax),
    "std": spread(gg.std),
    "std/unbiased": spread(gg.std),
    "std_mean": beside_mean(gg.std),
    "std_mean/unbiased": beside_mean(gg.std),
    "sum": reduced(gg.sum),
    "var": spread(gg.var),
    "var/unbiased": spread(gg.var),
    "var_mean": beside_mean(gg.var),
    "var_mean/unbiased": beside_mean(gg.var),
}

SHAPES: dict[str, Adapter] = {
    "T": lambda x: x.T,
    "broadcast_to": gg.broadcast_to,
    "cat": joined,
    "expand": expanded,
    "expand_as": lambda x, other: gg.broadcast_to(x, other.shape),
    "mT": lambda x: x.mT,
    "permute": lambda x, *dims: gg.transpose(x, dims[0] if isinstance(dims[0], tuple | list) else dims),
    "reshape": shaped,
    "reshape_as": lambda x, other: gg.reshape(x, other.shape),
    "squeeze": squeezed,
    "squeeze/multiple": squeezed,
    "t": lambda x: x.T,
    "transpose": swapped_axes,
    "unsqueeze": gg.expand_dims,
    "view": shaped,
    "view_as": lambda x, other: gg.reshape(x, other.shape),
}

PRODUCTS: dict[str, Adapter] = {
    "__rmatmul__": swapped(gg.matmul),
    "addmm": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b),
    "addmv": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b),
    "baddbmm": lambda c, a, b, beta=1, alpha=1: beta * c + alpha * (a @ b),
    "bmm": gg.matmul,
    "dot": gg.matmul,
    "matmul": gg.matmul,
    "mm": gg.matmul,
    "mv": gg.matmul,
    "nn.functional.linear": lambda x, w, b=None: x @ w.T if b is None else x @ w.T + b,
}

TABLE: dict[str, Adapter] = {**ELEMENTWISE, **REDUCTIONS, **SHAPES, **PRODUCTS}
