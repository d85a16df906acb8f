"""The list of what emitted source may hold: it lets every emitted module pass, and nothing else."""

import inspect
import traceback

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.core.form import HELPERS
from graphgrad.emit import runtime
from graphgrad.run.allow import check

GOOD = '''"""A module."""
import numpy as np

table = np.array([1.0, 2.0], np.float32)


def forward(x):
    """Return y."""
    y = np.exp(x) * table
    return y


def backward(residuals, cotangent=1.0):
    total = np.zeros(3)
    for key, given in (("a", 1), ("b", 2)):
        if given is not None:
            total[0] += given
    return {"x": total}
'''


def test_what_emitted_modules_hold_passes():
    check(GOOD)


INSIDE = [
    "import os",
    "import numpy",
    "import numpy as np, os",
    "from os import system",
    "from pathlib import Path",
    "import numpy as np",
    "__import__('os')",
    "y = os.system('true')",
    "y = _team.pool",
    "y = sys.modules",
    "y = __import__('os').system('true')",
    "y = __builtins__",
    "eval('1')",
    "exec('1')",
    "compile('1', '', 'eval')",
    "y = open('file')",
    "print(x)",
    "input()",
    "breakpoint()",
    "y = globals()",
    "y = vars(x)",
    "y = getattr(x, 'dtype')",
    "setattr(np, 'exp', x)",
    "y = type(x)",
    "y = x.__class__",
    "y = x.__class__.__base__.__subclasses__()",
    "y = np.__loader__",
    "y = ().__class__",
    "y = ''.join(x)",
    "y = '{0.__class__}'.format(x)",
    "y = 'a'.format_map(x)",
    "y = '%s'.__mod__(x)",
    "y = f'{x.__class__}'",
    "y = f'{x.ctypes}'",
    "y = x.base",
    "y = x.data",
    "y = x.ctypes",
    "y = x.tobytes()",
    "x.tofile('file')",
    "x.dump('file')",
    "y = np.load('file')",
    "y = np.load('file', allow_pickle=True)",
    "_arrays = np.load('file')",
    "_arrays = dict(np.load('file', allow_pickle=True))",
    "np.save('file', x)",
    "np.savez('file', x)",
    "np.savetxt('file', x)",
    "y = np.fromfile('file')",
    "y = np.memmap('file')",
    "y = np.loadtxt('file')",
    "y = np.genfromtxt('file')",
    "y = np.fromregex('file', '', x)",
    "y = np.lib.format.open_memmap('file')",
    "y = np.ctypeslib.load_library('a', 'b')",
    "y = np.f2py",
    "y = np.testing.runstring('1', {})",
    "y = np.frompyfunc(forward, 1, 1)",
    "y = np.vectorize(forward)",
    "y = np.apply_along_axis(forward, 0, x)",
    "y = np.fromfunction(forward, (2,))",
    "y = np.lookfor('x')",
    "y = np.show_config()",
    "y = np.seterrcall(forward)",
    "y = np.dtype(object)",
    "y = np.object_",
    "y = np.random.mtrand",
    "y = np.random.__loader__",
    "y = np.linalg.linalg",
    "y = np.core",
    "np.exp = x",
    "del x",
    "global np",
    "nonlocal x",
    "y = lambda: 1",
    "class A: pass",
    "async def f(): pass",
    "with x: pass",
    "try:\n        pass\n    except Exception:\n        pass",
    "while True: pass",
    "yield x",
    "y = (z := 1)",
    "assert x",
    "match x:\n        case 1: pass",
    "@np.exp\n    def inner(): return 1",
    "def inner(a: int): return 1",
    "def inner() -> int: return 1",
    "len = x",
    "np = x",
    "Path = x",
    "isinstance = 3",
    "for np in x:\n        y = 1",
    "__builtins__ = x",
    "y__z = 1",
    "y = unknown",
    "y = __file__",
    "y = Path('x')",
    "y = [np for np in x]",
    "def inner(len): return 1",
    "def np(): return 1",
    "def __getattr__(name): return 1",
    "y = x.item().format",
    "y: int = 1",
    "y = *x, __name__",
    "raise SystemExit",
    "raise ValueError",
]


@pytest.mark.parametrize("statement", INSIDE)
def test_what_emitted_modules_never_hold_is_refused(statement):
    source = GOOD.replace("    y = np.exp(x) * table\n", f"    y = np.exp(x) * table\n    {statement}\n")
    with pytest.raises(gg.VerificationError, match="which it never should"):
        check(source)


OUTSIDE = [
    "import subprocess",
    "import os as o",
    "os.register_at_fork(before=print)",
    "class _Team:\n    def __init__(self):\n        self.lock = None",
    "_team = 1",
    "class _Tile:\n    def __init__(self, rows, empty=np.load):\n        self.x = empty((rows,), np.float32)",
    "class _Tile:\n    def __init__(self, rows, empty=np.empty):\n        self.x = rows.tofile('x')",
    "import numpy as numpy",
    "from numpy import exp",
    "from pathlib import Path as P",
    "from pathlib import *",
    "from . import x",
    "np.exp(1)",
    "for at in range(3):\n    x = at",
    "if True:\n    x = 1",
    "_arrays = dict(np.load(Path('/etc/passwd').with_suffix('.npz'), allow_pickle=False))",
    "_arrays = dict(np.load(Path(__file__).with_suffix('.npz'), allow_pickle=True))",
    "_arrays = dict(np.load(Path(__file__).with_suffix('.txt'), allow_pickle=False))",
    "_arrays = __file__",
    "other = dict(np.load(Path(__file__).with_suffix('.npz'), allow_pickle=False))",
    "x = open",
]


@pytest.mark.parametrize("statement", OUTSIDE)
def test_what_modules_never_hold_outside_of_functions_is_refused(statement):
    with pytest.raises(gg.VerificationError, match="which it never should"):
        check(GOOD + "\n\n" + statement + "\n")


def test_only_the_line_that_reads_the_modules_own_arrays_passes():
    line = '_arrays = dict(np.load(Path(__file__).with_suffix(".npz"), allow_pickle=False))'
    check(f"from pathlib import Path\nimport numpy as np\n{line}\ntable = _arrays['table']\n")


@pytest.mark.parametrize("name", sorted(HELPERS))
def test_a_function_written_by_hand_passes_to_the_letter(name):
    check(f"{GOOD}\n\n{HELPERS[name]}\n")
    with pytest.raises(gg.VerificationError, match="which it never should"):
        check(f"{GOOD}\n\n{HELPERS[name].rstrip()}\n    open('file')\n")


def test_models_of_every_kind_pass():
    x, w = gg.input("x", ("n", 3)), gg.param("w", (3, 80))
    table = gg.const(np.arange(240.0, dtype=np.float32).reshape(3, 80))
    hidden = gg.sigmoid(x @ (w * table))[1:, ::2]
    parts = {"loss": gg.mean(hidden), "hidden": gg.concatenate([hidden, hidden]), "flags": hidden > 0}
    gg.compile(parts, wrt=[w, x], updates={w: gg.at(w, 0).set(1.0)})


def tiled():
    x, w = gg.input("x", ("n", 50)), gg.param("w", (50, 50))
    return gg.compile(gg.mean(gg.tanh(x @ w) ** 2), wrt=[w])


def test_tiled_modules_end_with_the_source_of_the_loops_word_for_word():
    parts = "\n\n\n".join(runtime.text(name) for name in ("pool", "team", "tiles"))
    assert tiled().source.endswith(f"\n\n\n{parts}\n")


def test_they_have_the_lines_of_the_module():
    """They are compiled once for all modules."""
    model, other = tiled(), gg.compile(gg.sum(gg.exp(gg.input("x", ("n",)))))
    for one in (model, other):
        functions = [
            one._namespace["_by_tiles"],
            one._namespace["_Share"].compute,
            one._namespace["_Held"].cut,
        ]
        for function in functions:
            lines, first = inspect.getsourcelines(function)
            assert lines == one.source.splitlines(keepends=True)[first - 1 : first - 1 + len(lines)]
            assert lines[0].strip().startswith(f"def {function.__name__}(")
    with pytest.raises(AttributeError) as told:
        model._namespace["_wide"](None)
    *_, last = traceback.extract_tb(told.value.__traceback__)
    assert last.line.startswith("return part.astype(np.float64) if part.size")


@pytest.mark.parametrize(
    "change",
    [
        ("self.free = {}", "self.free = dict()"),
        ("library.set_num_threads(threads)", "library.set_num_threads(threads + 1)"),
        ("from threadpoolctl import ThreadpoolController", "from os import system as ThreadpoolController"),
        ("self.ended, threads, self.threads = True, self.threads, {}", "threads = {}"),
        ("_graphgrad_team_1", "_graphgrad_team_2"),
        ("range(self.first, self.last, self.rows)", "range(self.first, self.last)"),
        ("at_most=None,\n", "at_most=1,\n"),
        ("_pool = _Pool()", "_pool = _Team()"),
    ],
    ids=lambda change: change[0],
)
def test_a_change_in_them_is_refused(change):
    source = tiled().source
    assert change[0] in source
    check(source)
    with pytest.raises(gg.VerificationError):
        check(source.replace(*change))
