"""The benchmarks measure what they say: every contender computes the same. Nothing is timed here."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.contenders import CONTENDERS, as_numpy
from benchmarks.runner import DisagreementError, allocated, disagreement, measure
from benchmarks.workloads import WORKLOADS
from graphgrad.testing import assert_same

SMALL = {
    "lesson8": {"rows": 40},
    "lesson8_input": {"rows": 40},
    "classifier": {"rows": 6},
    "tiny": {"rows": 3},
    "logistic": {"rows": 50},
    "chain": {"elements": 300},
}


def small(name):
    return WORKLOADS[name].sized(SMALL[name])


def test_every_workload_has_small_sizes():
    assert list(SMALL) == list(WORKLOADS)


@pytest.mark.parametrize("key", CONTENDERS)
@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.slow
def test_contenders_agree_with_float64(name, key):
    contender = CONTENDERS[key]
    if not contender.is_installed:
        pytest.skip(f"{contender.package} is not installed")
    workload = small(name)
    arrays = workload.arrays()
    before = {each: array.copy() for each, array in arrays.items()}
    call = contender.prepare(workload, arrays)
    for _ in range(2):
        error = disagreement(workload, key, as_numpy(workload, call()), workload.expected(arrays))
        assert error < workload.tolerance
    assert_same(arrays, before, rtol=0, atol=0, what="the arrays after two calls")


@pytest.mark.parametrize("name", WORKLOADS)
def test_by_hand_is_the_derivative(name):
    """Along a random direction, by central differences in float64."""
    workload = small(name)
    arrays = {each: array.astype(float) if array.dtype.kind == "f" else array
              for each, array in workload.arrays().items()}  # fmt: skip
    _, gradients = workload.by_hand(**arrays)
    rng = np.random.default_rng(1)
    for key in workload.wrt:
        direction = rng.standard_normal(arrays[key].shape) * 1e-6
        ends = [workload.by_hand(**{**arrays, key: arrays[key] + sign * direction})[0] for sign in (1, -1)]
        size = np.linalg.norm(gradients[key]) * np.linalg.norm(direction)
        assert abs((ends[0] - ends[1]) / 2 - np.sum(gradients[key] * direction)) < 1e-4 * size


@pytest.mark.parametrize("what", ["loss", "gradient", "dtype", "shape", "nan"])
def test_who_disagrees_is_not_measured(what):
    def wrong(**arrays):
        loss, gradients = small("tiny").by_hand(**arrays)
        if arrays["x"].dtype == np.float64:
            return loss, gradients
        w2 = gradients["w2"]
        changed = {
            "loss": w2,
            "gradient": w2 * np.float32(1.01),
            "dtype": w2.astype(float),
            "shape": w2[None],
            "nan": w2 * np.nan,
        }[what]
        return loss * 2 if what == "loss" else loss, {**gradients, "w2": changed}

    workload = replace(small("tiny"), by_hand=wrong)
    with pytest.raises(DisagreementError, match="NumPy by hand"):
        measure(workload, [CONTENDERS["numpy"]], rounds=1, calls=1)


def test_what_is_allocated_is_counted_beyond_the_results():
    def call():
        working = np.ones(30_000)
        return working[0], {"x": working[:10_000] + 1}

    assert allocated(call) == pytest.approx(30_000 * 8, rel=0.02)


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_the_numbers(tmp_path, capsys):
    main(["tiny", "--quick", "--rounds=1", "--with", "numpy", "default", f"--out={tmp_path}"])
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(("  NumPy by hand", "  graphgrad, default"))]
    assert len(rows) == 2 and len({len(row) for row in rows}) == 1
    (path,) = tmp_path.iterdir()
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["machine"]["numpy"] == np.__version__
    assert [each["title"] for each in written["contenders"]] == ["NumPy by hand", "graphgrad, default"]
    assert all(each["median"] > 0 and each["allocated"] >= 0 for each in written["contenders"])


@pytest.mark.slow
def test_another_kernel_runs_in_a_process_of_its_own(tmp_path, capfd):
    main(["tiny", "--quick", "--rounds=1", "--calls=1", "--with", "numpy", "--kernel", "default", "Haswell",
          f"--out={tmp_path}"])  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny-Haswell.json", "tiny.json"]
    assert "kernels of OpenBLAS: Haswell" in capfd.readouterr().out


@pytest.mark.parametrize("wrong", [["nothing"], ["--with", "nobody"]])
def test_unknown_names_are_told(wrong, capsys):
    with pytest.raises(SystemExit):
        main(wrong)
    assert wrong[-1] in capsys.readouterr().err
