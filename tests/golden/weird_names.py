"""weird_names: forward and backward, the chain rule written out.

Emitted by graphgrad from models.py, level "default", graph 1bc564c2f49c. Needs NumPy only.

    forward_, grads = forward_and_backward(class_, x_import_os, np_)

    class_  float32 (gr_e, 3)  input class      x_import_os  float32 (3,)  parameter x?); import os; (?
                                                np_          float32 ()    parameter np

Memory beyond the arguments: 36 * gr_e + 24 B at most, 12 * gr_e + 20 B of it results.
"""

import numpy as np

# fmt: off


def forward(class_, x_import_os, np_):
    """Return forward_, and the residuals that backward needs (arguments among them are not copied)."""
    gr_e = class_.shape[0]

    # ???/a/b ?
    product = class_ * x_import_os  # x * scale                      models.py:68
    lambda_0 = product + np_        # x * scale + shift              models.py:68

    # forward
    squared = np.square(lambda_0)   # total**2                       models.py:69
    total = np.sum(squared)         # gg.sum(total**2)               models.py:69
    forward_ = total / gr_e         # gg.sum(total**2) / x.shape[0]  models.py:69
    return forward_, (class_, lambda_0)


def backward(residuals, cotangent=1.0):
    """Return the gradient of cotangent * forward_ by each of {x}, a, b, print()."""
    class_, lambda_0 = residuals
    d_forward_ = np.float32(cotangent)           # seed:      d forward_ / d forward_
    gr_e = class_.shape[0]

    # forward
    d_total = d_forward_ / gr_e                  # divide:    G / y
    d_lambda_0 = d_total * 2 * lambda_0          # square:    G 2 x

    # ???/a/b ?
    d_np_ = np.sum(d_lambda_0)                   # add:       np_ was broadcast over größe, 3
    d_x_import_os_product = d_lambda_0 * class_  # multiply:  G x
    # multiply:  x_import_os was broadcast over größe
    d_x_import_os = np.float32(np.sum(d_x_import_os_product, axis=0, dtype=float))
    return {"{x}": d_x_import_os, "a, b": d_np_, "print()": d_lambda_0}


def forward_and_backward(class_, x_import_os, np_, *, cotangent=1.0):
    """Return forward_, and the gradients by name."""
    outputs, residuals = forward(class_, x_import_os, np_)
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
    gr_e = np.shape(arrays["class_"])[0] if "class_" in arrays else 7
    values = {
        "class_": np.asarray(rng.standard_normal((gr_e, 3)), np.float32),
        "x_import_os": np.asarray(rng.standard_normal((3,)), np.float32),
        "np_": np.asarray(rng.standard_normal(()), np.float32),
    }
    values.update(arrays)
    exact = {name: wide(value) for name, value in values.items()}
    outputs, residuals = forward(**values)
    cotangent = np.ones_like(first(outputs))
    grads = backward(residuals, cotangent)
    errors = {}
    for key, name in (("{x}", "x_import_os"), ("a, b", "np_")):
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
