"""Loading emitted source. It was made from names and text that users chose, so it is checked like foreign code."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from graphgrad.emit.source import Source
from graphgrad.run.allow import check, is_array_file


def load(source: Source) -> dict[str, Any]:
    """Run the module in a namespace of its own, without a file, and return that namespace.

    The source is registered with linecache, so that a traceback shows the emitted lines.
    """
    tree, carried = check(source.text)
    tree.body = [item for item in tree.body if not is_array_file(item)]  # the arrays are at hand
    file = file_name(source)
    namespace: dict[str, Any] = {"__name__": f"graphgrad_emitted_{source.name}"}
    if source.arrays:
        namespace["_arrays"] = {name: _frozen(array) for name, array in source.arrays.items()}
    linecache.cache[file] = (len(source.text), None, source.text.splitlines(keepends=True), file)
    exec(compile(tree, file, "exec", dont_inherit=True), namespace)
    exec(_moved(_compiled(carried), file, source.text.count("\n") - carried.count("\n")), namespace)
    return namespace


@cache
def _compiled(carried: str) -> CodeType:
    """What many modules carry; compiling it takes longer than all else that loading a small one does."""
    return compile(carried, "carried", "exec", dont_inherit=True)


def _moved(code: CodeType, file: str, lines: int) -> CodeType:
    """The same code in another file, so many lines further down."""
    inside = (_moved(one, file, lines) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=file, co_firstlineno=code.co_firstlineno + lines, co_consts=tuple(inside))


def _frozen(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


def file_name(source: Source) -> str:
    """What tracebacks call the module; no file of that name exists."""
    return f"<graphgrad {source.name} {abs(hash(source.text)):x}>"


def emitted_lines(error: BaseException, file: str) -> Iterator[int]:
    """The lines of the module that a traceback passes through, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            yield trace.tb_lineno
        trace = trace.tb_next
