"""Loading emitted source. It was made from names and text that users chose, so it is checked like foreign code."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from graphgrad.emit.source import Source
from graphgrad.run.allow import check, is_array_file


def _parse(source: Source) -> ast.Module:
    tree = ast.parse(source.text)
    check(tree)
    return tree


def load(source: Source) -> dict[str, Any]:
    """Run the module in a namespace of its own, without a file, and return that namespace.

    The source is registered with linecache, so that a traceback shows the emitted lines.
    """
    tree = _parse(source)
    tree.body = [item for item in tree.body if not is_array_file(item)]  # the arrays are at hand
    file = file_name(source)
    namespace: dict[str, Any] = {"__name__": f"graphgrad_emitted_{source.name}"}
    if source.arrays:
        namespace["_arrays"] = {name: _frozen(array) for name, array in source.arrays.items()}
    code: CodeType = compile(tree, file, "exec", dont_inherit=True)
    linecache.cache[file] = (len(source.text), None, source.text.splitlines(keepends=True), file)
    exec(code, namespace)
    return namespace


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
