"""How the C library treats large arrays that come and go."""

from __future__ import annotations

from typing import Final

import numpy as np

# Just under the largest block for which glibc adapts, DEFAULT_MMAP_THRESHOLD_MAX.
BLOCK: Final = (1 << 25) - (1 << 13)


def keep_large_blocks() -> None:
    """Free one block of 32 MB, untouched, from which glibc learns to keep such blocks.

    It maps the first large arrays of a process anew from the system, each page of which
    then costs a fault: an operation on a million numbers takes several times as long as
    its arithmetic. When it sees a mapped block freed, it keeps blocks up to that size
    for reuse (malloc(3), M_MMAP_THRESHOLD), and up to twice as much memory. A program
    gets there when it frees its first array of 32 MB, or so. Other C libraries notice
    nothing.

    >>> keep_large_blocks()
    """
    np.empty(BLOCK, np.uint8)
