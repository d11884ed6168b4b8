"""What kernels compute on one thread and on two, which must not differ in a bit."""

from collections.abc import Callable
from typing import TypeVar
from unittest import mock

import numba

from autograd_lite.kernels import launch

T = TypeVar("T")


def on_each_thread_count(compute: Callable[[], T]) -> list[T]:
    """Return the results of `compute()` on one thread, with work cut for one, and on
    as many as there are.
    """
    before, results = numba.get_num_threads(), []
    try:
        for threads in {1, numba.config.NUMBA_NUM_THREADS}:
            numba.set_num_threads(threads)
            with mock.patch.object(launch, "THREADS", threads):
                results.append(compute())
    finally:
        numba.set_num_threads(before)
    return results
