"""Loading emitted source. It was made from names and text that users chose, so it is checked like foreign code."""

from __future__ import annotations

import ast
import gc
import linecache
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from graphgrad.core.errors import VerificationError
from graphgrad.emit.source import Source

_STATEMENTS = (
    ast.Module, ast.FunctionDef, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.Raise, ast.Import,
    ast.ImportFrom, ast.alias, ast.arguments, ast.arg, ast.keyword, ast.Continue,
)  # fmt: skip
_EXPRESSIONS = (
    ast.Name, ast.Load, ast.Store, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call,
    ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict, ast.DictComp, ast.ListComp, ast.GeneratorExp,
    ast.comprehension, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.operator, ast.unaryop, ast.boolop,
    ast.cmpop,
)  # fmt: skip
_IMPORTS = {"numpy": "np", "pathlib": None}
_CALLABLE = frozenset(
    "abs float int isinstance getattr zip list max min range len AssertionError TypeError dict tuple".split()
)
"""The builtins that emitted code may name."""
_FORBIDDEN_ATTRIBUTES = frozenset(
    "load save savez savez_compressed fromfile tofile memmap loadtxt savetxt genfromtxt open lib ctypeslib f2py "
    "testing ctypes base data dump dumps dtypes".split()
)
"""Of NumPy, what reaches files or memory."""


def check(tree: ast.Module) -> None:
    """Raise unless a module holds only what emitted modules hold.

    Raises
    ------
    VerificationError
        For any other syntax, import, builtin, or a name with two underscores.
    """
    functions = {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}
    known = functions | _bound_names(tree) | _CALLABLE | {"np", "Path", "__file__"}
    arrays = next((item for item in tree.body if _is_array_file(item)), None)
    allowed_calls = set(ast.walk(arrays)) if arrays is not None else set()
    for node in ast.walk(tree):
        if not isinstance(node, _STATEMENTS + _EXPRESSIONS):
            raise _refused(node, type(node).__name__)
        match node:
            case ast.Import() | ast.ImportFrom():
                _check_import(node)
            case ast.Name(id=name) if name not in known:
                raise _refused(node, f"the name {name}")
            case ast.Attribute(attr=name) if node not in allowed_calls:
                if name.startswith("_") or name in _FORBIDDEN_ATTRIBUTES:
                    raise _refused(node, f"the attribute {name}")
            case ast.arg(arg=name) | ast.FunctionDef(name=name) if "__" in name:
                raise _refused(node, f"the name {name}")


def _refused(node: ast.AST, what: str) -> VerificationError:
    return VerificationError(f"emitted source holds {what} at line {getattr(node, 'lineno', '?')}, which it never should")


def _check_import(node: ast.Import | ast.ImportFrom) -> None:
    if isinstance(node, ast.Import):
        plain = all(_IMPORTS.get(item.name) == item.asname == "np" for item in node.names)
    else:
        plain = node.module == "pathlib" and [item.name for item in node.names] == ["Path"]
    if not plain:
        raise _refused(node, "an import")


def _bound_names(tree: ast.Module) -> set[str]:
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    wrong = [name for name in bound if "__" in name or name in _CALLABLE or name == "np"]
    if wrong:
        raise VerificationError(f"emitted source binds the name {sorted(wrong)[0]}, which it never should")
    return bound | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }


def _is_array_file(item: ast.stmt) -> bool:
    return isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name) and item.targets[0].id == "_arrays"


def _parse(source: Source) -> ast.Module:
    enabled = gc.isenabled()
    gc.disable()  # a big module is a big tree, and every collection would walk it
    try:
        tree = ast.parse(source.text)
        check(tree)
    finally:
        if enabled:
            gc.enable()
    return tree


def load(source: Source) -> dict[str, Any]:
    """Run the module in a namespace of its own, without a file, and return that namespace.

    The source is registered with linecache, so that a traceback shows the emitted lines.
    """
    tree = _parse(source)
    tree.body = [item for item in tree.body if not _is_array_file(item)]  # the arrays are at hand
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
