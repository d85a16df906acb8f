"""What emitted source may hold. It is made from names and text that users chose, so it is checked like foreign code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from graphgrad.core.errors import VerificationError

_ALLOWED = frozenset({
    ast.Module, ast.FunctionDef, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.Raise, ast.Import,
    ast.ImportFrom, ast.alias, ast.arguments, ast.arg, ast.keyword, ast.Continue, ast.Name, ast.Constant, ast.BinOp,
    ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Dict,
    ast.DictComp, ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.IfExp, ast.JoinedStr, ast.FormattedValue,
    ast.Starred,
})  # fmt: skip
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
        For any other syntax, import, builtin or attribute, or a name with two underscores.
    """
    nodes = list(_walk(tree))
    arrays = next((item for item in tree.body if is_array_file(item)), None)
    exempt = frozenset(_walk(arrays)) if arrays is not None else frozenset()
    known = _bound_names(nodes) | _CALLABLE | {"np", "Path", "__file__"}
    for node in nodes:
        kind = type(node)
        if kind not in _ALLOWED:
            raise _refused(node, kind.__name__)
        if kind is ast.Name:
            if node.id not in known:  # type: ignore[attr-defined]  # a Name has one
                raise _refused(node, f"the name {node.id}")  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            name: str = node.attr  # type: ignore[attr-defined]  # an Attribute has one
            if (name.startswith("_") or name in _FORBIDDEN_ATTRIBUTES) and node not in exempt:
                raise _refused(node, f"the attribute {name}")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            _check_import(node)


def is_array_file(item: ast.stmt) -> bool:
    """Whether a statement is the one that reads large constants from the file beside the module."""
    return isinstance(item, ast.Assign) and isinstance(item.value, ast.Call) and ast.unparse(item) == (
        "_arrays = np.load(Path(__file__).with_suffix('.npz'), allow_pickle=False)"
    )


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a tree but the operators; `ast.walk` takes three times as long, and modules can be long."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                if name not in ("ctx", "op"):
                    pending.append(value)
            elif type(value) is list and name != "ops":
                pending.extend(item for item in value if isinstance(item, ast.AST))


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    """The names that the module itself gives."""
    bound: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef):
            bound.add(node.name)
    wrong = sorted(name for name in bound if "__" in name or name in _CALLABLE or name == "np")
    if wrong:
        raise VerificationError(f"emitted source binds the name {wrong[0]}, which it never should")
    return bound


def _refused(node: ast.AST, what: str) -> VerificationError:
    place = getattr(node, "lineno", "?")
    return VerificationError(f"emitted source holds {what} at line {place}, which it never should")


def _check_import(node: ast.Import | ast.ImportFrom) -> None:
    found = ast.unparse(node)
    if found not in ("import numpy as np", "from pathlib import Path"):
        raise _refused(node, found)
