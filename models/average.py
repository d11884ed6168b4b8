"""A moving average of what a model learns: steadier than the last values.

B. Polyak and A. Juditsky, 1992, "Acceleration of Stochastic Approximation by
Averaging". Parameters and running statistics of batch normalisation are averaged alike,
so that they fit each other.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from autograd_lite import tree


def start(values: Any) -> Any:
    """Return the average before the first step: a copy of a tree of arrays."""
    return tree.map(lambda leaf: np.array(leaf, order="C"), values)


def decay_at(step: int, decay: float) -> float:
    """Return the share of the past in the average after this step, counted from 0.

    It grows from 2/11 to `decay`: the average reaches back over about a tenth of the
    steps done, and forgets the initial parameters as fast as training does.

    >>> [round(decay_at(step, 0.999), 3) for step in (0, 8, 89, 100_000)]
    [0.182, 0.526, 0.91, 0.999]
    """
    return min(decay, (2 + step) / (11 + step))


def update(average: Any, values: Any, decay: float) -> None:
    """Move an average, in place, towards the values of a tree like it.

    >>> average = [np.zeros(2)]
    >>> update(average, [np.ones(2)], 0.75)
    >>> average
    [array([0.25, 0.25])]
    """
    for old, new in zip(tree.leaves(average), tree.leaves(values), strict=True):
        _blend(old.reshape(-1), np.asarray(new).reshape(-1), 1 - decay)


@numba.njit(cache=True)
def _blend(old: NDArray, new: NDArray, share: float) -> None:
    share = old.dtype.type(share)
    for i in range(old.size):
        old[i] += share * (new[i] - old[i])
