"""How things are measured here: medians of blocks, with a rest before each."""

import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

RESULTS = Path("build", "benchmarks")


def seconds(call):
    """The time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_blocks(contenders, rounds=7, calls=7, rest=0.25):
    """Median seconds a call of each contender, {name: function}.

    Workers of BLAS and OpenMP spin on for about 0.1 s after a call and take a core from whoever is next, so
    contenders run in blocks of calls, with a rest before each block, and not call by call in turn.
    """
    times = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    for _ in range(rounds):
        for name, call in contenders.items():
            time.sleep(rest)
            times[name] += [seconds(call) for _ in range(calls)]
    return {name: statistics.median(each) for name, each in times.items()}


def machine():
    """What the numbers depend on."""
    import graphgrad

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "cores": cores,
        "processor": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "OPENBLAS_CORETYPE": os.environ.get("OPENBLAS_CORETYPE", "not set"),
        "graphgrad": graphgrad.__version__,
    }


def report(name, numbers):
    """Write the numbers, with the machine, to build/benchmarks/<name>.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **numbers}, indent=2) + "\n", encoding="utf-8")
    print(f"  written to {path}")
