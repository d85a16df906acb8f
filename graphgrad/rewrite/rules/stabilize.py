"""Forms that overflow or cancel where another form of the same function does not.

They fire once, before differentiation, whatever it costs: the gradient of the better form is the better gradient. So
the right sides here are not looked at again, and have to be what is meant.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

from graphgrad.core.node import Node
from graphgrad.ops.leaf import scalar_value
from graphgrad.rewrite.pattern import abs, exp, log, op, power, sigmoid, square
from graphgrad.rewrite.rule import Declined, Found, Outcome, Rule, rule
from graphgrad.rewrite.rules import centered, entropy, shifted

expm1, log1p, logaddexp = op("expm1"), op("log1p"), op("logaddexp")
reciprocal, tanh = op("reciprocal"), op("tanh")


_MOST = 64
"""So many additions and exponentials of a sum are looked at."""


# ---- logarithms of powers ----


def _no_even_power(x: Node, n: Node) -> Declined | None:
    value = scalar_value(n)
    if value is not None and value > 0 and value % 2 == 0:
        return None
    return Declined(
        "the exponent is no even number: negative powers that underflow are 0, and its logarithm no nan"
    )


def _scaled_log(x: Node, n: Node) -> Node:
    node: Node = log(abs(x)) * (scalar_value(n) or 0)
    return node


def _never_overflows(x: Node) -> Declined | None:
    if x.op.name == "negative" and x.inputs[0].op.name == "abs":
        return Declined("-abs(x) is never positive, so nothing overflows")
    return None


def _log_sum_of_exps(node: Node, present: Collection[Node]) -> Outcome:
    """Of three or more. How many there are is what a sum that is added to itself doubles each time."""
    sums: list[Node] = []
    logarithms: list[Node] = []
    pending = list(node.inputs)
    while pending:
        if len(sums) == _MOST:
            return Declined(f"the sum is of more than {_MOST // 2} exponentials")
        one = pending.pop()
        if one.op.name == "add":
            sums.append(one)
            pending += reversed(one.inputs)
        elif one.op.name == "exp":
            sums.append(one)
            logarithms.append(one.inputs[0])
        else:
            return None
    if len(logarithms) < 3:
        return None
    return Found(reduce(logaddexp, logarithms), tuple(sums))


RULES = (
    # where several fit, the first one fires: what is special stands before what is general
    *entropy.RULES,
    shifted.LOG_SUM_EXP,
    shifted.LOG_SOFTMAX,
    rule("softplus", lambda x: log(1 + exp(x)), lambda x: logaddexp(x, 0), safety="widening"),
    rule(
        "softplus_log1p",
        lambda x: log1p(exp(x)),
        lambda x: logaddexp(x, 0),
        safety="widening",
        when=_never_overflows,
        declined=[{"x": (3,), "under": ["abs", "negative"]}],
    ),
    rule("log_add_exp", lambda x, y: log(exp(x) + exp(y)), lambda x, y: logaddexp(x, y), safety="widening"),
    Rule(
        name="log_sum_of_exps",
        safety="widening",
        roots=("log",),
        needs=("exp", "add"),
        attempt=_log_sum_of_exps,
        before="log(exp(x) + exp(y) + exp(z)), and so for more of them",
        after="logaddexp(logaddexp(x, y), z)",
        build=lambda x, y, z: log((exp(x) + exp(y)) + exp(z)),
        variables=("x", "y", "z"),
        examples=({"x": (2, 3), "y": (2, 3), "z": (3,)}, {"x": ("n",), "y": ("n",), "z": ()}),
    ),
    rule("log_sigmoid", lambda x: log(sigmoid(x)), lambda x: -logaddexp(-x, 0), safety="widening"),
    rule(
        "log_one_minus_sigmoid", lambda x: log(1 - sigmoid(x)), lambda x: -logaddexp(x, 0), safety="widening"
    ),
    rule(
        "log1p_of_minus_sigmoid", lambda x: log1p(-sigmoid(x)), lambda x: -logaddexp(x, 0), safety="widening"
    ),
    rule("log_one_plus", lambda x: log(1 + x), lambda x: log1p(x), safety="widening"),
    rule("log_one_minus", lambda x: log(1 - x), lambda x: log1p(-x), safety="widening"),
    rule("log_square", lambda x: log(square(x)), lambda x: log(abs(x)) * 2, safety="widening"),
    rule("log_self_product", lambda x: log(x * x), lambda x: log(abs(x)) * 2, safety="widening"),
    rule(
        "log_power",
        lambda x, n: log(power(x, n)),
        _scaled_log,
        safety="widening",
        when=_no_even_power,
        after="log(abs(x)) * n, for even n",
        examples=[{"x": (3,), "n": 4}, {"x": ("n", 2), "n": 6}, {"x": (3,), "n": 30}],
        declined=[{"x": (3,), "n": 2.5}, {"x": (3,), "n": -2}, {"x": (3,), "n": 3}, {"x": (3,), "n": (3,)}],
    ),
    rule("sigmoid", lambda x: 1 / (1 + exp(x)), lambda x: sigmoid(-x), safety="widening"),
    rule("sigmoid_by_reciprocal", lambda x: reciprocal(1 + exp(x)), lambda x: sigmoid(-x), safety="widening"),
    rule("sigmoid_of_exps", lambda x: exp(x) / (1 + exp(x)), lambda x: sigmoid(x), safety="widening"),
    # tanh as the sigmoid that it is, whose gradient keeps its digits where it is small; `REFINED` makes it one
    rule(
        "tanh_of_exps",
        lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
        lambda x: sigmoid(x * 2) * 2 - 1,
        safety="widening",
    ),
    *(
        rule(name, left, lambda x: sigmoid(x) * 2 - 1, safety="widening")
        for name, left in (
            ("tanh_of_exp", lambda x: (exp(x) - 1) / (exp(x) + 1)),
            ("tanh_of_expm1", lambda x: expm1(x) / (exp(x) + 1)),
        )
    ),
    *(
        rule(name, left, lambda x: 1 - sigmoid(x) * 2, safety="widening")
        for name, left in (
            ("tanh_of_minus_exp", lambda x: (1 - exp(x)) / (1 + exp(x))),
            ("tanh_of_minus_expm1", lambda x: -expm1(x) / (exp(x) + 1)),
        )
    ),
    rule("over_one_plus_exp", lambda x, y: x / (1 + exp(y)), lambda x, y: x * sigmoid(-y), safety="widening"),
    shifted.SOFTMAX,
    shifted.SOFTMAX_IN_GRADIENT,
    centered.VARIANCE,
    centered.VARIANCE_BY_SUMS,
)

REFINED = (
    rule("exp_minus_one", lambda x: exp(x) - 1, lambda x: expm1(x), safety="widening"),
    rule("minus_one_and_exp", lambda x: exp(x) + -1, lambda x: expm1(x), safety="widening"),
    rule("one_minus_exp", lambda x: 1 - exp(x), lambda x: -expm1(x), safety="widening"),
    rule("tanh_of_sigmoid", lambda x: sigmoid(x) * 2 - 1, lambda x: tanh(x * 0.5), safety="widening"),
    rule("tanh_of_minus_sigmoid", lambda x: 1 - sigmoid(x) * 2, lambda x: tanh(x * -0.5), safety="widening"),
)
"""After differentiation: these cancel, and their gradients do not. Those of expm1 and tanh are 1 + expm1(x) and
1 - tanh(x)**2, in which nothing is left of what is small."""
