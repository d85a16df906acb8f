"""Where a node comes from: the user's line, the assigned name, the layer, or a step of the chain rule.

The name is the assignment target. It is read from the bytecode of the calling frame, not from its source, so
that it works in a notebook, in ``exec`` and on standard input.
"""

from __future__ import annotations

import dis
import linecache
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from types import CodeType, FrameType
from typing import Any, Literal, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Mode = Literal["user", "inner", "off"]
_scope: ContextVar[tuple[str, ...]] = ContextVar("graphgrad_scope", default=())
_mode: ContextVar[Mode] = ContextVar("graphgrad_recording", default="user")
_OWN_PACKAGES = frozenset({"graphgrad", "numpy", "contextlib", "functools"})


class Site:
    """One place in the user's model: a file, a line, the expression there, and the layer it stands in."""

    __slots__ = ("_columns", "_text", "file", "line", "scope")

    def __init__(
        self,
        file: str,
        line: int,
        scope: tuple[str, ...] = (),
        text: str | None = None,
        columns: tuple[int, int, int] | None = None,
    ) -> None:
        self.file = file
        self.line = line
        self.scope = scope
        self._text = text
        self._columns = columns  # (end line, start column, end column), columns in UTF-8 bytes

    @property
    def text(self) -> str:
        """The expression as the user wrote it, on one line; empty where the source is not to be had."""
        if self._text is None:
            self._text = _printable(_segment(self.file, self.line, self._columns))
        return self._text

    def is_same(self, other: Site) -> bool:
        """Whether it is the same expression: what one call of graphgrad's made."""
        return (self.file, self.line, self._columns) == (other.file, other.line, other._columns)

    @property
    def place(self) -> str:
        """``lesson8.py:9``: the file without its folder, and the line."""
        base = self.file.replace("\\", "/").rpartition("/")[2]
        return f"{_printable(base)}:{self.line}"

    def describe(self) -> str:
        """The place, the layer and the expression, for an error message."""
        layer = f", in layer {'/'.join(map(_printable, self.scope))}" if self.scope else ""
        text = f":  {self.text}" if self.text else ""
        return f"{self.place}{layer}{text}"

    def __reduce__(self) -> tuple[object, ...]:
        return (Site, (self.file, self.line, self.scope, self.text))

    def __repr__(self) -> str:
        return f"Site({self.describe()})"


class Notes:
    """What is known about a node besides its meaning. Kept apart, because nodes are immutable and shared."""

    __slots__ = ("asked", "beneath", "derived", "explicit", "name", "shared", "site")

    def __init__(self) -> None:
        self.site: Site | None = None
        self.name: str | None = None
        self.explicit = False
        self.asked = False
        """Of a conversion, or of what stops a gradient: somebody called for it. Where dtypes that differ meet, nobody
        does, nor where a softmax is shifted."""
        self.derived: tuple[Any, ...] | None = None
        """The origins that differentiation gave it."""
        self.beneath: Mapping[Any, tuple[Any, ...]] = {}
        """The origins, in this node's graph, of the shared nodes it reads, which cannot carry them themselves."""
        self.shared = False
        """It depends on no leaf, so models that have nothing else in common share it: the last one to make it says
        what it is called, or the same model would be emitted differently after another one."""


@dataclass(frozen=True, slots=True)
class _Instruction:
    opname: str
    argval: Any
    positions: tuple[int | None, ...]


_code_tables: dict[int, tuple[CodeType, list[int], list[_Instruction]]] = {}
_TABLES_KEPT = 2048


def _instructions(code: CodeType) -> tuple[list[int], list[_Instruction]]:
    """Offsets and instructions of a code object; keyed by id because code objects hash by content."""
    known = _code_tables.get(id(code))
    if known is None:
        offsets, instructions = [], []
        for item in dis.get_instructions(code):
            where = item.positions
            offsets.append(item.offset)
            instructions.append(
                _Instruction(item.opname, item.argval, tuple(where) if where else (None,) * 4)
            )
        if len(_code_tables) >= _TABLES_KEPT:
            _code_tables.clear()
        known = _code_tables[id(code)] = (code, offsets, instructions)
    return known[1], known[2]


def _is_own(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and is_own(name)


def _user_frame() -> FrameType | None:
    """The innermost frame that is not graphgrad's or NumPy's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_own(frame):
        frame = frame.f_back
    return frame


def current_site() -> Site | None:
    """The user's line that is being run, or None if there is none."""
    frame = _user_frame()
    if frame is None:
        return None
    offsets, instructions = _instructions(frame.f_code)
    here = bisect_right(offsets, frame.f_lasti) - 1
    scope = _scope.get()
    if here >= 0:
        line, end_line, column, end_column = instructions[here].positions
        if line is not None and end_line is not None and column is not None and end_column is not None:
            return Site(frame.f_code.co_filename, line, scope, columns=(end_line, column, end_column))
    return Site(frame.f_code.co_filename, frame.f_lineno or 0, scope, text="")


_SKIPPED = frozenset({"CACHE", "EXTENDED_ARG", "NOP", "COPY", "DUP_TOP"})
_LOADS = frozenset({"LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_FAST_BORROW"})


def _stored_name(frame: FrameType) -> tuple[str | None, bool]:
    """What the value of the running instruction is stored in, and whether it is returned."""
    offsets, instructions = _instructions(frame.f_code)
    at = bisect_right(offsets, frame.f_lasti)
    while at < len(instructions) and instructions[at].opname in _SKIPPED:
        at += 1
    if at >= len(instructions):
        return None, False
    item = instructions[at]
    if item.opname.startswith("STORE_") and item.opname not in ("STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR"):
        target = item.argval[0] if isinstance(item.argval, tuple) else item.argval
        return (target if isinstance(target, str) else None), False
    if item.opname in _LOADS and at + 1 < len(instructions) and instructions[at + 1].opname == "STORE_ATTR":
        return instructions[at + 1].argval, False
    return None, item.opname == "RETURN_VALUE"


def assigned_name() -> str | None:
    """The name that the user's line gives to the value being made: ``l1`` in ``l1 = x @ w + b``.

    A value that a user's function returns takes the name its caller stores it under.
    """
    frame = _user_frame()
    while frame is not None and not _is_own(frame):
        name, returned = _stored_name(frame)
        if name is not None or not returned:
            return name
        frame = frame.f_back
    return None


def suggest(notes: Notes, name: str) -> None:
    """A name for what a composite computes on the way, unless the user gave it one."""
    if notes.name is None:
        notes.name = name


def record(notes: Notes) -> None:
    """Note where a node was first made by the user, and the name it gets, if it has none."""
    mode = _mode.get()
    if mode == "off":
        return
    if notes.shared:
        notes.site = None
        if not notes.explicit:
            notes.name = None
    if notes.site is None:
        notes.site = current_site()
    if mode == "user" and notes.name is None:
        notes.name = assigned_name()


@contextmanager
def recording(mode: Mode) -> Iterator[None]:
    """Within: note everything ("user"), lines but no names ("inner"), or nothing ("off")."""
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


def is_recording() -> bool:
    """Whether it is the user's model that is being built, and not what is derived from it."""
    return _mode.get() != "off"


def composite(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that builds several nodes: only the one it returns takes the assignment's name."""
    return recorded("inner", function)


def recorded(mode: Mode, function: Callable[P, R]) -> Callable[P, R]:
    """A function within which is noted what `mode` says; the node it returns takes the assignment's name, if that is
    noted where it is called."""

    @wraps(function)
    def build(*args: P.args, **kwargs: P.kwargs) -> R:
        around = _mode.get()
        if around in ("off", mode) and around != "user":
            return function(*args, **kwargs)
        with recording(mode):
            result = function(*args, **kwargs)
        notes = getattr(result, "notes", None)
        if around == "user" and isinstance(notes, Notes) and notes.name is None:
            notes.name = assigned_name()
        return result

    return build


def is_own(module: str) -> bool:
    """Whether a module is graphgrad's, so that its lines are none of the user's."""
    return module.partition(".")[0] in _OWN_PACKAGES


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Within: nodes are made in the layer `name` of the current layer."""
    token = _scope.set((*_scope.get(), name))
    try:
        yield
    finally:
        _scope.reset(token)


def _segment(file: str, line: int, columns: tuple[int, int, int] | None) -> str:
    if columns is None:
        return ""
    end_line, start, end = columns
    lines = [linecache.getline(file, number).encode() for number in range(line, end_line + 1)]
    if not all(lines):
        return ""
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return " ".join(b" ".join(lines).decode(errors="replace").split())


def _printable(text: str) -> str:
    """Text that is safe inside a comment: nothing in it ends the line or reorders what is shown."""
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)
