"""What holds for positive numbers only: level "fast"."""

from __future__ import annotations

from graphgrad.rewrite.pattern import exp, log, power, sqrt
from graphgrad.rewrite.rule import rule

RULES = (
    rule("exp_log", lambda x: exp(log(x)), lambda x: x, safety="range"),
    rule("power_half", lambda x: power(x, 0.5), lambda x: sqrt(x), safety="range"),
)
