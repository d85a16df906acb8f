"""The shape of the repository: sizes, the architecture page, what its text may say, the public names.

Who may import whom is checked by ``make layers``.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "graphgrad"

FILE_LIMIT = 400
FUNCTION_LIMIT = 50

# What is longer, and why: "graphgrad/file.py" or "graphgrad/file.py::Class.function" -> the reason.
LONG: dict[str, str] = {}


def functions_of(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
            yield from functions_of(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from functions_of(child, f"{prefix}{child.name}.")
        else:
            yield from functions_of(child, prefix)


def lines_of(function: ast.FunctionDef) -> int:
    """Lines from ``def`` to the end without the docstring: explaining more is not a smell."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


def too_long() -> dict[str, int]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT).as_posix()
        if (lines := len(source.splitlines())) > FILE_LIMIT:
            found[name] = lines
        for function, node in functions_of(ast.parse(source)):
            if (lines := lines_of(node)) > FUNCTION_LIMIT:
                found[f"{name}::{function}"] = lines
    return found


def test_files_and_functions_are_short_or_listed_with_a_reason():
    unexplained = {name: lines for name, lines in too_long().items() if name not in LONG}
    assert not unexplained, f"over {FILE_LIMIT} lines a file or {FUNCTION_LIMIT} a function: {unexplained}"


def test_list_of_long_files_and_functions_is_up_to_date():
    assert set(LONG) <= set(too_long()), "short enough by now: strike it from LONG"
    assert all(reason.strip() for reason in LONG.values())


def test_architecture_page_names_every_package():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*/*.py")}
    missing = sorted(name for name in packages if f"`{name}/`" not in page)
    assert not missing, f"docs/architecture.md does not say what these are for: {missing}"


def test_architecture_page_lists_the_stages_in_processing_order():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page[page.index("| stage |") : page.index("**Define and infer.**")]
    stages = ["`core/`", "`autodiff/`", "`plan/schedule.py`", "`plan/plan.py`", "`emit/`", "`run/`"]
    positions = [table.index(stage) for stage in stages]
    assert positions == sorted(positions)


# A file says what the thing is. Where it was made, with what and in which order belongs elsewhere.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.)}\]])/(?:work|root|home/\w+)/",
    "a number of the tracker": r"(?<![\w&/])#\d{1,2}\b(?!-)|\b[Ii]ssue #?\d{1,3}\b|\b(?:GH|PR)[- ]?#?\d+\b",
    "a tool it was made with": r"(?i)\b(?:claude|anthropic|chatgpt|copilot|co-authored-by)\b",
    "a tale of its making": (
        r"(?i)\b(?:this|previous|last|next|earlier|later|another) session\b|\bsession \d"
        r"|\b(?:sub|helper|coding|ai)[- ]?agents?\b"
    ),
}


def tracked_files() -> list[Path]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):  # an unpacked source archive
        tops = ("graphgrad", "tests", "docs", "examples", "benchmarks")
        return [path for top in tops for path in (ROOT / top).rglob("*.*") if "__pycache__" not in path.parts]
    return [ROOT / name for name in names.split("\0") if name]


def objections(text: str) -> list[tuple[int, str, str]]:
    return [
        (number, what, line.strip()[:100])
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if re.search(pattern, line)
    ]


def test_text_is_about_the_thing_and_not_about_its_making():
    found = []
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or an archive
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}:{number}: {what}: {line}" for number, what, line in objections(text)]
    assert not found, "\n".join(found)


def test_check_of_text_finds_what_it_should_and_passes_the_rest():
    wrong = ["see #12", "(#3)", "as in issue 3", "open('/work/x.py')", "in /root/.cache", "the last session"]
    right = [
        'fill = "#0072B2"',
        "color: #333;",
        "&#39;",
        f"{'{x:#06x}'}",
        "[how](#2-how)",
        "https://example.org/work/",
        "frame/work/x",
        "@pytest.fixture(scope='session')",
        "an interactive session",
        "onnxruntime.InferenceSession",
        "pytorch issue 34953",
        "the root of the graph",
    ]
    assert all(objections(line) for line in wrong), [line for line in wrong if not objections(line)]
    assert not any(objections(line) for line in right), [line for line in right if objections(line)]


def test_all_is_what_the_package_offers():
    import graphgrad as gg

    bound = {
        name
        for name, value in vars(gg).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert len(gg.__all__) == len(set(gg.__all__))
    assert bound <= set(gg.__all__), "public by accident"
    undocumented = [name for name in gg.__all__ if not name.startswith("_") and not getattr(gg, name).__doc__]
    assert not undocumented


def test_importing_loads_nothing_of_the_compiler():
    """The way to the first line of a model is short: planning and emitting load when something is compiled."""
    code = "import sys, graphgrad; print([name for name in sys.modules if name.startswith(PARTS)])".replace(
        "PARTS",
        "('graphgrad.plan', 'graphgrad.emit', 'graphgrad.rewrite', 'graphgrad.run', 'networkx', 'graphviz')",
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "[]"
