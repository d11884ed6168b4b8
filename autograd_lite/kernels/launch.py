"""Runs a compiled task for every piece of work, on Numba's threads.

A task is a C function made by `compiled`: `task(params, a, b, c, d, scratch, index)`,
where all but params are addresses or numbers, int64. One parallel loop serves all
tasks, so that a new tile costs the compilation of a small serial function instead of
a parallel one; and Numba can cache on disk what is called through an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from llvmlite import ir
from numba import config, prange, types

from .denormals import flush, restore
from .jit import callback, parallel, serial
from .micro import emitted

Array: TypeAlias = np.ndarray[Any, Any]

TASK: Final = types.void(types.CPointer(types.int64), *[types.int64] * 6)

# Below this many floating-point operations a second thread wakes up too late.
_PARALLEL_FLOPS: Final = 800_000

# Shares of the work, as many as threads at the most. Where `set_num_threads` allows
# fewer, one does several; to ask how many would take longer than a small kernel's call.
_CONFIG: Any = config  # whose names mypy does not find
THREADS: Final[int] = _CONFIG.NUMBA_NUM_THREADS

_CACHE_LINE: Final = 64


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
def _address(array):
    """Return the address of an array's first element."""
    return array.ctypes.data


@serial
def _share(task, params, tasks, scratch_bytes, cleared, a, b, c, d, part, parts):
    """Run one of `parts` equal shares of the tasks, with scratch memory."""
    memory = np.empty(scratch_bytes + _CACHE_LINE, np.uint8)
    if cleared:
        memory[:] = 0
    scratch = memory.ctypes.data
    scratch += -scratch % _CACHE_LINE
    modes = flush()
    for index in range(part * tasks // parts, (part + 1) * tasks // parts):
        _call(task, params, a, b, c, d, scratch, index)
    restore(modes)
    # Numba frees an array after its last use, which the address alone is not.
    memory[0] = 0


@serial
def _run_serial(task, params, tasks, scratch_bytes, cleared, a, b, c, d, parts):
    _share(task, params, tasks, scratch_bytes, cleared, a, b, c, d, 0, 1)


@parallel
def _run_parallel(task, params, tasks, scratch_bytes, cleared, a, b, c, d, parts):
    for part in prange(parts):
        share = np.int64(part)
        _share(task, params, tasks, scratch_bytes, cleared, a, b, c, d, share, parts)


def compiled(function: Callable[..., None]) -> int:
    """Compile a task, or find it in Numba's cache, and return its address.

    The literals that the function closes over (its tile) are part of the key.
    """
    return callback(TASK, function)


class Launch(NamedTuple):
    """A compiled task with everything that doesn't change from call to call.

    `scratch_bytes`: memory that each thread gets for itself and hands to every task it
    runs; `cleared`: whether it begins with zeros. `params` is the address of what
    `kept` holds.
    """

    task: int
    params: int
    kept: Array
    tasks: int
    scratch_bytes: int
    flops: int
    cleared: bool


def launch(
    task: int,
    params: Iterable[int],
    tasks: int,
    scratch_bytes: int,
    flops: int,
    cleared: bool = True,
) -> Launch:
    """Return a Launch; params are what the task finds in `params`, in their order."""
    values = np.array([*params], np.int64)
    address = values.ctypes.data
    return Launch(task, address, values, tasks, scratch_bytes, flops, cleared)


def run(launches: Iterable[Launch], a: Array, b: Array, c: Array, d: Array) -> None:
    """Run launches one after the other on contiguous arrays of one dtype."""
    addresses = (_address(a), _address(b), _address(c), _address(d))
    for task, params, _, tasks, scratch_bytes, flops, cleared in launches:
        many = flops > _PARALLEL_FLOPS and tasks > 1
        loop = _run_parallel if many else _run_serial
        parts = min(THREADS, tasks)
        loop(task, params, tasks, scratch_bytes, cleared, *addresses, parts)
