"""Matrix products that run on Numba's threads instead of the BLAS's."""

import numpy as np


def worthwhile(m: int, k: int, n: int) -> bool:
    """Tell whether `matmul` beats np.matmul for `(m, k) @ (k, n)`."""
    return False


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return `a @ b` for matrices `a: (m, k)` and `b: (k, n)`."""
    return np.matmul(a, b)
