"""The product with a matrix plus a bias, in one pass over the result."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import defbatch, defjvp, defvjp, primitive
from .basic import align, broadcast_to
from .batch import fold, unfold
from .conv import channel_sum
from .elementwise import add
from .linalg import SMALL_PRODUCT, matmul, product
from .shape import swap_last


@primitive
def affine(x: Any, w: Any, b: Any) -> Any:
    """Return `x @ w + b`. x: (m, i), w: (i, o), b: (o) -> (m, o), of one dtype"""
    (m, inner), n = x.shape, w.shape[1]
    if m * inner * n >= SMALL_PRODUCT:
        from ..kernels import gemm

        if gemm.worthwhile(m, inner, n):
            return gemm.matmul(x, w, np.ascontiguousarray(b))
    y = product(x, w)
    return np.add(y, b, out=y)


defvjp(
    affine,
    lambda ans, x, w, b: lambda g: matmul(g, swap_last(w)),
    lambda ans, x, w, b: lambda g: matmul(swap_last(x), g),
    lambda ans, x, w, b: channel_sum,
)
defjvp(
    affine,
    lambda x_dot, ans, x, w, b: matmul(x_dot, w),
    lambda w_dot, ans, x, w, b: matmul(x, w_dot),
    lambda b_dot, ans, x, w, b: broadcast_to(b_dot, shape=ans.shape),
)


def _affine_batch(size: int, args: Any, batched: Any) -> Any:
    x, w, b = args
    if batched[0] and not batched[1] and not batched[2]:
        return unfold(affine(fold(x), w, b), size)
    y = matmul(x, w)  # a stack, of whichever has one
    return add(*align([y, b], [batched[0] or batched[1], batched[2]]))


defbatch(affine, _affine_batch)
