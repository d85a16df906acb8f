"""Make again what the documentation shows: lesson 8's picture and emitted module, the list of rewriting rules, what the
compiler says that it did, the tutorial of its six versions, and the reference of functions from their docstrings.

python docs/refresh.py          (make golden does it, too)
"""

import contextlib
import io
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphgrad as gg  # noqa: E402
from docs import lesson8_page, ops_page  # noqa: E402
from examples.lesson8 import lesson8  # noqa: E402
from graphgrad.rewrite.passes import LOWERED, PASSES, REFINED, SAFE, STABLE  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "lesson8.svg"
REWRITES = ROOT / "docs" / "reference" / "rewrites.md"
PRINTED = [
    ROOT / "docs" / "how-to" / f"{name}.md"
    for name in ("see-what-the-compiler-did", "bound-memory-and-use-cores")
]
BLOCK = re.compile(r"(?<=<!-- made by docs/refresh.py -->\n```python\n).*?(?=```\n)", re.DOTALL)


def emitted():
    """What README.md shows of lesson 8: at level plain the module without its check of itself, at level default the
    arrays of a tile and the function that calling runs."""
    loss, parameters = lesson8()
    plain, default = (
        gg.compile(loss, wrt=parameters, name="lesson8", level=level).source for level in ("plain", "default")
    )
    tile = default[default.index("class _Tile:") : default.index("\n\n\ndef _") + 3]
    fused = default[default.index("def forward_and_backward(") : default.index("def forward(")]
    return [plain[: plain.index("\n\n\ndef selfcheck(")] + "\n", tile + fused.rstrip() + "\n"]


def rewrites():
    """The page that lists every rule."""
    lines = [
        "# Rewriting rules",
        "",
        "<!-- made by docs/refresh.py from the rules themselves -->",
        "",
        'What level "default" and level "fast" may take for what, pass by pass; level "plain" rewrites nothing. A rule',
        "fires where the whole graph gets cheaper by it: not where what it would do without is read elsewhere, too.",
        "",
        "| class | means | levels |",
        "|---|---|---|",
    ]
    meaning = {
        "exact": "the same bits",
        "rounding": "other roundings, as of sums in another order; nan and inf stay where they are, unless the last "
        "bit of a partial result decides whether it is finite; a sum, maximum or minimum that is 0 may have the other "
        "sign",
        "widening": "finite, or more accurate, where the written form overflows or cancels",
        "range": "right for fewer arguments, such as positive ones",
    }
    for safety, words in meaning.items():
        levels = ", ".join(level for level, used in SAFE.items() if safety in used)
        lines.append(f"| {safety} | {words} | {levels} |")
    repeated = [one for _, rules in PASSES for one in rules]
    once = tuple(one for one in STABLE if one not in repeated)
    lines += [
        "",
        "The rules of *stabilize* fire once, on the model as it was written and before it is differentiated, whatever",
        "they cost: the gradient of a form that neither overflows nor cancels does not either. Nodes that gradients",
        "are asked for, and what these need, stay as they are. Those of *refine* and of *lower* fire once, at the end.",
    ]
    for name, rules in (("stabilize", once), *PASSES, ("refine", REFINED), ("lower", LOWERED)):
        lines += ["", f"## {name}", "", "| rule | before | after | class |", "|---|---|---|---|"]
        lines += [f"| {one.name} | {code(one.before)} | {code(one.after)} | {one.safety} |" for one in rules]
    return "\n".join(lines) + "\n"


def code(text):
    """Expressions as code; what is said in words stays so."""
    return text if re.search(r"[a-z] [a-z]", text) else f"`{text}`"


def told(page):
    """A how-to page with what its blocks print, run as one file: each in the block of text below it."""
    text = page.read_text(encoding="utf-8")
    parts = re.findall(r"```python\n(.*?)```\n", text, re.DOTALL)
    outputs = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        script = Path(folder) / "model.py"
        script.write_text("".join(parts), encoding="utf-8")
        names, line = {"__name__": "__main__"}, 0
        for part in parts:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + part, str(script), "exec"), names)
            outputs.append(printed.getvalue())
            line += part.count("\n")
    following = iter(outputs)
    last = ""

    def fill(match):
        nonlocal last
        if match[1] == "python":
            last = next(following)
            return match[0]
        return f"```text\n{last}```\n"

    return re.sub(r"```(python|text)\n.*?```\n", fill, text, flags=re.DOTALL)


def main():
    ops_page.write()
    lesson8_page.write()
    loss, parameters = lesson8()
    PICTURE.parent.mkdir(exist_ok=True)
    gg.draw(loss, wrt=parameters, title="lesson 8").render(PICTURE)
    REWRITES.write_text(rewrites(), encoding="utf-8")
    for page in PRINTED:
        page.write_text(told(page), encoding="utf-8")
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    blocks = iter(emitted())
    page.write_text(BLOCK.sub(lambda _: next(blocks), text), encoding="utf-8")


if __name__ == "__main__":
    main()
