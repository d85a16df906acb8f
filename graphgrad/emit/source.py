"""Emitted source as data: lines with their provenance, laid out with aligned comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.core.node import Node

if TYPE_CHECKING:
    from graphgrad.emit.namer import Namer
    from graphgrad.plan.loops import PlannedLoop

WIDTH = 110
_WIDEST_CODE = 62
"""Where comments start at the latest; longer statements push their own comment."""


@dataclass(frozen=True)
class Comment:
    """Where a statement comes from: the term or the user's expression, and the place."""

    text: str
    place: str = ""


@dataclass(frozen=True)
class Line:
    """One statement or heading of a function; `nodes` is what it computes, the assigned node last."""

    code: str
    comment: Comment | None = None
    nodes: tuple[Node, ...] = ()
    loop: PlannedLoop | None = field(default=None, repr=False)
    """The loop that it belongs to."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement that computes something: where it stands, and the nodes it computes, the assigned one last."""

    function: str
    code: str
    lines: range
    """Its lines in the module, counted from 1."""
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Source:
    """An emitted module."""

    name: str
    text: str = field(repr=False)
    statements: tuple[Statement, ...] = field(repr=False)
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    """Constants too large to write down, which stand in a file beside the module."""
    names: Namer | None = field(default=None, repr=False)
    """What everything in it is called; None if nobody knows any more."""
    loops: Mapping[int, PlannedLoop] = field(default_factory=dict, repr=False)
    """For each line of a loop, from the function of a tile to the call, which one it is."""

    @cached_property
    def by_line(self) -> Mapping[int, Statement]:
        """The statement at each line that computes something."""
        return {line: statement for statement in self.statements for line in statement.lines}


def lay_out(lines: Sequence[Line], indent: str = "    ") -> list[str]:
    """The lines as text, with the comments in one column; a comment that repeats the one above it is left out."""
    lines = [
        replace(line, comment=None) if line.comment and at and line.comment == lines[at - 1].comment else line
        for at, line in enumerate(lines)
    ]
    codes = [len(line.code) for line in lines if line.comment and len(line.code) <= _WIDEST_CODE]
    column = max(codes, default=0) + 2
    texts = [len(line.comment.text) for line in lines if line.comment and line.comment.place]
    room = WIDTH - len(indent) - column - 2
    place_width = max((len(line.comment.place) for line in lines if line.comment), default=0)
    text_width = min(max(texts, default=0), room - place_width - 2)
    return [_one(line, indent, column, text_width) for line in lines]


def _one(line: Line, indent: str, column: int, text_width: int) -> str:
    if not line.code and line.comment is None:
        return ""
    if line.comment is None:
        return wrap(indent + line.code)
    comment = _comment(line.comment, text_width)
    full = f"{indent}{line.code:<{max(column, len(line.code) + 2)}}# {comment}".rstrip()
    if len(full) <= WIDTH:
        return full
    own = indent + line.code[: len(line.code) - len(line.code.lstrip())]
    return f"{own}# {comment}"[:WIDTH].rstrip() + "\n" + wrap(indent + line.code)


def _comment(comment: Comment, text_width: int) -> str:
    if not comment.place:
        return comment.text
    text = comment.text if len(comment.text) <= text_width else comment.text[: text_width - 3] + "..."
    return f"{text:<{text_width}}  {comment.place}"


def wrap(code: str) -> str:
    """Break a long statement after commas, in as few brackets as possible and never inside a string."""
    if len(code) <= WIDTH:
        return code
    indent = code[: len(code) - len(code.lstrip())] + ("        " if code.endswith(":") else "    ")
    lines: list[str] = []
    start, begin = 0, ""
    places = [*_breaks(code)]
    first = 0  # the first place that lies ahead
    while first < len(places) and len(begin) + len(code) - start > WIDTH:
        last = first
        while last < len(places) and len(begin) + places[last][0] - 1 - start <= WIDTH:
            last += 1
        chosen = min(reversed(range(first, max(last, first + 1))), key=lambda number: places[number][1])
        at = places[chosen][0]
        lines.append(begin + code[start : at - 1])
        start, begin, first = at, indent, chosen + 1
    return "\n".join([*lines, begin + code[start:]])


def _breaks(code: str) -> Iterator[tuple[int, int]]:
    """Where a statement may go on in the next line, after a comma within brackets, and within how many."""
    depth, quote, escaped = 0, "", False
    for at, letter in enumerate(code):
        if quote:
            if not escaped and letter == quote:
                quote = ""
            escaped = letter == "\\" and not escaped
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == " " and depth and code[at - 1] == ",":
            yield at + 1, depth
