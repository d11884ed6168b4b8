"""Rows for the primitives behind windows along axes and interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
import specifications_windows as spec
from cases import Case, apart, normal, with_constants

from autograd_lite.ops import mixing, sliding
from autograd_lite.ops.taps import Adaptive, Linear, Sliding

WIDE = Sliding(7, 3, 2, (1, 2), 2, True, (1, 0))
UNEVEN = Adaptive(5, 3)
LARGER = Linear(3, 7)

INDEX = np.random.default_rng(0).integers(0, 5, (2, 4, 3))
WINDOWS: dict[str, Any] = {
    "axes": (0, 2),
    "window": (2, 3),
    "stride": (2, 1),
    "dilation": (1, 2),
}


def mix(matrix: Any) -> Any:
    """Return the twin of `mix`, given the matrix."""
    return lambda x, axis, taps, turned=False: spec.along(
        matrix.T if turned else matrix, x, axis
    )


def winners(x: Any, taps: Any) -> Any:
    """Return the maxima of dilated windows down and of parts across."""
    down = spec.window_positions(6, 3, 1, (1, 1), 2)
    inside = [[k for k in positions if 0 <= k < 6] for positions in down]
    return spec.window_max(x, (inside, spec.adaptive_bins(5, 3)))


def pick(x: Any, index: Any) -> Any:
    """Return the elements of these places."""
    return np.take_along_axis(x, index, 1)


CASES = [
    Case(
        mixing.mix,
        normal((2, 7, 3)),
        mix(spec.sliding_matrix(7, 3, 2, (1, 2), 2, True, (1, 0))),
        {"axis": 1, "taps": WIDE},
        note="dilated",
    ),
    Case(
        mixing.mix,
        normal((2, 7)),
        mix(spec.linear_matrix(3, 7, False)),
        {"axis": 1, "taps": LARGER, "turned": True},
        note="transposed",
    ),
    Case(
        mixing.mix,
        normal((5, 3)),
        mix(spec.adaptive_matrix(5, 3)),
        {"axis": 0, "taps": UNEVEN},
        axes0=False,
        note="parts",
    ),
    Case(
        mixing.mix,
        normal((2, 3, 7, 5)),
        lambda x, axis, taps: spec.along(
            spec.sliding_matrix(7, 3, 2, (1, 2), 2, True, (1, 0)),
            spec.along(spec.linear_matrix(3, 7, False), x, 1),
            2,
        ),
        {"axis": 1, "taps": (LARGER, WIDE)},
        note="two axes",
    ),
    Case(
        mixing.window_winners,
        apart((2, 6, 5, 3)),
        winners,
        {"taps": (Sliding(6, 3, 1, (1, 1), 2), UNEVEN)},
        order=0,
    ),
    Case(mixing.pick, with_constants(normal((2, 5, 3)), INDEX), pick, axes0=False),
    Case(
        mixing.place,
        with_constants(normal((2, 4, 3)), INDEX),
        spec.place,
        {"size": 5},
        axes0=False,
    ),
    Case(
        sliding.gather_windows,
        normal((5, 2, 6)),
        spec.gather_windows,
        WINDOWS,
        axes0=False,
    ),
    Case(
        sliding.add_windows,
        normal((2, 2, 2, 2, 3)),
        spec.add_windows,
        {"shape": (5, 2, 6), **WINDOWS},
        axes0=False,
    ),
]
