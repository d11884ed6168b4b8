"""Convolutions with 1x1 kernels are matrix products over the pixels."""

from __future__ import annotations

import numpy as np

from .gemm import matmul
from .geometry import Geometry
from .launch import Array


def fits(size: Geometry, dtype: np.dtype) -> bool:
    """Tell whether the kernel is 1x1, without stride, border or groups."""
    ordinary = size.sh == size.sw == size.groups == 1
    return ordinary and size.r == size.s == 1 and size.padded == (size.h, size.w)


def forward(x: Array, w: Array, b: Array | None, size: Geometry) -> Array:
    """Multiply every pixel of `x: (n, h, w, c)` by `w: (1, 1, c, k)`, add the bias."""
    return matmul(x.reshape(-1, size.c), w[0, 0], b).reshape(size.output_shape)


def input_grad(g: Array, w: Array, size: Geometry) -> Array:
    """Multiply every pixel of `g: (n, h, w, k)` by the transposed weights."""
    return matmul(g.reshape(-1, size.k), w[0, 0].T).reshape(size.input_shape)


def weight_grad(x: Array, g: Array, size: Geometry) -> Array:
    """Multiply the matrix of all pixels of x, transposed, by that of g."""
    product = matmul(x.reshape(-1, size.c).T, g.reshape(-1, size.k))
    return product.reshape(size.kernel_shape)
