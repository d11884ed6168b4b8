"""How kernels are compiled: the decorators, and when a loop is worth two threads.

A kernel that runs in parallel decides so from the sizes of its arrays alone, and cuts
its work into pieces that depend on nothing else. So its result is the same, bit for
bit, for any number of threads.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

# Sums may be reordered and products contracted to fused multiply-adds, which is what
# LLVM needs for SIMD. Nothing here assumes NaN or Inf away.
_SUMS: Final = {"contract", "reassoc", "nsz", "arcp"}

# Elementwise loops need no reordering, and must not have it: LLVM would turn
# b * x + (1 - b) * y into y + b * (x - y), and that is NaN where y is Inf.
_ELEMENTWISE: Final = {"contract", "nsz"}

# The GIL is kept: Numba's workqueue layer aborts when two Python threads enter it.
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "error_model": "numpy"}

serial = njit(fastmath=_SUMS, **_OPTIONS)
elementwise = njit(fastmath=_ELEMENTWISE, **_OPTIONS)
parallel = njit(fastmath=_SUMS, parallel=True, **_OPTIONS)


@serial
def split(task, size):
    """Return `divmod(task, size)` of a prange index.

    These are uint64, which NumPy's promotion turns into floats beside an int64.
    """
    return np.int64(task) // size, np.int64(task) % size


# Elements below which a memory-bound loop is done before a second thread has woken up.
PARALLEL_FROM: Final = 1 << 15

# Elements that one thread handles at a time; fixed, see above.
CHUNK: Final = 1 << 13
