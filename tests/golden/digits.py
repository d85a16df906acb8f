"""digits: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "default", graph d82a2d1a16ff. Needs NumPy only.

    loss, grads = forward_and_backward(x, label, w1, b1, w2, b2)

    x      float32 (batch, 64)  input      w1  float32 (64, 50)  parameter
    label  int64 (batch,)       input      b1  float32 (50,)     parameter
                                           w2  float32 (50, 10)  parameter
                                           b2  float32 (10,)     parameter

Memory beyond the arguments: 1062 * batch + 2052 B at most, 15 kB of it results.
"""

import numpy as np

# fmt: off


def forward(x, label, w1, b1, w2, b2):
    """Return loss, and the residuals that backward needs (arguments among them are not copied)."""
    # hidden
    x_w1 = x @ w1                                    # x @ w1                              models.py:32
    x_w1_b1 = x_w1 + b1                              # x @ w1 + b1                         models.py:32
    hidden = np.maximum(x_w1_b1, 0)                  # gg.nn.relu(x @ w1 + b1)             models.py:32

    # output
    hidden_w2 = hidden @ w2                          # hidden @ w2                         models.py:34
    logits = hidden_w2 + b2                          # hidden @ w2 + b2                    models.py:34

    # loss
    highest = np.max(logits, axis=1, keepdims=True)  # gg.nn.cross_entropy(logits, label)  models.py:35
    shifted = logits - highest
    exps = np.exp(shifted)
    sum_exps = np.sum(exps, axis=1, keepdims=True)
    log_sum = np.log(sum_exps)
    log_p = shifted - log_sum
    picked = log_p[np.arange(len(log_p)), label]
    losses = -picked
    loss = np.mean(losses)
    return loss, (x, label, w2, x_w1_b1, hidden, exps, sum_exps)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * loss by each of w1, b1, w2, b2."""
    x, label, w2, x_w1_b1, hidden, exps, sum_exps = residuals
    d_loss = np.float32(cotangent)                             # seed:      d loss / d loss
    batch = x.shape[0]

    # loss
    d_losses = d_loss / batch                                  # mean:      each element's share, G / n
    d_picked_negated = -d_losses                               # negative:  -G
    d_picked = np.broadcast_to(d_picked_negated, (batch,))     # spread:    written out as picked
    d_log_p = np.zeros((batch, 10), np.float32)                # gather:    added up where it was taken
    d_log_p[np.arange(len(d_log_p)), label] = d_picked
    d_log_sum_negated = -d_log_p                               # subtract:  -G
    d_log_sum = np.sum(d_log_sum_negated, axis=1, keepdims=True)  # subtract:  log_sum was broadcast over 10
    d_sum_exps = d_log_sum / sum_exps                          # log:       G / x
    d_shifted_product = d_sum_exps * exps                      # exp:       G y
    d_shifted = d_log_p + d_shifted_product                    # sum:       shifted is used more than once

    # output
    d_b2 = np.float32(np.sum(d_shifted, axis=0, dtype=float))  # add:       b2 was broadcast over batch
    d_hidden = d_shifted @ w2.T                                # matmul:    dA = G B.T
    d_w2 = hidden.T @ d_shifted                                # matmul:    dB = A.T G

    # hidden
    d_x_w1_b1 = np.where(x_w1_b1 > 0, d_hidden, 0)             # maximum:   G where x won
    d_b1 = np.float32(np.sum(d_x_w1_b1, axis=0, dtype=float))  # add:       b1 was broadcast over batch
    d_w1 = x.T @ d_x_w1_b1                                     # matmul:    dB = A.T G
    return {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def forward_and_backward(x, label, w1, b1, w2, b2, *, cotangent=1.0):
    """Return loss, and the gradients by name."""
    outputs, residuals = forward(x, label, w1, b1, w2, b2)
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
    batch = np.shape(arrays["x"])[0] if "x" in arrays else 7
    values = {
        "x": np.asarray(rng.standard_normal((batch, 64)), np.float32),
        "label": np.zeros((batch,), np.int64),
        "w1": np.asarray(rng.standard_normal((64, 50)), np.float32),
        "b1": np.asarray(rng.standard_normal((50,)), np.float32),
        "w2": np.asarray(rng.standard_normal((50, 10)), np.float32),
        "b2": np.asarray(rng.standard_normal((10,)), np.float32),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    outputs, residuals = forward(**values)
    cotangent = np.ones_like(first(outputs))
    grads = backward(residuals, cotangent)
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
