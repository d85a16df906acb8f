"""What docs/tutorials/lesson8.md shows of examples/lesson8/versions.py: its code, what is emitted for it, its pictures.

A comment before a block says what belongs in it:

    <!-- code: lin, relu -->                 those definitions of versions.py
    <!-- emitted: version_1, plain -->       the function that is emitted for a version at a level
    <!-- rules: version_1 -->                the rewriting rules that fired on it at level default
"""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import graphgrad as gg

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorials" / "lesson8.md"
VERSIONS = ROOT / "examples" / "lesson8" / "versions.py"
PICTURES = ROOT / "docs" / "pictures" / "lesson8"
BY_HAND = {"version_1", "version_3", "version_4", "version_5"}

BLOCK = re.compile(r"(<!-- (code|emitted|rules): (.*?) -->\n```\w+\n)(.*?)(```\n)", re.DOTALL)


@cache
def versions() -> ModuleType:
    """The module of the six versions; a folder of examples is no package."""
    spec = importlib.util.spec_from_file_location("versions", VERSIONS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code(names: str) -> str:
    """The source of some definitions of versions.py, as they stand there."""
    text = VERSIONS.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {node.name: node for node in ast.parse(text).body if hasattr(node, "name")}
    wanted = [found[name] for name in names.split(", ")]
    return "\n\n\n".join("\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in wanted) + "\n"


def emitted(arguments: str) -> str:
    """The function of the module that is emitted for a version: its loss and its gradients."""
    version, level = arguments.split(", ")
    source = compiled(version, level).source
    start = source.index("def forward(")
    end = re.compile(r"\n\n\ndef (_reference|selfcheck)\(").search(source, start).start()
    return source[start:end].rstrip() + "\n"


def rules(version: str) -> str:
    """The rules that fired, with the class of each and what became what, each kind once."""
    graph = compiled(version, "default").graph
    fired = [graph.rewriting.describe(one) for one in graph.rewriting.firings]
    return "".join(f"{line}\n" for line in dict.fromkeys(fired))


@cache
def compiled(version: str, level: str):
    loss, gradients = getattr(versions(), version)()
    return gg.compile([loss, *gradients.values()], level=level, name=version)


MADE = {"code": code, "emitted": emitted, "rules": rules}


def text() -> str:
    """The page with everything in it as it is now."""
    return BLOCK.sub(
        lambda match: match[1] + MADE[match[2]](match[3]) + match[5], PAGE.read_text(encoding="utf-8")
    )


def picture(version: str):
    """Forward and backward side by side; of gradients that were written by hand, all in one column."""
    loss, gradients = getattr(versions(), version)()
    title = version.replace("_", " ")
    if version in BY_HAND:
        return gg.draw([loss, *gradients.values()], backward=False, title=title)
    return gg.draw(loss, title=title)


def write() -> None:
    PAGE.write_text(text(), encoding="utf-8")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for build in versions().VERSIONS:
        picture(build.__name__).render(PICTURES / f"{build.__name__}.svg")
