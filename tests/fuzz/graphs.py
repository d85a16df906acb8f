"""Random graphs out of integers, so that a failure is a line to paste, and hypothesis can make it smaller."""

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import graphgrad as gg
from graphgrad.core.op import registry

Step = tuple[int, int, int, int]

DTYPES = ("float32", "float32", "float64", "float32", "int64", "float64", "bool")
SHAPES = [
    ("n", 3), (2, 3), (), ("n",), (3,), (1, 3), ("n", 3), (3, 3), ("n", 1), (1,), (3, 1), ("n", 3), (2, 2, 3),
    ("n", 2, 3), (0, 3), ("n", 3), (2, 0), (3, "n"),
]  # fmt: skip
SIZES = (4, 1, 0, 7)
"""What n is in the calls of one compiled model, one after the other."""
FIXED = [1, 1.0, 2, 0.5, -1.5, 3, 0, True]


@cache
def elementwise(operands: int) -> list[Any]:
    """The functions of the registry that work element by element on so many operands."""
    found = [
        build for op, build in registry().values()
        if op.elementwise and op.operands is not None and len(op.operands) == operands and _needed(build) == operands
    ]  # fmt: skip
    return sorted(found, key=lambda build: build.__name__)


def _needed(function: Any) -> int:
    """How many arguments a function cannot do without."""
    return sum(one.default is one.empty for one in inspect.signature(function).parameters.values())


@dataclass(frozen=True)
class Recipe:
    """What a graph is made from. `Recipe.of(seed)` is the same for ever for one set of ops."""

    leaves: tuple[tuple[int, int], ...]
    """Dtype and shape of each."""
    steps: tuple[Step, ...]
    """Kind, two operands, and how; a step that cannot be is left out."""
    outputs: tuple[int, ...]
    wrt: tuple[int, ...]
    values: int
    """The seed of the leaves' values and cotangents."""

    @staticmethod
    def of(seed: int) -> "Recipe":
        rng = np.random.default_rng(seed)

        def some(least: int, most: int, each: int) -> tuple[Any, ...]:
            drawn = rng.integers(0, 1_000, (rng.integers(least, most + 1), each)).tolist()
            return tuple(map(tuple, drawn)) if each > 1 else tuple(row[0] for row in drawn)

        return Recipe(some(1, 5, 2), some(1, 36, 4), some(1, 4, 1), some(0, 4, 1), int(rng.integers(2**31)))


@dataclass(frozen=True)
class Model:
    """A graph with everything that can be asked of it."""

    leaves: tuple[gg.Node, ...]
    outputs: Any
    wrt: dict[str, gg.Node]

    @property
    def listed(self) -> tuple[gg.Node, ...]:
        """The outputs without their structure."""
        if isinstance(self.outputs, gg.Node):
            return (self.outputs,)
        return tuple(self.outputs.values() if isinstance(self.outputs, dict) else self.outputs)


def build(recipe: Recipe, floats: str | None = None) -> Model:
    """The model of a recipe; with `floats`, its leaves have this dtype instead of any other float, and its own
    gradient (softmax stops one that is zero in the end; any other `stop_gradient` is left out)."""
    leaves = []
    for at, (dtype, shape) in enumerate(recipe.leaves):
        make, wanted = (gg.input, gg.param, gg.state)[at % 3], DTYPES[dtype % len(DTYPES)]
        wanted = floats if floats and wanted.startswith("float") else wanted
        leaves.append(make(f"x{at}", SHAPES[shape % len(SHAPES)], wanted))
    made: list[gg.Node] = [*leaves]
    for step in recipe.steps:
        try:
            node = grow(step, made)
        except gg.GraphgradError:
            continue
        if node is None or (floats and node.op.name == "stop_gradient"):
            continue
        if all(not isinstance(size, int) or size <= 12 for size in node.shape):
            made.append(node)
    smooth = [node for node in made if node.dtype.kind == "f"]
    outputs = [_picked(made, at) for at in recipe.outputs]
    wrt = {}
    if smooth and recipe.wrt:
        if outputs[0].dtype.kind != "f":
            outputs[0] = smooth[-1]
        wrt = {f"g{at}": smooth[which % len(smooth)] for at, which in enumerate(recipe.wrt)}
    structure = recipe.values % 4
    if structure == 0:
        return Model(tuple(leaves), outputs[0], wrt)
    if structure == 1:
        return Model(tuple(leaves), {f"out {at}": node for at, node in enumerate(outputs)}, wrt)
    return Model(tuple(leaves), outputs if structure == 2 else tuple(outputs), wrt)


def grow(step: Step, made: list[gg.Node]) -> gg.Node | None:
    """One more node, by any of the kinds below; the second operand is looked for among those that fit."""
    kind, first, second, how = step
    x = _picked(made, first)
    makers = [
        _unary,
        _binary,
        _binary,
        _reduce,
        _move,
        _binary,
        _slice,
        _product,
        _where,
        _join,
        _cast,
        _place,
    ]
    return makers[kind % len(makers)](x, _partners(x, second, made), how)


def _picked(nodes: list[gg.Node], at: int) -> gg.Node:
    """The later ones more often, so that graphs become deep; and now and then an old one, used late."""
    at, any_of_them = divmod(at, 3)
    return nodes[-1 - at % (len(nodes) if any_of_them == 0 else min(len(nodes), 4))]


def _partners(x: gg.Node, at: int, made: list[gg.Node]) -> gg.Node:
    return _picked([node for node in made if node.dtype == x.dtype and _broadcasts(x, node)], at)


def _broadcasts(x: gg.Node, y: gg.Node) -> bool:
    pairs = zip(reversed(x.shape), reversed(y.shape), strict=False)
    return all(one == other or 1 in (one, other) for one, other in pairs)


def _unary(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    functions = [*elementwise(1), gg.stop_gradient, gg.nn.relu, gg.nn.softmax]
    return functions[how % len(functions)](x)


def _binary(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    functions = elementwise(2)
    how, which = divmod(how, len(functions))
    operand = FIXED[how // 5 % len(FIXED)] if how % 5 == 0 else y
    return functions[which](operand, x) if how % 2 else functions[which](x, operand)


def _reduce(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    how, which = divmod(how, 5)
    keepdims, mask = bool(how % 2), how // 2
    axes = tuple(axis for axis in range(x.ndim) if mask >> axis & 1)
    function = (gg.sum, gg.mean, gg.max, gg.min, gg.sum)[which]
    return function(x, axes if mask % 5 else None, keepdims=keepdims)


def _move(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    how, which = divmod(how, 8)
    match which:
        case 0:
            return gg.reshape(x, (-1,))
        case 1:
            return gg.reshape(x, (*reversed(x.shape),))
        case 2:
            return gg.transpose(x)
        case 3:
            return gg.transpose(x, np.random.default_rng(how).permutation(x.ndim).tolist())
        case 4:
            return gg.expand_dims(x, how % (x.ndim + 1))
        case 5:
            return gg.squeeze(x) if how % 2 else gg.reshape(x, (*x.shape[:1], -1))
        case 6:
            return gg.broadcast_to(x, y.shape)
    return gg.broadcast_to(x, (2, *x.shape))


def _slice(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    ways = [0, -1, slice(1, None), slice(None, -1), slice(None, None, -1), slice(None, None, 2), None, slice(0, 2),
            slice(None, 0), Ellipsis]  # fmt: skip
    return x[tuple(ways[how // 10**axis % 10] for axis in range(max(1, min(x.ndim, 1 + how % 2))))]


def _product(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    if how % 4 == 0 and x.ndim >= 2:
        return x @ gg.matrix_transpose(x)
    if how % 4 == 1 and x.ndim >= 2:
        return gg.matrix_transpose(x) @ y
    return x @ y if how % 4 == 2 else x @ gg.transpose(y)


def _where(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    comparisons = [gg.less, gg.less_equal, gg.greater, gg.equal, gg.not_equal]
    pivot = y if how % 2 else 0
    condition = x if x.dtype.kind == "b" else comparisons[how // 2 % 5](x, pivot)
    return gg.where(condition, *((x, y) if how % 3 else (y, 0)))


def _join(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    return gg.concatenate([x, y, x] if how % 3 == 0 else [x, y], axis=how % 7 % max(1, x.ndim))


def _cast(x: gg.Node, y: gg.Node, how: int) -> gg.Node | None:
    dtype = ("float32", "float64", "int64", "bool")[how % 4]
    if x.dtype.kind == "f" and dtype == "int64":
        return None  # what an infinity becomes is the processor's affair
    return gg.cast(x, dtype)


def _place(x: gg.Node, y: gg.Node, how: int) -> gg.Node:
    where = gg.at(x, (0, slice(1, None), slice(None, None, 2), -1)[how % 4])
    return where.add(0.5) if how % 3 == 0 else where.set(y) if how % 3 == 1 else where.set(0)


# ---- values ----


def values_of(model: Model, recipe: Recipe, n: int) -> dict[str, np.ndarray]:
    """An array for each leaf, in any layout."""
    rng = np.random.default_rng([recipe.values, n])
    return {str(leaf.name): _laid_out(rng, _numbers(rng, leaf, _shape(leaf, n))) for leaf in model.leaves}


def cotangents_of(model: Model, recipe: Recipe, shapes: list[tuple[int, ...]], n: int) -> list[Any] | None:
    """One for each output, None for zero; or None, for the default."""
    rng = np.random.default_rng([recipe.values, n, 1])
    first = model.listed[0]
    if first.shape == () and rng.integers(2):
        return None
    return [
        _numbers(rng, node, shape) if node.dtype.kind == "f" and (node is first or rng.integers(3)) else None
        for node, shape in zip(model.listed, shapes, strict=True)
    ]


def _shape(leaf: gg.Node, n: int) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else n for size in leaf.shape)


def _numbers(rng: np.random.Generator, leaf: gg.Node, shape: tuple[int, ...]) -> np.ndarray:
    kind = leaf.dtype.kind
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind == "i":
        return rng.integers(-3, 4, shape)
    numbers = rng.standard_normal(shape)
    match rng.integers(4):
        case 0:
            numbers = np.round(numbers)  # many are equal, or 0
        case 1:
            numbers = np.where(rng.random(shape) < 0.3, rng.choice(_edges(leaf.dtype), shape), numbers)
    return np.asarray(numbers, leaf.dtype)


def _edges(dtype: np.dtype) -> np.ndarray:
    """Huge and tiny numbers whose products overflow and vanish by far, and whose sums do not."""
    huge = 1e30 if dtype == np.float32 else 1e250
    small = float(np.finfo(dtype).smallest_subnormal)
    return np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, small, -3 * small, 1 / huge, huge, -huge])


def _laid_out(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """The same numbers, in memory in another way."""
    match rng.integers(6):
        case 0 if array.ndim:
            return np.repeat(array, 2, axis=0)[::2]
        case 1 if array.ndim:
            return np.asfortranarray(array)
        case 2 if array.ndim:
            return array[::-1].copy()[::-1]
        case 3:
            array.flags.writeable = False
    return array
