"""What emitted source may hold. It is made from names and text that users chose, so it is checked like foreign
code: whatever is not listed here is refused."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from graphgrad.core.errors import VerificationError
from graphgrad.core.form import HELPERS
from graphgrad.emit import runtime

_ALLOWED = frozenset({
    ast.Module, ast.FunctionDef, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.Raise,
    ast.Import, ast.ImportFrom, ast.alias, ast.arguments, ast.arg, ast.keyword, ast.Continue, ast.Name, ast.Constant,
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple,
    ast.List, ast.Dict, ast.DictComp, ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.IfExp, ast.JoinedStr,
    ast.FormattedValue, ast.Starred,
})  # fmt: skip
_CALLABLE = frozenset(
    ("abs float int isinstance zip list max min range len AssertionError TypeError dict tuple").split()
)
"""The builtins that emitted code may name."""
_NUMPY = frozenset(
    (
        "abs absolute add all amax amin any arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh "
        "argmax argmin argpartition argsort argwhere around array ascontiguousarray asarray atleast_1d "
        "atleast_2d bincount bool_ broadcast_to ceil clip concatenate conj copysign copyto cos cosh "
        "count_nonzero cumprod cumsum deg2rad diag diagonal diff divide divmod dot e einsum empty empty_like "
        "equal exp exp2 expand_dims expm1 eye flip float16 float32 float64 float_power floor floor_divide "
        "fmax fmin fmod frexp full full_like gcd greater greater_equal heaviside hypot identity inf inner "
        "int16 int32 int64 int8 integer invert isfinite isin isinf isnan isposinf isneginf kron lcm ldexp "
        "less less_equal linalg linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not "
        "logical_or logical_xor matmul matrix_transpose max maximum mean median meshgrid min minimum mod "
        "moveaxis multiply nan nan_to_num ndarray ndim negative newaxis nextafter nonzero not_equal ones "
        "ones_like outer pad partition pi positive power prod ptp put_along_axis rad2deg random ravel "
        "reciprocal remainder repeat reshape right_shift rint roll rot90 round searchsorted select shape sign "
        "signbit sin sinc sinh size sort split spacing sqrt square squeeze stack std subtract sum swapaxes "
        "take take_along_axis tan tanh tensordot tile trace transpose tri tril triu true_divide trunc uint16 "
        "uint32 uint64 uint8 unique var vdot vstack hstack where zeros zeros_like bitwise_and bitwise_or "
        "bitwise_xor left_shift fabs cbrt floating number"
    ).split()
)
"""What emitted code may use of NumPy: what computes. Nothing here reaches files, memory or other modules."""
_METHODS = frozenset(
    (
        "T mT shape ndim size dtype kind itemsize astype copy reshape transpose swapaxes ravel squeeze fill "
        "sum prod mean max min all any take sort repeat flat item items keys values update append reduce reduceat "
        "accumulate outer at cholesky inv det slogdet solve eigh eigvalsh eig svd qr norm pinv matrix_power "
        "lstsq eps tiny default_rng standard_normal random integers uniform normal permutation permuted "
        "exponential standard_gamma standard_exponential poisson binomial"
    ).split()
)
"""Attributes that emitted code may use of anything else: arrays, dicts, generators, ``np.linalg``, ufuncs."""
_ARRAY_FILE = '_arrays = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))'
_IMPORTS = (
    "import numpy as np",
    "from pathlib import Path",
    "import atexit",
    "import math",
    "import os",
    "import sys",
    "import threading",
    "import weakref",
    "from collections import deque",
    "from contextlib import suppress",
    "from contextvars import copy_context",
    "from queue import SimpleQueue",
)
_WORKSPACE = re.compile(r"Workspace|_(Tile|Parts)(_\d+)?")
_SIZES = (ast.Tuple, ast.Name, ast.Constant, ast.BinOp, ast.Call, ast.UnaryOp)


def check(module: str) -> tuple[ast.Module, str]:
    """A module's own text as syntax, and what it carries word for word at its end.

    Raises
    ------
    VerificationError
        If its own text holds anything that emitted modules do not: other syntax, imports, builtins or attributes, or
        a name with two underscores.
    """
    own, carried = runtime.divide(module)
    tree = ast.parse(own)
    given, items = set[str](), []
    for item in tree.body:
        if (isinstance(item, ast.FunctionDef) and _is_helper(item)) or (
            isinstance(item, ast.ClassDef) and _is_workspace(item)
        ):
            given.add(item.name)
        elif not _is_import(item) and not is_array_file(item):
            items.append(item)
    nodes = [node for item in items for node in _walk(item)]
    known = _bound_names(nodes) | _CALLABLE | given | _given_by(carried) | {"np", "_arrays"}
    for item in items:
        if not isinstance(item, ast.FunctionDef | ast.Assign) and not _is_text(item):
            raise _refused(item, f"{type(item).__name__} outside a function")
    for node in nodes:
        kind = type(node)
        if kind not in _ALLOWED:
            raise _refused(node, kind.__name__)
        if kind is ast.Name:
            if node.id not in known:  # type: ignore[attr-defined]  # a Name has one
                raise _refused(node, f"the name {node.id}")  # type: ignore[attr-defined]
        elif kind in _LOOKED_INTO:
            _look_into(node)
    return tree, carried


_LOOKED_INTO = frozenset({ast.Attribute, ast.FunctionDef, ast.arg, ast.Import, ast.ImportFrom})


def _look_into(node: ast.AST) -> None:
    if isinstance(node, ast.Attribute):
        _check_attribute(node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        raise _refused(node, "an import")
    elif any(getattr(node, part, None) for part in ("decorator_list", "returns", "annotation")):
        raise _refused(node, "a decorator or an annotation")


def is_array_file(item: ast.stmt) -> bool:
    """Whether a statement is the one that reads large constants from the file beside the module."""
    if not isinstance(item, ast.Assign) or ast.unparse(item.targets[0]) != "_arrays":
        return False  # without writing out a constant, which may be long
    return ast.dump(item) == _dump(_ARRAY_FILE)


def _is_import(item: ast.stmt) -> bool:
    return isinstance(item, ast.Import | ast.ImportFrom) and ast.dump(item) in map(_dump, _IMPORTS)


def _is_helper(item: ast.FunctionDef) -> bool:
    """Whether a function is one written by hand, to the letter."""
    return item.name in HELPERS and ast.dump(item) == _dump(HELPERS[item.name])


@cache
def _dump(text: str) -> str:
    return ast.dump(ast.parse(text).body[0])


@cache
def _given_by(carried: str) -> frozenset[str]:
    """The names that stand at the beginning of a line of what a module carries."""
    return frozenset(re.findall(r"^(?:class |def )?(\w+)", carried, re.MULTILINE))


def _is_workspace(item: ast.ClassDef) -> bool:
    """Whether a class makes arrays, and does nothing else."""
    if not _WORKSPACE.fullmatch(item.name):
        return False
    if item.bases or item.keywords or item.decorator_list or len(item.body) != 2:
        return False
    text, made = item.body
    if not _is_text(text) or not isinstance(made, ast.FunctionDef) or made.name != "__init__":
        return False
    if [ast.unparse(value) for value in made.args.defaults] not in ([], ["np.empty"]):
        return False
    return ast.unparse(made.args).startswith("self") and all(map(_makes_array, made.body))


def _makes_array(item: ast.stmt) -> bool:
    """``self.name = np.empty((...), np.dtype)``, of sizes that are names, numbers and arithmetic; or ``empty``, if that
    is an argument."""
    if not isinstance(item, ast.Assign) or not isinstance(item.value, ast.Call):
        return False
    made_by = ast.unparse(item.value.func)
    if not ast.unparse(item.targets[0]).startswith("self.") or made_by not in ("np.empty", "empty"):
        return False
    inside = [part for argument in item.value.args[:1] for part in _walk(argument)]
    return len(item.value.args) == 2 and all(type(part) in _SIZES for part in inside)


def _is_text(item: ast.stmt) -> bool:
    return isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)


_PLAIN = frozenset(
    "ctx op ops id attr arg name asname module level kind conversion is_async type_comment".split()
)
_PARTS: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _PLAIN)  # type: ignore[attr-defined]  # syntax has fields
    for kind in _ALLOWED
}
_PARTS[ast.Constant] = ()
"""The fields of allowed syntax that hold syntax."""


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of a tree but the operators; `ast.walk` takes five times as long, and modules can be long."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in _PARTS.get(type(node), ()):  # of what is not allowed, nobody asks for more
            value = getattr(node, name, None)
            if type(value) is list:
                pending.extend(item for item in value if item is not None)
            elif value is not None:
                pending.append(value)


def _bound_names(nodes: list[ast.AST]) -> set[str]:
    """The names that the module itself gives."""
    bound: set[str] = set()
    for node in nodes:
        kind = type(node)
        if kind is ast.Name:
            if type(node.ctx) is ast.Store:  # type: ignore[attr-defined]  # a Name has one
                bound.add(node.id)  # type: ignore[attr-defined]
        elif kind is ast.arg:
            bound.add(node.arg)  # type: ignore[attr-defined]
        elif kind is ast.FunctionDef:
            bound.add(node.name)  # type: ignore[attr-defined]
    reserved = _given_by(runtime.ending(runtime.CARRIED[0]))
    wrong = sorted(
        name
        for name in bound
        if "__" in name or name in _CALLABLE or name in ("np", "Path", "_arrays") or name in reserved
    )
    if wrong:
        raise VerificationError(f"emitted source binds the name {wrong[0]}, which it never should")
    return bound


def _check_attribute(node: ast.Attribute) -> None:
    owner = node.value
    if isinstance(owner, ast.Name) and owner.id in ("work", "part") and isinstance(node.ctx, ast.Load):
        return  # one of the workspace's arrays, or of a tile's
    allowed = _NUMPY if isinstance(owner, ast.Name) and owner.id == "np" else _METHODS
    if node.attr not in allowed or not isinstance(node.ctx, ast.Load):
        raise _refused(node, f"the attribute {node.attr}")


def _refused(node: ast.AST, what: str) -> VerificationError:
    place = getattr(node, "lineno", "?")
    return VerificationError(f"emitted source holds {what} at line {place}, which it never should")
