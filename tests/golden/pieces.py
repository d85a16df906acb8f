"""pieces: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "default", graph 717d0b21ffb4. Needs NumPy only.

    total_average, grads = forward_and_backward(series, smooth)

    series  float32 (time, 2)  input      smooth  float32 (3,)  parameter

Memory beyond the arguments: 34 * ((time + 1) // 2) + 82 * time + 438 B at most, 8 * time + 16 B of it
results.
"""

from pathlib import Path

import numpy as np

_arrays = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))
table = _arrays["table"]

# fmt: off


def forward(series, smooth):
    """Return total_average, and the residuals that backward needs (arguments among them are not copied)."""
    time = series.shape[0]
    high = series[1:]                                # series[1:]                                 models.py:76
    change = high - series[:-1]                      # high - low                                 models.py:77
    both = np.concatenate([change, series[::2]])     # gg.concatenate([change, series[::2]], ...  models.py:78
    spread = np.broadcast_to(np.float32(1), (2,))    # gg.at(both, 0).set(1.0)                    models.py:79
    filled = np.array(both)
    filled[0] = spread
    largest = np.max(filled, axis=0, keepdims=True)  # gg.max(filled, axis=0, keepdims=True)      models.py:80
    part = smooth[:2]                                # smooth[:2]                                 models.py:80
    weighted = largest * part                        # gg.max(filled, axis=0, keepdims=True) ...  models.py:80
    total = np.sum(weighted)                         # gg.sum(weighted)                           models.py:82
    product = table * smooth[2]                      # table * smooth[2]                          models.py:82
    average = np.mean(product)                       # gg.mean(table * smooth[2])                 models.py:82
    total_average = total + average                  # gg.sum(weighted) + gg.mean(table * smo...  models.py:82
    return total_average, (filled, largest, part, time)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * total_average by each of smooth, series."""
    filled, largest, part, time = residuals
    d_total = np.float32(cotangent)                       # seed:      d total_average / d total_average
    d_product = d_total / 100                             # mean:      each element's share, G / n
    d_part_4_product = d_product * table                  # multiply:  G x
    d_part_4 = np.sum(d_part_4_product)                   # multiply:  part_4 was broadcast over 100
    d_smooth_placed = np.zeros((3,), np.float32)          # index:     flows back into its place
    d_smooth_placed[2] = d_part_4
    d_part_product = d_total * largest                    # multiply:  G x
    d_largest_product = d_total * part                    # multiply:  G y
    d_part = np.squeeze(d_part_product, axis=0)           # multiply:  part was broadcast
    d_smooth_placed_2 = np.zeros((3,), np.float32)        # index:     flows back into its place
    d_smooth_placed_2[:2] = d_part
    d_smooth = d_smooth_placed + d_smooth_placed_2        # sum:       smooth is used more than once
    same = filled == largest                              # max:       G where x won, ties share
    d_filled_converted = same.astype(np.float32)
    d_filled_total = np.float32(np.sum(d_filled_converted, axis=0, keepdims=True, dtype=float))
    d_filled = np.where(same, d_largest_product / d_filled_total, 0)
    d_both_spread = np.broadcast_to(np.float32(0), (2,))  # update:    G elsewhere
    d_both = np.array(d_filled)
    d_both[0] = d_both_spread
    d_part_3 = d_both[time - 1:]                          # concatenate: G's own part
    d_change = d_both[:time - 1]
    d_series_placed = np.zeros((time, 2), np.float32)     # index:     flows back into its place
    d_series_placed[::2] = d_part_3
    d_part_2 = -d_change                                  # subtract:  -G
    d_series_placed_2 = np.zeros((time, 2), np.float32)   # index:     flows back into its place
    d_series_placed_2[1:] = d_change
    d_series_placed_3 = np.zeros((time, 2), np.float32)   # index:     flows back into its place
    d_series_placed_3[:-1] = d_part_2
    d_series_total = d_series_placed + d_series_placed_3  # sum:       series is used more than once
    d_series = d_series_total + d_series_placed_2
    return {"smooth": d_smooth, "series": d_series}


def forward_and_backward(series, smooth, *, cotangent=1.0):
    """Return total_average, and the gradients by name."""
    outputs, residuals = forward(series, smooth)
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
    time = np.shape(arrays["series"])[0] if "series" in arrays else 7
    values = {
        "series": np.asarray(rng.standard_normal((time, 2)), np.float32),
        "smooth": np.asarray(rng.standard_normal((3,)), np.float32),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    outputs, residuals = forward(**values)
    cotangent = np.ones_like(first(outputs))
    grads = backward(residuals, cotangent)
    errors = {}
    for key, name in (("smooth", "smooth"), ("series", "series")):
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
