"""Trees as vectors: what SciPy's solvers need, which know nothing but vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..core import Tracer
from ..errors import UnsupportedError
from ..numpy.dispatch import operand
from ..ops.basic import cast

Fun = Callable[..., Any]


def has_tracer_leaf(*trees: Any) -> bool:
    """Return whether there is a tracer among the leaves of trees."""
    return any(isinstance(leaf, Tracer) for leaf in tree.leaves(trees))


def vector(x: Any) -> Any:
    """Return the leaves of a tree (arrays, numbers) as one vector."""
    return tree.ravel(tree.map(operand, x))[0]


def float_vector(x: Any) -> Any:
    """Return the leaves of a tree as a vector of float64: what SciPy computes in."""
    flat = vector(x)
    return flat if flat.dtype == np.float64 else cast(flat, np.dtype(np.float64))


def start_of(x0: Any) -> Any:
    """Return a starting point with arrays as leaves; lists of numbers are vectors."""
    if isinstance(x0, (list, tuple)) and not hasattr(x0, "_fields"):
        x0 = operand(x0)
    return tree.map(_as_float, x0)


def _as_float(leaf: Any) -> Any:
    leaf = operand(leaf)
    return leaf if leaf.dtype.kind == "f" else leaf.astype(float)


def parameters(args: tuple[Any, ...]) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return the floats among the leaves of `args` as one vector, and what undoes it.

    Other leaves are constants. Raises for a traced leaf that is no float.
    """
    leaves, treedef = tree.flatten(args)
    places = [i for i, x in enumerate(leaves) if _is_float(x)]
    for i, leaf in enumerate(leaves):
        if isinstance(leaf, Tracer) and i not in places:
            raise UnsupportedError(
                f"a traced argument of dtype {leaf.dtype} is not supported here: only "
                "real floats are"
            )
    theta, unravel = tree.ravel([operand(leaves[i]) for i in places])

    def rebuild(theta: Any) -> tuple[Any, ...]:
        filled = list(leaves)
        for i, x in zip(places, unravel(theta), strict=True):
            filled[i] = x
        return tree.unflatten(treedef, filled)

    return theta, rebuild


def _is_float(x: Any) -> bool:
    if isinstance(x, (str, bytes)) or callable(x):
        return False
    return isinstance(x, float) or getattr(x, "dtype", np.dtype(bool)).kind == "f"


PASS_IT = (
    "Pass it in args=(...), where it has a derivative, instead of using it from an "
    "enclosing scope."
)


def guarded(fun: Fun, what: str, remedy: str = PASS_IT) -> Fun:
    """Return `fun` with a check that its result is plain numbers, as solvers need."""

    def function(*args: Any) -> Any:
        y = fun(*args)
        if has_tracer_leaf(y):
            raise UnsupportedError(
                f"{what} depends on a traced array that is not among its arguments. "
                f"{remedy}"
            )
        return y

    return function
