"""Rows for the primitives under `autograd_lite.scipy` that are no special functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from cases import Case, Make, normal
from cases_special import beside

from autograd_lite.ops import matrix_functions, signal


def correlation(x: Any, y: Any, method: str = "direct") -> Any:
    """`signal.correlate` as a sum over windows, one position after another."""
    space = tuple(range(3, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, y.shape[3:], space)
    k, m = "pqr"[: len(space)], "uvw"[: len(space)]
    return np.einsum(f"bid{k}{m},bjd{m}->bij{k}", windows, y)


def positive(*shape: int) -> Make:
    """A stack of matrices with eigenvalues in the right half plane."""
    n = shape[-1]
    return lambda rng: (rng.standard_normal(shape) / n + 1.5 * np.eye(n),)


MATRICES = [
    *[
        Case(
            matrix_functions.matrix_function,
            positive(2, 3, 3),
            lambda x, name: getattr(scipy.linalg, name)(x),
            {"name": name},
            dtypes="c",
            axes0=False,
            note=name,
        )
        for name in ["expm", "cosm"]
    ],
    *[
        Case(
            matrix_functions.frechet,
            beside(positive(3, 3), normal((3, 3))),
            lambda x, e, name: getattr(scipy.linalg, name)(
                np.block([[x, e], [np.zeros((3, 3)), x]])
            )[:3, 3:],
            {"name": name},
            dtypes="c",
            axes0=False,
            note=name,
        )
        for name in ["expm", "cosm"]
    ],
    Case(
        matrix_functions.solve_sylvester,
        beside(positive(3, 3), positive(2, 2), normal((3, 2))),
        scipy.linalg.solve_sylvester,
        dtypes="fc",
        axes0=False,
    ),
    *[
        Case(
            matrix_functions.solve_triangular,
            beside(positive(2, 3, 3), normal(shape)),
            lambda a, b, lower, unit: np.linalg.solve(filled(a, lower, unit), b),
            {"lower": lower, "unit": unit},
            dtypes="c",
            axes0=False,
            note=f"{'lower' if lower else 'upper'}{'-unit' * unit}{len(shape)}",
        )
        for lower, unit, shape in [
            (True, False, (2, 3, 2)),
            (False, False, (3, 2)),
            (False, True, (2, 3, 2)),
            (True, True, (3, 1)),
        ]
    ],
]


def filled(a: Any, lower: bool, unit: bool) -> Any:
    """The triangular matrices that `solve_triangular` reads."""
    part = np.tril(a, -unit) if lower else np.triu(a, +unit)
    return part + np.eye(3) if unit else part


CORRELATIONS = [
    Case(
        signal.correlate,
        normal(n, m),
        correlation,
        {"method": method},
        dtypes="fc",
        axes0=False,
        note=f"{len(n) - 3}-{method}-{n[1]}",
    )
    for n, m in [
        ((1, 1, 1, 7), (1, 1, 1, 3)),
        ((2, 3, 2, 6), (2, 4, 2, 3)),
        ((2, 2, 3, 4, 5), (2, 4, 3, 2, 5)),
    ]
    for method in ["direct", "fft", "auto"]
]

CASES = [*MATRICES, *CORRELATIONS]
