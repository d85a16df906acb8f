"""Special functions, under SciPy's names."""

from graphgrad.ops.elementary import sigmoid as expit
from graphgrad.ops.logsum import logsumexp

__all__ = ["expit", "logsumexp"]
