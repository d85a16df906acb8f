"""What rules are tried on: nodes built from a rule's own left side, and values that are hard on arithmetic."""

from itertools import product

import numpy as np

import graphgrad as gg
from graphgrad.core.dim import Dim, evaluate
from graphgrad.core.spec import as_shape

SIZES = {"n": 4}
SHAPES = {
    1: [((2, 3),), ((),), (("n", 2),)],
    2: [((2, 3), (2, 3)), ((2, 3), (3,)), (("n", 1), (3,)), ((), ("n",))],
}


def shown(example):
    return ", ".join(f"{name}={value}" for name, value in example.items())


def examples_of(rule):
    """The rule's own examples, or the usual shapes for each of its variables."""
    if rule.examples:
        return list(rule.examples)
    return [dict(zip(rule.variables, shapes, strict=True)) for shapes in SHAPES[len(rule.variables)]]


def is_size(value):
    return isinstance(value, int | str | Dim) and not isinstance(value, bool)


def built(rule, example, dtype):
    """The left side of a rule as a node, with the leaves it has."""
    leaves, arguments = [], []
    for name in rule.variables:
        value = example[name]
        if name in rule.attributes:
            arguments.append(attribute(value))
        elif isinstance(value, tuple):
            kind = dtype
            if len(value) == 2 and isinstance(value[1], tuple):
                kind, value = value
            leaves.append(gg.input(name, value, kind))
            arguments.append(leaves[-1])
            for function in example.get("under", ()):
                arguments[-1:] = [getattr(gg, function)(arguments[-1])]
        else:
            arguments.append(gg.const(value, dtype))
    if "with" in example:  # a leaf that shows a size
        leaves.append(gg.input("shown", example["with"], dtype))
    return rule.build(*arguments), leaves


def attribute(value):
    if isinstance(value, str):
        return np.dtype(value)
    if isinstance(value, tuple) and value and any(isinstance(item, str) for item in value):
        return as_shape(value)
    return value


def dtypes_of(rule, example):
    return [example["dtype"]] if "dtype" in example else rule.dtypes


def cases(rules):
    """(rule, example, dtype) for everything that has to fire, as arguments and ids of parametrize."""
    found = [
        (rule, example, dtype)
        for rule in rules
        for example in examples_of(rule)
        for dtype in dtypes_of(rule, example)
    ]
    return {
        "argvalues": found,
        "ids": [f"{one.name}-{shown(example)}-{dtype}" for one, example, dtype in found],
    }


# ---- values ----


def edge_values(dtype):
    """Numbers at which arithmetic is special, in a dtype."""
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([0, 1, 2, 7, info.max, info.min, info.max // 2], dtype)
    info = np.finfo(dtype)
    edges = [0.0, 1.0, 0.5, 2.5, 3.0, 1e-3, 700.0, info.tiny, info.smallest_subnormal, info.max, info.max / 2]
    for power in (2, 3, 4, 8):  # where powers, and reciprocals of powers, stop being finite
        for root in (float(info.max) ** (1 / power), float(info.tiny) ** (1 / power)):
            edges += [root * 0.75, root, root * 1.25]
    edges += [80.0, 100.0, 1e4, float(np.log(info.max)), 1 / float(info.max)]
    values = np.array([*edges, np.inf, np.nan], dtype)
    return np.concatenate([values, -values])


def assignments(leaves, rng, is_tame):
    """Values for the leaves: each edge beside each edge of the others, in arrays of the leaves' shapes."""
    shapes = [tuple(evaluate(size, SIZES) for size in leaf.shape) for leaf in leaves]
    choices = [edge_values(leaf.dtype) for leaf in leaves]
    if is_tame:
        choices = [tame_values(leaf.dtype, rng) for leaf in leaves]
    for picks in product(range(4 if len(leaves) > 1 else 1), repeat=max(0, len(leaves) - 1)):
        values = {}
        for leaf, shape, choice, turn in zip(leaves, shapes, choices, (0, *picks), strict=False):
            rolled = np.roll(rng.permutation(choice), turn)
            count = int(np.prod(shape)) if shape else 1
            for_all = [
                rolled[start : start + count] for start in range(0, max(len(rolled), count), max(count, 1))
            ]
            values[leaf] = [np.resize(part, count).reshape(shape) for part in for_all]
        for at in range(max(map(len, values.values()), default=0)):
            yield {leaf: arrays[at % len(arrays)] for leaf, arrays in values.items()}


def tame_values(dtype, rng):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return np.array([0, 1, 2, 3, 5], dtype)
    normals = rng.standard_normal(40)
    normals[::7] = rng.choice([np.inf, -np.inf, np.nan, 0.0], len(normals[::7]))
    return normals.astype(dtype)


# ---- sameness, by class ----


def difference(written, rewritten, safety, scale=0.0, truth=None):
    """What is wrong with a rewritten value, in words; None if nothing is.

    `scale` is the size of what was added up on the way; `truth` is the written form with more digits.
    """
    if written.dtype != rewritten.dtype or written.shape != rewritten.shape:
        return f"{rewritten.dtype}{rewritten.shape} for {written.dtype}{written.shape}"
    if written.dtype.kind != "f":
        wrong = written != rewritten
    elif safety == "exact":
        wrong = ~same_bits(written, rewritten)
    else:
        wrong = ~close(written, rewritten, scale)
        if safety in ("widening", "range"):  # finite, or more accurate, where the written form is not
            wrong &= ~is_better(written, rewritten, truth, safety)
    if not np.any(wrong):
        return None
    at = tuple(np.argwhere(np.asarray(wrong))[0])
    return f"{rewritten[at]!r} for {written[at]!r}"


def is_better(written, rewritten, truth, safety):
    """Where a value that is another one is nearer to the truth; where that is not finite either, it may be finite or
    infinite, and nan only if the truth is."""
    with np.errstate(all="ignore"):
        nearer = np.abs(rewritten - truth) <= np.abs(written - truth)
        if safety == "range":
            return nearer | ~np.isfinite(written)
        inside = np.abs(truth) <= np.finfo(written.dtype).max
        right = close(truth.astype(written.dtype), rewritten, 0) | (
            np.abs(rewritten - truth) <= 1e-5 * np.abs(truth)
        )
    unknown = ~np.isnan(rewritten) | np.isnan(truth)
    return np.where(np.isfinite(written), nearer, np.where(inside, right, unknown))


def same_bits(a, b):
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def close(a, b, scale):
    """Within rounding; nan and inf in the same places, but where the last bit decides that."""
    info = np.finfo(a.dtype)
    with np.errstate(all="ignore"):
        off = np.abs(a.astype(np.longdouble) - b.astype(np.longdouble))
        size = np.maximum(np.maximum(np.abs(a), np.abs(b)), scale)
        near = off <= 16 * info.eps * size + 64 * float(info.smallest_subnormal)
        barely = (np.sign(a) == np.sign(b)) & (
            np.minimum(np.abs(a), np.abs(b)) >= info.max * (1 - 32 * info.eps)
        )
    return (np.isnan(a) & np.isnan(b)) | (a == b) | near | barely
