"""Shapes, bytes, counts and chain-rule terms as a picture writes them."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from operator import attrgetter

from graphgrad.core.dim import Dim, Size
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape

_FORMULA = re.compile(r"-?[\sGABRTdnxyvz\d()+\-*/.]*")
"""A chain-rule term without a word in it, once the functions are taken out."""
_FUNCTIONS = re.compile(r"\b(?:sqrt|log|sin|cos|sinh|cosh|sign|trunc|exp|pi)\b")


def shape_words(shape: Shape) -> str:
    """``batch×784``; empty for a scalar."""
    return "×".join(
        str(size) if isinstance(size, int) or size.name else f"({_words(size)})" for size in shape
    )


def specs_words(node: Node) -> str:
    """The shape of a node, or of each of its results."""
    return ", ".join(shape_words(spec.shape) or "scalar" * (len(node.specs) > 1) for spec in node.specs)


def elements(node: Node) -> int | None:
    """How many numbers a node gives, if no size is symbolic."""
    found = 0
    for spec in node.specs:
        sizes = [size for size in spec.shape if isinstance(size, int)]
        if len(sizes) < len(spec.shape):
            return None
        found += prod(sizes)
    return found


bytes_of = lru_cache(1024)(attrgetter("nbytes"))
"""The bytes of a spec; a large model has many values and few specs."""


def size_words(size: Size) -> str:
    """Bytes as a picture shows them: ``16 kB``, or ``200·batch B``."""
    if isinstance(size, Dim):
        return f"{_words(size)} B"
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"


def flops_words(flops: Size) -> str:
    """Operations as a picture shows them: ``78 Mflop``, or ``50·batch flop``."""
    if isinstance(flops, Dim):
        return f"{_words(flops)} flop"
    for unit, scale in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if flops >= scale:
            return f"{flops / scale:.3g} {unit}flop"
    return f"{flops} flop"


def seconds_words(seconds: float) -> str:
    """A time as a picture shows it: ``7.6 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _words(size: Size) -> str:
    return str(size).replace("*", "·")


def count(number: int, what: str) -> str:
    """``1 op``, ``12 ops``."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def stem(name: str) -> str:
    """A name without the number at its end.

    >>> from graphgrad.draw.words import stem
    >>> stem("block12"), stem("layers.0"), stem("3")
    ('block', 'layers', '')
    """
    return re.sub(r"[\s._\-]*\d+$", "", name)


@lru_cache(1024)
def pretty(rule: str) -> str:
    """A chain-rule term as a picture shows it: ``∂A = G·Bᵀ``, ``G·2·x``."""
    if _FORMULA.fullmatch(_FUNCTIONS.sub("", rule).replace("=", "")):
        # what stands side by side is a product
        rule = re.sub(r"(?<=[\w)])(?<!\d) (?=[\w(])|(?<=\d) (?=[A-Za-z(])", "·", rule).replace("-", "−")
    for plain, shown in (("dA", "∂A"), ("dB", "∂B"), (".T", "ᵀ"), ("ᵀ G", "ᵀ·G"), ("**2", "²")):
        rule = rule.replace(plain, shown)
    return rule
