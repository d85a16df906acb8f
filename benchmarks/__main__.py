"""python -m benchmarks [workload ...] [--with contender ...] [--rounds N] [--quick] [--kernel NAME ...]"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.contenders import CONTENDERS
from benchmarks.runner import as_json, measure, table
from benchmarks.workloads import WORKLOADS

USUAL = ("lesson8", "lesson8_input")


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="One call's time and memory, next to NumPy by hand and what else is installed.",
    )
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="workload",
        help=f"all, or of {', '.join(WORKLOADS)} ({' '.join(USUAL)})",
    )
    parser.add_argument(
        "--with", nargs="+", dest="contenders", choices=CONTENDERS, metavar="contender",
        help=f"of {', '.join(CONTENDERS)} (whatever is installed)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7, help="blocks of calls for each contender (7)")
    parser.add_argument("--calls", type=int, default=7, help="samples in a block (7)")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and two rounds: does it run?")
    parser.add_argument(
        "--kernel", nargs="+", metavar="NAME",
        help="repeat everything in a new process for each of these kernels of OpenBLAS: default, Haswell, SkylakeX ...",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="where the JSON goes (%(default)s)")
    options = parser.parse_args(given)
    unknown = [name for name in options.workloads if name not in {*WORKLOADS, "all"}]
    if unknown:
        parser.error(f"no workload {unknown[0]}; there are {', '.join(WORKLOADS)}, and all")
    missing = [key for key in options.contenders or () if not CONTENDERS[key].is_installed]
    if missing:
        parser.error(f"{CONTENDERS[missing[0]].package} is not installed; make bench installs it")
    return options


def in_new_process(kernel: str, options: argparse.Namespace) -> None:
    """The same once more with other kernels: OpenBLAS reads the environment when NumPy is imported."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    if kernel != "default":
        environment["OPENBLAS_CORETYPE"] = kernel
    command = [sys.executable, "-m", "benchmarks", *options.workloads, f"--rounds={options.rounds}"]
    command += [f"--calls={options.calls}", f"--out={options.out}", *["--quick"] * options.quick]
    command += ["--with", *options.contenders] if options.contenders else []
    subprocess.run(command, env=environment, check=True)


def main(given: Sequence[str] | None = None) -> None:
    options = arguments(given)
    if options.kernel:
        for kernel in options.kernel:
            in_new_process(kernel, options)
        return
    names = WORKLOADS if "all" in options.workloads else options.workloads or USUAL
    contenders = [CONTENDERS[key] for key in options.contenders or CONTENDERS if CONTENDERS[key].is_installed]
    rounds = min(options.rounds, 2) if options.quick else options.rounds
    print(f"kernels of OpenBLAS: {machine.kernel()} ({', '.join(machine.kernels_in_use()) or 'unknown'})\n")
    for name in names:
        workload = WORKLOADS[name].sized(WORKLOADS[name].quick if options.quick else {})
        results = measure(workload, contenders, rounds, options.calls)
        print(table(workload, results))
        print(f"  written to {machine.write(name, as_json(workload, results), options.out)}\n", flush=True)


if __name__ == "__main__":
    main()
