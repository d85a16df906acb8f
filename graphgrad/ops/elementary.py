"""Elementary functions, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphgrad.core.form import ATOM, PRODUCT, Form, Speller
from graphgrad.core.node import Node
from graphgrad.ops.family import unary
from graphgrad.ops.leaf import Operand


@unary(
    np.exp,
    vjp=lambda g, y, x: g * y,
    rule="G y",
    low=-2,
    high=2,
    noun="exps",
    flops=20,
    singular=lambda node: True,
)
def exp(x: Operand) -> None:
    """e ** x, element by element.   d/dx = exp(x)

    >>> gg.exp(gg.input("x", ("n",)))
    <exp exp: float32 (n,)>
    """


@unary(
    np.log,
    vjp=lambda g, y, x: g / x,
    rule="G / x",
    low=0.2,
    high=3,
    noun="logs",
    flops=20,
    singular=lambda node: True,
    regular_above_zero=0,
)
def log(x: Operand) -> None:
    """The natural logarithm, element by element; -inf at 0, nan below.   d/dx = 1 / x

    >>> gg.log(gg.input("x", ("n",)))
    <log log: float32 (n,)>
    """


@unary(
    np.tanh, vjp=lambda g, y, x: g * (1 - y * y), rule="G (1 - y y)", low=-2, high=2, noun="tanh", flops=20
)
def tanh(x: Operand) -> None:
    """The hyperbolic tangent, element by element.   d/dx = 1 - tanh(x)**2

    >>> gg.tanh(gg.input("x", ("n",)))
    <tanh tanh: float32 (n,)>
    """


def _sigmoid(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    decay = np.exp(-np.abs(x))
    gate: np.ndarray[Any, Any] = np.where(x >= 0, 1 / (1 + decay), decay / (1 + decay)).astype(decay.dtype)
    return gate


def _spell_sigmoid(speller: Speller, parts: Sequence[Form], node: Node) -> Form:
    # 1 / (1 + exp(-x)) overflows for x << 0; this neither overflows nor cancels on either side
    x = parts[0].text
    return Form(f"np.exp(np.minimum({x}, 0)) / (1 + np.exp(-np.abs({parts[0].at(ATOM)})))", PRODUCT)


@unary(
    np.exp,
    reference=_sigmoid,
    numpy=_spell_sigmoid,
    vjp=lambda g, y, x: g * y * (1 - y),
    rule="G y (1 - y)",
    low=-3,
    high=3,
    noun="gate",
    flops=45,
    repeats=True,
    temporaries=lambda node: (node.spec,) * 2,
)
def sigmoid(x: Operand) -> None:
    """1 / (1 + exp(-x)), element by element, without overflow.   d/dx = y (1 - y)

    >>> gg.sigmoid(gg.input("x", ("n",)))
    <sigmoid sigmoid: float32 (n,)>
    """
