"""ONNX's own cases of its elementwise, reducing and moving operators, through the compiler.

A case passes, or is refused with an error and listed here with the reason; a wrong result is neither.
"""

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

import graphgrad as gg
from tests.oracles.onnx_adapter import FAMILIES, OUTSIDE, ROWS, Case, load_cases, run

pytestmark = pytest.mark.slow

PASSING = 465
"""How many cases with floats must pass; and with those of integers and booleans:"""
PASSING_IN_ALL = 672

REFUSED = {
    "test_reduce_log_sum_exp_empty_set": "NumPy has no largest of nothing, to shift by",
    "test_reduce_max_empty_set": "NumPy has no largest of nothing",
    "test_reduce_max_empty_set_bool": "NumPy has no largest of nothing",
    "test_reduce_min_empty_set": "NumPy has no smallest of nothing",
}
"""Cases that graphgrad refuses with an error, beside those with dtypes that NumPy does not have."""

NOT_YET = ("module 'graphgrad",)
"""What an error says where a function that a row names does not exist."""

_TOLERANCES = {
    np.dtype(np.float16): (2e-3, 1e-3),
    np.dtype(np.float32): (2e-6, 1e-6),
    np.dtype(np.float64): (1e-12, 1e-12),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    case: Case
    verdict: str  # "passed", "refused", "outside", "not yet" or "wrong"
    words: str = ""


def dtype_of(value: object) -> np.dtype:
    return getattr(value, "dtype", np.dtype(float))


def is_foreign(case: Case) -> bool:
    """Whether a dtype is none of NumPy's: bfloat16, float8, int4 and the like."""
    return any(dtype_of(value).isbuiltin == 2 for value in (*case.inputs, *case.outputs))


def verdict_of(case: Case, level: str = "default") -> Outcome:
    if case.operator in OUTSIDE:
        return Outcome(case, "outside", OUTSIDE[case.operator])
    if any(isinstance(value, list) or dtype_of(value).kind == "O" for value in (*case.inputs, *case.outputs)):
        return Outcome(case, "outside", "sequences, optional values and text are no arrays of numbers")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = run(case, level)
    except (gg.GraphgradError, AttributeError) as error:
        words = str(error).partition("\n")[0]
        if any(missing in words for missing in NOT_YET):
            return Outcome(case, "not yet", words)
        if isinstance(error, AttributeError):
            raise
        return Outcome(case, "refused", f"{type(error).__name__}: {words}")
    try:
        assert len(found) == len(case.outputs)
        for value, expected in zip(found, case.outputs, strict=True):
            assert np.asarray(value).dtype == expected.dtype
            rtol, atol = _TOLERANCES.get(expected.dtype, (0, 0))
            np.testing.assert_allclose(value, expected, rtol=rtol, atol=atol)
    except AssertionError as error:
        return Outcome(case, "wrong", str(error))
    return Outcome(case, "passed")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What became of every case, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ONNX divides by zero on purpose
        cases = load_cases()
    return {case.name: verdict_of(case) for case in cases}


@pytest.mark.parametrize("operator", sorted({**ROWS, **OUTSIDE}))
def test_operator_gives_what_onnx_expects_or_refuses(operator, outcomes):
    own = [outcome for outcome in outcomes.values() if outcome.case.operator == operator]
    assert own, "ONNX has no case of it"
    wrong = [f"{one.case.name}: {one.words}" for one in own if one.verdict == "wrong"]
    assert not wrong, "\n".join(wrong)
    unlisted = {
        one.case.name: one.words
        for one in own
        if one.verdict == "refused" and one.case.name not in REFUSED and not is_foreign(one.case)
    }
    assert not unlisted
    missing = sorted({one.words for one in own if one.verdict == "not yet"})
    if missing:
        pytest.skip(f"not yet: {', '.join(missing)}")


def test_refused_cases_are_listed_and_no_others(outcomes):
    strange = sorted(name for name in REFUSED if name not in outcomes)
    assert not strange, f"no case of ONNX: {strange}"
    solved = sorted(name for name in REFUSED if outcomes[name].verdict == "passed")
    assert not solved, f"these pass by now: {solved}"
    assert all(reason.strip() for reason in REFUSED.values())


def test_as_many_pass_as_ever(outcomes):
    floats = [one for one in outcomes.values() if one.case.is_float]
    print(f"\nONNX {'':>16}{'float cases: passed of all':>30}{'all cases: passed of all':>30}")
    for family, rows in FAMILIES.items():
        for label, chosen in [(family.upper(), rows), *((name, {name: row}) for name, row in rows.items())]:
            own = [one for one in outcomes.values() if one.case.operator in chosen]
            shown = [
                f"{sum(one.verdict == 'passed' for one in part)} of {len(part)}"
                for part in ([one for one in own if one.case.is_float], own)
            ]
            print(f"{label:<28}{shown[0]:>23}{shown[1]:>30}")
    verdicts = Counter(one.verdict for one in floats)
    everywhere = Counter(one.verdict for one in outcomes.values())
    print(f"of {len(floats)} with floats: {dict(verdicts)}; of {len(outcomes)}: {dict(everywhere)}")
    missing = Counter(one.words for one in outcomes.values() if one.verdict == "not yet")
    print("not yet:", dict(missing.most_common()))
    assert verdicts["passed"] >= PASSING, "cases that passed do not any more"
    assert everywhere["passed"] >= PASSING_IN_ALL


def test_plain_level_gives_the_same(outcomes):
    """One case of each operator."""
    first = {one.case.operator: one.case for one in reversed(outcomes.values()) if one.verdict == "passed"}
    wrong = [case.name for case in first.values() if verdict_of(case, "plain").verdict != "passed"]
    assert not wrong
