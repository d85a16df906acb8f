"""Masks as factors: what is nan or inf where the mask is 0 stays what the product makes of it."""

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.interpret import interpret

X = gg.input("x", ("n", 3))
G = gg.input("g", ("n", 3))
BAD = np.array([[np.nan, np.inf, -np.inf], [1, -2, 0]], np.float32)
PRODUCTS = {
    "mask": lambda: gg.cast(X > 0, "float32") * G,
    "the other way round": lambda: G * gg.cast(X > 0, "float32"),
    "complement": lambda: (1 - gg.cast(X > 0, "float32")) * G,
    "of its own nan": lambda: gg.cast(gg.isinf(G), "float32") * G,
    "twice": lambda: gg.cast(X > 0, "float32") * gg.cast(X < 1, "float32") * G,
    "one of a row": lambda: gg.cast(X[:, :1] > 0, "float32") * G,
    "sum": lambda: G + gg.cast(X > 0, "float32"),
    "difference": lambda: gg.cast(X > 0, "float32") - G,
    "of two masks": lambda: gg.cast(X > 0, "float32") - gg.cast(G > 0, "float32"),
    "and itself": lambda: (gg.cast(X > 0, "float32") - gg.cast(X > 0, "float32")) * G,
    "mask of a mask": lambda: gg.cast(X > 0, "float32") * gg.cast(X > 0, "float32") + G,
    "with a number": lambda: gg.cast(X > 0, "float32") * 0.5 + G,
}


@pytest.mark.parametrize("kind", sorted(PRODUCTS))
@pytest.mark.parametrize("level", ["plain", "default", "fast"])
def test_what_is_not_finite_stays_so(kind, level):
    model = gg.compile(PRODUCTS[kind](), inputs=[X, G], level=level)
    for x in (np.ones((2, 3), np.float32), -np.ones((2, 3), np.float32)):
        with np.errstate(invalid="ignore"):
            found, (expected,) = model(x, BAD), interpret([PRODUCTS[kind]()], {X: x, G: BAD})
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_a_mask_is_not_converted():
    source = gg.compile(PRODUCTS["mask"](), inputs=[X, G]).source
    assert "np.multiply(above, g_tile, out=product[first:last])" in source
    assert "np.copyto(" not in source


@pytest.mark.parametrize("operands", [(X, 0), (0, X)], ids=["x, 0", "0, x"])
def test_the_gradient_of_relu_by_hand_is_the_derived_one(operands):
    """Also where the cotangent has overflowed: the slope there is 0, not nan."""
    by_hand = gg.compile({"y": gg.maximum(*operands), "d": PRODUCTS["mask"]()}, inputs=[X, G])
    assert [firing.rule for firing in by_hand.firings] == ["gradient_of_relu"]
    x = -np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(by_hand(x, BAD)["d"], np.zeros((2, 3)))
