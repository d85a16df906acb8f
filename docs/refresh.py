"""Make again what the documentation is made of: the picture of lesson 8, its emitted module in README.md, and the
reference of functions from their docstrings.

python docs/refresh.py          (make golden does it, too)
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphgrad as gg  # noqa: E402
from docs import ops_page  # noqa: E402
from examples.lesson8 import lesson8  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "lesson8.svg"
BLOCK = re.compile(r"(?<=<!-- made by docs/refresh.py -->\n```python\n).*?(?=```\n)", re.DOTALL)


def emitted():
    """The module of lesson 8 at level plain, without its check of itself."""
    loss, parameters = lesson8()
    source = gg.compile(loss, wrt=parameters, name="lesson8", level="plain").source
    return source[: source.index("\n\n\ndef selfcheck(")] + "\n"


def main():
    ops_page.write()
    loss, parameters = lesson8()
    PICTURE.parent.mkdir(exist_ok=True)
    gg.draw(loss, wrt=parameters, title="lesson 8").render(PICTURE)
    page = ROOT / "README.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(BLOCK.sub(lambda _: emitted(), text, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
