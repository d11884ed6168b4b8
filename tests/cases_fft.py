"""One row per Fourier transform: both parities, all norms, each axis."""

from __future__ import annotations

import numpy as np
from cases import Case, normal

from autograd_lite.ops import fft as ops

NORMS = ("backward", "ortho", "forward")

CASES = [
    *[
        Case(
            transform,
            normal((2, n, 3)),
            getattr(np.fft, transform.name),
            {"axis": 1, "norm": norm},
            dtypes="fc",
            note=f"{n}-{norm}",
        )
        for transform in (ops.fft, ops.ifft)
        for n, norm in zip((1, 4, 5), NORMS)
    ],
    *[
        Case(
            ops.rfft,
            normal((2, n, 3)),
            lambda x, axis, norm: np.fft.rfft(x, axis=axis, norm=norm),
            {"axis": 1, "norm": norm},
            note=f"{n}-{norm}",
        )
        for n in (1, 2, 5, 6)
        for norm in NORMS
    ],
    *[
        Case(
            ops.irfft,
            normal((2, n // 2 + 1, 3)),
            lambda x, n, axis, norm: np.fft.irfft(x, n, axis, norm),
            {"n": n, "axis": 1, "norm": norm},
            dtypes="fc",
            note=f"{n}-{norm}",
        )
        for n in (1, 2, 5, 6)
        for norm in NORMS
    ],
]
