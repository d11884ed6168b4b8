"""Trees of arrays as one vector, under HIPS autograd's names."""

from collections.abc import Callable
from typing import Any

from .. import tree


def flatten(value: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the leaves of a tree as a vector, and the function back to trees.

    >>> import numpy as np
    >>> vector, unflatten = flatten({"w": np.ones(2), "b": 3.0})
    >>> vector
    array([3., 1., 1.])
    >>> unflatten(2 * vector)["w"]
    array([2., 2.])
    """
    return tree.ravel(value)


def flatten_func(
    func: Callable[..., Any], example: Any
) -> tuple[Callable[..., Any], Callable[[Any], Any], Any]:
    """Return a function of trees as one of vectors, `unflatten`, and the example flat.

    >>> f, unflatten, x = flatten_func(lambda p: {"twice": 2 * p["w"]}, {"w": 3.0})
    >>> f(x)
    array([6.])
    """
    vector, unflatten = flatten(example)

    def flat(x: Any, *args: Any) -> Any:
        return flatten(func(unflatten(x), *args))[0]

    return flat, unflatten, vector
