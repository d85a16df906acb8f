"""two_outputs: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph 02903bd6f195. Needs NumPy only.

    outputs, grads = forward_and_backward(x, w)

    x  float64 (n, 4)  input      w  float64 (4, 2)  parameter

Memory beyond the arguments: 176 * n + 200 B in a thread's first call, 48 * n + 72 B of it results, and the
rest is kept for its next.
"""

import threading

import numpy as np

# fmt: off


class Workspace:
    """What a call computes into, for one n. A thread keeps it for its next call."""

    def __init__(self, n):
        self.x_w = np.empty((n, 2), np.float64)              # x_w, then d_code_2, d_x_w
        self.code_transposed = np.empty((n, 4), np.float64)  # code_transposed, then back, ...
        self.difference = np.empty((n, 4), np.float64)       # difference, then d_difference
        self.squared = np.empty((n, 4), np.float64)          # squared, then d_code_transposed_product, ...
        self.d_x_w_product = np.empty((n, 2), np.float64)    # d_x_w_product, then d_x_w_difference


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
    if len(free) > 4:
        free.pop(next(iter(free)), None)


def forward_and_backward(x, w, *, cotangent={"loss": 1.0, "code": None}):
    """Return a dict of loss, code, and the gradients by name."""
    if cotangent["loss"] is None or cotangent["code"] is not None:
        outputs, residuals = forward(x, w)
        return outputs, backward(residuals, cotangent)
    d_loss = np.float64(cotangent["loss"])                     # seed:      d loss / d loss
    n = x.shape[0]
    work = _borrow(n)

    # forward: encoder
    x_w = np.dot(x, w, out=work.x_w)                           # x @ w                    models.py:56
    code = np.tanh(x_w)                                        # gg.tanh(x @ w)           models.py:56

    # forward: decoder
    transposed = w.T                                           # w.T                      models.py:58
    # code @ w.T               models.py:58
    code_transposed = np.dot(code, transposed, out=work.code_transposed)
    back = code_transposed                                     # gg.sigmoid(code @ w.T)   models.py:58
    np.negative(np.abs(code_transposed, out=work.difference), out=work.difference)
    np.exp(np.minimum(code_transposed, 0, out=back), out=back)
    np.divide(back, np.add(np.exp(work.difference, out=work.difference), 1, out=work.difference), out=back)

    # forward
    difference = np.subtract(back, x, out=work.difference)     # back - x                 models.py:59
    squared = np.square(difference, out=work.squared)          # (back - x) ** 2          models.py:59
    total = np.sum(squared)                                    # gg.sum((back - x) ** 2)  models.py:59

    # backward
    d_difference = np.multiply(d_loss * 2, difference, out=difference)  # square:    G 2 x

    # backward: decoder
    d_code_transposed_product = np.multiply(d_difference, back, out=work.squared)  # sigmoid:   G y (1 - y)
    d_code_transposed_difference = np.subtract(1, back, out=back)
    d_code_transposed = np.multiply(d_code_transposed_product, d_code_transposed_difference,
        out=d_code_transposed_product)
    d_code_2 = np.dot(d_code_transposed, w, out=work.x_w)      # matmul:    dA = G B.T
    d_w_product = d_code_transposed.T @ code                   # transpose: G with the axes back

    # backward: encoder
    d_x_w_product = np.multiply(code, code, out=work.d_x_w_product)  # tanh:      G (1 - y y)
    d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
    d_x_w = np.multiply(d_code_2, d_x_w_difference, out=d_code_2)
    d_w_product_2 = x.T @ d_x_w                                # matmul:    dB = A.T G
    d_w = d_w_product + d_w_product_2                          # sum:       w is used more than once
    d_x_product = np.dot(d_x_w, transposed, out=work.squared)  # matmul:    dA = G B.T
    d_x = d_x_product - d_difference                           # sum:       x is used more than once
    _give_back(work, n)
    return {"loss": total, "code": code}, {"w": d_w, "x": d_x}


def forward(x, w):
    """Return a dict of loss, code, and the residuals that backward needs (arguments among them are not
    copied).
    """
    n = x.shape[0]
    work = _borrow(n)

    # encoder
    x_w = np.dot(x, w, out=work.x_w)                           # x @ w                    models.py:56
    code = np.tanh(x_w)                                        # gg.tanh(x @ w)           models.py:56

    # decoder
    transposed = w.T                                           # w.T                      models.py:58
    # code @ w.T               models.py:58
    code_transposed = np.dot(code, transposed, out=work.code_transposed)
    back = np.empty((n, 4), np.float64)                        # gg.sigmoid(code @ w.T)   models.py:58
    np.negative(np.abs(code_transposed, out=work.difference), out=work.difference)
    np.exp(np.minimum(code_transposed, 0, out=back), out=back)
    np.divide(back, np.add(np.exp(work.difference, out=work.difference), 1, out=work.difference), out=back)
    difference = back - x                                      # back - x                 models.py:59
    squared = np.square(difference, out=work.code_transposed)  # (back - x) ** 2          models.py:59
    total = np.sum(squared)                                    # gg.sum((back - x) ** 2)  models.py:59
    _give_back(work, n)
    return {"loss": total, "code": code.copy()}, (x, w, code, transposed, back, difference)


def _backward_from_loss(residuals, cotangent):
    """Return the gradient of cotangent * loss by each of w, x."""
    x, w, code, transposed, back, difference = residuals
    d_loss = np.float64(cotangent)                                # seed:      d loss / d loss
    n = x.shape[0]
    work = _borrow(n)
    d_difference = np.multiply(d_loss * 2, difference, out=work.code_transposed)  # square:    G 2 x

    # decoder
    d_code_transposed_product = np.multiply(d_difference, back, out=work.difference)  # sigmoid:   G y (1 - y)
    d_code_transposed_difference = np.subtract(1, back, out=work.squared)
    d_code_transposed = np.multiply(d_code_transposed_product, d_code_transposed_difference,
        out=d_code_transposed_product)
    d_code_2 = np.dot(d_code_transposed, w, out=work.x_w)         # matmul:    dA = G B.T
    d_w_product = d_code_transposed.T @ code                      # transpose: G with the axes back

    # encoder
    d_x_w_product = np.multiply(code, code, out=work.d_x_w_product)  # tanh:      G (1 - y y)
    d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
    d_x_w = np.multiply(d_code_2, d_x_w_difference, out=d_code_2)
    d_w_product_2 = x.T @ d_x_w                                   # matmul:    dB = A.T G
    d_w = d_w_product + d_w_product_2                             # sum:       w is used more than once
    d_x_product = np.dot(d_x_w, transposed, out=work.difference)  # matmul:    dA = G B.T
    d_x = d_x_product - d_difference                              # sum:       x is used more than once
    _give_back(work, n)
    return {"w": d_w, "x": d_x}


def _backward_from_code(residuals, cotangent):
    """Return the gradient of cotangent * code by each of w, x."""
    x, w, code, transposed, back, difference = residuals
    d_code = cotangent                                     # seed:      d code / d code
    n = x.shape[0]
    work = _borrow(n)

    # encoder
    d_x_w_product = np.multiply(code, code, out=work.x_w)  # tanh:      G (1 - y y)
    d_x_w_difference = np.subtract(1, d_x_w_product, out=d_x_w_product)
    d_x_w = np.multiply(d_code, d_x_w_difference, out=d_x_w_difference)
    d_w = x.T @ d_x_w                                      # matmul:    dB = A.T G
    d_x = d_x_w @ transposed                               # matmul:    dA = G B.T
    _give_back(work, n)
    return {"w": d_w, "x": d_x}


def backward(residuals, cotangent={"loss": 1.0, "code": None}):
    """Return the gradients; cotangent has the outputs' structure, None is zero."""
    grads = None
    for pull_back, given in ((_backward_from_loss, cotangent["loss"]),
            (_backward_from_code, cotangent["code"])):
        if given is not None:
            more = pull_back(residuals, given)
            grads = more if grads is None else {key: grads[key] + more[key] for key in more}
    if grads is None:
        n = residuals[0].shape[0]
        grads = {"w": np.zeros((4, 2), np.float64), "x": np.zeros((n, 4), np.float64)}
    return grads


def _reference(x, w):
    """The model as it was written, which selfcheck compares with."""
    # encoder
    x_w = x @ w                      # x @ w                    models.py:56
    code = np.tanh(x_w)              # gg.tanh(x @ w)           models.py:56

    # decoder
    code_transposed = code @ w.T     # code @ w.T               models.py:58
    # gg.sigmoid(code @ w.T)   models.py:58
    back = np.exp(np.minimum(code_transposed, 0)) / (1 + np.exp(-np.abs(code_transposed)))
    difference = back - x            # back - x                 models.py:59
    squared = np.square(difference)  # (back - x) ** 2          models.py:59
    total = np.sum(squared)          # gg.sum((back - x) ** 2)  models.py:59
    return {"loss": total, "code": code}


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
    n = np.shape(arrays["x"])[0] if "x" in arrays else 7
    values = {
        "x": rng.standard_normal((n, 4)),
        "w": rng.standard_normal((4, 2)),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    cotangent = np.ones_like(first(forward(**values)[0]))
    outputs, grads = forward_and_backward(**values, cotangent={"loss": cotangent, "code": None})
    errors = {}
    got, want = np.asarray(first(outputs), np.float64), np.asarray(first(_reference(**exact)), np.float64)
    finite = np.isfinite(want)
    scale = np.max(np.abs(want), initial=1.0, where=finite)
    errors["value"] = float(np.max(np.abs(got - want), initial=0.0, where=finite) / scale)
    if not errors["value"] <= 1e-9:
        raise AssertionError(f"the value is off by {errors['value']:.1e} of its size")
    for key, name in (("w", "w"), ("x", "x")):
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first(_reference(**{**exact, name: exact[name] + move * direction})))
            for move in (1e-6, -1e-6)
        ]
        found = float(ends[0] - ends[1]) / (2 * 1e-6)
        size = float(np.linalg.norm(grads[key])) + 1e-9
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= 1e-6:
            raise AssertionError(f"the gradient by {key} is off by {errors[key]:.1e} of its size")
    return errors
