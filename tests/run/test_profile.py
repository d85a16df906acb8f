"""A profile times every statement of a call, those of tiles among them."""

import numpy as np
import pytest

import graphgrad as gg
from tests.models import MODELS


def test_statements_of_tiles_are_timed_each():
    loss, wrt = MODELS["lesson8"].build()
    model = gg.compile(loss, wrt=wrt)
    assert "_by_tiles(tile" in model.source
    report = model.profile(**MODELS["lesson8"].arguments(np.random.default_rng(0), batch=3000))
    timed = {one.line: one for one in report.statements}
    statements = [one for one in model.emitted.statements if one.function == "forward_and_backward"]
    assert all(timed.keys() & set(one.lines) for one in statements)
    assert len(timed) == len(report.statements)
    product = next(one.lines[0] for one in statements if one.code.startswith("x_w1 = "))
    assert timed[product].seconds > 0 and timed[product].code.startswith("x_w1 = ")
    lines = [one.line for one in report.statements]
    assert lines == sorted(lines)


@pytest.mark.parametrize("rows", [1, 3000])
def test_a_profile_is_made_for_any_number_of_rows(rows):
    loss, wrt = MODELS["lesson8"].build()
    model = gg.compile(loss, wrt=wrt)
    report = model.profile(**MODELS["lesson8"].arguments(np.random.default_rng(0), batch=rows))
    assert report.seconds > 0 and report.sizes == {"batch": rows}
