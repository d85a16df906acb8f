"""The demo runs as it is, and what the README and its picture show of it is what is made today."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphgrad as gg
from docs import refresh
from examples import lesson8 as demo

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def run_demo(folder, *before):
    """Run the demo in a folder of its own with warnings as errors, after some statements."""
    code = "; ".join(
        [
            *before,
            f"import runpy; runpy.run_path({str(ROOT / 'examples' / 'lesson8.py')!r}, None, '__main__')",
        ]
    )
    command = [sys.executable, "-W", "error", "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_demo_runs_and_leaves_what_it_says(tmp_path):
    done = run_demo(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no warnings, and no progress bar without a terminal
    said = set(re.findall(r"build/demo/[\w.]+", done.stdout.replace("\\", "/")))
    made = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "build" / "demo").glob("*.*")}
    assert said == made
    assert {
        f"build/demo/{name}.{kind}" for name in ("lesson8", "digits") for kind in ("py", "svg", "png")
    } < made
    assert all((tmp_path / path).stat().st_size > 1000 for path in made)
    accuracy = float(re.search(r"test accuracy ([\d.]+)%", done.stdout)[1])
    assert accuracy >= 95


@pytest.mark.slow
@pytest.mark.parametrize("name", ["matplotlib", "tqdm"])
def test_demo_names_a_missing_package_in_one_line(tmp_path, name):
    done = run_demo(tmp_path, f"import sys; sys.modules[{name!r}] = None")
    assert done.returncode == 1
    assert done.stderr == f"{name} is not installed: pip install 'graphgrad[pictures,train]', or make demo\n"


def test_momentum_is_the_textbook_rule():
    loss, parameters, _ = demo.digits()
    model = gg.compile(loss, wrt=parameters, updates=demo.momentum_sgd(loss, parameters, momentum=0.5))
    rng = np.random.default_rng(0)
    values = model.init(rng) | {"v_b2": rng.standard_normal(10).astype(np.float32)}
    batch = {"x": rng.standard_normal((7, 64), np.float32), "label": np.arange(7), "rate": 0.25}
    new = {name: value.copy() for name, value in values.items()}
    loss_before, grads = model(**values, **batch)
    loss_of_step, _ = model.step(**new, **batch)
    assert loss_of_step == loss_before
    for name in ("w1", "b1", "w2", "b2"):
        velocity = 0.5 * values[f"v_{name}"] - 0.25 * grads[name]
        np.testing.assert_allclose(new[f"v_{name}"], velocity, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(new[name], values[name] + velocity, rtol=1e-5, atol=1e-7)


def test_model_by_hand_agrees_with_what_is_emitted():
    loss, parameters = demo.lesson8()
    model = gg.compile(loss, wrt=parameters)
    rng = np.random.default_rng(0)
    arrays = model.init(rng)
    arrays |= {"x": rng.standard_normal((9, 784), np.float32), "y": rng.standard_normal(9, np.float32)}
    (value, grads), (value_by_hand, by_hand) = model(**arrays), demo.by_hand(**arrays)
    np.testing.assert_allclose(value, value_by_hand, rtol=1e-5)
    for name, gradient in by_hand.items():
        np.testing.assert_allclose(grads[name], gradient, rtol=1e-4, atol=1e-5)


def test_readme_shows_the_module_that_is_emitted(golden, request):
    loss, parameters = demo.lesson8()
    model = gg.compile(loss, wrt=parameters, name="lesson8", level="plain")
    golden("lesson8_plain.py", model.source)
    if request.config.getoption("--update-golden"):
        refresh.main()
    plain, default = refresh.emitted()
    assert model.source.startswith(plain)
    for block in (plain, default):
        assert f"```python\n{block}```\n" in README.read_text(encoding="utf-8"), (
            "README.md shows another module than is emitted now: make golden, or python docs/refresh.py"
        )


def test_readme_shows_the_picture_that_is_drawn():
    loss, parameters = demo.lesson8()
    texts = gg.draw(loss, wrt=parameters, title="lesson 8").source
    picture = refresh.PICTURE.read_text(encoding="utf-8")
    assert "docs/pictures/lesson8.svg" in README.read_text(encoding="utf-8")
    for statement in ("x_w1 = x @ w1", "l2 = np.maximum(l1, 0)", "d_w1 = x.T @ d_l1"):
        assert statement in texts
        assert statement in picture.replace("\N{NO-BREAK SPACE}", " ")
