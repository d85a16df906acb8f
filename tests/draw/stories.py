"""Stories written by hand, to be laid out and looked at."""

from __future__ import annotations

from graphgrad.draw.story import Kept, Leaf, Result, Step, Story

F, T = False, True


def lesson8() -> Story:
    """The lesson-8 network: two layers and a mean squared error."""
    leaves = (
        Leaf("x", "x", "input", "batch×784", None),
        Leaf("y", "y", "input", "batch", None),
        Leaf("w1", "w1", "param", "784×50", 39_200, ("∂loss/∂w1",)),
        Leaf("b1", "b1", "param", "50", 50, ("∂loss/∂b1",)),
        Leaf("w2", "w2", "param", "50×1", 50, ("∂loss/∂w2",)),
        Leaf("b2", "b2", "param", "1", 1, ("∂loss/∂b2",)),
    )
    steps = (
        Step(
            "x_w1",
            "matmul",
            ("hidden",),
            ("x_w1 = x @ w1",),
            ("x", "w1"),
            (F, T),
            "batch×50",
            None,
            backward_lines=("d_w1 = x.T @ d_l1",),
            rule="∂B = Aᵀ·G",
            uses=(Kept("x", ""),),
            name="x_w1",
        ),
        Step(
            "l1",
            "add",
            ("hidden",),
            ("l1 = x_w1 + b1",),
            ("x_w1", "b1"),
            (T, T),
            "batch×50",
            None,
            backward_lines=("d_b1 = np.sum(d_l1, axis=0)",),
            passes=("d_x_w1 = d_l1",),
            rule="G flows on; b1 was broadcast over the batch",
            name="l1",
        ),
        Step(
            "l2",
            "maximum",
            ("hidden",),
            ("l2 = np.maximum(l1, 0)",),
            ("l1",),
            (T,),
            "batch×50",
            None,
            backward_lines=("d_l1 = d_l2 * (l1 > 0)",),
            rule="where l1 won",
            keeps=(Kept("l1", "200·batch B"),),
            name="l2",
        ),
        Step(
            "l2_w2",
            "matmul",
            ("output",),
            ("l2_w2 = l2 @ w2",),
            ("l2", "w2"),
            (T, T),
            "batch×1",
            None,
            backward_lines=("d_l2 = d_out @ w2.T", "d_w2 = l2.T @ d_out"),
            rule="∂A = G·Bᵀ   ∂B = Aᵀ·G",
            keeps=(Kept("l2", "200·batch B"),),
            uses=(Kept("w2", ""),),
            name="l2_w2",
        ),
        Step(
            "out",
            "add",
            ("output",),
            ("out = l2_w2 + b2",),
            ("l2_w2", "b2"),
            (T, T),
            "batch×1",
            None,
            backward_lines=("d_b2 = np.sum(d_out, axis=0)",),
            passes=("d_l2_w2 = d_out",),
            rule="G flows on; b2 was broadcast over the batch",
            name="out",
        ),
        Step(
            "column",
            "index",
            (),
            (),
            ("out",),
            (T,),
            "batch",
            None,
            backward_lines=("d_out = d_error[:, None]",),
            rule="flows back into column 0",
        ),
        Step(
            "error",
            "subtract",
            (),
            ("error = out[:, 0] - y",),
            ("column", "y"),
            (T, F),
            "batch",
            None,
            passes=("d_column = d_error",),
            rule="G flows through",
            name="error",
        ),
        Step(
            "squared",
            "square",
            (),
            ("squared = np.square(error)",),
            ("error",),
            (T,),
            "batch",
            None,
            backward_lines=("d_error = d_squared * 2 * error",),
            rule="2a ⊙ G",
            keeps=(Kept("error", "4·batch B"),),
            name="squared",
        ),
        Step(
            "loss",
            "mean",
            (),
            ("loss = np.mean(squared)",),
            ("squared",),
            (T,),
            "",
            1,
            backward_lines=("d_squared = d_loss / batch",),
            rule="each row's share, 1 / batch",
            name="loss",
        ),
    )
    return Story(
        "lesson8",
        leaves,
        steps,
        (Result("loss", "loss", "seed ∂loss/∂loss = 1"),),
        (
            "39,301 parameters",
            "forward 9 ops",
            "backward 8 lines",
            "keeps 404·batch B of activations",
            "float32",
        ),
    )


def _matmul(out: str, a: str, b: str, scope: str, into: str, shape: str, data: bool = False) -> Step:
    lines = (
        (f"d_{b} = {a}.T @ d_{into}",)
        if data
        else (f"d_{a}_{out} = d_{into} @ {b}.T", f"d_{b} = {a}.T @ d_{into}")
    )
    keeps = () if data else (Kept(a, "8.0 KB"),)
    uses = (Kept(a, ""),) if data else (Kept(b, ""),)
    rule = "∂B = Aᵀ·G" if data else "∂A = G·Bᵀ   ∂B = Aᵀ·G"
    return Step(
        out,
        "matmul",
        (scope,),
        (f"{out} = {a} @ {b}",),
        (a, b),
        (not data, T),
        shape,
        2048,
        backward_lines=lines,
        rule=rule,
        keeps=keeps,
        uses=uses,
        name=out,
    )


def gated() -> Story:
    """A gate, a residual block, a head: branches that join, and an edge that passes three rows."""
    shapes = {"wv": "64×64", "wg": "64×64", "w1": "64×64", "b1": "64", "w2": "64×8"}
    leaves = (
        Leaf("x", "x", "input", "32×64", 2048),
        *(Leaf(n, n, "param", s, 4096 if "×" in s else 64, (f"∂loss/∂{n}",)) for n, s in shapes.items()),
        Leaf("t", "t", "input", "32×8", 256),
    )
    e = "32×64"
    steps = (
        _matmul("v0", "x", "wv", "gate", "v0", e, True),
        _matmul("q0", "x", "wg", "gate", "q0", e, True),
        Step(
            "v",
            "tanh",
            ("gate",),
            ("v = np.tanh(v0)",),
            ("v0",),
            (T,),
            e,
            2048,
            backward_lines=("d_v0 = d_v * (1 - v*v)",),
            rule="G ⊙ (1 − out²)",
            keeps=(Kept("v", "8.0 KB"),),
        ),
        Step(
            "q",
            "sigmoid",
            ("gate",),
            ("q = 1 / (1 + np.exp(-q0))",),
            ("q0",),
            (T,),
            e,
            2048,
            backward_lines=("d_q0 = d_q * q * (1 - q)",),
            rule="G ⊙ out(1 − out)",
            keeps=(Kept("q", "8.0 KB"),),
        ),
        Step(
            "u",
            "multiply",
            ("gate",),
            ("u = v * q",),
            ("v", "q"),
            (T, T),
            e,
            2048,
            backward_lines=("d_u = d_r1 + d_u_z1", "d_v = d_u * q", "d_q = d_u * v"),
            rule="G ⊙ the other factor",
            keeps=(Kept("q", "8.0 KB"), Kept("v", "8.0 KB")),
        ),
        _matmul("z1", "u", "w1", "block", "a1", e),
        Step(
            "a1",
            "add",
            ("block",),
            ("a1 = z1 + b1",),
            ("z1", "b1"),
            (T, T),
            e,
            2048,
            backward_lines=("d_b1 = np.sum(d_a1, axis=0)",),
            passes=("d_z1 = d_a1",),
            rule="G flows on; b1 was broadcast over the batch",
        ),
        Step(
            "h1",
            "maximum",
            ("block",),
            ("h1 = np.maximum(a1, 0)",),
            ("a1",),
            (T,),
            e,
            2048,
            backward_lines=("d_a1 = d_r1 * (h1 > 0)",),
            rule="where a1 won",
            keeps=(Kept("h1", "8.0 KB"),),
        ),
        Step(
            "r1",
            "add",
            ("block",),
            ("r1 = h1 + u",),
            ("h1", "u"),
            (T, T),
            e,
            2048,
            passes=("d_h1 = d_r1", "d_u_r1 = d_r1"),
            rule="G flows to both",
        ),
        _matmul("p", "r1", "w2", "head", "e", "32×8"),
        Step(
            "e",
            "subtract",
            ("mse",),
            ("e = p - t",),
            ("p", "t"),
            (T, F),
            "32×8",
            256,
            passes=("d_p = d_e",),
            rule="G flows through",
        ),
        Step(
            "s",
            "square",
            ("mse",),
            ("s = np.square(e)",),
            ("e",),
            (T,),
            "32×8",
            256,
            backward_lines=("d_e = d_s * 2 * e",),
            rule="2a ⊙ G",
            keeps=(Kept("e", "1.0 KB"),),
        ),
        Step(
            "loss",
            "mean",
            ("mse",),
            ("loss = np.mean(s)",),
            ("s",),
            (T,),
            "",
            1,
            backward_lines=("d_s = np.full((32, 8), d_loss / 256)",),
            rule="G / n",
        ),
    )
    return Story(
        "gated residual block",
        leaves,
        steps,
        (Result("loss", "loss", "seed ∂loss/∂loss = 1"),),
        ("12,864 parameters", "forward 13 ops", "backward 16 lines", "keeps 41 KB of activations", "float32"),
    )


def several_results() -> Story:
    """A variance from scratch: x * x, the gradient of an intermediate, results in the middle."""
    leaves = (
        Leaf("x", "x", "input", "n×8", None, ("∂variance/∂x",)),
        Leaf("scale", "scale", "param", "8", 8, ("∂variance/∂scale",)),
        Leaf("count", "count", "state", "", 1),
    )
    steps = (
        Step(
            "xs",
            "multiply",
            ("prepare",),
            ("xs = x * scale",),
            ("x", "scale"),
            (T, T),
            "n×8",
            None,
            backward_lines=("d_x = d_xs * scale", "d_scale = np.sum(d_xs * x, axis=0)"),
            uses=(Kept("x", ""),),
            keeps=(),
            rule="G ⊙ the other factor",
        ),
        Step(
            "mean",
            "mean",
            ("moments",),
            ("mean = np.mean(xs, axis=0)",),
            ("xs",),
            (T,),
            "8",
            8,
            backward_lines=("d_xs_mean = np.broadcast_to(d_mean / n, xs.shape)",),
            rule="G / n",
        ),
        Step(
            "c",
            "subtract",
            ("moments",),
            ("c = xs - mean",),
            ("xs", "mean"),
            (T, T),
            "n×8",
            None,
            backward_lines=("d_xs = d_c + d_xs_mean", "d_mean = -np.sum(d_c, axis=0)"),
            rule="G flows on",
            gradient=("∂variance/∂c",),
        ),
        Step(
            "sq",
            "multiply",
            ("moments",),
            ("sq = c * c",),
            ("c", "c"),
            (T, T),
            "n×8",
            None,
            backward_lines=("d_c = 2 * c * d_sq",),
            rule="G ⊙ the other factor",
            keeps=(Kept("c", "32·n B"),),
        ),
        Step(
            "var",
            "sum",
            ("moments",),
            ("variance = np.sum(sq) / count",),
            ("sq", "count"),
            (T, F),
            "",
            1,
            backward_lines=("d_sq = np.broadcast_to(d_variance / count, sq.shape)",),
            rule="G to every element",
            uses=(Kept("count", ""),),
        ),
        Step(
            "top", "argmax", (), ("top = np.argmax(c, axis=1)",), ("c",), (F,), "n", None, has_backward=False
        ),
    )
    results = (
        Result("mean", "mean"),
        Result("var", "variance", "seed ∂variance/∂variance = 1"),
        Result("top", "top"),
    )
    return Story("moments", leaves, steps, results, ("8 parameters", "forward 6 ops", "float32"))


def attention() -> Story:
    """Three branches, nested layers, a tied weight, a mask read late, and a long residual edge."""
    leaves = (
        Leaf("x", "x", "input", "n×64", None),
        Leaf("mask", "mask", "input", "n×n", None),
        *(Leaf(n, n, "param", "64×64", 4096, (f"∂loss/∂{n}",)) for n in ("wq", "wk", "wv", "wo")),
    )
    at = ("encoder", "attention")

    def step(
        key: str,
        op: str,
        line: str,
        inputs: tuple[str, ...],
        back: str,
        scope: tuple[str, ...] = at,
        **more: object,
    ) -> Step:
        flows = tuple(name not in ("x", "mask") for name in inputs)
        return Step(key, op, scope, (line,), inputs, flows, "n×64", None, backward_lines=(back,), **more)

    steps = (
        step(
            "e",
            "matmul",
            "e = x @ wo",
            ("x", "wo"),
            "d_wo = d_wo_o + x.T @ d_e",
            ("encoder", "embed"),
            uses=(Kept("x", ""),),
        ),
        step("q", "matmul", "q = e @ wq", ("e", "wq"), "d_wq = e.T @ d_q", keeps=(Kept("e", "256·n B"),)),
        step("k", "matmul", "k = e @ wk", ("e", "wk"), "d_wk = e.T @ d_k", keeps=(Kept("e", "256·n B"),)),
        step("v", "matmul", "v = e @ wv", ("e", "wv"), "d_wv = e.T @ d_v", keeps=(Kept("e", "256·n B"),)),
        step(
            "s",
            "matmul",
            "s = q @ k.T",
            ("q", "k"),
            "d_q = d_s @ k",
            keeps=(Kept("q", "256·n B"), Kept("k", "256·n B")),
        ),
        step("m", "add", "m = s + mask", ("s", "mask"), "d_s = d_m * 0.125"),
        step(
            "p",
            "softmax",
            "p = softmax(m)",
            ("m",),
            "d_m = p * (d_p - np.sum(d_p * p, axis=-1, keepdims=True))",
            keeps=(Kept("p", "4·n² B"),),
        ),
        step(
            "a",
            "matmul",
            "a = p @ v",
            ("p", "v"),
            "d_v = p.T @ d_a",
            keeps=(Kept("p", "4·n² B"), Kept("v", "256·n B")),
        ),
        step(
            "o",
            "matmul",
            "o = a @ wo",
            ("a", "wo"),
            "d_wo_o = a.T @ d_o",
            ("encoder",),
            keeps=(Kept("a", "256·n B"),),
        ),
        step(
            "r",
            "add",
            "r = e + o",
            ("e", "o"),
            "d_e = d_r + d_q @ wq.T + d_k @ wk.T + d_v @ wv.T",
            ("encoder",),
        ),
        step(
            "loss",
            "mean",
            "loss = np.mean(r)",
            ("r",),
            "d_r = np.broadcast_to(d_loss / (64 * n), r.shape)",
            (),
        ),
    )
    return Story(
        "attention", leaves, steps, (Result("loss", "loss", "seed ∂loss/∂loss = 1"),), ("16,384 parameters",)
    )


def single() -> Story:
    """One op, nothing differentiated."""
    x = Leaf("x", "x", "input", "3", 3)
    y = Step("y", "exp", (), ("y = np.exp(x)",), ("x",), (T,), "3", 3, has_backward=False, name="y")
    return Story("exp", (x,), (y,), (Result("y", "y"),))


WEIRD = (
    "a -> b",
    "<b>x</b>",
    "{x|y}",
    'say "hi"',
    "R&D &amp; &#65;",
    "two\nlines",
    "😀 smile 👩‍👩‍👧",
    "n" * 500,
    "back\\slash\\N\\",
    "  ",
    "日本語の名前",
    "\u202egnp.exe",
    "e\u0301te\u0301",
    "\ud800",
    "%s %d {0}",
    "]]>",
    "<!-- -->",
    "a;b",
    "node",
)


def weird() -> Story:
    """Every name, layer, line and title is something that a format reads as its own."""
    leaves = tuple(
        Leaf(f"w:{n}", name, "param", name[:20], 10, (f"∂loss/∂{name}",)) for n, name in enumerate(WEIRD)
    )
    steps = []
    for n, name in enumerate(WEIRD):
        steps.append(
            Step(
                f"k:{name}",
                name,
                (name, f"in {name}"),
                (f"{n} {name}",),
                (f"w:{n}", *((f"k:{WEIRD[n - 1]}",) if n else ())),
                (T, T)[: 1 + bool(n)],
                name,
                5,
                backward_lines=(f"back {n} {name}",),
                passes=(name,),
                rule=name,
                keeps=(Kept(name, name),),
            )
        )
    last = f"k:{WEIRD[-1]}"
    return Story("".join(WEIRD), leaves, tuple(steps), (Result(last, WEIRD[1], WEIRD[0]),), WEIRD, WEIRD)


def tower(blocks: int) -> Story:
    """Many residual blocks, one below the other."""
    leaves = [Leaf("x", "x", "input", "32×64", 2048)]
    steps: list[Step] = []
    before = "x"
    for n in range(blocks):
        leaves.append(Leaf(f"w{n}", f"w{n}", "param", "64×64", 4096, (f"∂loss/∂w{n}",)))
        steps.append(_matmul(f"z{n}", before, f"w{n}", f"block{n}", f"z{n}", "32×64", before == "x"))
        steps.append(
            Step(
                f"h{n}",
                "tanh",
                (f"block{n}",),
                (f"h{n} = np.tanh(z{n})",),
                (f"z{n}",),
                (T,),
                "32×64",
                2048,
                backward_lines=(f"d_z{n} = d_h{n} * (1 - h{n} * h{n})",),
                keeps=(Kept(f"h{n}", "8 KB"),),
            )
        )
        steps.append(
            Step(
                f"r{n}",
                "add",
                (f"block{n}",),
                (f"r{n} = h{n} + {before}",),
                (f"h{n}", before),
                (T, n > 0),
                "32×64",
                2048,
                passes=(f"d_h{n} = d_r{n}",),
            )
        )
        before = f"r{n}"
    return Story("tower", tuple(leaves), tuple(steps), (Result(before, "out"),))
