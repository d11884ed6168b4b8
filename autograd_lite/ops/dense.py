"""The product with a matrix plus a bias, in one pass over the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from ..core import defbatch, defjvp, defvjp_argnums, is_tracer, primitive
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


def _affine_vjp(
    argnums: tuple[int, ...], ans: Any, args: tuple[Any, ...], params: dict[str, Any]
) -> Callable[[Any], tuple[Any, ...]]:
    # What no cotangent needs isn't kept.
    x = args[0] if 1 in argnums else None
    w = args[1] if 0 in argnums else None
    traced = is_tracer(x) or is_tracer(w)

    def pullback(g: Any) -> tuple[Any, ...]:
        if traced or is_tracer(g):
            rules: Any = _TRACED
        else:  # the same, without asking each primitive who is to interpret it
            rules = _PLAIN
        return tuple([rules[i](g, x, w) for i in argnums])

    return pullback


_TRACED: Final = (
    lambda g, x, w: matmul(g, swap_last(w)),
    lambda g, x, w: matmul(swap_last(x), g),
    lambda g, x, w: channel_sum(g),
)
_PLAIN: Final = (
    lambda g, x, w: product(g, w.T),
    lambda g, x, w: product(x.T, g),
    lambda g, x, w: channel_sum.impl(g),
)

defvjp_argnums(affine, _affine_vjp)
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
