"""Hyperbolic functions and their inverses; tanh is among the elementary ones."""

from __future__ import annotations

import numpy as np

from graphgrad.core.node import Node
from graphgrad.ops.arithmetic import sqrt
from graphgrad.ops.family import unary
from graphgrad.ops.leaf import Operand


def _sinh_vjp(g: Node, y: Node, x: Node) -> Node:
    return g * cosh(x)


@unary(
    np.sinh,
    vjp=_sinh_vjp,
    rule="G cosh(x)",
    low=-2,
    high=2,
    noun="sinh",
    flops=25,
    singular=lambda node: True,
)
def sinh(x: Operand) -> None:
    """(exp(x) - exp(-x)) / 2, element by element.   d/dx = cosh(x)

    >>> gg.sinh(gg.input("x", ("n",)))
    <sinh sinh: float32 (n,)>
    """


@unary(
    np.cosh,
    vjp=lambda g, y, x: g * sinh(x),
    rule="G sinh(x)",
    low=-2,
    high=2,
    noun="cosh",
    flops=25,
    singular=lambda node: True,
)
def cosh(x: Operand) -> None:
    """(exp(x) + exp(-x)) / 2, element by element.   d/dx = sinh(x)

    >>> gg.cosh(gg.input("x", ("n",)))
    <cosh cosh: float32 (n,)>
    """


@unary(
    np.arcsinh,
    vjp=lambda g, y, x: g / sqrt(1 + x * x),
    rule="G / sqrt(1 + x x)",
    low=-2,
    high=2,
    noun="arcsinh",
    flops=25,
)
def arcsinh(x: Operand) -> None:
    """The number whose sinh is x, element by element.   d/dx = 1 / sqrt(1 + x**2)

    >>> gg.arcsinh(gg.input("x", ("n",)))
    <arcsinh arcsinh: float32 (n,)>
    """


@unary(
    np.arccosh,
    vjp=lambda g, y, x: g / sqrt((x - 1) * (x + 1)),
    rule="G / sqrt(x x - 1)",
    low=1.2,
    high=4,
    noun="arccosh",
    flops=25,
    singular=lambda node: True,
)
def arccosh(x: Operand) -> None:
    """The number from 0 up whose cosh is x, element by element; nan below 1.   d/dx = 1 / sqrt(x**2 - 1), inf at 1

    >>> gg.arccosh(gg.input("x", ("n",)))
    <arccosh arccosh: float32 (n,)>
    """


@unary(
    np.arctanh,
    vjp=lambda g, y, x: g / ((1 - x) * (1 + x)),
    rule="G / (1 - x x)",
    low=-0.9,
    high=0.9,
    noun="arctanh",
    flops=25,
    singular=lambda node: True,
)
def arctanh(x: Operand) -> None:
    """The number whose tanh is x, element by element; inf at 1, nan outside [-1, 1].   d/dx = 1 / (1 - x**2)

    >>> gg.arctanh(gg.input("x", ("n",)))
    <arctanh arctanh: float32 (n,)>
    """
