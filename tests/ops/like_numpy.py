"""One call on arrays and on nodes: NumPy's value and dtype, by `gg` and by NumPy's own function alike."""

import operator

import numpy as np

import graphgrad as gg
from graphgrad.interpret import interpret
from graphgrad.testing import assert_same

TOLERANCE = {"float16": 4e-3, "float32": 3e-6, "float64": 1e-13}


def nodes_of(arrays):
    return [gg.input(f"x{at}", array.shape, array.dtype) for at, array in enumerate(arrays)]


def assert_like_numpy(call, *arrays, dispatched=True, names=None, rtol=None):
    """``call(xp, *operands)`` of nodes, with xp graphgrad and NumPy, is what it is of arrays with xp NumPy."""
    arrays = [np.asarray(array) for array in arrays]
    leaves = nodes_of(arrays)
    values = dict(zip(leaves, arrays, strict=True))
    with np.errstate(all="ignore"):
        expected = call(np, *arrays)
        node = call(gg, *leaves)
        several = isinstance(expected, tuple)
        if dispatched:
            other = call(np, *leaves)
            assert all(map(operator.is_, other, node)) if several else other is node
        for one, wanted in zip(node, expected, strict=True) if several else [(node, expected)]:
            wanted = np.asarray(wanted)
            assert (one.shape, one.dtype) == (wanted.shape, wanted.dtype), f"{one.spec}, not {wanted.dtype}"
            (found,) = interpret([one], values)
            tolerance = TOLERANCE.get(wanted.dtype.name, 0) if rtol is None else rtol
            assert_same(found, wanted, tolerance, tolerance * 1e-3, what=str(names or one))
            model = gg.compile(one, inputs=leaves)
            emitted = model(**{leaf.name: array for leaf, array in values.items()})
            assert_same(np.asarray(emitted), wanted, tolerance, tolerance * 1e-3, f"{names or one}, compiled")


def gradients(function, *values, dtype="float64"):
    """The gradients of the sum of `function` by each of its arguments, as lists."""
    arrays = [np.asarray(value, dtype) for value in values]
    leaves = nodes_of(arrays)
    found = gg.grad(gg.sum(function(*leaves)), leaves)
    with np.errstate(all="ignore"):
        return [array.tolist() for array in interpret(found, dict(zip(leaves, arrays, strict=True)))]
