"""What every test may use: golden files, and the two profiles of the property tests.

Warnings are errors; the exceptions stand with their reasons in pyproject.toml.
"""

import difflib
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

GOLDEN = Path(__file__).parent / "golden"
_FEW = 2

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # its code runs once or twice

import_module("graphgrad.pipeline")  # or the first compile loads it, where a test may have changed a constant

# "default" repeats itself exactly, so that a failure of the suite is a failure of the change under test.
settings.register_profile("default", derandomize=True, max_examples=25, deadline=None, database=None)
settings.register_profile(
    "fuzz",
    max_examples=10_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("default")  # --hypothesis-profile, if given, is loaded after this


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what is emitted now into tests/golden"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    cases: dict[str, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: item.nodeid):
        if "golden" in getattr(item, "fixturenames", ()):
            item.add_marker("golden")
        cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    # what takes a minute is begun first, or one worker would wait for the other in the end
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
    for same in cases.values():  # the fast suite runs a few cases of each test, from all over their list
        kept = {len(same) * at // _FEW for at in range(_FEW)}
        for at, item in enumerate(same):
            if at not in kept:
                item.add_marker("slow")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], Path]:
    """``golden(name, text)`` compares text with ``tests/golden/<name>`` and returns that file's path.

    A golden ``.py`` file is a real module: it has to compile, and the test that made it may import it.
    """

    def check(name: str, text: str) -> Path:
        path = GOLDEN / name
        if path.suffix == ".py":
            compile(text, str(path), "exec")
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return path
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != expected:
            diff = difflib.unified_diff(
                expected.splitlines(keepends=True),
                text.splitlines(keepends=True),
                fromfile=f"tests/golden/{name}" if path.exists() else "no such file yet",
                tofile="emitted now",
            )
            pytest.fail(
                f"tests/golden/{name} differs from what is emitted now. If the change is meant, run\n"
                f"    make golden\nand read the diff before committing it.\n\n{''.join(diff)}",
                pytrace=False,
            )
        return path

    return check


@pytest.fixture
def own_ops() -> Iterator[None]:
    """Within: ops may be defined; afterwards they are forgotten."""
    from graphgrad.core import op
    from tests.ops import checks

    tables = (op._registry, op._functions, checks.PLAIN)
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before, strict=True):
        table.clear()
        table.update(kept)
