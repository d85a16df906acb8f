"""ONNX's operators in terms of graphgrad: for each, how its node is built from inputs and attributes.

The reference of what an operator means is ONNX's own: its test cases come with the results they expect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce as fold
from typing import Any

import numpy as np

import graphgrad as gg
from tests.oracles import onnx_shapes as shapes


@dataclass(frozen=True)
class Row:
    """One operator: ``build(*inputs, **attributes)`` gives a node or several; an input that is left out is None."""

    build: Callable[..., Any]
    known: tuple[int, ...] = ()
    """Inputs that say what shape or axes the result has: arrays, not nodes."""


def _function(name: str) -> Callable[..., Any]:
    """graphgrad's function of this name, looked up when it is called."""

    def build(*inputs: Any, **attributes: Any) -> Any:
        return getattr(gg, name)(*inputs, **attributes)

    return build


# ---- element by element ----


def _softplus(x: Any) -> Any:
    return gg.maximum(x, 0) + gg.log1p(gg.exp(-gg.abs(x)))


def _divide(x: Any, y: Any) -> Any:
    """Of integers, rounded towards zero."""
    return gg.divide(x, y) if x.dtype.kind == "f" else gg.floor_divide(x - gg.fmod(x, y), y)


def _bit_shift(x: Any, y: Any, direction: str) -> Any:
    return gg.left_shift(x, y) if direction == "LEFT" else gg.right_shift(x, y)


def _cast(x: Any, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    from onnx import helper

    return gg.cast(x, helper.tensor_dtype_to_np_dtype(to))


def _clip(x: Any, low: Any = None, high: Any = None) -> Any:
    return x if low is None and high is None else gg.clip(x, low, high)


def _erf(x: Any) -> Any:
    return gg.special.erf(x)


def _gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1 + gg.tanh(float(np.sqrt(2 / np.pi)) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + _erf(x / float(np.sqrt(2))))


def _is_inf(x: Any, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    found = gg.isinf(x)
    if not detect_negative:
        found = gg.logical_and(found, x > 0)
    return found if detect_positive else gg.logical_and(found, x < 0)


def _elu(x: Any, alpha: float = 1.0) -> Any:
    return gg.where(x > 0, x, alpha * gg.expm1(x))


def _selu(x: Any, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Any:
    return gamma * _elu(x, alpha)


def _shrink(x: Any, bias: float = 0.0, lambd: float = 0.5) -> Any:
    return gg.where(x < -lambd, x + bias, gg.where(x > lambd, x - bias, 0))


def _hard_sigmoid(x: Any, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return gg.clip(alpha * x + beta, 0, 1)


def _mean(*parts: Any) -> Any:
    return fold(gg.add, parts) / len(parts)


def _swish(x: Any, alpha: float = 1.0) -> Any:
    return x * gg.sigmoid(alpha * x)


ELEMENTWISE: dict[str, Row] = {
    **{
        operator: Row(_function(name))
        for operator, name in {
            "Abs": "abs", "Acos": "arccos", "Acosh": "arccosh", "Add": "add", "And": "logical_and",
            "Asin": "arcsin", "Asinh": "arcsinh", "Atan": "arctan", "Atanh": "arctanh",
            "BitwiseAnd": "bitwise_and", "BitwiseNot": "invert", "BitwiseOr": "bitwise_or",
            "BitwiseXor": "bitwise_xor", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Equal": "equal",
            "Exp": "exp", "Floor": "floor", "Greater": "greater", "GreaterOrEqual": "greater_equal",
            "IsNaN": "isnan", "Less": "less", "LessOrEqual": "less_equal", "Log": "log", "Mul": "multiply",
            "Neg": "negative", "Not": "logical_not", "Or": "logical_or", "Reciprocal": "reciprocal",
            "Round": "rint", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh",
            "Sqrt": "sqrt", "Sub": "subtract", "Tan": "tan", "Tanh": "tanh", "Where": "where",
            "Xor": "logical_xor",
        }.items()
    },
    "BitShift": Row(_bit_shift),
    "Cast": Row(_cast),
    "CastLike": Row(lambda x, like, **rounding: gg.cast(x, like.dtype)),
    "Celu": Row(lambda x, alpha=1.0: gg.maximum(x, 0) + gg.minimum(alpha * gg.expm1(x / alpha), 0)),
    "Clip": Row(_clip),
    "Div": Row(_divide),
    "Elu": Row(_elu),
    "Erf": Row(_erf),
    "Gelu": Row(_gelu),
    "HardSigmoid": Row(_hard_sigmoid),
    "HardSwish": Row(lambda x: x * _hard_sigmoid(x, 1 / 6)),
    "Identity": Row(lambda x: x),
    "IsInf": Row(_is_inf),
    "LeakyRelu": Row(lambda x, alpha=0.01: gg.where(x < 0, alpha * x, x)),
    "Max": Row(lambda *parts: fold(gg.maximum, parts)),
    "Mean": Row(_mean),
    "Min": Row(lambda *parts: fold(gg.minimum, parts)),
    "Mish": Row(lambda x: x * gg.tanh(_softplus(x))),
    "Mod": Row(lambda x, y, fmod=0: gg.fmod(x, y) if fmod else gg.mod(x, y)),
    "PRelu": Row(lambda x, slope: gg.where(x < 0, slope * x, x)),
    "Pow": Row(lambda x, y: gg.cast(gg.power(x, y), x.dtype)),
    "Relu": Row(gg.nn.relu),
    "Selu": Row(_selu),
    "Shrink": Row(_shrink),
    "Softplus": Row(_softplus),
    "Softsign": Row(lambda x: x / (1 + gg.abs(x))),
    "Sum": Row(lambda *parts: fold(gg.add, parts)),
    "SwiGLU": Row(lambda a, b, alpha=1.0: _swish(a, alpha) * b),
    "Swish": Row(_swish),
    "ThresholdedRelu": Row(lambda x, alpha=1.0: gg.where(x > alpha, x, 0)),
}  # fmt: skip


# ---- reductions ----


def _over(function: Callable[..., Any]) -> Row:
    """A reduction, whose axes are its second input; none given means all, or nothing at all."""

    def build(x: Any, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
        given = None if axes is None or not len(axes) else tuple(int(axis) for axis in axes)
        if given is None and noop_with_empty_axes:
            given = ()
        return function(x, axis=given, keepdims=bool(keepdims))

    return Row(build, known=(1,))


def _arg(name: str) -> Row:
    def build(x: Any, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        function = getattr(gg, name)
        if not select_last_index:
            return function(x, axis=axis, keepdims=bool(keepdims))
        return x.shape[axis] - 1 - function(gg.flip(x, axis), axis=axis, keepdims=bool(keepdims))

    return Row(build)


def _cumulative(name: str, start: int) -> Row:
    def build(x: Any, axis: Any, exclusive: int = 0, reverse: int = 0) -> Any:
        at = int(axis)
        turned = gg.flip(x, at) if reverse else x
        if exclusive:
            size = x.shape[at]
            one = tuple(1 if own == at % x.ndim else size for own, size in enumerate(x.shape))
            first = gg.full_like(x, start, shape=one)
            rest = gg.split(turned, [size - 1], axis=at)[0]
            turned = gg.concatenate([first, rest], axis=at)
        found = gg.cast(getattr(gg, name)(turned, axis=at), x.dtype)
        return gg.flip(found, at) if reverse else found

    return Row(build, known=(1,))


def _hardmax(x: Any, axis: int = -1) -> Any:
    best = gg.expand_dims(gg.argmax(x, axis=axis), axis)
    numbers = np.arange(x.shape[axis]).reshape([-1 if at == axis % x.ndim else 1 for at in range(x.ndim)])
    return gg.cast(gg.equal(best, numbers), x.dtype)


def _lp_normalization(x: Any, axis: int = -1, p: int = 2) -> Any:
    if p == 1:
        norm = gg.sum(gg.abs(x), axis=axis, keepdims=True)
    else:
        norm = gg.sqrt(gg.sum(gg.square(x), axis=axis, keepdims=True))
    return gg.where(gg.equal(norm, 0), 0, x / norm)


def _mean_variance_normalization(x: Any, axes: Any = (0, 2, 3)) -> Any:
    centred = x - gg.mean(x, axis=tuple(axes), keepdims=True)
    return centred / (gg.sqrt(gg.mean(gg.square(centred), axis=tuple(axes), keepdims=True)) + 1e-9)


REDUCE: dict[str, Row] = {
    "ArgMax": _arg("argmax"),
    "ArgMin": _arg("argmin"),
    "CumProd": _cumulative("cumprod", 1),
    "CumSum": _cumulative("cumsum", 0),
    "Hardmax": Row(_hardmax),
    "LogSoftmax": Row(lambda x, axis=-1: gg.nn.log_softmax(x, axis)),
    "LpNormalization": Row(_lp_normalization),
    "MeanVarianceNormalization": Row(_mean_variance_normalization),
    "ReduceL1": _over(lambda x, **how: gg.sum(gg.abs(x), **how)),
    "ReduceL2": _over(lambda x, **how: gg.sqrt(gg.sum(gg.square(x), **how))),
    "ReduceLogSum": _over(lambda x, **how: gg.log(gg.sum(x, **how))),
    "ReduceLogSumExp": _over(_function("logsumexp")),
    "ReduceMax": _over(gg.max),
    "ReduceMean": _over(gg.mean),
    "ReduceMin": _over(gg.min),
    "ReduceProd": _over(_function("prod")),
    "ReduceSum": _over(gg.sum),
    "ReduceSumSquare": _over(lambda x, **how: gg.sum(gg.square(x), **how)),
    "Softmax": Row(lambda x, axis=-1: gg.nn.softmax(x, axis)),
}


# ---- shapes and indices ----


SHAPE: dict[str, Row] = {
    "CenterCropPad": Row(shapes.center_crop_pad, known=(1,)),
    "Concat": Row(lambda *parts, axis: gg.concatenate(parts, axis)),
    "Constant": Row(gg.const),
    "ConstantOfShape": Row(shapes.constant_of_shape, known=(0,)),
    "DepthToSpace": Row(shapes.depth_to_space),
    "Expand": Row(shapes.expand, known=(1,)),
    "EyeLike": Row(shapes.eye_like),
    "Flatten": Row(shapes.flatten),
    "Gather": Row(lambda x, indices, axis=0: gg.take(x, indices, axis=axis)),
    "GatherElements": Row(lambda x, indices, axis=0: gg.take_along_axis(x, indices, axis=axis)),
    "GatherND": Row(shapes.gather_nd),
    "OneHot": Row(shapes.one_hot, known=(1,)),
    "Pad": Row(shapes.pad, known=(1, 2, 3)),
    "Range": Row(lambda start, limit, delta: gg.arange(start, limit, delta, start.dtype), known=(0, 1, 2)),
    "Reshape": Row(shapes.reshape, known=(1,)),
    "ReverseSequence": Row(shapes.reverse_sequence),
    "Scatter": Row(shapes.scatter_elements),
    "ScatterElements": Row(shapes.scatter_elements),
    "ScatterND": Row(shapes.scatter_nd),
    "Shape": Row(lambda x, start=0, end=None: gg.const(np.array(x.shape[start:end], np.int64))),
    "Size": Row(lambda x: gg.const(np.int64(x.size))),
    "Slice": Row(shapes.slices, known=(1, 2, 3, 4)),
    "SpaceToDepth": Row(shapes.space_to_depth),
    "Split": Row(shapes.split, known=(1,)),
    "Squeeze": Row(lambda x, axes=None: gg.squeeze(x, None if axes is None else tuple(axes)), known=(1,)),
    "TensorScatter": Row(shapes.tensor_scatter),
    "Tile": Row(gg.tile, known=(1,)),
    "TopK": Row(shapes.top_k, known=(1,)),
    "Transpose": Row(lambda x, perm=None: gg.transpose(x, perm)),
    "Trilu": Row(shapes.trilu, known=(1,)),
    "Unsqueeze": Row(lambda x, axes: gg.expand_dims(x, tuple(axes)), known=(1,)),
    "Upsample": Row(shapes.upsample, known=(1,)),
}

FAMILIES = {"elementwise": ELEMENTWISE, "reduce": REDUCE, "shape and index": SHAPE}
ROWS: dict[str, Row] = {**ELEMENTWISE, **REDUCE, **SHAPE}
OUTSIDE = {
    "Compress": "the result's size depends on values",
    "NonZero": "the result's size depends on values",
    "Unique": "the result's size depends on values",
}
"""Operators of these families that no graph with static shapes can have."""


# ---- cases ----


@dataclass(frozen=True)
class Case:
    """One test case of ONNX: an operator, its inputs, and what it gives."""

    name: str
    operator: str
    inputs: tuple[Any, ...]
    """None where one is left out."""
    attributes: dict[str, Any]
    outputs: tuple[Any, ...]

    @property
    def is_float(self) -> bool:
        """Whether float32 or float64 goes in or comes out."""
        dtypes = [getattr(array, "dtype", None) for array in (*self.inputs, *self.outputs)]
        return any(dtype in (np.float32, np.float64) for dtype in dtypes)


def load_cases() -> list[Case]:
    """ONNX's cases of a single operator of our families."""
    from onnx import TensorProto, helper, numpy_helper
    from onnx.backend.test.loader import load_model_tests

    def array(value: Any) -> Any:
        return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value

    def plain(value: Any) -> Any:
        return value.decode() if isinstance(value, bytes) else array(value)

    cases = []
    for test in load_model_tests(kind="node"):
        nodes = test.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in {**ROWS, **OUTSIDE}:
            continue
        given = iter(test.data_sets[0][0])
        inputs = tuple(array(next(given)) if name else None for name in nodes[0].input)
        attributes = {part.name: plain(helper.get_attribute_value(part)) for part in nodes[0].attribute}
        if nodes[0].op_type == "Split":
            attributes.setdefault("num_outputs", len(nodes[0].output))
        outputs = tuple(map(array, test.data_sets[0][1]))
        cases.append(Case(test.name, nodes[0].op_type, inputs, attributes, outputs))
    return cases


def run(case: Case, level: str) -> list[Any]:
    """What the compiled model of a case gives."""
    row = ROWS[case.operator]
    leaves: list[Any] = []
    values = []
    parts: list[Any] = []
    for at, value in enumerate(case.inputs):
        if value is None or at in row.known:
            parts.append(value)
            continue
        leaves.append(gg.input(f"x{at}", value.shape, value.dtype))
        values.append(value)
        parts.append(leaves[-1])
    made = row.build(*parts, **case.attributes)
    nodes = list(made) if isinstance(made, tuple | list) else [made]
    return list(gg.compile(nodes, inputs=leaves, level=level)(*values))
