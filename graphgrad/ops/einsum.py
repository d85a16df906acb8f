"""Einstein's summation, built of sums, diagonals and products of two arrays at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphgrad.core.dim import Size, usual
from graphgrad.core.errors import ArgumentError, ShapeError
from graphgrad.core.node import Node
from graphgrad.core.provenance import composite
from graphgrad.ops.convert import cast
from graphgrad.ops.diagonal import diagonal
from graphgrad.ops.leaf import as_node
from graphgrad.ops.movement import squeeze
from graphgrad.ops.pairwise import Label, Labelled, product, summed, turned

_EXHAUSTIVE = 5
"""For up to so many operands every order of the products is looked at."""
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Subscripts:
    """What an einsum says: a label for each axis of each operand, and of the result.

    Labels are letters; those of the axes that an ellipsis stands for are ints, -1 for the last one.
    """

    text: str
    operands: tuple[tuple[Label, ...], ...]
    result: tuple[Label, ...]


@composite
def einsum(subscripts: Any, *operands: Any, dtype: Any = None, optimize: Any = True) -> Node:
    """Products summed over indices, by Einstein's convention, as `numpy.einsum` has it.

    Each operand's axes get a letter; axes of one letter run together, and a letter that the result lacks is summed
    over. ``...`` stands for axes that broadcast. A letter twice in one operand is its diagonal. Without ``->`` the
    result has the letters that occur once, in the order of the alphabet. Two operands at a time become one product of
    matrices where that is what they say, in the order that takes the fewest operations; a symbolic size counts as
    1,000 there. The gradient is that of the parts.

    Parameters
    ----------
    subscripts:
        The text; or the first operand, followed by a list of ints in place of its letters and so on, as NumPy takes
        it, too.
    dtype:
        What to convert the operands to before anything is multiplied.
    optimize:
        NumPy's choice of an order; it makes no difference here.

    Raises
    ------
    ArgumentError
        If the text cannot be read, or names another number of operands or of axes than there are.
    ShapeError
        If axes of one letter differ in size.

    >>> x, d = gg.input("x", ("batch", 784)), gg.input("d", ("batch", 50))
    >>> weights = gg.einsum("bi,bj->ij", x, d)
    >>> weights is x.T @ d, weights.shape
    (True, (784, 50))
    >>> h, w = gg.input("h", ("batch", "time", 8)), gg.param("w", (8, 4))
    >>> gg.einsum("...d,dk->...k", h, w).shape
    (Dim('batch'), Dim('time'), 4)
    """
    text, arrays = (
        (subscripts, operands) if isinstance(subscripts, str) else _interleaved(subscripts, operands)
    )
    nodes = [as_node(array) for array in arrays]
    said = parse(text, nodes)
    wanted = np.result_type(*(node.dtype for node in nodes)) if dtype is None else np.dtype(dtype)
    sizes = _sizes(said, nodes)
    parts = [
        _plain(cast(node, wanted) if node.dtype != wanted else node, labels, sizes)
        for node, labels in zip(nodes, said.operands, strict=True)
    ]
    whole = _contracted(parts, said.result, sizes)
    return turned(summed(whole, said.result), said.result)


# ---- reading ----


def _interleaved(first: Any, rest: Sequence[Any]) -> tuple[str, list[Any]]:
    """The text for operands and lists of ints in turn."""
    items = [first, *rest]
    arrays, lists = items[0 : len(items) - len(items) % 2 : 2], items[1::2]
    if len(items) % 2:
        lists.append(items[-1])
    texts = [_letters(labels) for labels in lists]
    result = f"->{texts.pop()}" if len(items) % 2 else ""
    return ",".join(texts) + result, arrays


def _letters(labels: Any) -> str:
    if not isinstance(labels, list | tuple):
        raise ArgumentError(
            f"einsum takes a text, or operands and lists of ints in turn, not {labels!r:.60} after an operand",
            hint='gg.einsum("bi,bj->ij", x, y)',
        )
    numbers = [label for label in labels if label is not Ellipsis]
    if not all(isinstance(label, int | np.integer) and 0 <= label < len(_LETTERS) for label in numbers):
        raise ArgumentError(f"an index of einsum is an int from 0 to {len(_LETTERS) - 1}, not {list(labels)}")
    return "".join("..." if label is Ellipsis else _LETTERS[label] for label in labels)


def parse(text: str, nodes: Sequence[Node]) -> Subscripts:
    """The labels that a text gives to the axes of these operands, and to those of the result."""
    left, arrow, right = text.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(nodes):
        named = f"{len(terms)} operand{'s' * (len(terms) != 1)}"
        raise _unreadable(text, f"names {named}, and there are {len(nodes)}", nodes)
    operands = tuple(_labels(text, term, node) for term, node in zip(terms, nodes, strict=True))
    spread = max((_dots(labels) for labels in operands), default=0)
    given = list(dict.fromkeys(label for labels in operands for label in labels))
    if not arrow:
        every = [label for labels in operands for label in labels]
        once = sorted(label for label in every if isinstance(label, str) and every.count(label) == 1)
        return Subscripts(text, operands, (*range(-spread, 0), *once))
    result = _terms(text, right, nodes, spread)
    unknown = [label for label in result if label not in given]
    if unknown:
        raise _unreadable(text, f"puts {unknown[0]} into the result, which no operand has", nodes)
    if len(set(result)) != len(result):
        twice = next(label for label in result if result.count(label) > 1)
        raise _unreadable(text, f"puts {twice} into the result twice", nodes)
    return Subscripts(text, operands, result)


def _dots(labels: Sequence[Label]) -> int:
    return sum(isinstance(label, int) for label in labels)


def _labels(text: str, term: str, node: Node) -> tuple[Label, ...]:
    """One label for each axis of a node."""
    letters = len(term.replace("...", "", 1))
    has_dots = "..." in term
    if letters > node.ndim or (letters < node.ndim and not has_dots):
        problem = f"{term!r} names {letters} axes of an operand that has {node.ndim}"
        raise _unreadable(text, problem, [node])
    return _terms(text, term, [node], node.ndim - letters)


def _terms(text: str, term: str, nodes: Sequence[Node], spread: int) -> tuple[Label, ...]:
    """The labels of one term, where an ellipsis stands for so many axes."""
    before, dots, after = term.partition("...")
    wrong = [letter for letter in before + after if letter not in _LETTERS]
    if wrong:
        raise _unreadable(text, f"has {wrong[0]!r} where a letter or one ellipsis is meant", nodes)
    return (*before, *(range(-spread, 0) if dots else ()), *after)


def _unreadable(text: str, problem: str, nodes: Sequence[Node]) -> ArgumentError:
    return ArgumentError(
        f"einsum {text!r} {problem}",
        saw=[node.describe() for node in nodes],
        hint='a letter for each axis: "bi,bj->ij", "...i,ij->...j"',
    )


# ---- sizes ----


def _sizes(said: Subscripts, nodes: Sequence[Node]) -> dict[Label, Size]:
    """The size of each label; 1 broadcasts from operand to operand, not within one."""
    sizes: dict[Label, Size] = {}
    for labels, node in zip(said.operands, nodes, strict=True):
        own: dict[Label, Size] = {}
        for label, size in zip(labels, node.shape, strict=True):
            if own.setdefault(label, size) != size:
                raise _unequal(said, label, own[label], size, nodes)
            if sizes.setdefault(label, size) == 1:
                sizes[label] = size
            elif size not in (1, sizes[label]):
                raise _unequal(said, label, sizes[label], size, nodes)
    return sizes


def _unequal(said: Subscripts, label: Label, one: Size, other: Size, nodes: Sequence[Node]) -> ShapeError:
    shown = label if isinstance(label, str) else "an axis of the ellipsis"
    return ShapeError(
        f"einsum {said.text!r}: {shown} has sizes {one} and {other}",
        saw=[node.describe() for node in nodes],
        hint="axes of one letter have one size, or 1 in one of the operands",
    )


def _plain(node: Node, labels: Sequence[Label], sizes: Mapping[Label, Size]) -> Labelled:
    """An operand with each label once: diagonals taken, and axes dropped that only broadcast."""
    own = list(labels)
    while len(set(own)) != len(own):
        label = next(label for label in own if own.count(label) > 1)
        first = own.index(label)
        second = own.index(label, first + 1)
        node = diagonal(node, 0, first, second)
        own = [other for at, other in enumerate(own) if at not in (first, second)] + [label]
    stretched = [at for at, label in enumerate(own) if node.shape[at] == 1 and sizes[label] != 1]
    kept = tuple(label for at, label in enumerate(own) if at not in stretched)
    return Labelled(squeeze(node, stretched) if stretched else node, kept)


# ---- the order of products ----


def _contracted(parts: Sequence[Labelled], result: Sequence[Label], sizes: Mapping[Label, Size]) -> Labelled:
    """All operands multiplied, two at a time."""
    left = list(parts)
    for step in _path(parts, result, sizes):
        taken = [left[at] for at in step]
        left = [part for at, part in enumerate(left) if at not in step]
        while len(taken) > 1:
            first, second, *rest = taken
            others = dict.fromkeys(label for part in (*left, *rest) for label in part.labels)
            own = [label for label in (*first.labels, *second.labels) if label in others]
            kept = list(dict.fromkeys((*result, *own)))
            taken = [*rest, product(first, second, kept)]
        left += taken
    return left[0]


def _path(
    parts: Sequence[Labelled], result: Sequence[Label], sizes: Mapping[Label, Size]
) -> list[tuple[int, ...]]:
    """Which operands are multiplied at each step, as `numpy.einsum_path` says it."""
    if len(parts) < 3:
        return [tuple(range(len(parts)))] if len(parts) == 2 else []
    numbers = {label: at for at, label in enumerate(sizes)}
    arguments: list[Any] = []
    for part in parts:
        shape = [usual(size) for size in part.node.shape]
        arguments += [np.broadcast_to(np.float32(0), shape), [numbers[label] for label in part.labels]]
    kept = [numbers[label] for label in result]
    if len(numbers) > len(_LETTERS):
        return [tuple(range(len(parts)))]
    kind = "optimal" if len(parts) <= _EXHAUSTIVE else "greedy"
    path: list[tuple[int, ...]] = np.einsum_path(*arguments, kept, optimize=kind)[0][1:]
    return path
