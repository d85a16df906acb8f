"""Level default computes with less than level plain: counted for every model of the tests, not timed."""

import json

import numpy as np
import pytest

import graphgrad as gg
from benchmarks import levels
from benchmarks.runner import DisagreementError
from graphgrad.core.dim import evaluate
from tests.models import MODELS

OVERFLOW_AS_WRITTEN = {"contrastive", "logistic", "pooling"}
"""Models whose naive forms become stable ones, which cost more; less than plain they can only cost after that."""
NUMBERS = 16
"""Bytes by which the peak may differ: a mean that is a sum and a quotient has a number more on the way."""


@pytest.mark.parametrize("level", ["default", pytest.param("fast", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_flops_and_bytes_never_exceed_those_of_the_graph_as_written(name, level):
    loss, wrt = MODELS[name].build()
    first, *later = gg.explain(loss, wrt=wrt, level=level).steps
    stable = [step for step in later if step.name == "stabilize"]
    assert bool(stable) == (name in OVERFLOW_AS_WRITTEN)
    steps = [first, *later]
    first = [*stable, first][0]
    last = [step for step in steps if step.name != "lower"][-1]  # which is for planned memory alone
    for times in (1, 7, 1_000):
        sizes = {key: times * size for key, size in MODELS[name].sizes.items()}
        assert evaluate(steps[-1].flops, sizes) <= evaluate(first.flops, sizes)
        assert evaluate(last.peak, sizes) <= evaluate(first.peak, sizes) + NUMBERS


@pytest.mark.slow
def test_the_command_prints_what_each_pass_costs_and_both_times(tmp_path, capsys):
    levels.main(["batch_norm", "gated", "--times", "1", "20", "--rounds=1", "--calls=2", f"--out={tmp_path}"])
    printed = capsys.readouterr().out
    for text in (MODELS["batch_norm"].title, "batch = 8", "batch = 160", "as written", "default / plain"):
        assert text in printed
    written = json.loads((tmp_path / "levels.json").read_text(encoding="utf-8"))["models"]
    assert list(written) == ["batch_norm", "gated"]
    for small, large in written.values():
        assert [step["name"] for step in small["passes"]] == [step["name"] for step in large["passes"]]
        assert small["passes"][0]["flops"] < large["passes"][0]["flops"]
        assert min(small["plain"], small["default"], large["plain"], large["default"]) > 0


def test_levels_that_disagree_are_not_measured():
    model, one = MODELS["gated"], np.ones(2)
    levels.ensure_agreement(model, (one[0], {"w1": one}), (one[0], {"w1": one * (1 + 1e-5)}))
    for wrong in ((one[0] * 2, {"w1": one}), (one[0], {"w1": one * 1.01}), (one[0], {"w1": one * np.nan})):
        with pytest.raises(DisagreementError, match="gated"):
            levels.ensure_agreement(model, (one[0], {"w1": one}), wrong)


def test_unknown_models_are_told(capsys):
    with pytest.raises(SystemExit):
        levels.main(["nothing"])
    assert "no model nothing" in capsys.readouterr().err
