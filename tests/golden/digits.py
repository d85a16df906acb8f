"""digits: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph 2e1e28292550. Needs NumPy only.

    loss_2, grads = forward_and_backward(x, label, w1, b1, w2, b2)

    x      float32 (batch, 64)  input      w1  float32 (64, 50)  parameter
    label  int64 (batch,)       input      b1  float32 (50,)     parameter
                                           w2  float32 (50, 10)  parameter
                                           b2  float32 (10,)     parameter

Memory beyond the arguments: 542 * batch + 15056 B in a thread's first call, 15 kB of it results, and the rest
is kept for its next.
"""

import threading

import numpy as np

# fmt: off


class Workspace:
    """What a call computes into, for one batch. A thread keeps it for its next call."""

    def __init__(self, batch):
        self.x_w1 = np.empty((batch, 50), np.float32)       # x_w1, then x_w1_b1
        self.hidden = np.empty((batch, 50), np.float32)     # hidden, then d_hidden, d_x_w1_b1
        # hidden_w2, then logits, shifted, log_p, d_log_p, ...
        self.hidden_w2 = np.empty((batch, 10), np.float32)
        self.highest = np.empty((batch, 1), np.float32)     # highest, then sum_exps
        self.exps = np.empty((batch, 10), np.float32)       # exps, then d_shifted_product
        self.log_sum = np.empty((batch, 1), np.float32)     # log_sum, then d_log_sum, d_sum_exps
        self.picked = np.empty((batch,), np.float32)        # picked
        self.above = np.empty((batch, 50), np.bool_)        # above


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


def _pick(rows, index, out):
    """rows[i, index[i]] into out, one or several of each row; a few rows at a time take little memory."""
    count = max(1, min(len(index), 4096 // max(1, index[:1].size)))
    at = np.arange(count) if index.ndim == 1 else np.arange(count)[:, None]
    for first in range(0, len(index), count):
        some = index[first:first + count]
        out[first:first + count] = rows[first:first + count][at[:len(some)], some]
    return out


def _put(rows, index, values):
    """rows[i, index[i]] = values[i], or the one value; a few rows at a time take little memory."""
    count = max(1, min(len(index), 4096 // max(1, index[:1].size)))
    at = np.arange(count) if index.ndim == 1 else np.arange(count)[:, None]
    for first in range(0, len(index), count):
        some = index[first:first + count]
        chosen = values[first:first + count] if np.ndim(values) else values
        rows[first:first + count][at[:len(some)], some] = chosen


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


def _keep(mask, values, out=None):
    """values where mask holds, else 0: their bits times 1 or 0. (0 * inf is nan, and np.where is slow.)"""
    if out is None:
        out = np.empty(np.broadcast(mask, values).shape, values.dtype)
    bits = f"i{out.itemsize}"
    np.multiply(values.view(bits), mask, out=out.view(bits))
    return out


def forward_and_backward(x, label, w1, b1, w2, b2, *, cotangent=1.0):
    """Return loss, and the gradients by name."""
    d_loss = np.float32(cotangent)                                # seed:      d loss / d loss
    batch = x.shape[0]
    work = _borrow(batch)

    # forward: hidden
    x_w1 = np.dot(x, w1, out=work.x_w1)                           # x @ w1                        models.py:32
    x_w1_b1 = np.add(x_w1, b1, out=x_w1)                          # x @ w1 + b1                   models.py:32
    hidden = np.maximum(x_w1_b1, 0, out=work.hidden)              # gg.nn.relu(x @ w1 + b1)       models.py:32

    # forward: output
    hidden_w2 = np.dot(hidden, w2, out=work.hidden_w2)            # hidden @ w2                   models.py:34
    logits = np.add(hidden_w2, b2, out=hidden_w2)                 # hidden @ w2 + b2              models.py:34

    # forward: loss
    # gg.nn.cross_entropy(logit...  models.py:35
    highest = np.max(logits, axis=1, keepdims=True, out=work.highest)
    shifted = np.subtract(logits, highest, out=logits)
    exps = np.exp(shifted, out=work.exps)
    sum_exps = np.sum(exps, axis=1, keepdims=True, out=work.highest)
    log_sum = np.log(sum_exps, out=work.log_sum)
    log_p = np.subtract(shifted, log_sum, out=shifted)
    picked = _pick(log_p, label, out=work.picked)
    average = np.mean(picked)
    loss = -average

    # backward: loss
    d_losses = d_loss / batch                                     # mean:      each element's share, G / n
    d_picked_negated = -d_losses                                  # negative:  -G
    d_picked = np.broadcast_to(d_picked_negated, (batch,))        # spread:    written out as picked
    d_log_p = work.hidden_w2                                      # gather:    added up where it was taken
    d_log_p.fill(0)
    _put(d_log_p, label, d_picked)
    d_log_sum = np.negative(d_picked[:, None], out=work.log_sum)  # subtract:  log_sum was broadcast
    d_sum_exps = np.divide(d_log_sum, sum_exps, out=d_log_sum)    # log:       G / x
    d_shifted_product = np.multiply(d_sum_exps, exps, out=exps)   # exp:       G y
    d_logits = np.add(d_log_p, d_shifted_product, out=d_log_p)    # sum:       shifted is used more than once

    # backward: output
    d_b2 = _sum_rows(d_logits)                                    # add:       b2 was broadcast over batch
    d_w2 = hidden.T @ d_logits                                    # matmul:    dB = A.T G
    d_hidden = np.dot(d_logits, w2.T, out=work.hidden)            # matmul:    dA = G B.T

    # backward: hidden
    above = np.greater(x_w1_b1, 0, out=work.above)                # maximum:   G where x won
    d_x_w1_b1 = _keep(above, d_hidden, out=d_hidden)
    d_b1 = _sum_rows(d_x_w1_b1)                                   # add:       b1 was broadcast over batch
    d_w1 = x.T @ d_x_w1_b1                                        # matmul:    dB = A.T G
    _give_back(work, batch)
    return loss, {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def forward(x, label, w1, b1, w2, b2):
    """Return loss, and the residuals that backward needs (arguments among them are not copied)."""
    batch = x.shape[0]
    work = _borrow(batch)

    # hidden
    x_w1 = np.dot(x, w1, out=work.x_w1)                 # x @ w1                              models.py:32
    x_w1_b1 = x_w1 + b1                                 # x @ w1 + b1                         models.py:32
    hidden = np.maximum(x_w1_b1, 0)                     # gg.nn.relu(x @ w1 + b1)             models.py:32

    # output
    hidden_w2 = np.dot(hidden, w2, out=work.hidden_w2)  # hidden @ w2                         models.py:34
    logits = np.add(hidden_w2, b2, out=hidden_w2)       # hidden @ w2 + b2                    models.py:34

    # loss
    # gg.nn.cross_entropy(logits, label)  models.py:35
    highest = np.max(logits, axis=1, keepdims=True, out=work.highest)
    shifted = np.subtract(logits, highest, out=logits)
    exps = np.exp(shifted)
    sum_exps = np.sum(exps, axis=1, keepdims=True)
    log_sum = np.log(sum_exps, out=work.highest)
    log_p = np.subtract(shifted, log_sum, out=shifted)
    picked = _pick(log_p, label, out=work.picked)
    average = np.mean(picked)
    loss = -average
    _give_back(work, batch)
    return loss, (x, label, w2, x_w1_b1, hidden, exps, sum_exps)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * loss by each of w1, b1, w2, b2."""
    x, label, w2, x_w1_b1, hidden, exps, sum_exps = residuals
    d_loss = np.float32(cotangent)                                # seed:      d loss / d loss
    batch = x.shape[0]
    work = _borrow(batch)

    # loss
    d_losses = d_loss / batch                                     # mean:      each element's share, G / n
    d_picked_negated = -d_losses                                  # negative:  -G
    d_picked = np.broadcast_to(d_picked_negated, (batch,))        # spread:    written out as picked
    d_log_p = work.hidden_w2                                      # gather:    added up where it was taken
    d_log_p.fill(0)
    _put(d_log_p, label, d_picked)
    d_log_sum = np.negative(d_picked[:, None], out=work.highest)  # subtract:  log_sum was broadcast
    d_sum_exps = np.divide(d_log_sum, sum_exps, out=d_log_sum)    # log:       G / x
    d_shifted_product = np.multiply(d_sum_exps, exps, out=work.exps)  # exp:       G y
    d_logits = np.add(d_log_p, d_shifted_product, out=d_log_p)    # sum:       shifted is used more than once

    # output
    d_b2 = _sum_rows(d_logits)                                    # add:       b2 was broadcast over batch
    d_w2 = hidden.T @ d_logits                                    # matmul:    dB = A.T G
    d_hidden = np.dot(d_logits, w2.T, out=work.x_w1)              # matmul:    dA = G B.T

    # hidden
    above = np.greater(x_w1_b1, 0, out=work.above)                # maximum:   G where x won
    d_x_w1_b1 = _keep(above, d_hidden, out=d_hidden)
    d_b1 = _sum_rows(d_x_w1_b1)                                   # add:       b1 was broadcast over batch
    d_w1 = x.T @ d_x_w1_b1                                        # matmul:    dB = A.T G
    _give_back(work, batch)
    return {"w1": d_w1, "b1": d_b1, "w2": d_w2, "b2": d_b2}


def _reference(x, label, w1, b1, w2, b2):
    """The model as it was written, which selfcheck compares with."""
    # hidden
    x_w1 = x @ w1                                    # x @ w1                              models.py:32
    x_w1_b1 = x_w1 + b1                              # x @ w1 + b1                         models.py:32
    hidden = np.maximum(x_w1_b1, 0)                  # gg.nn.relu(x @ w1 + b1)             models.py:32

    # output
    hidden_w2 = hidden @ w2                          # hidden @ w2                         models.py:34
    logits = hidden_w2 + b2                          # hidden @ w2 + b2                    models.py:34

    # loss
    highest = np.max(logits, axis=1, keepdims=True)  # gg.nn.cross_entropy(logits, label)  models.py:35
    shifted_2 = logits - highest
    exps_2 = np.exp(shifted_2)
    sum_exps_2 = np.sum(exps_2, axis=1, keepdims=True)
    log_sum_2 = np.log(sum_exps_2)
    log_p_2 = shifted_2 - log_sum_2
    picked_2 = log_p_2[np.arange(len(log_p_2)), label]
    losses = -picked_2
    loss_2 = np.mean(losses)
    return loss_2


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
        "x": np.asarray(rng.standard_normal((batch, 64)), np.float32),
        "label": np.zeros((batch,), np.int64),
        "w1": np.asarray(rng.standard_normal((64, 50)), np.float32),
        "b1": np.asarray(rng.standard_normal((50,)), np.float32),
        "w2": np.asarray(rng.standard_normal((50, 10)), np.float32),
        "b2": np.asarray(rng.standard_normal((10,)), np.float32),
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
    for key, name in (("w1", "w1"), ("b1", "b1"), ("w2", "w2"), ("b2", "b2")):
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
