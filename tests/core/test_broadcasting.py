"""Broadcasting that was hardly meant is an error where it is written; what is meant passes."""

import inspect

import numpy as np
import pytest

import graphgrad as gg

OUT, Y = gg.input("out", ("batch", 1)), gg.input("y", ("batch",))
WIDE, DEEP = gg.input("wide", ("batch", "seq", 1)), gg.input("deep", (5, 1, "batch"))
SQUARE = gg.input("square", ("batch", "batch"))

ACCIDENTS = {
    "subtract": lambda: OUT - Y,
    "turned": lambda: Y - OUT,
    "comparison": lambda: OUT > Y,
    "logic": lambda: gg.logical_and(OUT, Y),
    "maximum": lambda: gg.maximum(OUT, Y),
    "numpy": lambda: np.multiply(OUT, Y),
    "promoted": lambda: OUT - gg.input("labels", ("batch",), "int64"),
    "choice": lambda: gg.where(OUT > 0, Y, 0.0),
    "three operands": lambda: gg.clip(OUT, Y, 1),
    "composed": lambda: gg.logaddexp(OUT, Y),
    "three axes": lambda: WIDE + Y,
    "within": lambda: DEEP * OUT,
    "derived size": lambda: OUT[1:] - Y[1:],
}


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_an_accident_is_an_error_at_its_line(accident):
    line = inspect.getsourcelines(ACCIDENTS[accident])[1]
    with gg.scope("loss"), pytest.raises(gg.ShapeError, match="would stand in the result") as caught:
        ACCIDENTS[accident]()
    assert f"at test_broadcasting.py:{line}, in layer loss" in str(caught.value)


def test_the_message_shows_both_and_what_to_write():
    with pytest.raises(gg.ShapeError) as caught:
        OUT - Y
    assert str(caught.value).splitlines()[:3] == [
        "subtract: 'batch' would stand in the result (batch, batch) twice: shapes of different rank line up from "
        "the right",
        "  out: float32 (batch, 1)",
        "  y: float32 (batch,)",
    ]
    assert (
        caught.value.hint
        == "out[:, 0] or y[:, None] to go along 'batch' together; y[None, :] if every pair is meant"
    )


def test_what_the_message_says_works():
    assert (OUT[:, 0] - Y).shape == ("batch",)
    assert (OUT - Y[:, None]).shape == ("batch", 1)
    assert (OUT - Y[None, :]).shape == ("batch", "batch")
    with pytest.raises(gg.ShapeError, match=r"y\[:, None, None\] to go .*; y\[None, None, :\] if"):
        WIDE + Y
    assert (WIDE + Y[:, None, None]).shape == ("batch", "seq", 1)
    assert (WIDE + Y[None, None, :]).shape == ("batch", "seq", "batch")


MEANT = {
    "equal ranks": lambda: Y[:, None] - Y[None, :],
    "three of equal rank": lambda: gg.where(Y[:, None] > 0, Y[None, :], OUT),
    "a table and a row": lambda: SQUARE + Y,
    "a number": lambda: OUT * 2 + gg.mean(Y),
    "a bias": lambda: gg.input("x", ("batch", 3)) + gg.param("b", (3,)),
    "other names": lambda: OUT + gg.input("z", ("other",)),
    "fixed sizes": lambda: gg.input("p", (3, 1)) - gg.input("q", (3,)),
    "asked for": lambda: gg.broadcast_to(Y, ("batch", "batch")),
    "a column of pairs": lambda: gg.expand_dims(Y, 0) * OUT,
    "a mask": lambda: gg.where(SQUARE > 0, SQUARE, Y),
    "pairs that two of three make": lambda: gg.where(OUT > 0, Y[None, :], 0.0) + Y,
    "every pair": lambda: gg.outer(Y, Y),
    "no axes summed": lambda: gg.tensordot(Y, Y, axes=0),
}


@pytest.mark.parametrize("meant", MEANT)
def test_what_is_meant_passes(meant):
    assert isinstance(MEANT[meant](), gg.Node)


@pytest.mark.parametrize(
    "subscripts", ["i,j->ij", "j,i->ij", "ki,i,j->kij", "ki,ij->kij", "ij,k->kij", "i,j,k->"]
)
def test_letters_say_which_axes_go_together(subscripts):
    """Whatever their sizes are; they are all one here."""
    terms = subscripts.partition("->")[0].split(",")
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3,) * len(term)) for term in terms]
    nodes = [gg.input(f"x{at}", ("n",) * len(term), "float64") for at, term in enumerate(terms)]
    expected = np.einsum(subscripts, *arrays)
    for level in ("plain", "default"):
        found = gg.compile(gg.einsum(subscripts, *nodes), inputs=nodes, level=level)(*arrays)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_gradients_and_rewrites_may_do_what_they_like():
    loss = gg.sum(gg.tanh(OUT - Y[None, :]) * gg.sum(SQUARE, axis=0, keepdims=True)) + gg.sum(
        gg.logsumexp(SQUARE, 1)
    )
    model = gg.compile(loss, wrt=[OUT, Y, SQUARE])
    rng = np.random.default_rng(0)
    shapes = {"out": (4, 1), "y": (4,), "square": (4, 4)}
    model.verify(**{name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()})
    gg.jvp(loss, [OUT], [gg.input("t", ("batch", 1))])
