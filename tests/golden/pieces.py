"""pieces: forward and backward, with planned memory.

Emitted by graphgrad from models.py, level "default", graph ad6a57cb1fde. Needs NumPy only.

    total, grads = forward_and_backward(series, smooth)

    series  float32 (time, 2)  input      smooth  float32 (3,)  parameter

Memory beyond the arguments: 10 * ((time + 1) // 2) + 26 * time + 854 B in a thread's first call, 8 * time +
16 B of it results, and the rest is kept for its next.
"""

import threading
from pathlib import Path

import numpy as np

_arrays = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))
table = _arrays["table"]

# fmt: off


class Workspace:
    """What a call computes into, for one time. A thread keeps it for its next call."""

    def __init__(self, time):
        self.change = np.empty((time - 1, 2), np.float32)  # change, then d_part_2
        # both, then filled, d_filled_converted, d_filled, ...
        self.both = np.empty(((time + 1) // 2 + time - 1, 2), np.float32)
        self.same = np.empty(((time + 1) // 2 + time - 1, 2), np.bool_)  # same


def _sum_rows(values, out=None):
    """values summed over all axes but the last, as products with ones: faster, and blocks of rows round less
    than one long sum.
    """
    width = values.shape[-1]
    count = values.size // max(1, width)
    values = values.reshape(count, width)
    if count <= 32 and values.itemsize > 2 or values.itemsize == 8 and not values.flags.c_contiguous:
        return values.sum(axis=0, out=out)
    if width == 1:
        return values.reshape(1, count).sum(axis=1, out=out)
    if count <= 128:
        return np.matmul(np.ones(count, values.dtype), values, out=out)
    ones, rest = np.ones(128, values.dtype), count % 128
    blocks = values[rest:].reshape(count // 128, 128, width)
    some = max(1, min(64, 4096 // max(1, width)))
    total = (ones @ blocks[:some]).sum(axis=0)
    if len(blocks) > some:
        total = total.astype(np.float64)
        for first in range(some, len(blocks), some):
            total += (ones @ blocks[first:first + some]).sum(axis=0)
    if rest:
        total += ones[:rest] @ values[:rest]
    if out is None:
        return total.astype(values.dtype, copy=False)
    out[...] = total
    return out


def _sum_first(values, axis, keepdims=False, out=None):
    """values.sum(axis, keepdims=keepdims, out=out) over the first axes, as `_sum_rows` does where that copies
    nothing.
    """
    count = 1 if axis == 0 else len(axis)
    shape, width = values.shape[count:], 1
    for size in shape:
        width *= size
    if values.itemsize > 2 and values.size <= 32 * width or not values.flags.c_contiguous:
        return values.sum(axis=axis, keepdims=keepdims, out=out)
    total = _sum_rows(values.reshape(values.size // max(1, width), width))
    if out is None:
        out = np.empty((1,) * count * keepdims + shape, values.dtype)
    out[...] = total.reshape(out.shape)
    return out


def _keep(mask, values, out=None):
    """values where mask holds, else 0: their bits times 1 or 0. (0 * inf is nan, and np.where is slow.)"""
    if out is None:
        out = np.empty(np.broadcast(mask, values).shape, values.dtype)
    if out.size < 256:  # where calls cost more than elements
        np.copyto(out, values)
        np.copyto(out, False, where=np.logical_not(mask))
        return out
    bits = f"i{out.itemsize}"
    np.multiply(values.view(bits), mask, out=out.view(bits))
    return out


def forward_and_backward(series, smooth, *, cotangent=1.0):
    """Return total, and the gradients by name."""
    d_total = np.float32(cotangent)                              # seed:      d total / d total
    time = series.shape[0]
    work = _borrow(Workspace, time)

    # forward
    high = series[1:]                                            # series[1:]                     models.py:76
    change = np.subtract(high, series[:-1], out=work.change)     # high - low                     models.py:77
    both = np.concatenate([change, series[::2]], out=work.both)  # gg.concatenate([change, se...  models.py:78
    spread = np.broadcast_to(np.float32(1), (2,))                # gg.at(both, 0).set(1.0)        models.py:79
    filled = both
    filled[0] = spread
    largest = filled.max(axis=0, keepdims=True)                  # gg.max(filled, axis=0, kee...  models.py:80
    part_ = smooth[:2]                                           # smooth[:2]                     models.py:80
    squeezed = largest.squeeze(axis=0)                           # gg.sum(weighted)               models.py:82
    squeezed_part_ = squeezed @ part_
    product = table * smooth[2]                                  # table * smooth[2]              models.py:82
    average = np.mean(product)                                   # gg.mean(table * smooth[2])     models.py:82
    total = squeezed_part_ + average                             # gg.sum(weighted) + gg.mean...  models.py:82

    # backward
    d_product = d_total / 100                                    # mean:      each element's share, G / n
    d_part_4_product = d_product * table                         # multiply:  G x
    d_part_4 = d_part_4_product.sum()                            # multiply:  part_4 was broadcast over 100
    d_part_product = d_total * largest                           # multiply:  G x
    d_largest_product = d_total * part_                          # multiply:  G y
    d_part_ = d_part_product.sum(axis=0)                         # multiply:  part_ was broadcast over 1
    d_smooth = np.zeros((3,), np.float32)                        # sum:       smooth is used more than once
    d_smooth[2] = d_part_4
    d_smooth[:2] = d_part_
    same = np.equal(filled, largest, out=work.same)              # max:       G where x won, ties share
    d_filled_converted = work.both
    np.copyto(d_filled_converted, same)
    # max:       G where x won, ties share
    d_filled_total = _sum_first(d_filled_converted, axis=0, keepdims=True)
    d_filled = _keep(same, d_largest_product / d_filled_total, out=work.both)
    d_both_spread = np.broadcast_to(np.float32(0), (2,))         # update:    G elsewhere
    d_both = d_filled
    d_both[0] = d_both_spread
    d_change = d_both[:time - 1]                                 # concatenate: G's own part
    d_part_2 = np.negative(d_change, out=work.change)            # subtract:  -G
    d_part_3 = d_both[time - 1:]                                 # concatenate: G's own part
    d_series = np.zeros((time, 2), np.float32)                   # sum:       series is used more than once
    d_series[::2] = d_part_3
    d_series[:-1] += d_part_2
    d_series[1:] += d_change
    _give_back(work, time)
    return total, {"smooth": d_smooth, "series": d_series}


def forward(series, smooth):
    """Return total, and the residuals that backward needs (arguments among them are not copied)."""
    time = series.shape[0]
    work = _borrow(Workspace, time)
    high = series[1:]                                            # series[1:]                     models.py:76
    change = np.subtract(high, series[:-1], out=work.change)     # high - low                     models.py:77
    both = np.concatenate([change, series[::2]], out=work.both)  # gg.concatenate([change, se...  models.py:78
    spread = np.broadcast_to(np.float32(1), (2,))                # gg.at(both, 0).set(1.0)        models.py:79
    filled = np.array(both)
    filled[0] = spread
    largest = filled.max(axis=0, keepdims=True)                  # gg.max(filled, axis=0, kee...  models.py:80
    part_ = smooth[:2]                                           # smooth[:2]                     models.py:80
    squeezed = largest.squeeze(axis=0)                           # gg.sum(weighted)               models.py:82
    squeezed_part_ = squeezed @ part_
    product = table * smooth[2]                                  # table * smooth[2]              models.py:82
    average = np.mean(product)                                   # gg.mean(table * smooth[2])     models.py:82
    total = squeezed_part_ + average                             # gg.sum(weighted) + gg.mean...  models.py:82
    _give_back(work, time)
    return total, (filled, largest, part_, time)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * total by each of smooth, series."""
    filled, largest, part_, time = residuals
    d_total = np.float32(cotangent)                       # seed:      d total / d total
    work = _borrow(Workspace, time)
    d_product = d_total / 100                             # mean:      each element's share, G / n
    d_part_4_product = d_product * table                  # multiply:  G x
    d_part_4 = d_part_4_product.sum()                     # multiply:  part_4 was broadcast over 100
    d_part_product = d_total * largest                    # multiply:  G x
    d_largest_product = d_total * part_                   # multiply:  G y
    d_part_ = d_part_product.sum(axis=0)                  # multiply:  part_ was broadcast over 1
    d_smooth = np.zeros((3,), np.float32)                 # sum:       smooth is used more than once
    d_smooth[2] = d_part_4
    d_smooth[:2] = d_part_
    same = np.equal(filled, largest, out=work.same)       # max:       G where x won, ties share
    d_filled_converted = work.both
    np.copyto(d_filled_converted, same)
    # max:       G where x won, ties share
    d_filled_total = _sum_first(d_filled_converted, axis=0, keepdims=True)
    d_filled = _keep(same, d_largest_product / d_filled_total, out=work.both)
    d_both_spread = np.broadcast_to(np.float32(0), (2,))  # update:    G elsewhere
    d_both = d_filled
    d_both[0] = d_both_spread
    d_change = d_both[:time - 1]                          # concatenate: G's own part
    d_part_2 = np.negative(d_change, out=work.change)     # subtract:  -G
    d_part_3 = d_both[time - 1:]                          # concatenate: G's own part
    d_series = np.zeros((time, 2), np.float32)            # sum:       series is used more than once
    d_series[::2] = d_part_3
    d_series[:-1] += d_part_2
    d_series[1:] += d_change
    _give_back(work, time)
    return {"smooth": d_smooth, "series": d_series}


def _reference(series, smooth):
    """The model as it was written, which selfcheck compares with."""
    high = series[1:]                                # series[1:]                                 models.py:76
    change = high - series[:-1]                      # high - low                                 models.py:77
    both = np.concatenate([change, series[::2]])     # gg.concatenate([change, series[::2]], ...  models.py:78
    spread = np.broadcast_to(np.float32(1), (2,))    # gg.at(both, 0).set(1.0)                    models.py:79
    filled = np.array(both)
    filled[0] = spread
    largest = np.max(filled, axis=0, keepdims=True)  # gg.max(filled, axis=0, keepdims=True)      models.py:80
    weighted = largest * smooth[:2]                  # gg.max(filled, axis=0, keepdims=True) ...  models.py:80
    total_2 = np.sum(weighted)                       # gg.sum(weighted)                           models.py:82
    product = table * smooth[2]                      # table * smooth[2]                          models.py:82
    average = np.mean(product)                       # gg.mean(table * smooth[2])                 models.py:82
    total = total_2 + average                        # gg.sum(weighted) + gg.mean(table * smo...  models.py:82
    return total


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
    time = np.shape(arrays["series"])[0] if "series" in arrays else 7
    values = {
        "series": np.asarray(rng.standard_normal((time, 2)), np.float32),
        "smooth": np.asarray(rng.standard_normal((3,)), np.float32),
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
    for key, name in (("smooth", "smooth"), ("series", "series")):
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


class _Pool(threading.local):
    """Each thread's own arrays to compute into, by class and sizes, but for those that a call is using.

    A call may begin while another call of the thread is anywhere in here: at worst, arrays are dropped.
    """

    def __init__(self):
        self.last = {}  # by class: the sizes of those that were used last, and the arrays
        self.free = {}  # by class and sizes: those that were used before
        self.small = {}  # by class of a tile's arrays: those for a few rows that were used last


_pool = _Pool()


def _borrow(kind, *sizes):
    """Arrays for one call: what an earlier call of this thread gave back, else new ones."""
    last = _pool.last.pop(kind, None)
    if last:
        if last[0] == sizes:
            return last[1]
        _put_away(last[1], *last[0])
    try:
        return _pool.free[kind, sizes].pop()
    except LookupError:  # there are none
        return kind(*sizes)


def _give_back(work, *sizes):
    """Keep arrays for the next call."""
    other = _pool.last.pop(type(work), None)  # out of reach of a call from within, or both might put it away
    _pool.last[type(work)] = sizes, work
    if other:
        _put_away(other[1], *other[0])


def _put_away(work, *sizes):
    """Keep arrays for a later call. A thread keeps those of the eight kinds and sizes that it used last."""
    free, key = _pool.free, (type(work), sizes)
    kept = free.pop(key, [])
    kept.append(work)
    free[key] = kept
    if len(free) > 8:
        free.pop(list(free)[0], None)
