"""momentum: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph 0656c8c12e9d. Needs NumPy only.

    loss, grads = forward_and_backward(x, y, rate, v, w)

    x     float32 (batch, 3)  input      w  float32 (3,)  parameter
    y     float32 (batch,)    input
    rate  float32 ()          input
    v     float32 (3,)        state

Memory beyond the arguments: 8 * batch + 20 B in a thread's first call, 16 B of it results, and the rest is
kept for its next.
"""

import threading

import numpy as np

# fmt: off


class Workspace:
    """What a call computes into, for one batch. A thread keeps it for its next call."""

    def __init__(self, batch):
        self.x_w = np.empty((batch,), np.float32)      # x_w, then error, d_error
        self.squared = np.empty((batch,), np.float32)  # squared


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


def forward_and_backward(x, y, rate, v, w, *, cotangent=1.0):
    """Return loss, and the gradients by name."""
    d_loss = np.float32(cotangent)                          # seed:      d loss / d loss
    batch = x.shape[0]
    work = _borrow(batch)

    # forward
    x_w = np.dot(x, w, out=work.x_w)                        # x @ w              models.py:45
    error = np.subtract(x_w, y, out=x_w)                    # x @ w - y          models.py:45
    squared = np.square(error, out=work.squared)            # error**2           models.py:46
    loss = np.mean(squared)                                 # gg.mean(error**2)  models.py:46

    # backward
    d_squared = d_loss / batch                              # mean:      each element's share, G / n
    d_error = np.multiply(d_squared * 2, error, out=error)  # square:    G 2 x
    d_w = x.T @ d_error                                     # matmul:    dB = A.T G
    _give_back(work, batch)
    return loss, {"w": d_w}


def forward(x, y, rate, v, w):
    """Return loss, and the residuals that backward needs (arguments among them are not copied)."""
    batch = x.shape[0]
    work = _borrow(batch)
    x_w = np.dot(x, w, out=work.x_w)          # x @ w              models.py:45
    error = x_w - y                           # x @ w - y          models.py:45
    squared = np.square(error, out=work.x_w)  # error**2           models.py:46
    loss = np.mean(squared)                   # gg.mean(error**2)  models.py:46
    _give_back(work, batch)
    return loss, (x, error)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * loss by w."""
    x, error = residuals
    d_loss = np.float32(cotangent)                             # seed:      d loss / d loss
    batch = x.shape[0]
    work = _borrow(batch)
    d_squared = d_loss / batch                                 # mean:      each element's share, G / n
    d_error = np.multiply(d_squared * 2, error, out=work.x_w)  # square:    G 2 x
    d_w = x.T @ d_error                                        # matmul:    dB = A.T G
    _give_back(work, batch)
    return {"w": d_w}


def step(x, y, rate, v, w):
    """Return what forward_and_backward returns, and write the new values of v, w."""
    batch = x.shape[0]
    work = _borrow(batch)

    # forward
    x_w = np.dot(x, w, out=work.x_w)                                # x @ w                   models.py:45
    error = np.subtract(x_w, y, out=x_w)                            # x @ w - y               models.py:45
    squared = np.square(error, out=work.squared)                    # error**2                models.py:46
    loss = np.mean(squared)                                         # gg.mean(error**2)       models.py:46

    # backward
    d_error = np.multiply(2 / np.float32(batch), error, out=error)  # square:    G 2 x
    d_w = x.T @ d_error                                             # matmul:    dB = A.T G

    # update
    product = 0.9 * v                                               # 0.9 * v                 models.py:48
    product_2 = rate * d_w                                          # rate * slope            models.py:48
    new_v = product - product_2                                     # 0.9 * v - rate * slope  models.py:48
    new_w = w + new_v                                               # w + velocity            models.py:49

    # write
    v[...] = new_v
    w[...] = new_w
    _give_back(work, batch)
    return loss, {"w": d_w}


def _reference(x, y, rate, v, w):
    """The model as it was written, which selfcheck compares with."""
    x_w = x @ w                 # x @ w              models.py:45
    error = x_w - y             # x @ w - y          models.py:45
    squared = np.square(error)  # error**2           models.py:46
    loss = np.mean(squared)     # gg.mean(error**2)  models.py:46
    return loss


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
    batch = np.shape(arrays["x"])[0] if "x" in arrays else 7
    values = {
        "x": np.asarray(rng.standard_normal((batch, 3)), np.float32),
        "y": np.asarray(rng.standard_normal((batch,)), np.float32),
        "rate": np.asarray(rng.standard_normal(()), np.float32),
        "v": np.asarray(rng.standard_normal((3,)), np.float32),
        "w": np.asarray(rng.standard_normal((3,)), np.float32),
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
    for key, name in (("w", "w"),):
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
