"""What can be differentiated, found out by doing it.

`coverage()` runs the sample calls of `autograd_lite.testing.calls` and returns a `Row`
for every public name of numpy, numpy.linalg, numpy.fft and the namespaces of SciPy that
are here. `python -m autograd_lite.coverage` prints them; `docs/coverage.md` is what it
printed.
"""

from .names import NAMESPACES, public_names
from .rows import DIFFERENTIABLE, IMPOSSIBLE, UNKNOWN, WITHOUT_GRADIENT, Row, coverage
from .tables import as_json, as_markdown, as_text

__all__ = [
    "DIFFERENTIABLE",
    "IMPOSSIBLE",
    "NAMESPACES",
    "Row",
    "UNKNOWN",
    "WITHOUT_GRADIENT",
    "as_json",
    "as_markdown",
    "as_text",
    "coverage",
    "public_names",
]
