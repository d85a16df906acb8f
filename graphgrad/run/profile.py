"""Where the time of a call goes: every emitted statement, timed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim
from graphgrad.core.node import Node
from graphgrad.core.operators import bound
from graphgrad.emit.source import Source
from graphgrad.plan.plan import Plan
from graphgrad.run.load import load

_ROUNDS = 5


@dataclass(frozen=True)
class Timed:
    """One statement: its line in the source, and the median of its seconds over several calls."""

    line: int
    function: str
    code: str
    seconds: float


@dataclass(frozen=True)
class Profile:
    """The statements of a call, in the order in which they ran."""

    statements: tuple[Timed, ...]
    plan: Plan = field(repr=False, compare=False)
    emitted: Source = field(repr=False, compare=False)
    sizes: Mapping[str, int] = field(default_factory=dict)
    """What the symbolic sizes were."""

    @property
    def seconds(self) -> float:
        """All of them together."""
        return sum(item.seconds for item in self.statements)

    def draw(self, **options: Any) -> Any:
        """The model's picture with the time of each card, and how many operations a second it makes of it.

        Options are those of `graphgrad.draw`.
        """
        return bound("draw")(self, **options)

    def __str__(self) -> str:
        whole = self.seconds or 1.0
        rows = [f"{'ms':>9} {'share':>6}  {'line':>5}  statement"]
        for item in self.statements:
            rows.append(f"{item.seconds * 1e3:9.3f} {item.seconds / whole:6.1%}  {item.line:5}  {item.code}")
        rows.append(f"{self.seconds * 1e3:9.3f}  in all")
        return "\n".join(rows)


def profile(source: Source, plan: Plan, values: Sequence[Any]) -> Profile:
    """Run the module's functions statement by statement and time each; the values are checked already."""
    namespace = load(source)
    functions = {item.name: item for item in ast.parse(source.text).body if isinstance(item, ast.FunctionDef)}
    interface = plan.schedule.interface
    rounds: list[list[tuple[str, ast.stmt, float]]] = []
    for _ in range(_ROUNDS):
        timed: list[tuple[str, ast.stmt, float]] = []
        if plan.schedule.has("fused") and not interface.needs_cotangent:
            _run(functions["forward_and_backward"], namespace, values, timed)
        else:
            result = _run(functions["forward"], namespace, values, timed)
            if interface.wrt is not None and not interface.needs_cotangent:
                _, residuals = result
                name = "backward" if interface.structure.kind == "one" else _first_pull(functions)
                _run(functions[name], namespace, (residuals, 1.0), timed)
        rounds.append(timed)
    lines = source.text.splitlines()
    return Profile(
        tuple(
            Timed(
                statement.lineno,
                function,
                _code(lines[statement.lineno - 1]),
                median(one[at][2] for one in rounds),
            )
            for at, (function, statement, _) in enumerate(rounds[0])
        ),
        plan,
        source,
        _sizes(interface.arguments, values),
    )


def _sizes(arguments: Sequence[Node], values: Sequence[Any]) -> dict[str, int]:
    """What the named sizes are in these arguments."""
    found: dict[str, int] = {}
    for leaf, value in zip(arguments, values, strict=True):
        for size, number in zip(leaf.shape, np.shape(value), strict=False):
            if isinstance(size, Dim) and size.name is not None:
                found[size.name] = number
    return found


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _first_pull(functions: dict[str, ast.FunctionDef]) -> str:
    return next(name for name in functions if name.startswith("_backward_from"))


def _code(line: str) -> str:
    return line.partition("  #")[0].strip()


def _run(
    function: ast.FunctionDef,
    namespace: dict[str, Any],
    values: Sequence[Any],
    timed: list[tuple[str, ast.stmt, float]],
) -> Any:
    """Run a function's statements one by one, in a copy of the module's namespace."""
    given = {argument.arg: value for argument, value in zip(function.args.args, values, strict=True)}
    defaults = {
        argument.arg: ast.literal_eval(value)
        for argument, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if value is not None
    }
    scope = {**namespace, **given, **defaults}
    for statement in function.body:
        if isinstance(statement, ast.Return) and statement.value is not None:
            return eval(compile(ast.Expression(statement.value), "<profile>", "eval"), scope)
        if isinstance(statement, ast.If) or _is_docstring(statement):
            continue  # the branch for cotangents that are not given here
        code = compile(ast.Module([statement], []), "<profile>", "exec")
        start = perf_counter()
        exec(code, scope)
        timed.append((function.name, statement, perf_counter() - start))
    return None
