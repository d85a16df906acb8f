"""two_outputs: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "default", graph f1d0870a1e8d. Needs NumPy only.

    outputs, grads = forward_and_backward(x, w)

    x  float64 (n, 4)  input      w  float64 (4, 2)  parameter

Memory beyond the arguments: 272 * n + 200 B at most, 48 * n + 72 B of it results.
"""

import numpy as np

# fmt: off


def forward(x, w):
    """Return a dict of loss, code, and the residuals that backward needs (arguments among them are not
    copied).
    """
    # encoder
    x_w = x @ w                          # x @ w                    models.py:56
    code = np.tanh(x_w)                  # gg.tanh(x @ w)           models.py:56

    # decoder
    transposed = w.T                     # w.T                      models.py:58
    code_transposed = code @ transposed  # code @ w.T               models.py:58
    # gg.sigmoid(code @ w.T)   models.py:58
    back = np.exp(np.minimum(code_transposed, 0)) / (1 + np.exp(-np.abs(code_transposed)))
    difference = back - x                # back - x                 models.py:59
    squared = np.square(difference)      # (back - x) ** 2          models.py:59
    total = np.sum(squared)              # gg.sum((back - x) ** 2)  models.py:59
    return {"loss": total, "code": code.copy()}, (x, w, code, transposed, back, difference)


def _backward_from_loss(residuals, cotangent):
    """Return the gradient of cotangent * loss by each of w, x."""
    x, w, code, transposed, back, difference = residuals
    d_loss = np.float64(cotangent)                        # seed:      d loss / d loss
    d_difference = d_loss * 2 * difference                # square:    G 2 x

    # decoder
    d_code_transposed = d_difference * back * (1 - back)  # sigmoid:   G y (1 - y)
    d_transposed = code.T @ d_code_transposed             # matmul:    dB = A.T G
    d_code_2 = d_code_transposed @ w                      # matmul:    dA = G B.T

    # encoder
    d_x_w_difference = 1 - code * code                    # tanh:      G (1 - y y)
    d_x_w = d_code_2 * d_x_w_difference
    d_w_product = x.T @ d_x_w                             # matmul:    dB = A.T G
    d_w = d_transposed.T + d_w_product                    # sum:       w is used more than once
    d_x_product = d_x_w @ transposed                      # matmul:    dA = G B.T
    d_x = d_x_product - d_difference                      # sum:       x is used more than once
    return {"w": d_w, "x": d_x}


def _backward_from_code(residuals, cotangent):
    """Return the gradient of cotangent * code by each of w, x."""
    x, w, code, transposed, back, difference = residuals
    d_code = cotangent                  # seed:      d code / d code

    # encoder
    d_x_w_difference = 1 - code * code  # tanh:      G (1 - y y)
    d_x_w = d_code * d_x_w_difference
    d_w = x.T @ d_x_w                   # matmul:    dB = A.T G
    d_x = d_x_w @ transposed            # matmul:    dA = G B.T
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


def forward_and_backward(x, w, *, cotangent={"loss": 1.0, "code": None}):
    """Return a dict of loss, code, and the gradients by name."""
    outputs, residuals = forward(x, w)
    return outputs, backward(residuals, cotangent)


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
    n = np.shape(arrays["x"])[0] if "x" in arrays else 7
    values = {
        "x": rng.standard_normal((n, 4)),
        "w": rng.standard_normal((4, 2)),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    outputs, residuals = forward(**values)
    cotangent = np.ones_like(first(outputs))
    grads = backward(residuals, {"loss": cotangent, "code": None})
    errors = {}
    for key, name in (("w", "w"), ("x", "x")):
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first(forward(**{**exact, name: exact[name] + move * direction})[0]))
            for move in (1e-6, -1e-6)
        ]
        found = float(ends[0] - ends[1]) / (2 * 1e-6)
        size = float(np.linalg.norm(grads[key])) + 1e-9
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= 1e-6:
            raise AssertionError(f"the gradient by {key} is off by {errors[key]:.1e} of its size")
    return errors
