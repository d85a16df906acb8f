"""What holds for every op. Each check takes an op, the function that builds its nodes, and one sample."""

import ast
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphgrad as gg
from graphgrad.core.dim import evaluate
from graphgrad.core.form import Form
from graphgrad.core.node import Node
from graphgrad.core.op import BROADCAST, REDUCED, WHOLE, Blocks, NotDifferentiable, Op, Sample
from graphgrad.core.spec import Spec
from graphgrad.core.traverse import toposort
from graphgrad.interpret import concrete, interpret
from graphgrad.testing import assert_same, check_grads

Build = Callable[..., Node]


@dataclass(frozen=True)
class Made:
    """A node built from a sample, with its leaves and their values."""

    node: Node
    leaves: tuple[Node, ...]
    arrays: tuple[np.ndarray, ...]

    def value(self, *nodes: Node) -> tuple[np.ndarray, ...]:
        return interpret(nodes, dict(zip(self.leaves, self.arrays, strict=True)))

    def is_only(self, op: Op) -> bool:
        """Whether the node is the op on the leaves themselves, with nothing in between."""
        return self.node.op is op and self.node.inputs == self.leaves

    @property
    def float_leaves(self) -> list[Node]:
        return [leaf for leaf in self.leaves if leaf.dtype.kind == "f"]


def make(build: Build, sample: Sample, dtype: str = "float64", shapes: Any = None, **kwargs: Any) -> Made:
    """The sample's node on inputs of its shapes (or `shapes`), floats in `dtype`."""
    arrays = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in sample.arrays)
    shapes = shapes or [array.shape for array in arrays]
    leaves = tuple(
        gg.input(f"x{at}", shape, array.dtype)
        for at, (shape, array) in enumerate(zip(shapes, arrays, strict=True))
    )
    given = (list(leaves),) if sample.packed else leaves
    return Made(build(*given, **{**sample.kwargs, **kwargs}), leaves, arrays)


# ---- value and spec ----


def second_opinion(name: str) -> Callable[..., Any] | None:
    """Another implementation of the function `name`, with its own arguments: plain Python, or else JAX."""
    if name in PLAIN:
        return PLAIN[name]
    import jax

    jax.config.update("jax_enable_x64", True)
    return getattr(jax.numpy, name, None)


def _place(x: np.ndarray, shape: Any, index: Any) -> np.ndarray:
    places = np.arange(math.prod(shape)).reshape(shape)[index].ravel().tolist()
    flat = [0.0] * math.prod(shape)
    for place, value in zip(places, x.ravel().tolist(), strict=True):
        flat[place] = value
    return np.reshape(flat, shape)


def _update(x: np.ndarray, v: np.ndarray, index: Any) -> np.ndarray:
    places = np.arange(x.size).reshape(x.shape)[index].ravel().tolist()
    flat = x.ravel().tolist()
    for place, value in zip(places, v.ravel().tolist(), strict=True):
        flat[place] = value
    return np.reshape(flat, x.shape)


def _index(x: np.ndarray, index: Any) -> np.ndarray:
    numbers = np.arange(x.size).reshape(x.shape)[index]
    return np.array([x.ravel().tolist()[at] for at in np.ravel(numbers)]).reshape(np.shape(numbers))


def _repeat(x: np.ndarray, repeats: Any, axis: int | None = None) -> np.ndarray:
    rows = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    counts = [repeats] * len(rows) if isinstance(repeats, int) else repeats
    places = [at for at, count in enumerate(counts) for _ in range(count)]
    return np.moveaxis(rows[np.array(places, int)], 0, axis or 0)


def _sum_runs(x: np.ndarray, repeats: Any, axis: int) -> np.ndarray:
    rows = np.moveaxis(x, axis, 0)
    total = np.zeros((len(repeats), *rows.shape[1:]))
    run = [at for at, count in enumerate(repeats) for _ in range(count)]
    for at, row in zip(run, rows, strict=True):
        total[at] += row
    return np.moveaxis(total, 0, axis)


def _place_diagonal(x: np.ndarray, shape: Any, offset: int = 0) -> np.ndarray:
    return np.where(np.eye(*shape[-2:], k=offset, dtype=bool), _along_rows(x, shape, offset), 0.0)


def _along_rows(x: np.ndarray, shape: Any, offset: int) -> np.ndarray:
    wide = np.zeros(shape)
    for row in range(shape[-2]):
        at = row + min(offset, 0)
        if 0 <= at < x.shape[-1]:
            wide[..., row, :] = x[..., at, None]
    return wide


def _logcumsumexp(x: np.ndarray, axis: int | None = None) -> np.ndarray:
    return np.log(np.cumsum(np.exp(x), axis))


def _recurrence(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """y[k] is the sum of b[j] times all a between j and k: a triangular matrix for each row."""
    steps = a.shape[axis]
    factors, summands = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    weights = np.zeros((*factors.shape, steps))
    for k in range(steps):
        for j in range(k + 1):
            weights[..., k, j] = np.prod(factors[..., j + 1 : k + 1], axis=-1)
    return np.moveaxis(np.einsum("...kj,...j->...k", weights, summands), -1, axis)


def _order_statistic(x: np.ndarray, axis: int, fraction: float, side: str) -> np.ndarray:
    return np.asarray(np.quantile(x, np.float64(fraction), axis, method=side))


def _numpy_index(index: Any, shape: Any, arrays: Any) -> Any:
    """A normal index as NumPy takes it, from its definition."""
    given, ndim, axis, items = iter(arrays), max(map(np.ndim, arrays)), 0, []
    for item in index:
        if item == "array":
            item = next(given)
        elif isinstance(item, tuple):
            item = np.expand_dims(np.arange(shape[axis]), tuple(range(1, ndim - item[1])))
        items.append(item)
        axis += item is not None
    return tuple(items)


def _gather(x: np.ndarray, *arrays: np.ndarray, index: Any) -> np.ndarray:
    return _index(x, _numpy_index(index, x.shape, arrays))


def _one_by_one(combine: Callable[[float, float], float]) -> Callable[..., np.ndarray]:
    def write(x: np.ndarray, v: np.ndarray, *arrays: np.ndarray, index: Any) -> np.ndarray:
        places = np.arange(x.size).reshape(x.shape)[_numpy_index(index, x.shape, arrays)]
        flat = x.ravel().tolist()
        for place, value in zip(places.ravel().tolist(), v.ravel().tolist(), strict=True):
            flat[place] = combine(flat[place], value)
        return np.reshape(flat, x.shape)

    return write


def _scatter_add(v: np.ndarray, *arrays: np.ndarray, shape: Any, index: Any) -> np.ndarray:
    return _one_by_one(operator.add)(np.zeros(shape), v, *arrays, index=index)


def _is_last(*arrays: np.ndarray, shape: Any, index: Any) -> np.ndarray:
    places = np.arange(math.prod(shape)).reshape(shape)[_numpy_index(index, shape, arrays)]
    flat = places.ravel().tolist()
    return np.array([place not in flat[at + 1 :] for at, place in enumerate(flat)], bool).reshape(
        places.shape
    )


def _argsorted(x: np.ndarray, axis: Any = -1, descending: bool = False) -> np.ndarray:
    """By Python's own sort, which is stable."""
    rows = np.moveaxis(x, axis, -1)
    flat = [
        sorted(range(len(row)), key=lambda at, row=row: -row[at] if descending else row[at])
        for row in rows.reshape(-1, rows.shape[-1] or 1).tolist()
    ]
    return np.moveaxis(np.array(flat, int).reshape(rows.shape), -1, axis)


def _sorted(x: np.ndarray, axis: Any = -1, descending: bool = False) -> np.ndarray:
    rows = np.moveaxis(x, axis, -1)
    flat = [sorted(row, reverse=descending) for row in rows.reshape(-1, rows.shape[-1] or 1).tolist()]
    return np.moveaxis(np.array(flat, x.dtype).reshape(rows.shape), -1, axis)


def _place_sum(*parts: np.ndarray, shape: Any, indices: Any) -> np.ndarray:
    return sum(
        (_place(part, shape, index) for part, index in zip(parts, indices, strict=True)), np.zeros(shape)
    )


PLAIN: dict[str, Callable[..., Any]] = {
    "sigmoid": np.vectorize(lambda x: 1 / (1 + math.exp(-x)), otypes=[float]),
    "sigmoid_cross_entropy": np.vectorize(
        lambda x, y: y * math.log1p(math.exp(-x)) + (1 - y) * math.log1p(math.exp(x)), otypes=[float]
    ),
    "cast": lambda x, dtype: np.vectorize(np.dtype(dtype).type, otypes=[dtype])(x),
    "stop_gradient": lambda x: x,
    "place": _place,
    "logcumsumexp": _logcumsumexp,
    "recurrence": _recurrence,
    "order_statistic": _order_statistic,
    "place_sum": _place_sum,
    "update": _update,
    "index": _index,
    "stack": lambda *arrays, axis=0: np.moveaxis(np.array(arrays), 0, axis),
    "repeat": _repeat,
    "sum_runs": _sum_runs,
    "place_diagonal": _place_diagonal,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "add_at": _one_by_one(operator.add),
    "scatter_set": _one_by_one(lambda old, new: new),
    "scatter_max": _one_by_one(max),
    "scatter_min": _one_by_one(min),
    "scatter_multiply": lambda v, *arrays, shape, index: _one_by_one(operator.mul)(
        np.ones(shape), v, *arrays, index=index
    ),
    "is_last": _is_last,
    "sort": _sorted,
    "argpartition": lambda x, kth, axis=-1: _argsorted(x, axis),  # of samples in which kth settles it all
    "argsort": _argsorted,
    "bounded": np.vectorize(
        lambda x, size, mode: x % size if mode == "wrap" else sorted((0, x, size - 1))[1], otypes=[int]
    ),
    "one_hot": lambda x, num_classes, dtype="float32": np.array(
        [[number % num_classes == at for at in range(num_classes)] for number in x.ravel().tolist()], dtype
    ).reshape(*x.shape, num_classes),
    "concatenate": lambda *arrays, axis=0: np.moveaxis(
        np.array([row for a in arrays for row in np.moveaxis(a, axis, 0)]), 0, axis
    ),
}


def check_value(op: Op, build: Build, sample: Sample) -> bool:
    """The reference against another implementation; False if there is none."""
    other = second_opinion(op.name)
    if other is None:
        return False
    made = make(build, sample)
    expected = np.asarray(other(*made.arrays, **sample.kwargs))
    (value,) = made.value(made.node)
    assert_same(value.astype(expected.dtype), expected, rtol=1e-12, atol=1e-12, what=op.name)
    return True


def check_spec(op: Op, build: Build, sample: Sample) -> None:
    """The inferred shape and dtype are those of the value, in both precisions."""
    for dtype in ("float64", "float32"):
        made = make(build, sample, dtype)
        specs = (
            op.infer(*(leaf.spec for leaf in made.leaves), **made.node.attrs) if made.is_only(op) else None
        )
        if specs is not None and isinstance(specs, Spec):
            assert specs == made.node.spec
        (value,) = made.value(made.node)
        found = Spec(value.shape, value.dtype)
        assert found == made.node.spec, f"{op.name}: inferred {made.node.spec}, the value has {found}"


class _Plain:
    """The simplest speller: sizes are numbers."""

    def size(self, size: Any) -> Form:
        return Form(str(size))

    def is_precise(self, node: Any) -> bool:
        return False

    def shape(self, shape: Any) -> str:
        return str(tuple(shape))

    def dtype(self, dtype: Any) -> str:
        return f"np.{np.dtype(dtype).name}"


def check_source(op: Op, build: Build, sample: Sample) -> None:
    """What the op is in NumPy gives the value of the reference."""
    for dtype in ("float64", "float32"):
        made = make(build, sample, dtype)
        if not made.is_only(op):
            continue
        names = {f"a{at}": array for at, array in enumerate(made.arrays)}
        form = op.numpy(_Plain(), [Form(name) for name in names], made.node)
        space: dict[str, Any] = {"np": np, **names}
        if isinstance(form, Form):
            result = eval(compile(ast.parse(form.text, mode="eval"), op.name, "eval"), space)
        else:
            exec("\n".join(form.statements).replace("{out}", "out"), space)
            result = space["out"]
        assert_same(np.asarray(result), made.value(made.node)[0], what=f"{op.name} emitted in {dtype}")


def check_layouts(op: Op, build: Build, sample: Sample) -> None:
    """Strided, reversed and Fortran-ordered inputs give what contiguous ones give."""
    made = make(build, sample)
    (expected,) = made.value(made.node)
    for layout in (_fortran, _strided, _reversed):
        other = Made(made.node, made.leaves, tuple(map(layout, made.arrays)))
        assert_same(other.value(made.node)[0], expected, what=f"{op.name} of {layout.__name__}")


def _fortran(array: np.ndarray) -> np.ndarray:
    return np.array(array, order="F")


def _strided(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((*array.shape, 2), array.dtype)
    wide[..., 1] = array
    return wide[..., 1]


def _reversed(array: np.ndarray) -> np.ndarray:
    return np.flip(np.flip(array).copy())


# ---- axes ----


def check_axes(op: Op, build: Build, sample: Sample) -> None:
    """Roles of axes mean what they say, by slicing, shuffling and repeating."""
    made = make(build, sample)
    if not made.is_only(op):
        return
    node = made.node
    roles = op.axes(*(leaf.spec for leaf in made.leaves), **node.attrs)
    assert [len(role) for role in roles] == [leaf.ndim for leaf in made.leaves]
    for leaf, own in zip(made.leaves, roles, strict=True):
        mapped = [role for role in own if isinstance(role, int)]
        assert len(mapped) == len(set(mapped)), f"{op.name}: two axes are mapped to one"
        for axis, role in enumerate(own):
            assert (
                role in (BROADCAST, REDUCED, WHOLE)
                or isinstance(role, Blocks)
                or leaf.shape[axis] == node.shape[role]
            )
            assert role != BROADCAST or leaf.shape[axis] == 1
    _check_mapped(op, made, roles)
    _check_blocks(op, made, roles)
    _check_reduced(op, made, roles)
    _check_parts(op, made, roles)
    _check_broadcast(op, made, roles)


def _apply(op: Op, node: Node, arrays: Any, axis: int | None = None, size: int | None = None) -> np.ndarray:
    """The op on other arrays; where the attributes hold the result's shape, it has `size` along `axis`."""
    attrs = dict(node.attrs)
    if axis is not None and "shape" in attrs:
        attrs["shape"] = (*attrs["shape"][:axis], size, *attrs["shape"][axis + 1 :])
    specs = [Spec(array.shape, array.dtype) for array in arrays]
    spec = op.infer(*specs, **attrs)
    result = np.asarray(op.reference(*arrays, **concrete_attrs(attrs)))
    assert result.shape == spec.shape, f"{op.name} of parts has shape {result.shape}, inferred {spec.shape}"
    return result


def concrete_attrs(attrs: dict[str, Any]) -> dict[str, Any]:
    return {name: concrete(value, {}) for name, value in attrs.items()}


def _check_mapped(op: Op, made: Made, roles: Any) -> None:
    (whole,) = made.value(made.node)
    for axis, size in enumerate(whole.shape):
        if not any(axis in own for own in roles):
            continue
        for start, stop in {
            (0, 0),
            (0, size),
            (0, (size + 1) // 2),
            ((size + 1) // 2, size),
            (size - 1, size),
        }:
            if start < 0:
                continue
            parts = [
                array[tuple(slice(start, stop) if role == axis else slice(None) for role in own)]
                for array, own in zip(made.arrays, roles, strict=True)
            ]
            found = _apply(op, made.node, parts, axis, stop - start)
            expected = whole[(slice(None),) * axis + (slice(start, stop),)]
            assert_same(
                found, expected, 1e-12, 1e-13, f"{op.name}, axis {axis} of the result, {start}:{stop}"
            )


def _check_blocks(op: Op, made: Made, roles: Any) -> None:
    """Blocks of an axis go to blocks of another, in as many pieces as both can be cut into."""
    (whole,) = made.value(made.node)
    for array, own in zip(made.arrays, roles, strict=True):
        for axis, role in enumerate(own):
            if not isinstance(role, Blocks):
                continue
            sizes = array.shape[axis], whole.shape[role.axis]
            pieces = math.gcd(*sizes)
            for at in range(pieces):
                part = np.take(array, range(sizes[0] // pieces * at, sizes[0] // pieces * (at + 1)), axis)
                found = _apply(op, made.node, [part], role.axis, sizes[1] // pieces)
                places = range(sizes[1] // pieces * at, sizes[1] // pieces * (at + 1))
                expected = np.take(whole, places, role.axis)
                assert_same(found, expected, 1e-12, 1e-13, f"{op.name}, block {at} of axis {axis}")


def _check_parts(op: Op, made: Made, roles: Any) -> None:
    """Results for two parts of what is reduced combine to the result for the whole, as the op says."""
    reduced = [[axis for axis, role in enumerate(own) if role == REDUCED] for own in roles]
    if op.combines is None or not all(reduced):
        return
    (whole,) = made.value(made.node)
    sizes = {array.shape[axes[0]] for array, axes in zip(made.arrays, reduced, strict=True)}
    (size,) = sizes if len(sizes) == 1 else (0,)
    for cut in {size // 2, 1} if size > 1 else ():
        parts = [
            _apply(
                op,
                made.node,
                [
                    np.take(array, range(*ends), axes[0])
                    for array, axes in zip(made.arrays, reduced, strict=True)
                ],
            )
            for ends in ((0, cut), (cut, size))
        ]
        combined = getattr(np, op.combines)(*parts)
        assert_same(combined, whole, 1e-12, 1e-13, f"{op.name} of {cut} and of the rest, combined")


def _check_reduced(op: Op, made: Made, roles: Any) -> None:
    """The order of elements along reduced axes does not matter."""
    (whole,) = made.value(made.node)
    reduced = [[axis for axis, role in enumerate(own) if role == REDUCED] for own in roles]
    for turn in range(max(map(len, reduced), default=0)):
        shuffled = [
            np.flip(array, axes[turn]) if turn < len(axes) else array
            for array, axes in zip(made.arrays, reduced, strict=True)
        ]
        found = _apply(op, made.node, shuffled)
        assert_same(found, whole, 1e-12, 1e-13, f"{op.name} with the reduced axis {turn} reversed")


def _check_broadcast(op: Op, made: Made, roles: Any) -> None:
    """Repeating along a broadcast axis what is repeated anyway changes nothing."""
    (whole,) = made.value(made.node)
    for at, own in enumerate(roles):
        for axis, role in enumerate(own):
            if role == BROADCAST:
                times = whole.shape[whole.ndim - len(own) + axis]
                parts = list(made.arrays)
                parts[at] = np.repeat(parts[at], times, axis)
                assert_same(_apply(op, made.node, parts), whole, what=f"{op.name} with axis {axis} repeated")


# ---- derivatives ----


def check_derivatives(op: Op, build: Build, sample: Sample) -> None:
    """VJP and JVP against numbers and each other, to second order."""
    made = make(build, sample)
    if isinstance(op.vjp, NotDifferentiable) or made.node.dtype.kind != "f" or made.node.op is not op:
        return
    values = dict(zip(made.leaves, made.arrays, strict=True))
    check_grads(made.node, made.float_leaves, values)


def check_precision(op: Op, build: Build, sample: Sample) -> None:
    """From float32 come float32 values and gradients, and nothing in between is wider."""
    made = make(build, sample, "float32")
    if made.node.dtype.kind != "f" or made.node.op.name == "cast":
        return
    assert made.node.dtype == np.float32
    found = gg.grad(gg.sum(made.node), made.float_leaves)
    tangents = [gg.input(f"t{at}", leaf.shape) for at, leaf in enumerate(made.float_leaves)]
    pushed = gg.jvp(made.node, made.float_leaves, tangents)
    wide = [node for node in toposort([*found, pushed]) if node.dtype == np.float64]
    assert not wide, f"{op.name} computes in float64: {wide}"
    for leaf, value in zip(made.float_leaves, made.value(*found), strict=True):
        assert (value.dtype, value.shape) == (np.float32, leaf.shape), f"{op.name}: gradient by {leaf}"
    push_values = dict(
        zip(tangents, [np.ones(leaf.shape, np.float32) for leaf in made.float_leaves], strict=True)
    )
    (value,) = interpret([pushed], {**dict(zip(made.leaves, made.arrays, strict=True)), **push_values})
    assert (value.dtype, value.shape) == (np.float32, made.node.shape), f"{op.name}: tangent"


# ---- symbolic sizes ----


def check_symbolic(op: Op, build: Build, sample: Sample) -> int:
    """With names for sizes, specs, values and gradients come to the same, or an error says that they cannot.

    Returns how many variants the op took.
    """
    made = make(build, sample)
    taken = 0
    for shapes, renamed in _named_variants(sample):
        sizes = {"n2": 2, "n3": 3, "n4": 4, "n5": 5, "n6": 6}
        try:
            other = make(build, sample, shapes=shapes, **renamed)
        except gg.GraphgradError:
            continue
        taken += 1
        shape = tuple(evaluate(size, sizes) for size in other.node.shape)
        assert shape == made.node.shape, f"{op.name}: {other.node.shape} is {shape}, not {made.node.shape}"
        assert_same(other.value(other.node), made.value(made.node), what=f"{op.name} with named sizes")
        if made.node.dtype.kind == "f" and made.float_leaves:
            found = other.value(*gg.grad(gg.sum(other.node), other.float_leaves))
            expected = made.value(*gg.grad(gg.sum(made.node), made.float_leaves))
            assert_same(found, expected, what=f"gradient of {op.name} with named sizes")
    return taken


def _named_variants(sample: Sample) -> Iterator[tuple[list[tuple[Any, ...]], dict[str, Any]]]:
    """The sample's shapes with one size, or all above 1, given names; also in an argument `shape`."""
    sizes = sorted({size for array in sample.arrays for size in array.shape if size > 1})
    for chosen in [*({size} for size in sizes), set(sizes)]:

        def rename(shape: Any, chosen: set[int] = chosen) -> tuple[Any, ...]:
            return tuple(f"n{size}" if size in chosen else size for size in shape)

        wanted = sample.kwargs.get("shape")
        renamed = {"shape": rename(wanted)} if isinstance(wanted, tuple) else {}
        if chosen:
            yield [rename(array.shape) for array in sample.arrays], renamed


def check_emitted(op: Op, build: Build, sample: Sample, level: str) -> None:
    """The compiled module gives what the interpreter gives, in both precisions, with the gradients."""
    for dtype in ("float64", "float32"):
        made = make(build, sample, dtype)
        if made.node.op.is_leaf:
            continue
        differentiable = made.node.dtype.kind == "f" and made.float_leaves
        values = {leaf.name: array for leaf, array in zip(made.leaves, made.arrays, strict=True)}
        tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
        if not differentiable:
            found = gg.compile(made.node, inputs=list(made.leaves), level=level)(**values)
            assert_same(np.asarray(found), made.value(made.node)[0], what=f"{op.name}, {level}", **tolerance)
            continue
        weights = np.asarray(np.random.default_rng(1).standard_normal(made.node.shape), made.node.dtype)
        model = gg.compile(made.node, inputs=list(made.leaves), wrt=made.float_leaves, level=level)
        extra = {"cotangent": weights} if made.node.shape else {}
        found, grads = model(**values, **extra)
        seed = gg.const(weights if made.node.shape else np.ones((), made.node.dtype))
        expected = made.value(*gg.grad(made.node, made.float_leaves, seed))
        assert_same(np.asarray(found), made.value(made.node)[0], what=f"{op.name}, {level}", **tolerance)
        for leaf, wanted in zip(made.float_leaves, expected, strict=True):
            assert_same(grads[leaf.name], wanted, what=f"gradient of {op.name}, {level}", **tolerance)


def check_emitted_layouts(op: Op, build: Build, sample: Sample) -> None:
    """The compiled module takes strided, reversed and Fortran-ordered arrays, and its gradients are the same."""
    made = make(build, sample)
    wrt = made.float_leaves if made.node.dtype.kind == "f" and made.float_leaves else None
    model = gg.compile(made.node, inputs=list(made.leaves), wrt=wrt)
    extra = {"cotangent": np.ones(made.node.shape, made.node.dtype)} if wrt and made.node.shape else {}

    def run(layout: Callable[[np.ndarray], np.ndarray]) -> Any:
        values = {leaf.name: layout(array) for leaf, array in zip(made.leaves, made.arrays, strict=True)}
        return model(**values, **{name: layout(array) for name, array in extra.items()})

    expected = run(np.array)
    for layout in (_fortran, _strided, _reversed):
        assert_same(run(layout), expected, 1e-12, 1e-14, f"{op.name}, compiled, of {layout.__name__}")
