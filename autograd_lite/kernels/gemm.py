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
from .micro import REAL, Tile, machine, multiply
from .moves import copy_column, copy_row, transpose
from .passes import widest

# OpenBLAS uses one thread up to this m * k * n (SMP_THRESHOLD_MIN *
# GEMM_MULTITHREAD_THRESHOLD in its interface/gemm.c); then it has the less overhead.
_ONE_BLAS_THREAD: Final = 4 * 65536

# Terms of a sum that are added before others begin: so that a panel of B stays in the
# level-1 cache while tiles of A go by. For two vectors; of wider ones, fewer.
_DEPTH: Final = 256

# Rows of A that stay in the level-2 cache while panels of B go by.
_BLOCK_BYTES: Final = 1 << 19

# A panel of B that so many tiles read is copied to contiguous memory: rows of B whose
# distance is a power of 2 share few places of the level-1 cache.
_TILES_TO_PACK: Final = 3

# How many terms make sums long, how many sums are few, and pieces to cut them into.
_MANY_TERMS: Final = 2048
_FEW_SUMS: Final = 1 << 16
_TERM_PARTS: Final = 4

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
    if a_turned and not b_turned and k >= _MANY_TERMS and m * n <= _FEW_SUMS:
        product = _long_sums(a, b)
        return product if bias is None else np.add(product, bias, out=product)
    c = memory.empty((m, n), a.dtype)
    form = Form(m, k, n, a_turned, b_turned, bias is not None, a.itemsize)
    bias = a if bias is None else np.ascontiguousarray(bias, a.dtype)
    run(_plan(form), a, b, bias, c)
    return c


def _long_sums(a: Array, b: Array) -> Array:
    """Return `a.T @ b` where sums are long and few, as in a weights' gradient.

    Cut by rows or columns, each piece of the work would read a strip of A or B that is
    as long as the whole. Cut by terms, each reads its own. a: (k, m), b: (k, n)
    """
    k = len(a) // _TERM_PARTS
    some = k * _TERM_PARTS
    parts = [v[:some].reshape(_TERM_PARTS, k, v.shape[1]) for v in (a, b)]
    product = stacked(parts[0].swapaxes(1, 2), parts[1]).sum(0)
    if some < len(a):
        product += np.matmul(a[some:].T, b[some:])
    return product


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
    vectors = 2 if form.a_turned else widest()
    parts = columns(form.n, found.vector_bytes // form.itemsize, vectors)
    return [_launch(form, part, found.rows(part.vectors)) for part in parts]


def _launch(form: Form, part: Columns, most_rows: int) -> Launch:
    """Cut some columns of a product to blocks of rows and groups of panels."""
    m, k, n, a_turned, b_turned, has_bias, itemsize, items, a_own, b_own = form
    rows = even(m, most_rows)
    tile = Tile(rows, part.vectors, part.lanes, itemsize, part.masked)
    lines = part.lanes if b_turned else 1
    terms = _DEPTH * 2 // max(2, part.vectors)
    depth = lines * even(-(-k // lines), max(1, terms // lines))
    tiles, panels = -(-m // rows), -(-(part.last - part.first) // part.width)
    fitting = max(8, _BLOCK_BYTES // (depth * itemsize * rows))
    if a_turned:  # whose blocks are copied, best once: so that rows are cut first
        fitting = min(fitting, -(-tiles * items // _TASKS))
    height = rows * even(tiles, fitting)
    blocks = -(-m // height)
    group = even(panels, -(-panels * blocks * items // _TASKS))
    groups = -(-panels // group)
    packed = tiles >= _TILES_TO_PACK
    values = (
        *(m, k, n, a_turned, b_turned, has_bias),
        *(part.first, part.last, part.last_lanes, height, groups, group * part.width),
        *(packed, depth, blocks * groups, m * k * a_own, k * n * b_own),
    )
    panel = depth * part.width * (b_turned or packed)
    block = depth * height * a_turned
    sums = height * group * part.width * (depth < k)
    scratch, flops = (panel + block + sums) * itemsize, 2 * items * m * k * n
    tasks = items * blocks * groups
    task = _task(tile.literal())
    return launch(task, values, tasks, scratch, flops, cleared=False)


@cache
def _task(tile: tuple[int, ...]) -> int:
    """Return the address of a task that multiplies a block of A by panels of B.

    Arrays: a, b, bias, c. What tiles would read across memory is copied to the scratch
    memory first: panels of B, and a block of an A that goes column by column. Sums that
    are not done wait there as well. The last tile of rows overlaps the one before if it
    has to.
    """
    rows, vectors, size, itemsize = tile[0], tile[1], tile[2], tile[3]
    width = vectors * size

    # Long because a function of its own would lose the literals of the tile.
    def task(p, a, b, bias, c, scratch, index):
        m, k, n, a_turned, b_turned, has_bias = p[0], p[1], p[2], p[3], p[4], p[5]
        first_n, last_n, lanes, height, groups = p[6], p[7], p[8], p[9], p[10]
        group, packed, depth = p[11], p[12], p[13]
        item, index = index // p[14], index % p[14]
        a, b = a + item * p[15] * itemsize, b + item * p[16] * itemsize
        c += item * m * n * itemsize
        top, left = index // groups * height, first_n + index % groups * group
        bottom, right = min(top + height, m), min(left + group, last_n)
        block = scratch + depth * width * itemsize * (b_turned or packed)
        sums = block + depth * height * itemsize * a_turned
        for first in range(0, k, depth):
            inner = min(depth, k - first)
            if a_turned:
                for j in range(inner):  # row by row, as memory likes to be read
                    source = a + (first + j) * m * itemsize
                    for i in range(top, bottom, rows):
                        target = block + ((i - top) * depth + j * rows) * itemsize
                        copy_column(tile, source + min(i, m - rows) * itemsize, target)
            for column in range(left, right, width):
                panel, panel_row = b + (first * n + column) * itemsize, n
                if b_turned:
                    panel, panel_row = scratch, width
                    for v in range(column, min(column + width, last_n), size):
                        source = b + (v * k + first) * itemsize
                        target = scratch + (v - column) * itemsize
                        present = min(last_n - v, size)
                        for i in range(0, inner, size):
                            transpose(
                                tile,
                                (source + i * itemsize, k),
                                (present, min(inner - i, size)),
                                (target + i * width * itemsize, width),
                            )
                elif packed:
                    source, panel, panel_row = panel, scratch, width
                    for i in range(inner):
                        copy_row(
                            tile,
                            source + i * n * itemsize,
                            lanes,
                            panel + i * width * itemsize,
                        )
                start, start_row = 0, 0
                if has_bias:
                    start = bias + column * itemsize
                for i in range(top, bottom, rows):
                    place = min(i, m - rows)
                    tile_a, a_row, a_inner = a + (place * k + first) * itemsize, k, 1
                    if a_turned:
                        tile_a = block + (i - top) * depth * itemsize
                        a_row, a_inner = 1, rows
                    unfinished = sums + (
                        ((column - left) * height + (i - top) * width) * itemsize
                    )
                    if first:
                        start, start_row = unfinished, width
                    target, target_row = unfinished, width
                    if first + inner == k:
                        target = c + (place * n + column) * itemsize
                        target_row = n
                    multiply(
                        tile,
                        (tile_a, 0, a_row, 0, a_inner),
                        (panel, 0, panel_row),
                        (target, target_row),
                        (start, start_row),
                        (1, inner),
                        (lanes,),
                    )

    return compiled(task)
