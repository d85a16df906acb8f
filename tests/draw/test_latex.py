"""Formulas mean what the statements say: read back by sympy, and read by a LaTeX parser as a browser has one."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert
from sympy import N
from sympy.parsing.latex import parse_latex

from graphgrad.core.dim import as_size
from graphgrad.draw.latex import name_latex, shape_latex, statement_latex, text_latex
from tests.draw.stories import WEIRD


def mathml(formula: str) -> ElementTree.Element:
    """A formula as a browser gets it; no command is left that the parser does not know."""
    root = ElementTree.fromstring(convert(formula))
    unknown = [text for text in root.itertext() if re.match(r"\\[A-Za-z]", text)]
    assert not unknown, (unknown, formula)
    return root


def shown(formula: str) -> str:
    return "".join(mathml(formula).itertext())


VALUES = {"a": 2.0, "b": 3.0, "c": 0.5}
NUMBERS = st.sampled_from([*VALUES, "2.0", "7.5", "1e-05"])
"""Numbers only, for which products are written as sympy reads them."""


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner)
    return (
        pairs.map(lambda parts: "({}) {} ({})".format(*parts))
        | inner.map("-({})".format)
        | st.tuples(inner, st.sampled_from(["2", "3", "(-1)"])).map(lambda parts: "({})**{}".format(*parts))
        | st.tuples(st.sampled_from(["np.square", "np.abs", "np.reciprocal"]), inner).map(
            "{0[0]}({0[1]})".format
        )
    )


@pytest.mark.slow  # the parser is
@given(st.recursive(NUMBERS, deeper, max_leaves=6))
def test_brackets_stand_where_they_are_needed(expression):
    import numpy as np

    try:
        expected = eval(expression, {"np": np, **VALUES})
    except ZeroDivisionError:
        return
    _, formula = statement_latex(f"y = {expression}", {})
    found = parse_latex(formula, backend="lark")
    assert complex(N(found.subs(VALUES) if hasattr(found, "subs") else found)) == pytest.approx(
        expected, rel=1e-9
    )


SHAPES = {"x": (2, as_size("n")), "y": (3,), "d_y": (3,), "A": (3, 3), "B": (3, 3), "s": ()}


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("d_y = np.where(y > 0, d_y, 0)", "dy3=dy3⊙[y3>0]"),
        ("y = np.where(y > 0, y, s)", "y3={y3where y3>0selsewhere"),
        ("A = A @ B.T", "A3×3=A3×3B⊤3×3"),
        ("A = (A * B) @ (A @ B)", "A3×3=(A3×3⊙B3×3)A3×3B3×3"),
        ("A = (A @ B) * A", "A3×3=A3×3B3×3⊙A3×3"),
        ("x = x.T", "x2×n=x⊤n×2"),
        ("y = np.sum(x, axis=1) - np.sum(x)", "y3=(∑axis 1x2×n)-(∑x2×n)"),
        ("y = np.add(y, s, out=work.y)", "y3=y3+s"),
        ("y = np.multiply(y, s, out=work.y)", "y3=y3·s"),
        ("y = _keep(mask, d_y, out=d_y)", "y3=dy3⊙[mask]"),
        ("s = s * -2", "s=s·(-2)"),
        ("s = 1e-05 * s", "s=1·10-5·s"),
        ("y = x[:, 0]", "y3=x2×n[:,0]"),
        ("y[1:3] = d_y[::2, None]", "y3[1:3]=dy3[::2,None]"),
        ("np.add.at(y, x, d_y)", "y3[x2×n]+=dy3"),
        ("y = np.take_along_axis(x, y, axis=1)", "y3=take along axisaxis 1(x2×n,y3)"),
        ("y = y.astype(np.float64)", "y3=astype(y3,float64)"),
        ("y = np.clip(y, -np.inf, 2)", "y3=clip(y3,-∞,2)"),
        ("for at in range(3):", "for at in range(3):"),
        ("alpha = omega", "α=ω"),
    ],
)
def test_formulas_read_as_they_should(code, reads):
    left, right = statement_latex(code, SHAPES)
    text = shown(f"{left} = {right}" if left else right)
    assert re.sub(r"[\u2061\u00a0\s]", "", text.replace("−", "-")) == re.sub(r"\s", "", reads)


def test_names_stay_apart():
    names = ["a_b", "ab", "a_b_c", "a_bc", "l2", "l_2", "d_l2", "alpha", "a", "x_alpha"]
    assert len({name_latex(name) for name in names}) == len(names)
    for name in names:
        mathml(name_latex(name))


@pytest.mark.parametrize("text", [*WEIRD, "∂A = G·Bᵀ", "a_b%#&$^~", "\\frac{", ""])
def test_any_text_is_shown_as_it_is(text):
    shown_text = shown(text_latex(text)) if text else ""
    for word in re.findall(r"[A-Za-z0-9]+", text):
        assert word in shown_text


@pytest.mark.parametrize("size", ["batch", "2*batch - 1", "a b", "seq_len", "}", "batch//2"])
def test_any_size_is_shown(size):
    mathml(shape_latex((3, as_size(size))))
