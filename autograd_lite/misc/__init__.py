"""HIPS autograd's `misc`: flattening trees, and its optimisers.

As there, the name `flatten` of this package is the function.
"""

import functools
from collections.abc import Callable
from typing import Any

from .flatten import flatten

__all__ = ["const_graph", "flatten"]


def const_graph(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return `fun` with its first arguments given.

    HIPS autograd keeps the graph of the first call; here nothing is kept.
    """
    return functools.partial(fun, *args, **kwargs)
