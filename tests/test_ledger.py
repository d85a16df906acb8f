"""What the compiler says that it did."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg

HOW_TO = Path(__file__).parent.parent / "docs" / "how-to"
BLOCKS = re.compile(r"```(python|text)\n(.*?)```\n", re.DOTALL)


@pytest.mark.parametrize("page", ["see-what-the-compiler-did", "bound-memory-and-use-cores"])
@pytest.mark.slow
def test_the_page_shows_what_is_printed(page, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = BLOCKS.findall((HOW_TO / f"{page}.md").read_text(encoding="utf-8"))
    script = tmp_path / "model.py"
    script.write_text("".join(text for kind, text in blocks if kind == "python"), encoding="utf-8")
    runpy.run_path(str(script))
    assert capsys.readouterr().out == "".join(text for kind, text in blocks if kind == "text")


@pytest.fixture
def x():
    return gg.input("x", ("n", 3))


def test_passes_are_told_in_order_with_the_rules_that_fired_in_each(x):
    ledger = gg.explain(gg.sum(gg.log(1 + x) * 1 + x**3), wrt=x)
    names = [step.name for step in ledger.steps]
    assert names[:2] == ["as written", "stabilize"] and {"simplify", "powers"} <= set(names)
    fired = [text for step in ledger.steps for text in step.fired]
    told = {text.split(" ")[0] for text in fired}
    assert told == {one.rule for one in ledger.compiled.firings}
    assert all("test_ledger.py" in text for text in fired)
    assert "- " in str(ledger) and "+ " in str(ledger) and str(ledger) == repr(ledger)


def test_flops_and_bytes_of_the_first_and_the_last_step(x):
    ledger = gg.explain(gg.sum((x * 1) * 1))
    assert [str(step.flops) for step in ledger.steps] == ["9*n", "3*n"]
    assert [step.statements for step in ledger.steps][-1] == (
        "def forward(x):",
        "    total = np.sum(x)",
        "    return total",
    )


def test_plain_and_what_no_rule_fits(x):
    for ledger in (gg.explain(x * 1, level="plain"), gg.explain(gg.tanh(x))):
        assert [step.name for step in ledger.steps] == ["as written"] and "no rule fired" in str(ledger)


def test_what_declined_is_told_with_its_reason(x):
    ledger = gg.explain(gg.sum(x**2.5))
    assert any(text.startswith("small_power, ") and "no integer" in text for text in ledger.declined)
    assert "did not fire:" in str(ledger)


def test_the_model_is_the_one_that_compile_gives(x):
    output = gg.sum(gg.log(gg.sum(gg.exp(x), axis=1)))
    ledger = gg.explain(output, wrt=x, name="lse")
    assert ledger.compiled.source == gg.compile(output, wrt=x, name="lse").source
    assert np.isfinite(ledger.compiled(np.full((2, 3), 1e4, np.float32))[0])


def test_a_line_tells_its_rules_and_where_it_computes_into(x):
    model = gg.compile(gg.sum(gg.tanh(gg.log(gg.sum(gg.exp(x), axis=1)))), wrt=x)
    lines = model.source.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("def forward_and_backward("))
    at = next(at for at, line in enumerate(lines[start:], start + 1) if "np.subtract(" in line)
    told = model.explain(at)
    assert told.into.startswith("work.") and told.bytes == 0 and "log_sum_exp (widening)" in told.rules[0]
    assert "test_ledger.py" in str(told)
    filled = model.explain(
        next(at for at, line in enumerate(lines[start:], start + 1) if "d_x_tile = " in line)
    )
    assert filled.into == "d_x" and filled.bytes == 0 and filled.function == "forward_and_backward"


def test_it_says_what_differentiation_guarded():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3, 2))
    logs = gg.log(x)
    ledger = gg.explain(gg.sum(gg.where(x[:, :1] > 0, logs @ w, 0)), wrt=[x, w])
    assert len(ledger.guarded) == 1 and ledger.guarded[0].endswith("gg.log(x)")
    assert "guarded, 0 where not chosen:\n  * at test_ledger.py:" in str(ledger)
    assert gg.explain(gg.sum(x @ w), wrt=w).guarded == ()
