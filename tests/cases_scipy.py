"""Rows for the primitives under `autograd_lite.scipy` that are no special functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Case, normal

from autograd_lite.ops import signal


def correlation(x: Any, y: Any, method: str = "direct") -> Any:
    """`signal.correlate` as a sum over windows, one position after another."""
    space = tuple(range(3, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, y.shape[3:], space)
    k, m = "pqr"[: len(space)], "uvw"[: len(space)]
    return np.einsum(f"bid{k}{m},bjd{m}->bij{k}", windows, y)


CASES = [
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
