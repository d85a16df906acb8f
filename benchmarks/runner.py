"""Measuring: who agrees, how long a call takes, how long the first one took, and what a call allocates."""

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.contenders import Call, Contender, as_numpy
from benchmarks.workload import Arrays, Workload

SAMPLE = 0.002
"""Seconds that a sample takes at least: of quick calls, it is several."""


@dataclass
class Result:
    """What is known of one contender in one workload. Times are seconds a call."""

    title: str
    is_peer: bool
    first: float
    """From the model's definition to its first result, the library imported already."""
    error: float
    """The largest distance of a gradient from the float64 one, as a part of its norm."""
    median: float = 0.0
    quartiles: tuple[float, float] = (0.0, 0.0)
    allocated: int | None = None
    """Bytes at the peak of a call beyond its results, where tracemalloc can tell."""


class DisagreementError(AssertionError):
    """A contender computes something else, so its time means nothing."""


def measure(workload: Workload, contenders: Sequence[Contender], rounds: int, calls: int) -> list[Result]:
    """Every contender's result, in the order given; nothing is timed before all agree.

    Raises
    ------
    DisagreementError
        If a loss or gradient is farther from NumPy in float64 than the workload allows.
    """
    arrays = workload.arrays()
    expected = workload.expected(arrays)
    found: list[tuple[Call, Result]] = []
    for contender in contenders:
        __import__(contender.package)
        start = time.perf_counter()
        call = contender.prepare(workload, arrays)
        results = call()
        first = time.perf_counter() - start
        error = disagreement(workload, contender.title, as_numpy(workload, results), expected)
        found.append((call, Result(contender.title, contender.is_peer, first, error)))
    samples = in_blocks([call for call, _ in found], rounds, calls)
    for contender, (call, result), times in zip(contenders, found, samples, strict=True):
        low, result.median, high = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
        result.quartiles = (low, high)
        if contender.traced:
            result.allocated = allocated(call)
    return [result for _, result in found]


def disagreement(
    workload: Workload, title: str, found: tuple[np.ndarray, Arrays], expected: tuple[Any, Arrays]
) -> float:
    """The largest distance of a gradient from the expected one, as a part of its norm."""
    (loss, gradients), (right_loss, right) = found, expected
    if not np.isclose(loss, right_loss, rtol=1e-4):
        raise DisagreementError(f"{workload.name}: {title} finds the loss {loss} and not {right_loss}")
    worst = 0.0
    for name in workload.wrt:
        if gradients[name].shape != right[name].shape or gradients[name].dtype != np.float32:
            what = f"{gradients[name].dtype} {gradients[name].shape}"
            raise DisagreementError(f"{workload.name}: {title} gives {what} for the gradient by {name}")
        error = np.linalg.norm(gradients[name] - right[name]) / np.linalg.norm(right[name])
        if not error <= workload.tolerance:
            raise DisagreementError(
                f"{workload.name}: {title} is off by {error:.1e} in the gradient by {name}"
            )
        worst = max(worst, float(error))
    return worst


def in_blocks(calls_of: Sequence[Call], rounds: int, calls: int, rest: float = 0.25) -> list[list[float]]:
    """Samples of seconds a call for each contender.

    Workers of BLAS and OpenMP spin on for about 0.1 s after a call and take a core from whoever is next, so
    contenders run in blocks of calls, with a rest before each block, and not call by call in turn.
    """
    repeats = [repeats_for(call) for call in calls_of]
    samples: list[list[float]] = [[] for _ in calls_of]
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for call, number, times in zip(calls_of, repeats, samples, strict=True):
                time.sleep(rest)
                call()
                times += [seconds(call, number) for _ in range(calls)]
            gc.collect()
    finally:
        gc.enable()
    return samples


def repeats_for(call: Call) -> int:
    """How many calls make one sample."""
    call()
    return max(1, round(SAMPLE / max(min(seconds(call) for _ in range(3)), 1e-7)))


def seconds(call: Callable[[], Any], number: int = 1) -> float:
    """The time of one call, over a number of them."""
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number


def allocated(call: Call) -> int:
    """Bytes that a call in the steady state has at its peak, beyond its results."""
    tracemalloc.start()
    try:
        for _ in range(2):
            call()
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        loss, gradients = call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    listed = gradients.values() if isinstance(gradients, dict) else gradients
    return peak - before - sum(np.asarray(array).nbytes for array in (loss, *listed))


def table(workload: Workload, results: Sequence[Result]) -> str:
    """The results as aligned text."""
    base = next((result.median for result in results if result.title == "NumPy by hand"), None)
    best = min((result.median for result in results if result.is_peer), default=None)
    rows = [["", "ms", "spread", "x by hand", "x best peer", "first result", "allocates", "error"]]
    for result in results:
        low, high = result.quartiles
        rows.append([
            result.title,
            f"{1e3 * result.median:.{3 if result.median < 1e-3 else 1}f}",
            f"{(high - low) / result.median:.0%}",
            f"{result.median / base:.2f}" if base else "",
            f"{result.median / best:.2f}" if best else "",
            f"{result.first:.2f} s",
            "" if result.allocated is None else f"{result.allocated / 1e6:.3f} MB",
            f"{result.error:.0e}",
        ])  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([workload.headline, *(f"  {line.rstrip()}" for line in lines)])


def as_json(workload: Workload, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "headline": workload.headline,
        "sizes": dict(workload.sizes),
        "contenders": [asdict(result) for result in results],
    }
