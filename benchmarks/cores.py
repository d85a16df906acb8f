"""One core and two: level default on one thread and on two, and what this machine gives two processes.

python -m benchmarks.cores [workload ...] [--rounds N] [--calls N]

Two processes that share nothing are what two threads can be measured by: cores of a virtual machine may be the two
halves of one, and others may use them as well.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.contenders import CONTENDERS
from benchmarks.runner import seconds
from benchmarks.workloads import WORKLOADS

USUAL = ("lesson8", "lesson8_input", "chain")
REST = 0.25
"""Seconds before a block of calls, in which those of before come to rest."""


def prepared(name: str) -> Any:
    workload = WORKLOADS[name]
    return CONTENDERS["default"].prepare(workload, workload.arrays())


def on(threads: int, call: Any, calls: int) -> list[float]:
    """Seconds of calls on so many threads; a single one has BLAS on one as well."""
    os.environ["GRAPHGRAD_THREADS"] = str(threads)
    with threadpool_limits(1 if threads == 1 else None, "blas"):
        call()
        return [seconds(call) for _ in range(calls)]


def keep_busy(name: str, begin: Any, stop: Any) -> None:
    """What the other process does: the same calls on one thread, while it is told to."""
    call = prepared(name)
    on(1, call, 1)
    while not stop.is_set():
        if begin.is_set():
            on(1, call, 1)
        else:
            time.sleep(0.005)


@contextmanager
def other_process(name: str) -> Iterator[Any]:
    """An event that has another process compute as long as it is set."""
    context = multiprocessing.get_context("spawn")
    begin, stop = context.Event(), context.Event()
    process = context.Process(target=keep_busy, args=(name, begin, stop), daemon=True)
    process.start()
    try:
        yield begin
    finally:
        stop.set()
        process.join()


def compare(name: str, rounds: int, calls: int) -> dict[str, float]:
    """Medians in seconds, and how many times as much two threads and two processes do."""
    call = prepared(name)
    samples: dict[str, list[float]] = {"one": [], "two": [], "beside another": []}
    with other_process(name) as busy:
        for _ in range(rounds):
            for key, threads in (("one", 1), ("two", 2), ("beside another", 1)):
                if key == "beside another":
                    busy.set()
                time.sleep(REST)
                samples[key] += on(threads, call, calls)
                busy.clear()
    one, two, beside = (statistics.median(samples[key]) for key in samples)
    quickest = min(samples["one"]) / min(samples["two"])
    return {"one": one, "two": two, "threads": one / two, "quickest": quickest, "processes": 2 * one / beside}


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cores", description=__doc__.split("\n")[0])
    parser.add_argument(
        "workloads", nargs="*", metavar="workload", help=f"of {', '.join(WORKLOADS)} ({' '.join(USUAL)})"
    )
    parser.add_argument("--rounds", type=int, default=7, help="blocks of calls of each kind (7)")
    parser.add_argument("--calls", type=int, default=7, help="calls in a block (7)")
    options = parser.parse_args(given)
    found = {}
    print(f"{'':<16}{'1 thread':>12}{'2 threads':>12}{'ratio':>8}{'(quickest)':>12}{'2 processes':>13}")
    for name in options.workloads or USUAL:
        found[name] = one = compare(name, options.rounds, options.calls)
        print(
            f"{name:<16}{one['one'] * 1e3:>9.1f} ms{one['two'] * 1e3:>9.1f} ms{one['threads']:>8.2f}"
            f"{one['quickest']:>12.2f}{one['processes']:>13.2f}"
        )
    print(f"written to {machine.write('cores', found)}")


if __name__ == "__main__":
    main()
