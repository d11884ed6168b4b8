"""The singular vectors that belong to no singular value: bases of null spaces."""

from __future__ import annotations

import numpy as np

from ..core import concrete, defjvp, defvjp, primitive
from ..errors import AmbiguousGradientError
from .batch import batch_stacks
from .elementwise import conj
from .matrices import adjoint, skew_part, vanishes
from .shape import swap_last


@primitive
def complement(x, thin, *, left):
    """Return the columns of U, or with left=False of V, that the thin SVD leaves out.

    x: (..., m, n), `thin` its singular vectors: the m by n ones of U where m > n, or of
    V where n > m. The result is a function of the space that these span, up to a
    unitary factor: a result that depends on that factor has no gradient, and
    `AmbiguousGradientError` is raised. The forward mode takes the factor for constant.
    """
    u, s, vh = np.linalg.svd(x, full_matrices=True)
    k = s.shape[-1]
    return u[..., :, k:] if left else np.conj(np.swapaxes(vh[..., k:, :], -1, -2))


def _complement_vjp(ans, x, thin, *, left):
    def pull(g):
        inner = swap_last(g) @ ans
        if not vanishes(g):
            _require_same_for_any_basis(inner, g)
        return -conj(ans @ (swap_last(g) @ thin))

    return pull


def _require_same_for_any_basis(inner, g):
    """Raise unless `inner` is Hermitian: its skew part is the slope along rotations."""
    turning = float(np.abs(concrete(skew_part(inner))).max(initial=0.0))
    scale = float(np.abs(concrete(g)).max(initial=0.0))
    if turning > np.sqrt(np.finfo(inner.dtype).eps) * scale:
        raise AmbiguousGradientError(
            "the result depends on which basis of a null space the SVD with "
            f"full_matrices=True has found (its slope along a rotation is {turning:.3g}"
            "), which is arbitrary: it has no gradient. Use these vectors in a way "
            "that their basis cancels, such as the projection v @ v^H, or pass "
            "full_matrices=False."
        )


defvjp(complement, None, _complement_vjp)
defjvp(
    complement,
    None,
    lambda dot, ans, x, thin, *, left: -(thin @ (adjoint(dot) @ ans)),
)
batch_stacks(complement)
