"""Where the sizes that backward spells out come from."""

import numpy as np
import pytest

import graphgrad as gg


@pytest.mark.parametrize("rows", [0, 1, 4])
@pytest.mark.parametrize("kind", ["one", "two"])
def test_a_size_is_never_read_off_a_cotangent_that_the_gradients_do_not_use(rows, kind):
    x, unused = gg.input("x", ("n", 3)), gg.input("unused", ("n", 2))
    out = gg.tanh(x)
    model = gg.compile(out if kind == "one" else (out, out * 2), inputs=[x, unused], wrt={"by": unused})
    arrays = [np.ones((rows, 3), np.float32), np.ones((rows, 2), np.float32)]
    cotangent = np.ones((rows, 3), np.float32)
    _, grads = model(*arrays, cotangent=cotangent if kind == "one" else (cotangent, None))
    assert grads["by"].shape == (rows, 2) and not grads["by"].any()
