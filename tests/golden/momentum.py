"""momentum: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "default", graph 714fea8501a1. Needs NumPy only.

    loss, grads = forward_and_backward(x, y, rate, v, w)

    x     float32 (batch, 3)  input      w  float32 (3,)  parameter
    y     float32 (batch,)    input
    rate  float32 ()          input
    v     float32 (3,)        state

Memory beyond the arguments: 12 * batch + 4 B at most, 16 B of it results.
"""

import numpy as np

# fmt: off


def forward(x, y, rate, v, w):
    """Return loss, and the residuals that backward needs (arguments among them are not copied)."""
    x_w = x @ w                 # x @ w              models.py:45
    error = x_w - y             # x @ w - y          models.py:45
    squared = np.square(error)  # error**2           models.py:46
    loss = np.mean(squared)     # gg.mean(error**2)  models.py:46
    return loss, (x, error)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * loss by w."""
    x, error = residuals
    d_loss = np.float32(cotangent)   # seed:      d loss / d loss
    batch = x.shape[0]
    d_squared = d_loss / batch       # mean:      each element's share, G / n
    d_error = d_squared * 2 * error  # square:    G 2 x
    d_w = x.T @ d_error              # matmul:    dB = A.T G
    return {"w": d_w}


def forward_and_backward(x, y, rate, v, w, *, cotangent=1.0):
    """Return loss, and the gradients by name."""
    outputs, residuals = forward(x, y, rate, v, w)
    return outputs, backward(residuals, cotangent)


def step(x, y, rate, v, w):
    """Return what forward_and_backward returns, and write the new values of v, w."""
    batch = x.shape[0]

    # forward
    x_w = x @ w                        # x @ w                   models.py:45
    error = x_w - y                    # x @ w - y               models.py:45
    squared = np.square(error)         # error**2                models.py:46
    loss = np.mean(squared)            # gg.mean(error**2)       models.py:46

    # backward
    d_squared = 1 / np.float32(batch)  # mean:      each element's share, G / n
    d_error = d_squared * 2 * error    # square:    G 2 x
    d_w = x.T @ d_error                # matmul:    dB = A.T G

    # update
    product = 0.9 * v                  # 0.9 * v                 models.py:48
    product_2 = rate * d_w             # rate * slope            models.py:48
    new_v = product - product_2        # 0.9 * v - rate * slope  models.py:48
    new_w = w + new_v                  # w + velocity            models.py:49

    # write
    v[...] = new_v
    w[...] = new_w
    return loss, {"w": d_w}


def selfcheck(**arrays):
    """Compare the gradients with finite differences of forward along random directions; return the errors.

    On standard normals (zeros for integers), or the arrays given by name. Differences are taken in float64.
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
    outputs, residuals = forward(**values)
    cotangent = np.ones_like(first(outputs))
    grads = backward(residuals, cotangent)
    errors = {}
    for key, name in (("w", "w"),):
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first(forward(**{**exact, name: exact[name] + move * direction})[0]))
            for move in (1e-6, -1e-6)
        ]
        found = float(ends[0] - ends[1]) / (2 * 1e-6)
        size = float(np.linalg.norm(grads[key])) + 1e-3
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= 1e-3:
            raise AssertionError(f"the gradient by {key} is off by {errors[key]:.1e} of its size")
    return errors
