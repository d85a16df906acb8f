"""Emitted statements as formulas: a NumPy expression in LaTeX, with the shape of each variable under it.

What is written holds in LaTeX, MathJax and KaTeX alike. An underscore in a name becomes an index, and spaces are
written as words: Markdown readers take a backslash before a sign for their own before they look for formulas.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType

from graphgrad.core.dim import Dim, Size
from graphgrad.core.form import ATOM, COMPARISON, POWER, PRODUCT, SUM, UNARY
from graphgrad.core.spec import Shape

LOGIC, SUMMATION = 30, 45
"""Logic binds less tightly than a comparison; a sum sign reaches as far as products go, so sums put it in brackets."""
_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho sigma tau phi chi psi omega".split()
)
_SIGNS_IN_TEXT = {
    "\\": "\\backslash ", "{": "\\{", "}": "\\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\wedge ", "~": r"\sim ", "<": "< ", ">": "> ", "∂": r"\partial ", "ᵀ": r"^{\top}", "·": r"\cdot ",
    "−": "-", "²": "^{2}", "⊙": r"\odot ", "×": r"\times ",
}  # fmt: skip
"""Signs that texts cannot hold alike in LaTeX and its likes stand beside them, as mathematics."""
_NAMED = frozenset("exp log sin cos tan sinh cosh tanh arcsin arccos arctan max min".split())
"""Functions for which LaTeX has a command of the same name."""


@dataclass(frozen=True)
class Formula:
    """A piece of LaTeX that knows how tightly it binds."""

    text: str
    level: int = ATOM
    is_number: bool = False
    """Whether it is no array, so that a product with it needs no sign of its own."""

    def at(self, level: int) -> str:
        """The text, in brackets if it binds less tightly than `level`."""
        return self.text if self.level >= level else rf"\left({self.text}\right)"


def text_latex(text: str) -> str:
    """Any text as upright words, the signs in it as mathematics: ``∂A = G·Bᵀ``.

    >>> print(text_latex("50% of a_b"))
    \\text{50}\\%\\text{ of a}\\_\\text{b}
    """
    parts: list[str] = []
    for is_sign, chars in groupby(text, _SIGNS_IN_TEXT.__contains__):
        if is_sign:
            parts += [_SIGNS_IN_TEXT[char] for char in chars]
        else:
            parts.append(rf"\text{{{''.join(char if char.isprintable() else ' ' for char in chars)}}}")
    return "".join(parts).rstrip()


def name_latex(name: str) -> str:
    """An emitted name: what follows underscores is set as an index, so that ``d_w1`` reads as a derivative.

    >>> print(name_latex("d_w1"), name_latex("alpha"), name_latex("l2_w2"))
    d_{\\mathit{w1}} \\alpha \\mathit{l2}_{\\mathit{w2}}
    """
    first, *rest = (_word(part) for part in name.strip("_").split("_"))
    return f"{first}_{{{','.join(rest)}}}" if rest else first


def _word(word: str) -> str:
    if word in _GREEK:
        return f"\\{word}"
    return word if len(word) == 1 or word.isdigit() else rf"\mathit{{{word}}}"


def shape_latex(shape: Shape) -> str:
    """``784 × batch``."""
    return r" \times ".join(map(_size, shape))


def _size(size: Size) -> str:
    if not isinstance(size, Dim):
        return str(size)
    try:
        return _Reader({}, {}).read(ast.parse(str(size), mode="eval").body).at(PRODUCT + 1)
    except (SyntaxError, ValueError):  # a size may be called anything
        return text_latex(str(size))


def statement_latex(
    code: str, shapes: Mapping[str, Shape], values: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, str]:
    """Both sides of an emitted statement; the left one is empty where nothing is assigned.

    Variables in `shapes` have theirs below them, scalars none; those in `values` are written as what they are. What is
    no expression in NumPy either, such as a loop, is shown as it is written.

    >>> batch = gg.input("x", ("batch",)).shape[0]
    >>> left, right = statement_latex("d_w = x.T @ d_y", {"x": (batch, 3), "d_y": (batch,)})
    >>> print(left, "=", right)
    d_{w} = \\underset{3 \\times \\mathit{batch}}{x^{\\top}}\\thinspace \\underset{\\mathit{batch}}{d_{y}}
    """
    code = code.strip()
    try:
        (statement,) = ast.parse(code).body
        return _Reader(shapes, values).statement(statement)
    except (SyntaxError, ValueError):
        return "", text_latex(code)


class _Reader:
    """Reads one statement; statements are short, and no emitted expression is nested deep."""

    def __init__(self, shapes: Mapping[str, Shape], values: Mapping[str, str]) -> None:
        self.shapes = shapes
        self.values = values

    def statement(self, tree: ast.stmt) -> tuple[str, str]:
        match tree:
            case ast.Assign(targets=[target], value=value):
                return self.read(target).text, self.read(value).text
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(ast.Attribute(attr=name), "at"), args=[to, at, value])
            ):
                place = rf"{self.read(to).at(ATOM)}\left[{self.read(at).text}\right]"
                sign = {"add": "+", "multiply": r"\times "}.get(name, rf"\{name[:3]}")
                return "", rf"{place} \mathrel{{{sign}{{=}}}} {self.read(value).text}"
            case ast.Expr(value=value):
                return "", self.read(value).text
        raise ValueError(f"no formula for {type(tree).__name__}")

    def read(self, tree: ast.expr) -> Formula:
        match tree:
            case ast.Name(id=name):
                return self._name(name, transposed=False)
            case ast.Attribute(value=ast.Name(id=name), attr="T") if name in self.shapes:
                return self._name(name, transposed=True)
            case ast.Attribute(value=value, attr="T" | "mT"):
                return Formula(f"{self.read(value).at(ATOM)}^{{\\top}}", POWER)
            case ast.Attribute(value=ast.Name(id="np"), attr=constant):
                return Formula(r"\infty" if constant == "inf" else text_latex(constant), ATOM, True)
            case ast.Attribute(value=value, attr=attribute):
                return self._call(attribute, [value], [])
            case ast.Constant(value=value):
                return _constant(value)
            case ast.UnaryOp(op=op, operand=operand):
                sign = {ast.USub: "-", ast.UAdd: "+", ast.Invert: r"\neg ", ast.Not: r"\neg "}[type(op)]
                inner = _unsigned(self.read(operand))
                return Formula(sign + inner.at(UNARY), UNARY, inner.is_number)
            case ast.BinOp(left=left, op=op, right=right):
                return _operation(self.read(left), type(op), self.read(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _comparison(self.read(left), _COMPARISONS[type(op)], self.read(right))
            case ast.Subscript(value=value, slice=index):
                inner = self.read(value)
                return Formula(rf"{inner.at(ATOM)}\left[{self._index(index)}\right]")
            case ast.Call(func=func, args=args, keywords=keywords):
                return self._called(func, args, keywords)
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return Formula(rf"\left({self._listed(items)}\right)")
        raise ValueError(f"no formula for {type(tree).__name__}")

    def _name(self, name: str, transposed: bool) -> Formula:
        if name in self.values:
            return Formula(self.values[name], ATOM, True)
        text = name_latex(name)
        if transposed:
            text = f"{{{text}}}^{{\\top}}" if "_" in text else f"{text}^{{\\top}}"
        shape = self.shapes.get(name, ())
        if not shape:
            return Formula(text, POWER if transposed else ATOM, True)
        return Formula(rf"\underset{{{shape_latex(shape[::-1] if transposed else shape)}}}{{{text}}}")

    def _index(self, index: ast.expr) -> str:
        items = index.elts if isinstance(index, ast.Tuple) else [index]
        return ",".join(self._place(item) for item in items)

    def _place(self, item: ast.expr) -> str:
        if not isinstance(item, ast.Slice):
            return self.read(item).text
        ends = [item.lower, item.upper, *([item.step] if item.step else [])]
        return ":".join(self.read(end).text if end else "" for end in ends)

    def _listed(self, items: Sequence[ast.expr]) -> str:
        return ", ".join(self.read(item).text for item in items)

    def _called(self, func: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Formula:
        match func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self._call(name, args, keywords)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="np"), attr=first), attr=name):
                return self._call(f"{first}_{name}", args, keywords)
            case ast.Attribute(value=value, attr=name):  # a method
                return self._call(name, [value, *args], keywords)
            case ast.Name(id=name):
                return self._call(name, args, keywords)
        raise ValueError("no formula for what is called")

    def _call(self, name: str, args: Sequence[ast.expr], keywords: Sequence[ast.keyword]) -> Formula:
        keywords = [one for one in keywords if one.arg not in ("out", "keepdims")]
        name = _SAME_AS.get(name, name)
        operands = [self.read(arg) for arg in args]
        form = _FORMS.get((name, len(args))) if not keywords else None
        if form is not None:
            return form(*operands)
        axis = next((one.value for one in keywords if one.arg == "axis"), None)
        below = "" if axis is None else f"_{{{text_latex('axis ')}{self.read(axis).text}}}"
        told = [operand.text for operand in operands]
        told += [
            f"{text_latex(one.arg or '')} = {self.read(one.value).text}"
            for one in keywords
            if one.arg != "axis"
        ]
        inner = ", ".join(told)
        if name == "sum" and len(told) == 1:
            return Formula(rf"\sum{below} {operands[0].at(PRODUCT)}", SUMMATION, axis is None)
        is_number = name in _REDUCTIONS and axis is None
        if name in _NAMED and operands and not is_number:
            is_number = all(operand.is_number for operand in operands)
        return Formula(rf"{_function(name)}{below}\left({inner}\right)", ATOM, is_number)


_SAME_AS = {"_sum_first": "sum", "_sum_lines": "sum", "_max_lines": "max", "_min_lines": "min"}
"""Functions of emitted modules that take and give what these of NumPy do."""


def _function(name: str) -> str:
    words = name.strip("_").replace("_", " ")
    if name in _NAMED:
        return f"\\{name}"
    return text_latex(words) if " " in words else rf"\operatorname{{{words}}}"


def _operation(left: Formula, op: type[ast.operator], right: Formula) -> Formula:
    numbers = left.is_number and right.is_number
    if op is ast.Pow:
        return Formula(f"{{{left.at(ATOM)}}}^{{{right.text}}}", POWER, numbers)
    if op is ast.Div:
        return Formula(rf"\frac{{{left.text}}}{{{right.text}}}", PRODUCT + 5, numbers)
    if op is ast.FloorDiv:
        return Formula(rf"\left\lfloor \frac{{{left.text}}}{{{right.text}}} \right\rfloor", ATOM, numbers)
    sign, level = _SIGNS[op]
    right = _unsigned(right)
    if op is ast.Mult and (left.is_number or right.is_number):
        sign = r"\cdot"
    if op is ast.MatMult:  # two factors side by side; one that is a product itself gets brackets
        return Formula(rf"{left.at(level)}\thinspace {right.at(level)}", level)
    return Formula(f"{left.at(level)} {sign} {right.at(level + 1)}", level, numbers)


def _unsigned(formula: Formula) -> Formula:
    """In brackets if it starts with a sign, so that no two signs stand in a row."""
    if not formula.text.startswith("-"):
        return formula
    return Formula(rf"\left({formula.text}\right)", ATOM, formula.is_number)


def _comparison(left: Formula, sign: str, right: Formula) -> Formula:
    return Formula(f"{left.at(SUM)} {sign} {right.at(SUM)}", COMPARISON)


def _constant(value: object) -> Formula:
    if isinstance(value, float) and "e" in repr(value):
        digits, _, power = repr(value).partition("e")
        return Formula(rf"{digits} \cdot 10^{{{int(power)}}}", PRODUCT, True)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Formula(str(value), ATOM, True)
    return Formula(text_latex(str(value)), ATOM, True)


def _choice(condition: Formula, chosen: Formula, other: Formula) -> Formula:
    """Times 1 or 0, in Iverson's brackets, where the other branch is 0."""
    if other.text == "0":
        if chosen.text == "1":
            return Formula(rf"\left[{condition.text}\right]")
        return Formula(rf"{chosen.at(PRODUCT)} \odot \left[{condition.text}\right]", PRODUCT)
    cases = rf"{chosen.text} & {text_latex('where ')} {condition.text} \\ {other.text} & {text_latex('elsewhere')}"
    return Formula(rf"\begin{{cases}} {cases} \end{{cases}}", SUM)


_SIGNS: Mapping[type[ast.operator], tuple[str, int]] = {
    ast.Add: ("+", SUM), ast.Sub: ("-", SUM), ast.Mult: (r"\odot", PRODUCT), ast.MatMult: ("", PRODUCT + 2),
    ast.Mod: (r"\bmod", PRODUCT), ast.BitAnd: (r"\wedge", LOGIC), ast.BitOr: (r"\vee", LOGIC),
    ast.BitXor: (r"\oplus", LOGIC), ast.LShift: (r"\ll", LOGIC), ast.RShift: (r"\gg", LOGIC),
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "=", ast.NotEq: r"\ne", ast.Lt: "<", ast.LtE: r"\le", ast.Gt: ">", ast.GtE: r"\ge",
}  # fmt: skip
_REDUCTIONS = frozenset("sum mean max min prod len".split())
_FORMS: Mapping[tuple[str, int], Callable[..., Formula]] = {
    ("sqrt", 1): lambda x: Formula(rf"\sqrt{{{x.text}}}", ATOM, x.is_number),
    ("cbrt", 1): lambda x: Formula(rf"\sqrt[3]{{{x.text}}}", ATOM, x.is_number),
    ("square", 1): lambda x: Formula(f"{{{x.at(ATOM)}}}^{{2}}", POWER, x.is_number),
    ("reciprocal", 1): lambda x: Formula(rf"\frac{{1}}{{{x.text}}}", PRODUCT + 5, x.is_number),
    ("exp2", 1): lambda x: Formula(f"2^{{{x.text}}}", POWER, x.is_number),
    ("abs", 1): lambda x: Formula(rf"\left|{x.text}\right|", ATOM, x.is_number),
    ("log1p", 1): lambda x: Formula(rf"\log\left(1 + {x.at(SUM)}\right)", ATOM, x.is_number),
    ("expm1", 1): lambda x: Formula(rf"\exp\left({x.text}\right) - 1", SUM, x.is_number),
    ("maximum", 2): lambda x, y: Formula(rf"\max\left({x.text}, {y.text}\right)", ATOM, x.is_number and y.is_number),
    ("minimum", 2): lambda x, y: Formula(rf"\min\left({x.text}, {y.text}\right)", ATOM, x.is_number and y.is_number),
    ("where", 3): _choice,
    ("floor", 1): lambda x: Formula(rf"\left\lfloor {x.text} \right\rfloor", ATOM, x.is_number),
    ("ceil", 1): lambda x: Formula(rf"\left\lceil {x.text} \right\rceil", ATOM, x.is_number),
    ("float16", 1): lambda x: x,
    ("float32", 1): lambda x: x,
    ("float64", 1): lambda x: x,
    ("_keep", 2): lambda mask, x: _choice(mask, x, Formula("0")),
    ("_sum_rows", 1): lambda x: Formula(rf"\sum_{{{text_latex('axis ')}0}} {x.at(PRODUCT)}", SUMMATION),
    ("negative", 1): lambda x: Formula(f"-{_unsigned(x).at(UNARY)}", UNARY, x.is_number),
    ("add", 2): lambda x, y: _operation(x, ast.Add, y),
    ("subtract", 2): lambda x, y: _operation(x, ast.Sub, y),
    ("multiply", 2): lambda x, y: _operation(x, ast.Mult, y),
    ("divide", 2): lambda x, y: _operation(x, ast.Div, y),
    ("matmul", 2): lambda x, y: _operation(x, ast.MatMult, y),
    ("dot", 2): lambda x, y: _operation(x, ast.MatMult, y),
    ("_outer", 2): lambda x, y: _operation(x, ast.MatMult, y),
    ("_dot_by_rows", 2): lambda x, y: _operation(x, ast.MatMult, y),
    ("_dot_over_rows", 3): lambda x, y, scratch: _operation(x, ast.MatMult, y),
    **{
        (name, 2): lambda x, y, sign=sign: _comparison(x, sign, y)
        for name, sign in (
            ("equal", "="), ("not_equal", r"\ne"), ("less", "<"), ("less_equal", r"\le"), ("greater", ">"),
            ("greater_equal", r"\ge"),
        )
    },
}  # fmt: skip
"""By function and number of operands; helpers of emitted modules are among them."""
