"""Time to first result: importing, compiling lesson 8, compiling chains of thousands of ops, and optimising graphs of
several shapes.

python -m benchmarks.compile_time [--level LEVEL] [--nodes N]
"""

import argparse
import gc
import importlib.util
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise

import graphgrad as gg
from benchmarks import machine
from benchmarks.contenders import CONTENDERS
from benchmarks.graphs import GRAPHS, of_size
from benchmarks.runner import seconds
from examples.lesson8 import lesson8
from graphgrad import pipeline
from graphgrad.autodiff.joint import differentiate
from graphgrad.core.collector import collector_paused
from graphgrad.define import define
from graphgrad.rewrite.passes import rewrite, stabilize

NODES = 50_000
RIVALS = ("torch", "jax", "autograd", "pytensor")


def seconds_alone(before, timed, repeat):
    """The median time of a statement in new processes, after another statement."""
    code = f"import time; {before}; start = time.perf_counter(); {timed}; print(time.perf_counter() - start)"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(repeat)]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


def import_seconds(repeat=9):
    """What `import graphgrad` adds to `import numpy`."""
    return seconds_alone("import numpy", "import graphgrad", repeat)


def first_result_seconds(key, repeat=3):
    """From `import numpy` to the first loss and gradients of lesson 8: import, build, compile, call."""
    before = "from benchmarks.contenders import CONTENDERS; from benchmarks.workloads import WORKLOADS"
    before += "; workload = WORKLOADS['lesson8'].sized({'rows': 64}); arrays = workload.arrays()"
    rest = seconds_alone(before, f"CONTENDERS[{key!r}].prepare(workload, arrays)()", repeat)
    return rest + (0 if key in RIVALS else import_seconds(repeat))


def lesson8_seconds(level, repeat=15):
    """From nothing to a compiled model; new leaves each time, so that no node is known from before."""

    def build():
        loss, parameters = lesson8()
        gg.compile(loss, wrt=parameters, name="lesson8", level=level)

    build()
    return statistics.median(seconds(build) for _ in range(repeat))


@contextmanager
def timed_stages(times):
    """Within: every stage that the pipeline calls adds its seconds to times."""
    stages = [
        name
        for name, value in vars(pipeline).items()
        if callable(value) and getattr(value, "__module__", "").startswith("graphgrad.")
    ]
    kept = {
        name: getattr(pipeline, name) for name in stages if name not in ("compile", "finish", "check_options")
    }

    def timed(name, stage):
        def call(*args, **kwargs):
            start = time.perf_counter()
            result = stage(*args, **kwargs)
            times[name] = times.get(name, 0.0) + time.perf_counter() - start
            return result

        return call

    for name, stage in kept.items():
        setattr(pipeline, name, timed(name, stage))
    try:
        yield
    finally:
        for name, stage in kept.items():
            setattr(pipeline, name, stage)


def chain_seconds(ops, level):
    """{stage: seconds} for a chain of that many ops, and for its gradient."""
    gc.collect()
    times = {}
    start = time.perf_counter()
    x = gg.input("x", ("n",))
    y = x
    for _ in range(ops // 2):
        y = gg.tanh(y + 0.01)
    loss = gg.sum(y)
    times["build"] = time.perf_counter() - start
    with timed_stages(times):
        times["compile"] = seconds(lambda: gg.compile(loss, wrt=x, level=level))
    return times


def optimising_seconds(kind, nodes, level):
    """What each stage up to rewriting takes of processor time, for a graph of about so many nodes; and how many it has.
    The emitted module is not looked at."""
    loss, wrt = of_size(kind, nodes)
    gc.collect()
    with collector_paused():
        defined, interface = define(loss, None, wrt, None, level, kind, False)
        marks = [time.process_time()]
        stable = stabilize(defined, level, interface.wrt)
        marks.append(time.process_time())
        joint = differentiate(stable, interface, True)
        marks.append(time.process_time())
        rewrite(joint, level)
        marks.append(time.process_time())
    took = [end - start for start, end in pairwise(marks)]
    return {
        "nodes": len(joint.nodes),
        **dict(zip(("stabilize", "differentiate", "rewrite"), took, strict=True)),
    }


def main(given=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile_time", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--level", default="default", choices=("plain", "default", "fast"), help="(%(default)s)"
    )
    parser.add_argument(
        "--nodes",
        type=int,
        default=NODES,
        help="ops in the longest chain, and nodes in each of the other graphs (%(default)s)",
    )
    options = parser.parse_args(given)
    level, lengths = options.level, (options.nodes // 4, options.nodes // 2, options.nodes)

    print(f"time to first result, level {level}")
    numbers = {"level": level, "import": import_seconds(), "lesson8": lesson8_seconds(level)}
    print(f"  import graphgrad, beyond numpy  {1e3 * numbers['import']:7.0f} ms")
    print(f"  lesson 8, defined and compiled  {1e3 * numbers['lesson8']:7.1f} ms")

    print("  lesson 8, from importing to the first gradients, for 64 rows")
    numbers["first result"] = {}
    for key in ("plain" if level == "plain" else "default", *filter(importlib.util.find_spec, RIVALS)):
        title = CONTENDERS[key].title
        numbers["first result"][title] = first_result_seconds(key)
        print(f"    {title:<29} {1e3 * numbers['first result'][title]:7.0f} ms")

    print(f"\n  a chain of ops, in seconds{'':<8}" + "".join(f"{ops:>10,}" for ops in lengths))
    chains = [chain_seconds(ops, level) for ops in lengths]
    for stage in (stage for stage, total in chains[-1].items() if total > 0.01):
        print(f"  {stage:<32}" + "".join(f"{times.get(stage, 0):10.2f}" for times in chains))
    growth = chains[-1]["compile"] / chains[0]["compile"] / (lengths[-1] / lengths[0])
    print(f"  four times the ops take {growth:.2f} x four times the time to compile")

    print(
        f"\n  graphs of {options.nodes:,} nodes with their gradients, optimised, in seconds of processor time"
    )
    print(f"  {'':<14}{'nodes':>8} {'stabilize':>10} {'differentiate':>14} {'rewrite':>8}")
    shapes = {}
    for kind in GRAPHS:
        shapes[kind] = took = optimising_seconds(kind, options.nodes, level)
        print(
            f"  {kind:<14}{took['nodes']:>8,} {took['stabilize']:>10.2f} {took['differentiate']:>14.2f} "
            f"{took['rewrite']:>8.2f}"
        )
    chains = dict(zip(map(str, lengths), chains, strict=True))
    print(f"  written to {machine.write('compile_time', {**numbers, 'chains': chains, 'shapes': shapes})}")


if __name__ == "__main__":
    main()
