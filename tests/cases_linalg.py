"""One row per primitive of linear algebra: stacks of matrices, twins from numpy.linalg.

Singular vectors and eigenvectors of complex matrices have arbitrary phases, so that
they have no finite differences; `test_linalg.py` checks what does not depend on them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import Case, Make, apart, normal, with_constants

from autograd_lite.ops import (
    decompositions,
    eigen,
    inverses,
    norms,
    null_space,
    singular,
)

SQUARE, TALL, WIDE = (2, 3, 3), (2, 4, 2), (2, 2, 4)


def positive(*shape: int) -> Make:
    """Positive definite matrices, up to a factor that is not real."""

    def make(rng: np.random.Generator) -> tuple[np.ndarray]:
        x = rng.standard_normal(shape)
        return (x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1]),)

    return make


def singular_stack(rng: np.random.Generator) -> tuple[np.ndarray]:
    """Matrices of ranks 3, 2, 1 and 0, and the identity, whose values are equal."""
    x = rng.standard_normal((5, 3, 3))
    x[1, 0] = x[1, 1] - 2 * x[1, 2]
    x[2] = np.outer(x[2, 0], x[2, 1])
    x[3], x[4] = 0, np.eye(3)
    return (x,)


def cofactors(x: np.ndarray) -> np.ndarray:
    """The matrix of cofactors of each matrix by its definition."""
    n = x.shape[-1]
    found = np.empty_like(x)
    for i, j in np.ndindex(n, n):
        minor = np.delete(np.delete(x, i, -2), j, -1)
        found[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return found


def largest(v: np.ndarray) -> np.ndarray:
    """Ones for the largest element of each column."""
    return (np.abs(v) == np.abs(v).max(axis=-2, keepdims=True)).astype(v.dtype)


INVERSES = [
    Case(inverses.inv, normal(SQUARE), np.linalg.inv, dtypes="fc"),
    *[
        Case(
            inverses.pinv,
            with_constants(normal(shape), 0),
            lambda x, cutoff, hermitian: np.linalg.pinv(x, cutoff),
            {"hermitian": False},
            dtypes="fc",
            note=f"{shape}",
        )
        for shape in [SQUARE, TALL, WIDE]
    ],
    Case(
        inverses.pinv,
        with_constants(positive(*SQUARE), 0),
        lambda x, cutoff, hermitian: np.linalg.pinv((x + x.mT) / 2, cutoff, hermitian),
        {"hermitian": True},
        order=0,  # a random direction is not Hermitian
        note="hermitian",
    ),
    *[
        Case(
            inverses.solve,
            normal(a, b),
            np.linalg.solve,
            dtypes="fc",
            axes0=False,
            note=f"{a},{b}",
        )
        for a, b in [
            ((3, 3), (3, 2)),
            ((2, 1, 3, 3), (4, 3, 2)),
            ((3, 3), (2, 3, 1)),
            ((2, 3, 3), (3, 0)),
        ]
    ],
    *[
        Case(
            inverses.lstsq,
            normal(a, b),
            lambda a, b, cutoff: np.linalg.lstsq(a, b, cutoff)[0],
            {"cutoff": 1e-10},
            dtypes="fc",
            axes0=False,
            note=f"{a}",
        )
        for a, b in [((4, 2), (4, 3)), ((2, 4), (2, 1)), ((3, 3), (3, 2))]
    ],
]

DETERMINANTS = [
    Case(inverses.det, normal(SQUARE), np.linalg.det, dtypes="fc"),
    Case(inverses.det, singular_stack, np.linalg.det, dtypes="fc", note="any-rank"),
    Case(inverses.cofactor, normal(SQUARE), cofactors, order=1, dtypes="fc"),
    Case(
        inverses.cofactor,
        singular_stack,
        cofactors,
        order=1,
        dtypes="c",
        note="any-rank",
    ),
    Case(
        inverses.slogdet,
        normal(SQUARE),
        lambda x: tuple(np.linalg.slogdet(x)),
        dtypes="fc",
    ),
]

DECOMPOSITIONS = [
    Case(decompositions.cholesky, positive(*SQUARE), np.linalg.cholesky),
    Case(
        decompositions.cholesky,
        positive(*SQUARE),
        np.linalg.cholesky,
        {"upper": True},
        note="upper",
    ),
    *[
        Case(
            decompositions.qr,
            normal(shape),
            lambda x: tuple(np.linalg.qr(x)),
            dtypes="fc",
            note=f"{shape}",
        )
        for shape in [SQUARE, TALL, WIDE]
    ],
    *[
        Case(
            singular.svd,
            normal(shape),
            lambda x: tuple(np.linalg.svd(x, full_matrices=False)),
            note=f"{shape}",
        )
        for shape in [SQUARE, TALL, WIDE]
    ],
    *[
        Case(
            singular.svdvals,
            normal(shape),
            np.linalg.svdvals,
            dtypes="fc",
            note=f"{shape}",
        )
        for shape in [SQUARE, TALL, WIDE]
    ],
]


def with_vectors(shape: tuple[int, ...], left: bool) -> Make:
    """Matrices, and the singular vectors of their longer side."""

    def make(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal(shape)
        u, _, vh = np.linalg.svd(x, full_matrices=False)
        return x, u if left else vh.mT

    return make


# The derivatives are in what the values are not computed from: see test_linalg.py.
NULL_SPACES = [
    Case(
        null_space.complement,
        with_vectors(shape, left),
        lambda x, thin, left: (
            np.linalg.svd(x)[0][..., 2:] if left else np.linalg.svd(x)[2][..., 2:, :].mT
        ),
        {"left": left},
        order=0,
        axes0=False,
        note=f"{shape}",
    )
    for shape, left in [(TALL, True), (WIDE, False)]
]

EIGEN = [
    *[
        Case(
            eigen.eigh,
            normal(SQUARE),
            lambda x, lower: tuple(np.linalg.eigh(x, "L" if lower else "U")),
            {"lower": lower},
            note="lower" if lower else "upper",
        )
        for lower in [True, False]
    ],
    *[
        Case(
            eigen.eigvalsh,
            normal(SQUARE),
            lambda x, lower: np.linalg.eigvalsh(x, "L" if lower else "U"),
            {"lower": lower},
            dtypes="fc",
            note="lower" if lower else "upper",
        )
        for lower in [True, False]
    ],
    Case(eigen.eig, normal(SQUARE), lambda x: tuple(np.linalg.eig(x))),
    Case(eigen.largest_elements, apart(SQUARE), largest, order=0),
]

NORMS = [
    *[
        Case(
            norms.norm,
            normal((2, 3, 4)),
            lambda x, axis, keepdims=False: np.linalg.vector_norm(
                x, axis=axis, keepdims=keepdims
            ),
            params,
            dtypes="fc",
            axes0=params["axis"] == (2,),
            note=f"{params['axis']}",
        )
        for params in [
            {"axis": (2,)},
            {"axis": (1, 2), "keepdims": True},
            {"axis": (0, 1, 2)},
        ]
    ],
    *[
        Case(
            norms.power_norm,
            apart((2, 3, 4)),
            lambda x, power, axis, keepdims=False: np.linalg.norm(
                x, power, axis[0], keepdims
            ),
            {"power": power, "axis": (1,)},
            dtypes="fc",
            note=f"{power}",
        )
        for power in [0.5, 3.0, -1.5]
    ],
]

# Of matrices with equal elements the rank is 1, and the singular values are equal.
CASES = [
    *[replace(c, constant=False) for c in INVERSES + DETERMINANTS],
    *[replace(c, constant=False) for c in DECOMPOSITIONS + NULL_SPACES + EIGEN],
    *NORMS,
]
