"""lesson8: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "plain", graph 697a40a7d804. Needs NumPy only.

    loss, grads = forward_and_backward(x, y, w1, b1, w2, b2)

    x  float32 (batch, 784)  input      w1  float32 (784, 50)  parameter
    y  float32 (batch,)      input      b1  float32 (50,)      parameter
                                        w2  float32 (50, 1)    parameter
                                        b2  float32 (1,)       parameter

Memory beyond the arguments: max(808 * batch + 157212, 858 * batch + 212) B at most, 157 kB of it results.
"""

import numpy as np

# fmt: off


def forward(x, y, w1, b1, w2, b2):
    """Return loss, and the residuals that backward needs (arguments among them are not copied)."""
    # hidden
    x_w1 = x @ w1                    # x @ w1                         models.py:16
    l1 = x_w1 + b1                   # x @ w1 + b1                    models.py:16
    l2 = np.maximum(l1, 0)           # gg.maximum(l1, 0)              models.py:17

    # output
    l2_w2 = l2 @ w2                  # l2 @ w2                        models.py:19
    out = l2_w2 + b2                 # l2 @ w2 + b2                   models.py:19

    # loss
    difference = out[:, 0] - y       # out[:, 0] - y                  models.py:20
    squared = np.square(difference)  # (out[:, 0] - y) ** 2           models.py:20
    loss = np.mean(squared)          # gg.mean((out[:, 0] - y) ** 2)  models.py:20
    return loss, (x, w2, l1, l2, difference)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * loss by each of w1, b1, w2, b2."""
    x, w2, l1, l2, difference = residuals
    d_loss = np.float32(cotangent)             # seed:      d loss / d loss
    batch = x.shape[0]

    # loss
    d_squared = d_loss / batch                 # mean:      each element's share, G / n
    d_difference = d_squared * 2 * difference  # square:    G 2 x
    d_out = d_difference[:, None]              # index:     flows back into its place

    # output
    d_b2 = np.sum(d_out, axis=0)               # add:       b2 was broadcast over batch
    d_w2 = l2.T @ d_out                        # matmul:    dB = A.T G
    d_l2 = d_out @ w2.T                        # matmul:    dA = G B.T

    # hidden
    d_l1 = np.where(l1 > 0, d_l2, 0)           # maximum:   G where x won
    d_b1 = np.sum(d_l1, axis=0)                # add:       b1 was broadcast over batch
    d_w1 = x.T @ d_l1                          # matmul:    dB = A.T G
    return {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def forward_and_backward(x, y, w1, b1, w2, b2, *, cotangent=1.0):
    """Return loss, and the gradients by name."""
    outputs, residuals = forward(x, y, w1, b1, w2, b2)
    return outputs, backward(residuals, cotangent)


def selfcheck(**arrays):
    """Compare the gradients with finite differences of forward; return the errors.

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
        "x": np.asarray(rng.standard_normal((batch, 784)), np.float32),
        "y": np.asarray(rng.standard_normal((batch,)), np.float32),
        "w1": np.asarray(rng.standard_normal((784, 50)), np.float32),
        "b1": np.asarray(rng.standard_normal((50,)), np.float32),
        "w2": np.asarray(rng.standard_normal((50, 1)), np.float32),
        "b2": np.asarray(rng.standard_normal((1,)), np.float32),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    cotangent = np.ones_like(first(forward(**values)[0]))
    outputs, grads = forward_and_backward(**values, cotangent=cotangent)
    errors = {}
    for key, name in (("w1", "w1"), ("b1", "b1"), ("w2", "w2"), ("b2", "b2")):
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
