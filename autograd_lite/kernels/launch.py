"""Runs a compiled task for every piece of work, on Numba's threads.

A task is a C function made by `@cfunc`: `task(params, a, b, c, d, scratch, index)`,
all of them addresses or int64. One parallel loop serves all tasks, so that a new tile
costs the compilation of a small serial function instead of a parallel one. (Numba can
cache on disk what is called through an address; it can't for functions passed along.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from llvmlite import ir
from numba import cfunc, get_num_threads, prange, types

from .jit import parallel, serial
from .micro import emitted

Array: TypeAlias = np.ndarray[Any, Any]

TASK: Final = types.void(types.CPointer(types.int64), *[types.int64] * 6)

# Below this many floating-point operations a second thread wakes up too late.
PARALLEL_FLOPS: Final = 400_000


@emitted
def _call(typing_context, task, params, a, b, c, d, scratch, index):
    """Call the C function at address `task`."""

    def emit(context, builder, signature, arguments):
        word, pointer = ir.IntType(64), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(pointer, [pointer] + [word] * 6)
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        params = builder.inttoptr(arguments[1], pointer)
        builder.call(function, [params, *arguments[2:]])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), emit


@serial
def _share(task, params, tasks, scratch_size, a, b, c, d, part, parts):
    """Run one of `parts` equal shares of the tasks, with a zeroed scratch array."""
    scratch = np.zeros(scratch_size, a.dtype)
    for index in range(part * tasks // parts, (part + 1) * tasks // parts):
        _call(
            task,
            params.ctypes.data,
            a.ctypes.data,
            b.ctypes.data,
            c.ctypes.data,
            d.ctypes.data,
            scratch.ctypes.data,
            index,
        )


@serial
def _run_serial(task, params, tasks, scratch_size, a, b, c, d, parts):
    _share(task, params, tasks, scratch_size, a, b, c, d, 0, 1)


@parallel
def _run_parallel(task, params, tasks, scratch_size, a, b, c, d, parts):
    for part in prange(parts):
        _share(task, params, tasks, scratch_size, a, b, c, d, np.int64(part), parts)


def compiled(function: Callable[..., None]) -> int:
    """Compile a task, or find it in Numba's cache, and return its address.

    The literals that the function closes over (its tile) are part of the key.
    """
    address = cfunc(TASK, cache=True, error_model="numpy")(function).address
    assert address is not None
    return address


class Launch(NamedTuple):
    """A compiled task with everything that doesn't change from call to call.

    `scratch_size`: elements of zeroed memory that each thread gets for itself and
    hands to every task it runs.
    """

    task: int
    params: Array
    tasks: int
    scratch_size: int
    flops: int

    def __call__(self, a: Array, b: Array, c: Array, d: Array) -> None:
        """Run all tasks on flat arrays of one dtype; their meaning is the task's."""
        run, parts = _run_serial, 1
        if self.flops > PARALLEL_FLOPS:
            run, parts = _run_parallel, min(get_num_threads(), self.tasks)
        run(self.task, self.params, self.tasks, self.scratch_size, a, b, c, d, parts)


def params(*values: int) -> Array:
    """Return the read-only parameters of a task."""
    return np.array(values, np.int64)
