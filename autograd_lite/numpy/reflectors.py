"""QR by Householder's reflectors, as LAPACK has it, for qr's "complete" and "raw".

The further columns of a complete Q are arbitrary in principle, but what LAPACK returns
is a product of reflectors, and these are differentiable functions of the matrix. So the
algorithm (G. Golub, C. Van Loan, "Matrix Computations", 5.2) is written here in traced
operations. Leading axes are a stack of matrices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import concrete
from ..errors import AmbiguousGradientError
from ..ops import elementwise as ew
from ..ops import reduce as red
from ..ops import shape as moving
from ..ops.basic import stop_gradient
from ..ops.matrices import adjoint, real_part

Reflector = tuple[
    Any, Any
]  # v without its leading 1: (..., r - 1, 1); tau: (..., 1, 1)


def factored(a: Any) -> tuple[list[Reflector], Any]:
    """Return the reflectors of a: (..., m, n), and the first min(m, n) rows of R."""
    m, n = a.shape[-2:]
    reflectors, rows, block = [], [], a
    for j in range(min(m, n)):
        v, tau, row, block = _step(block)
        reflectors.append((v, tau))
        rows.append(_beside(_zeros(a, 1, j), row))
    return reflectors, moving.concatenate(*rows, axis=a.ndim - 2)


def _step(block: Any) -> tuple[Any, Any, Any, Any]:
    """Reflect the first column of a block onto its first element.

    Returns v and tau of the reflector, the first row of the result, and what is left.
    """
    head, below = block[..., :1, :1], block[..., 1:, :1]
    if block.shape[-2] == 1 and block.dtype.kind != "c":
        return below, 0.0 * head, block, block[..., 1:, 1:]
    beta = _target(head, below)
    tau = (beta - head) / beta
    v = below / (head - beta)
    top, rest = block[..., :1, 1:], block[..., 1:, 1:]
    change = ew.conj(tau) * (top + adjoint(v) @ rest)
    return v, tau, _beside(beta + 0 * head, top - change), rest - v * change


def _target(head: Any, below: Any) -> Any:
    """Return what the first element becomes: of the other sign, so nothing cancels."""
    squares = red.sum(
        real_part(below * ew.conj(below)), axis=(below.ndim - 2,), keepdims=True
    )
    front = real_part(head)
    size = ew.sqrt(squares + real_part(head * ew.conj(head)))
    return -ew.copysign(size, stop_gradient(front))


def require_reflections(a: Any) -> None:
    """Raise where a column needs no reflection: LAPACK's result jumps there."""
    values = np.asarray(concrete(a))
    m, n = values.shape[-2:]
    h, tau = np.linalg.qr(values, mode="raw")
    last = min(m, n) - (m <= n and values.dtype.kind != "c")
    if (tau[..., :last] == 0).any():
        raise AmbiguousGradientError(
            f"np.linalg.qr: a column of the matrix of shape {(m, n)} is zero below the "
            "diagonal already. LAPACK leaves it, but would flip its sign after the "
            "slightest change, so that mode='complete' and 'raw' have no gradient. Use "
            "mode='reduced' or 'r'."
        )


def complete(reflectors: list[Reflector], a: Any) -> Any:
    """Return the product of all reflectors, Q: (..., m, m)."""
    m = a.shape[-2]
    identity = np.eye(m - len(reflectors), dtype=a.dtype)
    q = np.broadcast_to(identity, (*a.shape[:-2], *identity.shape))
    for v, tau in reversed(reflectors):
        scaled, row = tau * v, adjoint(v) @ q
        first = _beside(1 - tau, -tau * row)
        rest = _beside(-scaled, q - scaled * row)
        q = moving.concatenate(first, rest, axis=a.ndim - 2)
    return q


def packed(reflectors: list[Reflector], r: Any, a: Any) -> tuple[Any, Any]:
    """Return h: (..., n, m), R and below it the reflectors, transposed; and tau."""
    m, n = a.shape[-2:]
    k = len(reflectors)
    columns = [_zeros(a, j + 1, 1) for j in range(k)]
    below = [
        moving.concatenate(zeros, v, axis=a.ndim - 2)
        for zeros, (v, _) in zip(columns, reflectors)
    ]
    h = moving.concatenate(r, _zeros(a, m - k, n), axis=a.ndim - 2)
    h = h + _beside(*below, _zeros(a, m, n - k))
    tau = _beside(*[tau for _, tau in reflectors])
    return moving.swap_last(h), tau[..., 0, :]


def _zeros(a: Any, rows: int, columns: int) -> Any:
    return np.zeros((*a.shape[:-2], rows, columns), a.dtype)


def _beside(*parts: Any) -> Any:
    return moving.concatenate(*parts, axis=parts[0].ndim - 1)
