"""What the numbers depend on, and where they are written."""

import importlib.metadata
import importlib.util
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path("build", "benchmarks")
PACKAGES = ("graphgrad", "torch", "jax", "autograd", "pytensor", "numba")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_THREAD_TIMEOUT")


def kernel() -> str:
    """The name of OpenBLAS's kernels that are asked for; "default" leaves the choice to it."""
    return os.environ.get("OPENBLAS_CORETYPE", "default")


def describe() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": processor(),
        "cores": cores,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "blas_kernel": {"asked for": kernel(), "in use": kernels_in_use()},
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "packages": {
            name: importlib.metadata.version(name) for name in PACKAGES if importlib.util.find_spec(name)
        },
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def kernels_in_use() -> list[str]:
    """What OpenBLAS says itself, if threadpoolctl is there to ask it."""
    if not importlib.util.find_spec("threadpoolctl"):
        return []
    from threadpoolctl import threadpool_info

    return [str(pool["architecture"]) for pool in threadpool_info() if "architecture" in pool]


def write(name: str, numbers: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write numbers with the machine's description; runs with other kernels stand beside the default one's."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (f"{name}.json" if kernel() == "default" else f"{name}-{kernel()}.json")
    path.write_text(json.dumps({"machine": describe(), **numbers}, indent=2) + "\n", encoding="utf-8")
    return path
