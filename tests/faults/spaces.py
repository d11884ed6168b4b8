"""What functions and rules are written in: NumPy's names, and five more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy


class Space:
    """A NumPy-like module with what modules don't agree upon.

    `stop(x)` is x as a constant; `const(a, x)` the array a in the dtype of x;
    `cast(x, name)` is x in another dtype; `inv` and `solve` are of matrices.
    """

    def __init__(self, module: Any, stop: Callable[[Any], Any]) -> None:
        self.module = module
        self.stop = stop
        self.inv = module.linalg.inv
        self.solve = module.linalg.solve

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def const(self, a: Any, x: Any) -> Any:
        """Return an array of numbers in the dtype of x."""
        return self.asarray(numpy.asarray(a, x.dtype))

    def cast(self, x: Any, name: str) -> Any:
        """Return x in another dtype."""
        return x.astype(name)


PLAIN = Space(numpy, lambda x: x)
