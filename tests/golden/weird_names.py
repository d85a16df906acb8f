"""weird_names: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph 1bc564c2f49c. Needs NumPy only.

    forward_, grads = forward_and_backward(class_, x_import_os, np_)

    class_  float32 (gr_e, 3)  input class      x_import_os  float32 (3,)  parameter x?); import os; (?
                                                np_          float32 ()    parameter np

Memory beyond the arguments: 36 * gr_e + 28 B in a thread's first call, 12 * gr_e + 20 B of it results, and
the rest is kept for its next.
"""

import threading

import numpy as np

# fmt: off


class Workspace:
    """What a call computes into, for one gr_e. A thread keeps it for its next call."""

    def __init__(self, gr_e):
        self.product = np.empty((gr_e, 3), np.float32)  # product, then lambda_0, d_x_import_os_product
        self.squared = np.empty((gr_e, 3), np.float32)  # squared


class _Pool(threading.local):
    """Each thread's own workspaces, by size, but for those that a call is using."""

    def __init__(self):
        self.free = {}


_pool = _Pool()


def _borrow(*sizes):
    """A workspace for one call: what an earlier call of this thread gave back, else a new one."""
    return _pool.free.pop(sizes, None) or Workspace(*sizes)


def _give_back(work, *sizes):
    """Keep a workspace for the next call. A thread keeps those of the four sizes it used last."""
    free = _pool.free
    free[sizes] = work
    for unused in list(free)[:-4]:
        free.pop(unused, None)


def _sum_rows(values, out=None):
    """values.sum(axis=0), as products with ones: faster, and blocks of rows round less than one long sum."""
    count, width = values.shape
    if count <= 128:
        return np.matmul(np.ones(count, values.dtype), values, out=out)
    ones, total = np.ones(128, values.dtype), np.zeros(width)
    rows = 128 * max(1, 2048 // max(1, width))
    for first in range(0, count, rows):
        some = values[first:first + rows]
        whole = len(some) - len(some) % 128
        total += np.sum(ones @ some[:whole].reshape(whole // 128, 128, width), axis=0)
        total += ones[:len(some) - whole] @ some[whole:]
    if out is None:
        out = np.empty(width, values.dtype)
    out[...] = total
    return out


def forward_and_backward(class_, x_import_os, np_, *, cotangent=1.0):
    """Return forward_, and the gradients by name."""
    d_forward_ = np.float32(cotangent)                            # seed:      d forward_ / d forward_
    gr_e = class_.shape[0]
    work = _borrow(gr_e)

    # forward: ???/a/b ?
    product = np.multiply(class_, x_import_os, out=work.product)  # x * scale                     models.py:68
    lambda_0 = np.add(product, np_, out=product)                  # x * scale + shift             models.py:68

    # forward: forward
    squared = np.square(lambda_0, out=work.squared)               # total**2                      models.py:69
    total = np.sum(squared)                                       # gg.sum(total**2)              models.py:69
    forward_ = total / gr_e                                       # gg.sum(total**2) / x.shap...  models.py:69

    # backward: forward
    d_total = d_forward_ / gr_e                                   # divide:    G / y
    d_lambda_0 = d_total * 2 * lambda_0                           # square:    G 2 x

    # backward: ???/a/b ?
    d_np_ = np.sum(d_lambda_0)                                    # add:       np_ was broadcast over größe, 3
    d_x_import_os_product = np.multiply(d_lambda_0, class_, out=work.product)  # multiply:  G x
    # multiply:  x_import_os was broadcast over größe
    d_x_import_os = _sum_rows(d_x_import_os_product)
    _give_back(work, gr_e)
    return forward_, {"{x}": d_x_import_os, "a, b": d_np_, "print()": d_lambda_0}


def forward(class_, x_import_os, np_):
    """Return forward_, and the residuals that backward needs (arguments among them are not copied)."""
    gr_e = class_.shape[0]
    work = _borrow(gr_e)

    # ???/a/b ?
    product = np.multiply(class_, x_import_os, out=work.product)  # x * scale                     models.py:68
    lambda_0 = product + np_                                      # x * scale + shift             models.py:68

    # forward
    squared = np.square(lambda_0, out=work.product)               # total**2                      models.py:69
    total = np.sum(squared)                                       # gg.sum(total**2)              models.py:69
    forward_ = total / gr_e                                       # gg.sum(total**2) / x.shap...  models.py:69
    _give_back(work, gr_e)
    return forward_, (class_, lambda_0)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * forward_ by each of {x}, a, b, print()."""
    class_, lambda_0 = residuals
    d_forward_ = np.float32(cotangent)                # seed:      d forward_ / d forward_
    gr_e = class_.shape[0]
    work = _borrow(gr_e)

    # forward
    d_total = d_forward_ / gr_e                       # divide:    G / y
    d_lambda_0 = d_total * 2 * lambda_0               # square:    G 2 x

    # ???/a/b ?
    d_np_ = np.sum(d_lambda_0)                        # add:       np_ was broadcast over größe, 3
    d_x_import_os_product = np.multiply(d_lambda_0, class_, out=work.product)  # multiply:  G x
    d_x_import_os = _sum_rows(d_x_import_os_product)  # multiply:  x_import_os was broadcast over größe
    _give_back(work, gr_e)
    return {"{x}": d_x_import_os, "a, b": d_np_, "print()": d_lambda_0}


def _reference(class_, x_import_os, np_):
    """The model as it was written, which selfcheck compares with."""
    gr_e = class_.shape[0]

    # ???/a/b ?
    product = class_ * x_import_os  # x * scale                      models.py:68
    lambda_0 = product + np_        # x * scale + shift              models.py:68

    # forward
    squared = np.square(lambda_0)   # total**2                       models.py:69
    total = np.sum(squared)         # gg.sum(total**2)               models.py:69
    forward_ = total / gr_e         # gg.sum(total**2) / x.shape[0]  models.py:69
    return forward_


def selfcheck(**arrays):
    """Compare the gradients with finite differences of the model as it was written; return the errors.

    On standard normals (zeros for integers) or arrays given by name; along random directions, in float64.
    """
    def wide(value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind == "f" else value

    def first(outputs):
        listed = list(outputs.values()) if isinstance(outputs, dict) else outputs
        return np.asarray(listed[0] if isinstance(listed, (list, tuple)) else listed)

    rng = np.random.default_rng(0)
    gr_e = np.shape(arrays["class_"])[0] if "class_" in arrays else 7
    values = {
        "class_": np.asarray(rng.standard_normal((gr_e, 3)), np.float32),
        "x_import_os": np.asarray(rng.standard_normal((3,)), np.float32),
        "np_": np.asarray(rng.standard_normal(()), np.float32),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    cotangent = np.ones_like(first(forward(**values)[0]))
    outputs, grads = forward_and_backward(**values, cotangent=cotangent)
    errors = {}
    got, want = np.asarray(first(outputs), np.float64), np.asarray(first(_reference(**exact)), np.float64)
    finite = np.isfinite(want)
    scale = np.max(np.abs(want), initial=1.0, where=finite)
    errors["value"] = float(np.max(np.abs(got - want), initial=0.0, where=finite) / scale)
    if not errors["value"] <= 1e-2:
        raise AssertionError(f"the value is off by {errors['value']:.1e} of its size")
    for key, name in (("{x}", "x_import_os"), ("a, b", "np_")):
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first(_reference(**{**exact, name: exact[name] + move * direction})))
            for move in (1e-6, -1e-6)
        ]
        found = float(ends[0] - ends[1]) / (2 * 1e-6)
        size = float(np.linalg.norm(grads[key])) + 1e-3
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= 1e-3:
            raise AssertionError(f"the gradient by {key} is off by {errors[key]:.1e} of its size")
    return errors
