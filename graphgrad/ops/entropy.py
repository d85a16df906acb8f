"""The cross-entropy of a sigmoid, from the logit: the loss of logistic regression, which many write the long way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphgrad.core.form import ATOM, PRODUCT, SUM, Form, Speller
from graphgrad.core.node import Node
from graphgrad.ops.elementary import sigmoid
from graphgrad.ops.family import binary
from graphgrad.ops.leaf import Operand, scalar_value


def _reference(x: Any, y: Any) -> Any:
    return np.where(x > 0, x * (1 - y), -x * y) + np.logaddexp(-np.abs(x), 0)


def _spell(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    # where p is near y, the first summand is exactly 0; and an infinite x gives what its logarithms would
    x, y = parts[0].at(ATOM), parts[1].at(PRODUCT)
    if scalar_value(node.inputs[0]) is not None:  # NumPy's functions take a number of Python's for a float64
        x = f"{speller.dtype(node.dtype)}({x})"
    return Form(f"{x} * (np.heaviside({x}, 0) - {y}) + np.log1p(np.exp(-np.abs({x})))", SUM)


@binary(
    np.logaddexp,
    reference=_reference,
    numpy=_spell,
    temporaries=lambda node: (node.spec,) * 2,
    repeats=True,
    vjp={"x": lambda g, z, x, y: g * (sigmoid(x) - y), "y": lambda g, z, x, y: -g * x},
    rule={"x": "G (sigmoid(x) - y)", "y": "-G x"},
    noun="losses",
    cost=lambda inputs, result: result.size * 48,
)
def sigmoid_cross_entropy(x: Operand, y: Operand) -> None:
    """-y log(p) - (1 - y) log(1 - p), where p = sigmoid(x), element by element with broadcasting, without overflow.

    d/dx = sigmoid(x) - y, d/dy = -x

    >>> x, y = gg.input("x", ("n",)), gg.input("y", ("n",))
    >>> sigmoid_cross_entropy(x, y).shape
    (Dim('n'),)
    """
