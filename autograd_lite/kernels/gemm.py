"""Matrix products on Numba's threads.

Inside the library they replace the BLAS wherever the BLAS would start threads of its
own: those and Numba's spin against each other and cost up to 37 times the time.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np

from . import memory
from .columns import Columns, columns, even
from .launch import Array, Launch, compiled, launch, run
from .micro import REAL, Tile, machine, multiply, transpose

# OpenBLAS uses one thread up to this m * k * n (SMP_THRESHOLD_MIN *
# GEMM_MULTITHREAD_THRESHOLD in its interface/gemm.c); then it has the less overhead.
_ONE_BLAS_THREAD: Final = 4 * 65536

# Rows of A that stay in the level-2 cache while panels of B go by.
_BLOCK_BYTES: Final = 1 << 19

# Pieces to cut a product into, if its shape gives them.
_TASKS: Final = 8


def worthwhile(m: int, k: int, n: int) -> bool:
    """Tell whether `matmul` beats np.matmul for `(m, k) @ (k, n)`.

    Example:
        >>> worthwhile(8, 8, 8)
        False
    """
    return m * k * n > _ONE_BLAS_THREAD and machine() is not None


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """Return `a @ b`, plus the bias, for matrices `a: (m, k)`, `b: (k, n)`.

    The bias is `(n)`. Both float32 or both float64. Transposed views of contiguous
    arrays are read as they are; other strides are copied. Products that are not
    `worthwhile` go to np.matmul.

    Example:
        >>> matmul(np.ones((2, 3)), np.ones((4, 3)).T, np.arange(4.0))
        array([[3., 4., 5., 6.],
               [3., 4., 5., 6.]])
    """
    (m, k), n = a.shape, b.shape[1]
    if not (worthwhile(m, k, n) and a.dtype == b.dtype and a.dtype in REAL):
        product = np.matmul(a, b)
        return product if bias is None else np.add(product, bias, out=product)
    a, a_turned = _stored(a)
    b, b_turned = _stored(b)
    c = memory.empty((m, n), a.dtype)
    form = Form(m, k, n, a_turned, b_turned, bias is not None, a.itemsize)
    bias = a if bias is None else np.ascontiguousarray(bias, a.dtype)
    run(_plan(form), a, b, bias, c)
    return c


def stacked(a: Array, b: Array) -> Array:
    """Return `a @ b` for stacks `a: (s, m, k)`, `b: (s, k, n)`, of one dtype.

    Either may be one matrix for the whole stack. The matrices must be `worthwhile`.

    Example:
        >>> stacked(np.ones((2, 80, 80)), np.ones((80, 80))).shape
        (2, 80, 80)
    """
    (m, k), n = a.shape[-2:], b.shape[-1]
    items = a.shape[0] if a.ndim == 3 else b.shape[0]
    own = a.ndim == 3, b.ndim == 3
    a, a_turned = _stored(a)
    b, b_turned = _stored(b)
    c = memory.empty((items, m, n), a.dtype)
    form = Form(m, k, n, a_turned, b_turned, False, a.itemsize, items, *own)
    run(_plan(form), a, b, a, c)
    return c


def _stored(matrix: Array) -> tuple[Array, bool]:
    """Return matrices as they are stored, and whether these are their transposes."""
    turned = matrix.swapaxes(-1, -2)
    if turned.flags.c_contiguous and not matrix.flags.c_contiguous:
        return turned, True
    return np.ascontiguousarray(matrix), False


class Form(NamedTuple):
    """What the plan of a product, or of a stack of `items`, depends on.

    a_own, b_own: whether each item has an A, or a B, of its own.
    """

    m: int
    k: int
    n: int
    a_turned: bool
    b_turned: bool
    has_bias: bool
    itemsize: int
    items: int = 1
    a_own: bool = False
    b_own: bool = False


@lru_cache(maxsize=1024)
def _plan(form: Form) -> list[Launch]:
    """Return the launches of a product: one for full tiles, one for the rest."""
    found = machine()
    assert found is not None
    parts = columns(form.n, found.vector_bytes // form.itemsize)
    return [_launch(form, part, found.rows(part.vectors)) for part in parts]


def _launch(form: Form, part: Columns, most_rows: int) -> Launch:
    """Cut some columns of a product to blocks of rows and groups of panels."""
    m, k, n, a_turned, b_turned, has_bias, itemsize, items, a_own, b_own = form
    rows = even(m, most_rows)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked)
    fitting = max(8, _BLOCK_BYTES // (k * itemsize * rows))
    height = rows * even(-(-m // rows), fitting)
    blocks, panels = -(-m // height), -(-(part.last - part.first) // part.width)
    group = even(panels, -(-panels * blocks * items // _TASKS))
    groups = -(-panels // group)
    values = (
        *(m, k, n, *((1, m) if a_turned else (k, 1)), b_turned, has_bias),
        *(part.first, part.last, part.last_lanes, height, groups, group * part.width),
        *(blocks * groups, m * k * a_own, k * n * b_own),
    )
    depth = -(-k // part.lanes) * part.lanes if b_turned else 0
    scratch, flops = depth * part.width * itemsize, 2 * items * m * k * n
    tasks = items * blocks * groups
    return launch(_task(tile.literal()), values, tasks, scratch, flops)


@cache
def _task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that multiplies a block of A by panels of B.

    Arrays: a, b, bias, c. A panel of a B that goes column by column is transposed to
    the scratch memory. The last tile of rows overlaps the one before if it has to.
    """
    rows, vectors, size, itemsize = tile[0], tile[1], tile[2], tile[3]
    width = vectors * size

    # Long because a function of its own would lose the literals of the tile.
    def task(p, a, b, bias, c, scratch, index):
        m, k, n, a_row, a_inner, b_turned = p[0], p[1], p[2], p[3], p[4], p[5]
        has_bias, first_n, last_n, lanes = p[6], p[7], p[8], p[9]
        height, groups, group = p[10], p[11], p[12]
        item, index = index // p[13], index % p[13]
        a, b = a + item * p[14] * itemsize, b + item * p[15] * itemsize
        c += item * m * n * itemsize
        top, left = index // groups * height, first_n + index % groups * group
        for column in range(left, min(left + group, last_n), width):
            panel, panel_row = b + column * itemsize, n
            if b_turned:
                panel, panel_row = scratch, width
                for v in range(column, min(column + width, last_n), size):
                    source = b + v * k * itemsize
                    target = scratch + (v - column) * itemsize
                    present = min(last_n - v, size)
                    for i in range(0, k, size):
                        transpose(
                            tile,
                            (source + i * itemsize, k),
                            (present, min(k - i, size)),
                            (target + i * width * itemsize, width),
                        )
            start = bias + column * itemsize if has_bias else 0
            for i in range(top, min(top + height, m), rows):
                i = min(i, m - rows)
                multiply(
                    tile,
                    (a + i * a_row * itemsize, 0, a_row, 0, a_inner),
                    (panel, 0, panel_row),
                    (c + (i * n + column) * itemsize, n),
                    (start, 0),
                    (1, k),
                    (lanes,),
                )

    return compiled(task)
